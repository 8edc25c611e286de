"""Every family reads picture and prompt as its own classes do, and its lens is its own head."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from esmc_core.errors import InputError
from esmc_core.models.loading import load_model, memory_need
from tests.tiny_families import SOFTCAP, TINY

CRITERION = "the color of the car is"
SHAPES = [(30, 90), (64, 64), (80, 50), (28, 28), (90, 30), (10, 10), (200, 120), (33, 47)]
STOCK_LOADS = ["llava-next", "gemma-3", "idefics3", "paligemma", "paligemma-2"]
"""The stock processors of the others ask for packages for videos."""


@pytest.fixture(scope="module", params=TINY)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def tiny(name):
    return TINY[name]


@pytest.fixture(scope="module")
def model(name, tiny_family):
    return load_model(str(tiny_family(name)), device="cpu")


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    return [
        Image.fromarray(generator.integers(0, 255, (*shape, 3), dtype=np.uint8)) for shape in SHAPES
    ]


def run(model, pictures, *criteria, n_positions=None):
    prompts = [model.prompt(text) for text in criteria or [CRITERION]]
    prompts *= 1 if len(prompts) == len(pictures) else len(pictures)
    n_positions = n_positions or prompts[0].n_positions
    return model.hidden_states(model.preprocess(pictures, prompts), n_positions=n_positions)


def ends(inputs, values, n_positions):
    """The last positions of each row of (n_images, n_tokens, …), padding left out."""
    lengths = inputs["attention_mask"].sum(dim=1).tolist()
    rows = zip(values, lengths, strict=True)
    return torch.stack([row[stop - n_positions : stop] for row, stop in rows])


def test_the_prompt_is_the_familys(model, tiny):
    prompt = model.prompt(f"  {CRITERION}\n")
    placeholder = tiny.placeholder or tiny.image_token
    assert prompt.text == tiny.prompt.replace("IMAGE", placeholder).replace("CRITERION", CRITERION)
    decode = model.processor.tokenizer.decode
    assert decode(prompt.token_ids[: prompt.n_criterion]).strip() == CRITERION
    behind = prompt.text.split(CRITERION)[1]
    assert decode(prompt.token_ids[prompt.n_criterion :]).strip() == behind.strip()
    assert prompt.n_criterion < prompt.n_positions


def test_a_word_of_the_template_is_found_where_the_criterion_stands(model):
    """The criterion was looked for from the end, and "s" was found in "assistant"."""
    one, many = model.prompt("s"), model.prompt(CRITERION)
    assert one.n_criterion == 1
    assert one.token_ids[1:] == many.token_ids[many.n_criterion :]


def test_the_picture_stands_as_the_family_lays_it_out(model, tiny, pictures):
    prompt = model.prompt(CRITERION)
    inputs = model.preprocess(pictures, [prompt] * len(pictures))
    assert tiny.inputs <= set(inputs) and "labels" not in inputs
    is_image = inputs["input_ids"] == model.processor.tokenizer.convert_tokens_to_ids(
        tiny.image_token
    )
    n_tokens = is_image.sum(dim=1).tolist()
    assert min(n_tokens) > 1
    assert (len(set(n_tokens)) == 1) == tiny.one_length
    before, behind = (re.escape(text) for text in tiny.around)
    for ids in inputs["input_ids"]:
        text = model.processor.tokenizer.decode(ids)
        assert re.search(f"{before}(?:{re.escape(tiny.image_token)})+{behind}", text)
        assert text.count("<bos>") == int(tiny.bos or "<bos>" in tiny.prompt)
    if "mm_token_type_ids" in tiny.inputs:
        assert (inputs["mm_token_type_ids"] == is_image).all()
    if "token_type_ids" in tiny.inputs and not tiny.processor.startswith("Pali"):
        assert (inputs["token_type_ids"] == is_image).all()
    last = ends(inputs, inputs["input_ids"], prompt.n_positions)
    assert (last == torch.tensor(prompt.token_ids)).all()


@pytest.mark.parametrize("name", STOCK_LOADS, indirect=True)
def test_the_inputs_are_those_of_the_stock_processor(name, model, tiny_family, pictures):
    stock = AutoProcessor.from_pretrained(tiny_family(name))
    for picture in pictures:
        if name.startswith("paligemma"):
            theirs = stock(images=picture, text=f"<image>{CRITERION}", return_tensors="pt")
        else:
            content = [{"type": "image", "image": picture}, {"type": "text", "text": CRITERION}]
            theirs = stock.apply_chat_template(
                [{"role": "user", "content": content}],
                **{"add_generation_prompt": True, "tokenize": True, "return_dict": True},
                return_tensors="pt",
            )
        ours = model.preprocess([picture], [model.prompt(CRITERION)])
        assert set(ours) == set(theirs) - {"labels"}
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_lens_at_the_last_layer_is_the_models_own_distribution(model, name, pictures):
    prompt = model.prompt(CRITERION)
    inputs = model.preprocess(pictures, [prompt] * len(pictures))
    hidden = model.hidden_states(inputs, n_positions=prompt.n_positions)
    ours = model.logits(hidden[-1], layer=model.n_layers)
    with torch.inference_mode():
        theirs = ends(inputs, model.network(**inputs).logits, prompt.n_positions)
    assert (ours.softmax(-1) - theirs.softmax(-1)).abs().max() <= 1e-4
    assert (ours - theirs).abs().max() <= 1e-3
    is_capped = bool(theirs.abs().max() <= SOFTCAP)
    assert is_capped == (name == "paligemma-2")


def test_hidden_states_are_those_that_transformers_returns(model, pictures):
    prompt = model.prompt(CRITERION)
    inputs = model.preprocess(pictures[:3], [prompt] * 3)
    hidden = model.hidden_states(inputs, n_positions=prompt.n_positions)
    with torch.inference_mode():
        stock = model.network(**inputs, output_hidden_states=True).hidden_states
        normed = model.family.final_norm(model.network)(hidden[-1])
    assert len(stock) == len(hidden) == model.n_layers + 1
    for ours, theirs in zip([*hidden[:-1], normed], stock, strict=True):
        assert torch.allclose(ours, ends(inputs, theirs, prompt.n_positions), atol=1e-4)


def test_a_batch_of_one_equals_a_batch_of_eight(model, pictures):
    together = run(model, pictures)
    for i, picture in enumerate(pictures):
        assert (run(model, [picture])[:, 0] - together[:, i]).abs().max() <= 1e-4
    answers = model.logits(together[-1, :, -1], layer=model.n_layers).softmax(-1)
    for i in range(1, len(pictures)):
        assert (answers[i] - answers[0]).abs().max() > 1e-3, "the picture has no say"


def test_pictures_of_different_shape_in_one_batch_give_what_each_gives_alone(model, tiny, pictures):
    wide, large = pictures[0], pictures[6]
    prompts = [model.prompt(CRITERION)] * 2
    inputs = model.preprocess([wide, large], prompts)
    lengths = inputs["attention_mask"].sum(dim=1).tolist()
    assert (lengths[0] == lengths[1]) == tiny.one_length
    together = run(model, [wide, large])
    swapped = run(model, [large, wide])
    for alone, ours in ((wide, together[:, 0]), (large, together[:, 1]), (wide, swapped[:, 1])):
        assert (run(model, [alone])[:, 0] - ours).abs().max() <= 1e-4


def test_padding_does_not_leak(model, pictures):
    short, long = "color", "what color is this yellow flower?"
    together = run(model, pictures[:2], short, long)
    alone = run(model, pictures[:1], short)
    assert (together[:, 0] - alone[:, 0]).abs().max() <= 1e-4
    n_positions = together.shape[2]
    long_alone = run(model, pictures[1:2], long, n_positions=n_positions)
    assert (together[:, 1] - long_alone[:, 0]).abs().max() <= 1e-4
    other = run(model, pictures[:1], "shape")
    assert (other[-1, 0, -1] - alone[-1, 0, -1]).abs().max() > 1e-2, "the criterion has no say"


def test_a_pass_leaves_nothing_behind_for_the_next(model, pictures):
    first = run(model, pictures[:1])
    run(model, pictures[6:7], "what color is this yellow flower?")
    assert torch.equal(run(model, pictures[:1]), first)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3), (1, 900), (900, 1), (5000, 3)])
def test_pictures_of_odd_shape(model, size):
    picture = Image.new("RGB", size, (200, 30, 40))
    assert run(model, [picture, Image.new("RGB", (40, 30))]).isfinite().all()


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen3-vl"], indirect=True)
def test_a_large_photo_is_made_smaller(name, tiny_family, tmp_path):
    """As the hub's checkpoints are set, a photo of 12 megapixels takes 11,700 tokens or more."""
    folder = shutil.copytree(tiny_family(name), tmp_path / name)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings.pop("max_pixels", None)
    settings["size"] = {"shortest_edge": 4096, "longest_edge": 16_777_216}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    model = load_model(str(folder), device="cpu")
    grid = model.family.preprocess(
        model.processor,
        [Image.new("RGB", (3000, 2000))],
        [model.prompt(CRITERION).text],
    )["image_grid_thw"]
    assert 800 < grid.prod() // 4 <= 1280


def test_a_token_for_the_model_is_no_criterion(model, tiny):
    for token in {tiny.image_token, tiny.placeholder, *tiny.special} - {""}:
        with pytest.raises(InputError, match="control token"):
            model.prompt(f"the {token} is")


def test_what_it_needs_is_known_from_the_config_alone(name, model, tiny_family):
    need = memory_need(str(tiny_family(name)), device="cpu")
    assert need == int(model.n_parameters * 4 * 1.25)
