"""Kept features of a vision tower: a later criterion opens no picture and has the same numbers."""

import numpy as np
import pytest

from esmc_core.errors import Cancelled
from esmc_core.extract import pass_spec, run_pass, run_passes
from esmc_core.feature_store import FeatureStore
from esmc_core.lens_store import LensStore
from esmc_core.models.loading import load_model
from esmc_core.models.vision import features_shape
from tests.core.test_extract import N_IMAGES, picture

FIRST, LATER = "the color is", "the shape of the object is"


def store_of(model, criterion, folder):
    spec = pass_spec(model, collection="c", criterion=criterion, n_images=N_IMAGES, batch_size=4)
    return LensStore.create(folder, spec, [])


def features_of(model, folder):
    return FeatureStore.create(
        folder, model.fingerprint, n_images=N_IMAGES, shape=features_shape(model)
    )


def never(_image):
    raise AssertionError("a picture was opened")


def same(one, other):
    return all(
        (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
        for name in ("tokens.i32", "probabilities.f16")
    )


@pytest.fixture(scope="module", params=["tiny", "bundled"])
def model(request, tiny_llava):
    return load_model("bundled" if request.param == "bundled" else str(tiny_llava), device="cpu")


@pytest.fixture(scope="module")
def fresh(model, tmp_path_factory):
    """Passes without anything kept, by criterion."""
    made = {}
    for criterion in (FIRST, LATER):
        made[criterion] = store_of(model, criterion, tmp_path_factory.mktemp("fresh"))
        run_pass(model, made[criterion], picture)
    return made


def test_a_later_criterion_opens_no_picture_and_has_the_same_numbers(model, fresh, tmp_path):
    features = features_of(model, tmp_path / "f")
    first = store_of(model, FIRST, tmp_path / "p")
    run_pass(model, first, picture, features=features)
    assert features.n_done == N_IMAGES and same(first, fresh[FIRST])
    later = store_of(model, LATER, tmp_path / "p")
    run_pass(model, later, never, features=features_of(model, tmp_path / "f"))
    assert later.is_complete and same(later, fresh[LATER])


def test_several_later_criteria_share_what_is_kept(model, fresh, tmp_path):
    features = features_of(model, tmp_path / "f")
    run_pass(model, store_of(model, "what is it?", tmp_path / "p"), picture, features=features)
    stores = [store_of(model, criterion, tmp_path / "p") for criterion in (FIRST, LATER)]
    run_passes(model, stores, never, features=features)
    for store in stores:
        ours = store.cell(2, 1).to_csr().toarray()
        theirs = fresh[store.spec.criterion].cell(2, 1).to_csr().toarray()
        assert abs(ours - theirs).max() <= 1e-3  # half precision


def test_what_was_not_seen_yet_is_looked_at_and_kept(model, fresh, tmp_path):
    features, calls = features_of(model, tmp_path / "f"), iter([False, False, True])
    with pytest.raises(Cancelled):
        first = store_of(model, FIRST, tmp_path / "p")
        run_pass(model, first, picture, features=features, should_stop=lambda: next(calls))
    assert features.n_done == 8
    opened, later = [], store_of(model, LATER, tmp_path / "p")
    run_pass(model, later, lambda i: (opened.append(i), picture(i))[1], features=features)
    assert sorted(opened) == sorted(later.order[8:]) and features.n_done == N_IMAGES
    assert same(later, fresh[LATER])
    again = features_of(model, tmp_path / "f")
    run_pass(model, store_of(model, FIRST, tmp_path / "p"), never, features=again)


def test_rows_count_only_once_they_are_committed(tmp_path):
    features = FeatureStore.create(tmp_path, "m", n_images=5, shape=(2, 3))
    features.put(np.array([1, 4]), np.ones((2, 2, 3)))
    assert not features.has([1]) and features.n_done == 0
    features.commit()
    again = FeatureStore.create(tmp_path, "m", n_images=5, shape=(2, 3))
    assert again.has([1, 4]) and not again.has([0, 1])
    assert (again.read(np.array([4, 1])) == 1).all()


@pytest.mark.parametrize("damage", ["short", "gone", "record", "other pictures"])
def test_damaged_features_are_made_anew(damage, tmp_path):
    features = FeatureStore.create(tmp_path, "m", n_images=5, shape=(2, 3))
    features.put(np.arange(5), np.ones((5, 2, 3)))
    features.commit()
    if damage == "short":
        (features.folder / "features.f32").write_bytes(b"short")
    if damage == "gone":
        (features.folder / "features.f32").unlink()
    if damage == "record":
        (features.folder / "features.json").write_text("{")
    n_images = 6 if damage == "other pictures" else 5
    again = FeatureStore.create(tmp_path, "m", n_images=n_images, shape=(2, 3))
    assert again.n_done == 0 and len(again.done) == n_images
    assert FeatureStore.create(tmp_path, "other", n_images=5, shape=(2, 3)).n_done == 0


@pytest.mark.parametrize("family", ["paligemma", "gemma-3", "qwen2.5-vl"])
def test_families_that_read_pictures_otherwise_keep_nothing(family, tiny_family):
    assert features_shape(load_model(str(tiny_family(family)), device="cpu")) is None
