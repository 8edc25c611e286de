"""The lens must be the model's own: same numbers as the stock forward pass."""

import numpy as np
import pytest
import torch
from PIL import Image

from esmc_core.errors import InputError, ModelError
from esmc_core.lens import read_lens, top_tokens
from esmc_core.models.loading import load_model, memory_need
from tests.tiny_models import save_tiny_llava

CRITERION = "the color of the car is"


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "tiny-llava")


@pytest.fixture(scope="module", params=["tiny", "bundled"])
def model(request, tiny_folder):
    return load_model(str(tiny_folder) if request.param == "tiny" else "bundled", device="cpu")


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    shapes = [(40, 60), (64, 64), (30, 90), (80, 50), (64, 64), (10, 10), (50, 50), (33, 47)]
    return [
        Image.fromarray(generator.integers(0, 255, (*shape, 3), dtype=np.uint8)) for shape in shapes
    ]


def run(model, pictures, prompts, n_positions):
    return model.hidden_states(model.preprocess(pictures, prompts), n_positions=n_positions)


def test_lens_at_the_last_layer_is_the_models_own_distribution(model, pictures):
    prompt = model.prompt(CRITERION)
    inputs = model.preprocess(pictures, [prompt] * len(pictures))
    hidden = model.hidden_states(inputs, n_positions=prompt.n_positions)
    ours = model.logits(hidden[-1], layer=model.n_layers).softmax(-1)
    with torch.inference_mode():
        theirs = model.network(**inputs).logits[:, -prompt.n_positions :].softmax(-1)
    assert (ours - theirs).abs().max() <= 1e-4


def test_hidden_states_are_those_that_transformers_returns(model, pictures):
    prompt = model.prompt(CRITERION)
    inputs = model.preprocess(pictures, [prompt] * len(pictures))
    hidden = model.hidden_states(inputs, n_positions=prompt.n_positions)
    with torch.inference_mode():
        stock = model.network(**inputs, output_hidden_states=True).hidden_states
        normed = model.family.final_norm(model.network)(hidden[-1])
    assert len(stock) == len(hidden) == model.n_layers + 1
    for layer in range(model.n_layers):
        assert torch.allclose(hidden[layer], stock[layer][:, -prompt.n_positions :], atol=1e-5)
    assert torch.allclose(normed, stock[-1][:, -prompt.n_positions :], atol=1e-4)


def test_raw_lens_leaves_the_norm_out_but_at_the_last_layer(model, pictures):
    prompt = model.prompt(CRITERION)
    hidden = run(model, pictures[:2], [prompt] * 2, prompt.n_positions)
    unembed = model.network.get_output_embeddings()
    assert torch.equal(model.logits(hidden[1], layer=1, lens="raw"), unembed(hidden[1]))
    last = model.n_layers
    same = model.logits(hidden[last], layer=last, lens="norm")
    assert torch.equal(model.logits(hidden[last], layer=last, lens="raw"), same)


def test_a_batch_of_one_equals_a_batch_of_eight(model, pictures):
    prompt = model.prompt(CRITERION)
    tokens, probabilities = read_lens(
        model, run(model, pictures, [prompt] * len(pictures), prompt.n_positions)
    )
    for i, picture in enumerate(pictures):
        one = read_lens(model, run(model, [picture], [prompt], prompt.n_positions))
        assert torch.allclose(one[1][:, :, 0], probabilities[:, :, i], atol=1e-4)
        assert (one[0][-1, -1, 0, 0] == tokens[-1, -1, i, 0]).all()


def test_padding_does_not_leak(model, pictures):
    short, long = model.prompt("color"), model.prompt("what color is this yellow flower?")
    together = run(model, pictures[:2], [short, long], short.n_positions)
    alone = run(model, pictures[:1], [short], short.n_positions)
    assert torch.allclose(together[:, 0], alone[:, 0], atol=1e-4)
    other = run(model, pictures[:2], [short, short], short.n_positions)
    assert not torch.allclose(together[-1, 1], other[-1, 1], atol=1e-3)


def test_positions_run_from_the_criterion_to_the_prompts_end(model):
    prompt = model.prompt("  the color of\n the car is ")
    assert prompt.criterion == CRITERION
    content = model.processor.tokenizer.decode(prompt.token_ids[: prompt.n_criterion])
    assert content.strip() == CRITERION
    assert "ASSISTANT" in model.processor.tokenizer.decode(prompt.token_ids[prompt.n_criterion :])


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        ("   ", "empty"),
        ("🚗🚗", "no words"),
        ("x" * 5000, "5,000 characters"),
        ("the <image> is", "control token"),
    ],
)
def test_a_criterion_that_cannot_be_read_is_named(model, criterion, words):
    with pytest.raises(InputError, match=words):
        model.prompt(criterion)


def test_a_criterion_with_emoji_and_any_script_works(model):
    assert model.prompt("the color of the 🚗 is").n_positions > 5
    assert model.prompt("цвет машины 車の色").n_positions > 5


def test_top_tokens_are_true_probabilities():
    logits = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    tokens, probabilities = top_tokens(logits, top_k=2)
    assert tokens.tolist() == [[3, 2]]
    assert torch.allclose(probabilities, logits.softmax(-1)[:, [3, 2]])


def test_models_outside_the_families_are_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="bert model, which is not supported"):
        load_model(str(tmp_path), device="cpu")
    with pytest.raises(ModelError, match="There is no model"):
        load_model("/nowhere/at/all", device="cpu")


def test_weights_that_are_not_safetensors_are_refused(tiny_folder, tmp_path):
    for path in tiny_folder.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(str(tmp_path), device="cpu")


def test_a_model_that_does_not_fit_names_those_that_do(tiny_folder, monkeypatch):
    need = memory_need("llava-hf/llava-1.5-7b-hf", device="cpu")
    assert need > 20e9
    monkeypatch.setattr("esmc_core.models.loading.free_memory", lambda device: 4e9)
    with pytest.raises(ModelError, match=r"needs 35\.\d GB on cpu, 4\.0 GB are free.*bundled"):
        load_model("llava-hf/llava-1.5-7b-hf", device="cpu")


def test_the_fingerprint_follows_the_weights(tiny_folder, tmp_path):
    first = load_model(str(tiny_folder), device="cpu").fingerprint
    assert load_model(str(tiny_folder), device="cpu").fingerprint == first
    other = save_tiny_llava(tmp_path / "other", seed=1)
    assert load_model(str(other), device="cpu").fingerprint != first


def test_vision_features_do_not_hear_the_prompt_and_answers_are_words(tiny_model):
    pictures = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue")]
    features = []
    for words in ("the color of the car is", "shape"):
        prompt = tiny_model.prompt(words)
        inputs = tiny_model.preprocess(pictures, [prompt] * 2)
        features.append(tiny_model.image_features(inputs).numpy())
    assert features[0].shape == (2, tiny_model.d_model)
    np.testing.assert_allclose(features[0], features[1], rtol=1e-4, atol=1e-5)
    assert np.abs(features[0][0] - features[0][1]).max() > 1e-3
    answers = tiny_model.generate(inputs, max_new_tokens=3)
    assert len(answers) == 2 and all(isinstance(answer, str) for answer in answers)
    uneven = [tiny_model.prompt("the color of the car is"), tiny_model.prompt("shape")]
    with pytest.raises(ValueError, match="lengths"):
        tiny_model.generate(tiny_model.preprocess(pictures, uneven), max_new_tokens=3)
