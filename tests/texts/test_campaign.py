"""Asking in rounds."""

import numpy as np
import pytest

from esmc_core.texts.answers import Answer
from esmc_core.texts.campaign import ask_in_rounds, count_rounds
from esmc_core.texts.triplets import sample_triplets
from tests.texts.test_tuning import two_sides


@pytest.mark.parametrize(("n", "rounds"), [(1024, 4), (256, 4), (130, 2), (60, 1), (1, 1)])
def test_a_small_budget_is_not_split(n, rounds):
    assert count_rounds(n) == rounds


@pytest.mark.parametrize("sampling", ["entropy", "paper", "random"])
def test_a_budget_is_asked_once_and_in_full(sampling):
    embeddings, classes = two_sides(400)
    asked = []

    def ask(triplets):
        asked.append(len(triplets))
        first = [classes[t.query] == classes[t.choice1] for t in triplets]
        second = [classes[t.query] == classes[t.choice2] for t in triplets]
        return [
            Answer("dropped", reason="neither")
            if one == two
            else Answer("answered", 1 if one else 2)
            for one, two in zip(first, second, strict=True)
        ]

    triplets, data = ask_in_rounds(embeddings, ask, 256, sampling=sampling)
    assert asked == ([256] if sampling == "random" else [64] * 4)
    assert len({t.unordered for t in triplets}) == len(triplets) == 256
    assert len(data) + len(data.undecided) == 256 and len(data.undecided) > 0
    np.testing.assert_array_equal(classes[data.query], classes[data.preferred])
    if sampling != "random":
        assert triplets[:64] == sample_triplets(embeddings, 64, sampling=sampling)
        assert triplets[64:] != sample_triplets(embeddings, 256, sampling=sampling)[64:]


def test_answers_that_never_come():
    embeddings, _ = two_sides(60)
    triplets, data = ask_in_rounds(embeddings, lambda drawn: [None] * len(drawn), 256)
    assert len(data) == 0 and len(triplets) > 64
