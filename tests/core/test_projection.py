"""The layout: clusters apart, the same for the same seed, and something for every size."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse

from esmc_core import projection, projection_worker
from esmc_core.errors import Cancelled, InputError
from esmc_core.metrics import silhouette
from esmc_core.projection import project, warm_up
from esmc_core.projection_worker import ProjectionWorker
from tests.tiny_lens import clouds


@pytest.fixture(scope="module")
def laid_out():
    warm_up()
    matrix, truth = clouds(80, 3)
    return matrix, truth, project(matrix)


def test_clusters_lie_apart(laid_out):
    _, truth, layout = laid_out
    assert layout.shape == (80, 2)
    assert layout.dtype == np.float32
    assert silhouette(layout, truth) > 0.5


def test_same_seed_same_layout_also_from_several_threads(laid_out):
    matrix, _, layout = laid_out
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: project(matrix)})) for i in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found[0], layout)
    np.testing.assert_array_equal(found[1], layout)


def test_an_earlier_layout_keeps_clusters_on_their_side(laid_out):
    """Two far apart clouds are laid out alike: only the start decides which comes left."""
    matrix, truth = clouds(40, 2)
    sides = np.where(truth == 0, -5.0, 5.0)
    for sign in (1, -1):
        start = np.stack([sign * sides, np.zeros(40)], axis=1)
        start[3] = np.nan  # a new image
        layout = project(matrix, init=start)
        gap = layout[truth == 1, 0].mean() - layout[truth == 0, 0].mean()
        assert np.sign(gap) == sign


@pytest.mark.parametrize("n_images", [1, 2, 3, 4, 5, 6])
def test_a_handful_of_images_is_laid_out_without_overlap(laid_out, n_images):
    layout = project(laid_out[0][:n_images])
    assert layout.shape == (n_images, 2)
    assert np.isfinite(layout).all()
    assert len(np.unique(layout, axis=0)) == n_images


@pytest.mark.parametrize("matrix", [np.ones((12, 3)), scipy.sparse.csr_matrix((12, 3))])
def test_equal_rows_are_laid_out_somewhere(laid_out, matrix):
    assert np.isfinite(project(matrix)).all()


def test_dense_rows_give_the_layout_of_sparse_ones_in_kind(laid_out):
    matrix, truth, _ = laid_out
    assert silhouette(project(matrix.toarray()), truth) > 0.5


def test_of_many_images_the_others_join_their_neighbours_in_a_sample(laid_out, monkeypatch):
    """UMAP of 100,000 images took ten minutes; its part must not grow."""
    monkeypatch.setattr(projection, "SAMPLE_SIZE", 60)
    fit, fitted = projection._fit, []
    monkeypatch.setattr(
        projection, "_fit", lambda rows, *a, **o: (fitted.append(len(rows)), fit(rows, *a, **o))[1]
    )
    matrix, truth = clouds(300, 3)
    layout = project(matrix)
    assert fitted == [60]
    assert np.isfinite(layout).all()
    assert silhouette(layout, truth) > 0.5
    np.testing.assert_array_equal(project(matrix), layout)


@pytest.mark.parametrize("sample_size", [1_000, 60])
def test_progress_is_told_to_the_end_of_which_it_knows_from_the_start(monkeypatch, sample_size):
    monkeypatch.setattr(projection, "SAMPLE_SIZE", sample_size)
    told = []
    project(clouds(150, 3)[0], progress=lambda *step: told.append(step))
    assert told == sorted(told)
    done, total = zip(*told, strict=True)
    assert len(set(total)) == 1 and done[0] < total[0] / 2
    assert total[0] - 1 <= done[-1] <= total[0]  # a broken comparison may be missing


def test_it_stops_when_told(laid_out):
    told = []
    with pytest.raises(Cancelled):
        project(
            laid_out[0],
            progress=lambda *step: told.append(step),
            should_stop=lambda: bool(told),
        )
    assert told and told[-1][0] < told[-1][1]


def test_the_other_process_tells_and_stops_too():
    matrix, told = clouds(80, 3)[0], []
    worker = ProjectionWorker()
    with pytest.raises(Cancelled):
        worker.project(matrix, should_stop=lambda: True)
    points = worker.project(matrix[:3], init=None, progress=lambda *step: told.append(step))
    assert points.shape == (3, 2)


def test_it_rests_while_others_need_the_cpu(monkeypatch):
    worker = ProjectionWorker()
    monkeypatch.setattr(projection_worker, "_board", worker._board)
    with ThreadPoolExecutor(2) as pool:
        with worker.resting():
            answers = [pool.submit(projection_worker._should_stop, run) for run in (1, 2)]
            with pytest.raises(TimeoutError):
                answers[1].result(timeout=0.3)
            worker._board[projection_worker._STOPPED] = 1
            assert answers[0].result(timeout=10) is True
            assert not answers[1].done()
        assert answers[1].result(timeout=10) is False


def test_unusable_input_is_told():
    with pytest.raises(InputError, match="7 images does not fit 20"):
        project(clouds(20, 2)[0], init=np.zeros((7, 2)))
    with pytest.raises(InputError, match="not finite"):
        project(np.full((20, 2), np.nan))
