"""A gain on held-out answers against chance."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from esmc_core.texts.tuning import TuneSettings, tune
from esmc_core.texts.verdict import allowed_chance, chance_of_gain, more_answers_needed
from tests.texts.test_tuning import QUICK, asked, no_model, two_sides

__all__ = ["no_model"]


def by_counting(gain, query):
    """The same from all signs, one after the other."""
    sums = [gain[query == one].sum() for one in np.unique(query)]
    signs = np.array(list(product([-1, 1], repeat=len(sums))))
    return float(np.mean(signs @ sums >= sum(sums) - 1e-9))


@pytest.mark.parametrize("seed", range(8))
def test_the_chance_is_that_of_all_signs(seed):
    rng = np.random.default_rng(seed)
    gain = rng.choice([-1, -0.5, -0.125, 0, 0.375, 0.5, 1], 12, p=[0.1] * 3 + [0.1, 0.2, 0.2, 0.2])
    query = rng.integers(0, 9, 12)
    expected = by_counting(gain, query) if gain.sum() > 0 else 1.0
    assert chance_of_gain(gain, query) == pytest.approx(expected, abs=1e-12)


def test_the_chance_by_hand():
    assert chance_of_gain(np.ones(5), np.arange(5)) == pytest.approx(1 / 32)
    assert chance_of_gain(np.ones(4), np.arange(4)) == pytest.approx(1 / 16)
    assert chance_of_gain(np.array([1, 1, 0.5, 0]), np.arange(4)) == pytest.approx(1 / 8)
    assert chance_of_gain(np.zeros(9), np.arange(9)) == 1
    assert chance_of_gain(-np.ones(9), np.arange(9)) == 1
    assert chance_of_gain(np.zeros(0), np.zeros(0, dtype=int)) == 1


def test_answers_to_one_query_count_once():
    """Twenty times the same is no twenty answers."""
    assert chance_of_gain(np.ones(20), np.zeros(20, dtype=int)) == pytest.approx(1 / 2)


def test_a_thousand_answers_are_quick_and_near_the_normal():
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    gain = rng.choice([-1, -0.25, 0, 0.375, 1], 1000)
    gain[:40] = 1
    expected = norm.sf(gain.sum() / np.sqrt(np.square(gain).sum()))
    assert chance_of_gain(gain, np.arange(1000)) == pytest.approx(expected, rel=0.05)


def test_few_answers_have_to_gain_more():
    from scipy.stats import norm

    assert norm.isf(allowed_chance(40, 120)) == pytest.approx(2)
    assert norm.isf(allowed_chance(10**6, 120)) == pytest.approx(1, abs=1e-3)
    allowed = [allowed_chance(n, 120) for n in (5, 10, 20, 100, 1000)]
    assert allowed == sorted(allowed) and allowed[1] < 0.5**10


def test_how_many_more_would_tell():
    """So many that the same gain would just be believed."""
    from scipy.stats import norm

    assert more_answers_needed(0.001, 40, 120) == 0
    for chance, n in [(0.03, 40), (0.016, 19), (0.2, 300), (0.24, 15)]:
        more = more_answers_needed(chance, n, 120)
        sure = norm.isf(chance) / n**0.5
        assert norm.sf(sure * (n + more) ** 0.5) <= allowed_chance(n + more, 120)
        assert norm.sf(sure * (n + more - 1) ** 0.5) > allowed_chance(n + more - 1, 120)
    assert more_answers_needed(0.3, 20, 120) is None and more_answers_needed(1, 20, 120) is None


@pytest.mark.parametrize("n_answers", [10, 20, 40])
def test_answers_without_sense_are_hardly_ever_kept(no_model, n_answers):
    """At most 2.3 % of such rounds are to be: of 12 more than two in three of a thousand cases."""
    kept = 0
    for seed in range(12):
        embeddings, classes = two_sides(120, seed=seed)
        dice = asked(classes, n=n_answers, accuracy=0.5, seed=seed)
        kept += tune(no_model, [], embeddings, dice).report.is_kept
    assert kept <= 2


def test_few_answers_are_told_to_be_few(no_model, monkeypatch):
    """24 held-out answers: many of them newly met is not enough, all of them is."""
    embeddings, classes = two_sides()
    data = asked(classes, n=120, accuracy=0.5)

    def after(share):
        def trained(embedder, texts, training, held_out, settings, **_more):
            return None, (np.arange(len(held_out)) < share * len(held_out))[None].astype(float)

        monkeypatch.setattr("esmc_core.texts.tuning.fine_tune", trained)
        return tune(no_model, [], embeddings, data, TuneSettings("full")).report

    few, all_met, none_met = after(0.7), after(1), after(0)
    assert 20 < few.n_held_out < 30 and few.after > few.before and not few.is_kept
    assert few.chance > allowed_chance(few.n_held_out, 120) and few.more_needed
    assert all_met.is_kept and all_met.more_needed == 0
    assert not none_met.is_kept and none_met.chance == 1 and none_met.more_needed is None


def test_many_answers_of_a_good_judge_are_kept(no_model):
    """As many decided answers as 1,024 questions give."""
    embeddings, classes = two_sides(600)
    settings = replace(QUICK, n_clusters=4)
    report = tune(no_model, [], embeddings, asked(classes, accuracy=0.9), settings).report
    assert report.is_kept and report.chance < 0.001


def test_full_tuning_wants_enough_to_hold_out(no_model):
    assert TuneSettings("full").least_answers == 50 and TuneSettings().least_answers == 10
