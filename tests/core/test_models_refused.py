"""Checkpoints that cannot be used are named, with what can be; nothing of theirs is run."""

import json
import shutil
import socket

import pytest
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, PhiConfig

from esmc_core.errors import ModelError
from esmc_core.models.family import FAMILIES
from esmc_core.models.loading import load_model, memory_need


@pytest.fixture
def folder(tiny_family, tmp_path):
    """A model of Qwen2.5-VL, to be spoilt."""
    return shutil.copytree(tiny_family("qwen2.5-vl"), tmp_path / "model")


def change(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def refuses(folder, problem: str) -> str:
    with pytest.raises(ModelError, match=problem) as refusal:
        load_model(str(folder), device="cpu")
    return str(refusal.value)


@pytest.mark.parametrize(
    "kind", ["bert", "blip-2", "internvl_chat", "gemma3_text", "qwen2_vl", "?"]
)
def test_another_kind_is_named_with_the_families(kind, folder):
    change(folder / "config.json", model_type=kind)
    message = refuses(folder, "model, which is not supported")
    assert f"is a {kind} model" in message
    assert all(family.title in message for family in FAMILIES)
    with pytest.raises(ModelError, match="not supported"):
        memory_need(str(folder), device="cpu")


def test_a_folder_that_does_not_say_its_kind(folder):
    (folder / "config.json").write_text("{}")
    refuses(folder, "does not say which kind")


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_config_that_is_none(folder, text):
    (folder / "config.json").write_text(text)
    refuses(folder, "cannot be read|does not say")


@pytest.mark.parametrize("kind", ["qwen2_5_vl", "internvl_chat"])
def test_code_that_comes_with_a_model_is_never_run(folder, kind):
    """Neither that of a supported model nor that of another."""
    for name in ("config", "preprocessor_config", "processor_config", "tokenizer_config"):
        classes = {
            **{"AutoConfig": "theirs.A", "AutoModelForImageTextToText": "theirs.B"},
            **{"AutoProcessor": "theirs.C", "AutoImageProcessor": "theirs.D"},
            "AutoTokenizer": ["theirs.E", "theirs.E"],
        }
        change(folder / f"{name}.json", auto_map=classes)
    trace = folder / "was-run"
    code = f"open({str(trace)!r}, 'w')\nA = B = C = D = E = object\n"
    (folder / "theirs.py").write_text(code)
    change(folder / "config.json", model_type=kind)
    if kind == "internvl_chat":
        refuses(folder, "not supported")
    else:
        assert load_model(str(folder), device="cpu").prompt("the color is").n_criterion > 1
    assert not trace.exists()


@pytest.mark.parametrize(
    "missing", ["tokenizer.json", "preprocessor_config.json", "model.safetensors"]
)
def test_a_folder_that_lacks_a_part(folder, missing):
    (folder / missing).unlink()
    refuses(folder, "cannot be loaded")


def test_a_text_decoder_of_another_build(tiny_llava, tmp_path):
    folder = shutil.copytree(tiny_llava, tmp_path / "model")
    config = AutoConfig.from_pretrained(folder)
    config.text_config = PhiConfig(
        vocab_size=400, hidden_size=48, num_hidden_layers=1, num_attention_heads=4
    )
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    refuses(folder, "decoder PhiModel .* is not supported")


def test_damaged_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    refuses(folder, "cannot be loaded")


def test_a_template_that_hides_the_criterion(folder):
    (folder / "chat_template.jinja").write_text("<|image_pad|>What do you see?")
    with pytest.raises(ModelError, match="does not repeat the criterion"):
        load_model(str(folder), device="cpu").prompt("the color is")


def test_a_template_that_puts_the_picture_behind_the_criterion(folder):
    """The positions would be the picture's."""
    (folder / "chat_template.jinja").write_text(
        "{{ messages[0]['content'][1]['text'] }}<|image_pad|>"
    )
    model = load_model(str(folder), device="cpu")
    with pytest.raises(ModelError, match="after the picture"):
        model.preprocess([Image.new("RGB", (30, 30))], [model.prompt("the color is")])


def test_a_checkpoint_without_a_template_gets_a_plain_one(folder):
    (folder / "chat_template.jinja").unlink()
    prompt = load_model(str(folder), device="cpu").prompt("the color is")
    assert prompt.text == "<|image_pad|>\nthe color is"
    assert prompt.n_criterion == prompt.n_positions


def test_a_hub_that_cannot_be_reached_is_told_at_once(monkeypatch):
    def unknown(*_):
        raise socket.gaierror(-2, "Name or service not known")

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ModelError, match=r"huggingface\.co cannot be reached.*bundled"):
        load_model("nobody/nothing", device="cpu")
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")  # which would find the address
    with pytest.raises(ModelError, match="cannot be read"):
        load_model("nobody/nothing", device="cpu")
