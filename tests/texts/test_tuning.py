"""Tuning by answers: the loss, held-out answers that judge it, and the embedder saved."""

import numpy as np
import pytest
import torch

from esmc_core.errors import Cancelled, InputError
from esmc_core.texts.adapter import (
    AdapterSettings,
    apply_adapter,
    contrastive_loss,
    train_adapter,
    with_adapter,
)
from esmc_core.texts.answers import Answer
from esmc_core.texts.embedder import Embedder, load_embedder, normalised
from esmc_core.texts.fine_tuning import FineTuneSettings, train_upper_layers
from esmc_core.texts.preferences import Preferences, folds, joined, preferences
from esmc_core.texts.triplets import Triplet
from esmc_core.texts.tuning import TuneSettings, best_epoch, tune


def two_sides(n_texts=200, seed=0):
    """Embeddings that say much about a nuisance and little about the class."""
    rng = np.random.default_rng(seed)
    classes = np.arange(n_texts) % 4
    rows = rng.normal(0, 0.3, (n_texts, 12))
    rows[:, :4] += np.eye(4)[classes] * 0.8
    rows[:, 4:8] += np.eye(4)[rng.integers(0, 4, n_texts)] * 1.6
    return normalised(rows), classes


def asked(classes, n=400, accuracy=1.0, seed=0):
    """Preferences of a judge of that accuracy about random decidable triplets."""
    rng = np.random.default_rng(seed)
    rows = []
    while len(rows) < n:
        query, one, other = rng.choice(len(classes), 3, replace=False)
        if (classes[query] == classes[one]) != (classes[query] == classes[other]):
            if (classes[query] == classes[one]) != (rng.random() < accuracy):
                one, other = other, one
            rows.append((query, one, other))
    return Preferences(*np.array(rows).T)


def test_answers_become_preferences():
    triplets = [Triplet(0, 1, 2), Triplet(3, 4, 5), Triplet(6, 7, 8), Triplet(9, 1, 2)]
    triplets += [Triplet(5, 6, 7)]
    answers = [Answer("answered", 1), Answer("answered", 2), Answer("dropped"), None]
    answers += [Answer("dropped", reason="neither")]
    found = preferences(triplets, answers)
    assert found.query.tolist() == [0, 3]
    assert found.preferred.tolist() == [1, 5] and found.rejected.tolist() == [2, 4]
    assert found.undecided.tolist() == [[5, 6, 7]]
    again = Preferences.of(found.table)
    assert again.rejected.tolist() == [2, 4] and again.undecided.tolist() == [[5, 6, 7]]
    assert len(preferences([], [])) == 0
    assert len(joined([found, found])) == 4 and len(joined([])) == 0


def test_what_is_held_out_teaches_nothing_even_undecided():
    data = Preferences(
        np.array([0, 3]),
        np.array([1, 4]),
        np.array([2, 5]),
        undecided=np.array([[0, 4, 5], [3, 1, 2], [6, 7, 8]]),
    )
    some = data.take(np.array([True, False]))
    assert some.query.tolist() == [0] and some.undecided[:, 0].tolist() == [0, 6]


def test_answers_are_met_by_clusters():
    data = Preferences(np.zeros(4, dtype=int), np.array([1, 2, 1, 2]), np.array([2, 1, 3, 4]))
    assert data.right_in(np.array([0, 0, 1, 0, 1])).tolist() == [1, 0, 0.5, 0.5]


def test_no_query_is_in_two_folds():
    data = asked(np.arange(60) % 4, n=300)
    parts = folds(data, 5)
    assert set(parts) == set(range(5)) and np.bincount(parts).min() > 30
    for query in np.unique(data.query):
        assert len(set(parts[data.query == query])) == 1


def test_the_loss_by_hand():
    """Two queries; what the untuned embedding holds for nearer than the preferred is left out."""
    rng = np.random.default_rng(0)
    texts = [torch.from_numpy(normalised(rng.normal(size=(2, 3)))) for _ in range(3)]
    mapped = [torch.from_numpy(normalised(rng.normal(size=(2, 3)))) for _ in range(3)]
    query, preferred, rejected = ([t.numpy() for t in part] for part in mapped)
    first, second, third = ([t.numpy() for t in part] for part in texts)
    total = 0.0
    for i in range(2):
        limit = first[i] @ second[i]
        other = 1 - i
        below = [np.exp(query[i] @ preferred[i] / 0.1), np.exp(query[i] @ rejected[i] / 0.1)]
        if first[i] @ second[other] <= limit:
            below.append(np.exp(query[i] @ preferred[other] / 0.1))
        if first[i] @ third[other] <= limit:
            below.append(np.exp(query[i] @ rejected[other] / 0.1))
        total -= np.log(below[0] / sum(below)) / 2
        back = [np.exp(preferred[i] @ query[i] / 0.1)]
        if first[other] @ second[i] <= first[other] @ second[other]:
            back.append(np.exp(preferred[i] @ query[other] / 0.1))
        total -= np.log(back[0] / sum(back)) / 2
    assert float(contrastive_loss(mapped, texts, temperature=0.1)) == pytest.approx(total, rel=1e-4)


def test_the_adapter_learns_and_the_seed_decides():
    embeddings, classes = two_sides()
    data = asked(classes)
    settings = AdapterSettings(epochs=10, learning_rate=1e-2)
    matrix = train_adapter(embeddings, data, settings)
    fresh = asked(classes, seed=1)
    tuned = apply_adapter(embeddings, matrix)
    assert fresh.right(tuned).mean() > fresh.right(embeddings).mean() + 0.1
    np.testing.assert_array_equal(matrix, train_adapter(embeddings, data, settings))
    np.testing.assert_allclose(np.linalg.norm(tuned, axis=1), 1, rtol=1e-5)


class NoModel:
    """An embedder for tests that need none."""

    name = prompt = ""
    fingerprint = "0"
    model = None


@pytest.fixture
def no_model(monkeypatch):
    monkeypatch.setattr("esmc_core.texts.tuning.with_adapter", lambda model, matrix: None)
    monkeypatch.setattr("esmc_core.texts.tuning.Embedder", lambda *args, **more: NoModel())
    return NoModel()


QUICK = TuneSettings(adapter=AdapterSettings(epochs=8, learning_rate=1e-2))


def test_held_out_answers_keep_a_round_that_helps(no_model):
    embeddings, classes = two_sides()
    data = asked(classes, accuracy=0.9)
    seen = []
    report = tune(no_model, [], embeddings, data, QUICK, progress=lambda *d: seen.append(d)).report
    assert report.is_kept and report.after > report.before + report.error
    assert report.n_answers == report.n_held_out == 400 and 0 < report.error < 0.05
    assert len(report.curve) == 8 and 1 <= report.epochs <= 8
    assert seen[-1] == (40, 40)


def test_a_round_that_does_not_help_is_not_kept(no_model):
    """Answers that are thrown dice teach nothing, and now and then seem to."""
    embeddings, classes = two_sides()
    dice = [asked(classes, accuracy=0.5, seed=seed) for seed in range(4)]
    reports = [tune(no_model, [], embeddings, data, QUICK).report for data in dice]
    assert sum(report.is_kept for report in reports) <= 1


def test_too_few_answers_and_cancel(no_model):
    embeddings, classes = two_sides()
    data = asked(classes)
    with pytest.raises(InputError, match="9 decided answers are too few"):
        tune(no_model, [], embeddings, data.take(np.arange(9)))
    with pytest.raises(InputError, match="too few"):
        tune(no_model, [], embeddings, data.take(np.zeros(20, dtype=int)))
    with pytest.raises(Cancelled):
        tune(no_model, [], embeddings, data, should_stop=lambda: True)


def test_the_best_epoch_is_in_the_middle_of_a_plateau():
    assert best_epoch(np.array([0.5, 0.6, 0.7, 0.7, 0.7, 0.6])) == 4
    assert best_epoch(np.array([0.5, 0.9, 0.5, 0.7, 0.71, 0.7, 0.7])) == 5
    assert best_epoch(np.array([0.5])) == 1
    assert best_epoch(np.array([0.5, 0.5])) == 1


def test_the_tuned_embedder_is_saved_and_loaded_elsewhere(tiny_model_folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    embedder = load_embedder(str(tiny_model_folder), prompt="please ")
    matrix = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    tuned = Embedder(with_adapter(embedder.model, matrix), name="", prompt="please ")
    texts = ["play the song", "rain and wind"]
    expected = apply_adapter(embedder.embed(texts), matrix)
    np.testing.assert_allclose(tuned.embed(texts), expected, atol=1e-5)
    tuned.save(tmp_path / "saved")
    elsewhere = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(elsewhere.encode(texts), expected, atol=1e-5)


def topics_preferences(topics, n=200):
    return asked(np.unique(topics, return_inverse=True)[1], n=n)


def test_the_model_itself_is_tuned_with_sentence_transformers(
    tiny_embedder, texts_and_topics, capfd
):
    texts, topics = texts_and_topics
    data = topics_preferences(topics)
    before = tiny_embedder.embed(texts)
    full = FineTuneSettings(epochs=5, learning_rate=1e-2, n_layers=None)
    seen = []
    tuned = tune(
        tiny_embedder,
        texts,
        before,
        data,
        TuneSettings("full", full=full),
        progress=lambda *done: seen.append(done),
    )
    report = tuned.report
    assert report.is_kept and report.after > report.before + 0.1
    assert report.after <= max(report.curve) and report.epochs == np.argmax(report.curve) + 1
    assert seen[-1][0] == seen[-1][1]
    assert tuned.embeddings is None and tuned.adapter is None
    np.testing.assert_array_equal(tiny_embedder.embed(texts), before, "the original is untouched")
    held_out = data.take(folds(data, 5) == 0)
    right = held_out.right(tuned.embedder.embed(texts)).mean()
    assert right == pytest.approx(max(report.curve))
    output = capfd.readouterr()
    assert output.out == "" and "example" not in output.err


def test_the_best_of_many_epochs_is_no_proof(no_model, monkeypatch):
    """Of 40 epochs of thrown dice one meets many held-out answers; it is judged by the others."""
    embeddings, classes = two_sides()
    dice = np.random.default_rng(0)
    kept = 0
    for seed in range(20):
        data = asked(classes, n=150, accuracy=0.5, seed=seed)

        def trained(embedder, texts, training, held_out, settings, **_more):
            return None, dice.integers(0, 2, (40, len(held_out))).astype(float)

        monkeypatch.setattr("esmc_core.texts.tuning.fine_tune", trained)
        report = tune(no_model, [], embeddings, data, TuneSettings("full")).report
        assert report.curve[report.epochs - 1] > 0.6
        kept += report.is_kept
    assert kept <= 2


def test_cancel_and_the_time_limit_end_training(tiny_embedder, texts_and_topics):
    texts, topics = texts_and_topics
    data = topics_preferences(topics)
    embeddings = tiny_embedder.embed(texts)
    slow = TuneSettings("full", full=FineTuneSettings(epochs=500, patience=500, max_seconds=0.5))
    report = tune(tiny_embedder, texts, embeddings, data, slow).report
    assert len(report.curve) < 500
    with pytest.raises(Cancelled):
        tune(tiny_embedder, texts, embeddings, data, slow, should_stop=lambda: True)


def test_all_layers_or_the_upper_ones(tiny_model_folder):
    model = load_embedder(str(tiny_model_folder)).model
    train_upper_layers(model, None)
    assert all(p.requires_grad for p in model.parameters())
    train_upper_layers(model, 1)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all("layer.1." in name for name in trained)
