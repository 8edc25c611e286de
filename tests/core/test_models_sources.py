"""The same checkpoint by hub id, in an older or a newer folder layout: the same numbers."""

import json
import shutil

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image

from esmc_core.models.family import FAMILIES
from esmc_core.models.loading import is_local, load_model
from tests.tiny_families import TINY

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 90, 3), dtype=np.uint8))


def state(model):
    prompt = model.prompt("the color is")
    inputs = model.preprocess([PICTURE], [prompt])
    return model.hidden_states(inputs, n_positions=prompt.n_positions)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """From a folder and a commit to a hub id, as if the model had been fetched."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def fetched(folder, commit: str) -> str:
        repository = tmp_path / "hub" / "models--someone--tiny"
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
        return "someone/tiny"

    return fetched


@pytest.mark.parametrize("name", TINY)
def test_a_hub_id_works_as_a_folder_does(name, tiny_family, hub):
    """A model of the hub was loaded and then failed for want of its folder."""
    assert not is_local("someone/tiny")
    fetched = hub(tiny_family(name), "a" * 40)
    assert is_local(fetched)
    model = load_model(fetched, device="cpu")
    assert model.name == "someone/tiny"
    assert torch.equal(state(model), state(load_model(str(tiny_family(name)), device="cpu")))


def test_the_fingerprint_follows_the_commit(tiny_llava, hub):
    first = load_model(hub(tiny_llava, "a" * 40), device="cpu").fingerprint
    assert load_model("someone/tiny", device="cpu").fingerprint == first
    assert load_model(hub(tiny_llava, "b" * 40), device="cpu").fingerprint != first


@pytest.mark.parametrize("name", TINY)
def test_a_folder_with_all_settings_in_one_file(name, tiny_family, tmp_path):
    """As newer versions of transformers save it, the part for videos included."""
    folder = shutil.copytree(tiny_family(name), tmp_path / name)
    model = load_model(str(folder), device="cpu")
    (folder / "preprocessor_config.json").unlink()
    model.processor.save_pretrained(folder)
    record = json.loads((folder / "processor_config.json").read_text())
    assert "image_processor" in record
    record["processor_class"] = TINY[name].processor
    record["video_processor"] = {"video_processor_type": "Qwen2VLVideoProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(record))
    assert torch.equal(state(load_model(str(folder), device="cpu")), state(model))


def test_no_kind_of_model_belongs_to_two_families():
    kinds = [kind for family in FAMILIES for kind in family.model_types]
    assert len(kinds) == len(set(kinds))
