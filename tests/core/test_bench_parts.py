"""The parts of the benchmark: figures, oracles, rules, baselines."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from esmc_core.bench import rules
from esmc_core.bench.baselines import hsv_histogram, pixel_features
from esmc_core.bench.measure import average, measure, nmi_by_cell, oracle_cell, oracle_epoch
from esmc_core.bench.prompts import PARAPHRASES, PROBES, PROMPTS
from esmc_core.bench.published import PUBLISHED
from esmc_core.bench.runs import Run, load_run, make_run, save_run
from esmc_core.bench.sets import Labels, read_labels
from esmc_core.bench.text_features import embed_texts
from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.cluster.pipeline import make_estimator
from esmc_core.errors import InputError
from esmc_core.images import Collection, Picture
from tests.tiny_lens import clouds

TRUTH = ["a", "a", "b", "b", "", ""]
RIGHT, WRONG = np.array([1, 1, 0, 0, 0, 1]), np.array([0, 1, 0, 1, 0, 1])


def test_figures_are_means_over_seeds_and_skip_what_is_unknown():
    figures = measure([RIGHT, WRONG], TRUTH)
    assert figures["nmi"]["per_seed"] == pytest.approx([1, 0])
    assert figures["nmi"]["mean"] == pytest.approx(0.5)
    assert figures["nmi"]["sd"] == pytest.approx(np.sqrt(0.5))
    assert figures["accuracy"]["per_seed"] == [1, 0.5]
    assert measure([RIGHT], TRUTH)["nmi"]["sd"] == 0
    assert average([figures, measure([RIGHT, RIGHT], TRUTH)])["nmi"]["per_seed"] == [1, 0.5]


def test_oracles_take_the_best_by_the_truth():
    assert oracle_epoch(np.stack([WRONG, RIGHT, WRONG]), TRUTH).tolist() == RIGHT.tolist()
    nmi = nmi_by_cell(np.array([[WRONG, WRONG], [WRONG, RIGHT]]), TRUTH)
    assert nmi.shape == (2, 2) and oracle_cell(nmi) == (1, 1)


def test_a_run_is_what_the_app_computes_and_comes_back_from_disk(tmp_path):
    matrix, _ = clouds(60, 3, spread=0.8)
    settings = ClusterSettings(3, epochs=4, seed=5)
    run = make_run(matrix, settings, watch=True)
    expected = make_estimator(settings).fit(matrix)
    np.testing.assert_array_equal(run.labels, expected.labels_)
    np.testing.assert_array_equal(run.before_head, expected.kmeans_labels_)
    assert run.by_epoch.shape == (4, 60)
    assert measure([run.by_epoch[-1]], run.labels.tolist())["nmi"]["mean"] == pytest.approx(1)
    save_run(tmp_path / "run.npz", run)
    loaded = load_run(tmp_path / "run.npz")
    assert loaded is not None
    for name, array in vars(run).items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
    assert load_run(tmp_path / "none.npz") is None


def test_fewer_answers_than_clusters_are_the_clusters():
    matrix, _ = clouds(6, 3)
    few = matrix[[0, 1, 0, 0, 1, 1]]
    for rows in (few, few.toarray()):
        run = make_run(rows, ClusterSettings(3), watch=True)
        assert run.labels.tolist() in ([0, 1, 0, 0, 1, 1], [1, 0, 1, 1, 0, 0])
        assert run.by_epoch.shape == (1, 6)


def evidence(*partitions, n_clusters=2, **more):
    """What rules see of a few given partitions."""
    found = [Run(np.array(p), np.array(p), np.array(p), np.array([p] * 10)) for p in partitions]
    settings = ClusterSettings(n_clusters, epochs=5)
    case = SimpleNamespace(n_clusters=n_clusters, settings=settings, **more)
    return rules.Evidence(case, found, seed=0)


def test_votes_do_not_depend_on_numbering():
    seen = evidence([0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 1])
    assert rules.seed_vote(seen).labels.tolist() == [0, 0, 1, 1]
    assert rules.epoch_vote(seen).labels.tolist() == [0, 0, 1, 1]
    together = rules.co_association(seen).labels
    assert together[0] == together[1] != together[2]


def test_alpha_is_the_one_on_which_seeds_agree():
    same, other = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    found = {0.1: [same, other], 0.3: [same, other], 0.6: [same, 1 - same]}
    assert rules.choose_alpha(found, default=0.3) == 0.6
    assert rules.choose_alpha({0.1: [same], 0.3: [same]}, default=0.3) == 0.3


@pytest.mark.parametrize("rule", ["rule_spectral", "rule_mixture"])
def test_rules_on_rows_find_the_clouds(rule):
    matrix, truth = clouds(120, 3)
    seen = evidence(truth, n_clusters=3, cell=lambda _: (0, 0), cell_rows=lambda *_: matrix)
    labels = rules.RULES[rule].partition(seen).labels
    assert measure([labels], truth.tolist())["nmi"]["mean"] > 0.95


def test_colours_and_pixels_of_a_picture():
    red = Image.new("RGB", (40, 20), (255, 0, 0))
    histogram = hsv_histogram(red)
    assert histogram.shape == (12 * 4 * 4,)
    assert sorted(histogram)[-2:] == [0, 1]
    framed = Image.new("RGB", (40, 20), (0, 0, 255))
    framed.paste(red.crop((0, 0, 20, 10)), (10, 5))
    np.testing.assert_array_equal(hsv_histogram(framed), histogram)
    assert pixel_features(red).reshape(-1, 3).tolist() == [[1, 0, 0]] * 256


def test_text_answers_become_rows():
    rows = embed_texts(["a red car", "a red car", "white", ""])
    assert rows.shape[0] == 4
    written = rows.toarray() if hasattr(rows, "toarray") else rows
    np.testing.assert_array_equal(written[0], written[1])
    assert np.abs(written[0] - written[2]).max() > 0.1
    assert embed_texts(["", "!"]).shape[0] == 2


def test_every_paraphrase_and_published_figure_belongs_to_a_prompt():
    for table in (PARAPHRASES, PROBES):
        assert set(table) <= set(PROMPTS)
    asked = {(name, column) for name, columns in PROMPTS.items() for column in columns}
    others = {(name, column) for name, columns in PARAPHRASES.items() for column in columns}
    assert set(PUBLISHED) | others <= asked


def test_labels_are_matched_by_file(tmp_path, caplog):
    (tmp_path / "labels.csv").write_text(
        "\ufefffile,colour,kind\na.png, red ,\nb/c.png,blue,x\ngone.png,red,x\n,,\n",
        encoding="utf-8",
    )
    labels = read_labels(tmp_path)
    (told,) = caplog.messages
    assert "labels.csv labels what is not there (3): a.png, b/c.png, gone.png" in told
    pictures = [Picture("0" * 64, file, 1, 1, 1, "") for file in ("a.png", "b/c.png", "new.png")]
    collection = Collection("0" * 16, "tiny", "", "", tuple(pictures))
    assert labels.columns == ("colour", "kind")
    problem = re.escape(f"{tmp_path / 'labels.csv'} has 2 classes for 2 pictures")
    with pytest.raises(InputError, match=problem):
        labels.truth(collection, "colour")
    more = Labels(labels.path, labels.columns, labels.rows | {"new.png": ("red", "")})
    assert more.truth(collection, "colour") == ["red", "blue", "red"]
    assert more.count_unused(collection, "colour") == 1
