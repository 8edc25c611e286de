"""Many criteria behind one picture: the numbers are those of one pass a criterion."""

import dataclasses

import pytest

from esmc_core.extract import pass_spec, run_pass, run_passes, shares_passes
from esmc_core.lens_store import LensStore
from esmc_core.models.loading import load_model
from esmc_core.models.shared_prefix import can_share, hidden_states_of_all
from tests.core.test_extract import picture
from tests.core.test_families import SHAPES
from tests.tiny_families import TINY, random_pictures

CRITERIA = ["the color of the car is", "what shape?", "the type of this yellow flower is"]
ALONE = {"paligemma", "paligemma-2"}
"""Their picture attends to the prompt."""


@pytest.fixture(scope="module", params=["llava-1.5", *TINY])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name, tiny_family, tiny_llava):
    folder = tiny_llava if name == "llava-1.5" else tiny_family(name)
    return load_model(str(folder), device="cpu")


@pytest.fixture(scope="module")
def difference(model):
    """The largest between states read together and alone, over all criteria and pictures."""
    pictures = random_pictures(SHAPES)
    prompts = [model.prompt(criterion) for criterion in CRITERIA]
    inputs = model.preprocess(pictures, [prompts[0]] * len(pictures))
    together, places = hidden_states_of_all(model, inputs, prompts)
    found = []
    for prompt, at in zip(prompts, places, strict=True):
        states = together[:, :, at]
        inputs = model.preprocess(pictures, [prompt] * len(pictures))
        alone = model.hidden_states(inputs, n_positions=prompt.n_positions)
        assert states.shape == alone.shape
        found.append(float((states - alone).abs().max()))
    return max(found)


def test_criteria_read_together_and_alone_have_the_same_states(name, model, difference):
    prompts = [model.prompt(criterion) for criterion in CRITERIA]
    if name in ALONE:
        assert not can_share(model, prompts)
        assert difference > 0.1, "sharing has become valid"
    else:
        assert can_share(model, prompts)
        assert difference <= 1e-4


def test_passes_of_many_criteria_are_those_of_each(name, model, tmp_path):
    n_images = 6

    def passes(folder):
        return [
            LensStore.create(
                tmp_path / folder,
                pass_spec(
                    model, collection="c", criterion=criterion, n_images=n_images, batch_size=3
                ),
                [],
            )
            for criterion in CRITERIA
        ]

    together, alone = passes("together"), passes("alone")
    opened, seen = [], []
    run_pass(model, together[1], picture)  # it is not looked at again
    run_passes(
        model,
        together,
        lambda i: (opened.append(i), picture(i))[1],
        progress=lambda *at: seen.append(at),
    )
    assert shares_passes(model, CRITERIA) == (name not in ALONE)
    assert len(opened) == n_images * (1 if name not in ALONE else 2)
    assert seen[-1] == (n_images, n_images)
    for store, expected in zip(together, alone, strict=True):
        run_pass(model, expected, picture)
        assert store.is_complete
        for layer in range(model.n_layers + 1):
            ours = store.cell(layer, 1).to_csr().toarray()
            theirs = expected.cell(layer, 1).to_csr().toarray()
            # Probabilities are kept in half precision; words that fall out of the top are small.
            assert abs(ours - theirs).max() <= 1e-3


def test_a_template_that_merges_with_the_criterion_is_not_shared(tiny_model):
    prompts = [tiny_model.prompt(criterion) for criterion in CRITERIA[:2]]
    assert can_share(tiny_model, prompts)
    merged = dataclasses.replace(prompts[1], prefix_ids=prompts[1].prefix_ids[:-1])
    assert not can_share(tiny_model, [prompts[0], merged])


def test_what_criteria_begin_with_is_read_once(tiny_model):
    criteria = ["the color of the car is", "the color of the flower is", "the color of the car is"]
    prompts = [tiny_model.prompt(criterion) for criterion in criteria]
    inputs = tiny_model.preprocess([picture(0)], prompts[:1])
    states, places = hidden_states_of_all(tiny_model, inputs, prompts)
    pairs = zip(prompts[0].token_ids, prompts[1].token_ids, strict=False)
    n_common = next(i for i, (one, other) in enumerate(pairs) if one != other)
    assert n_common >= 4 and places[0][:n_common] == places[1][:n_common]
    assert places[0] == places[2] and not set(places[0][n_common:]) & set(places[1][n_common:])
    assert states.shape[2] == prompts[0].n_positions + prompts[1].n_positions - n_common
    for prompt, at in zip(prompts, places, strict=True):
        inputs = tiny_model.preprocess([picture(0)], [prompt])
        alone = tiny_model.hidden_states(inputs, n_positions=prompt.n_positions)
        assert (states[:, :, at] - alone).abs().max() <= 1e-4
