"""What a pass is made of: memory found by trial, decoding ahead, writing behind."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from esmc_core.errors import ModelError
from esmc_core.extract import pass_spec, run_pass
from esmc_core.lens import top_tokens
from esmc_core.lens_store import LensStore
from esmc_core.memory import is_out_of_memory
from esmc_core.models.model import VisionLanguageModel
from esmc_core.prefetch import prefetch
from esmc_core.write_behind import WriteBehind
from tests.core.test_extract import picture

N_IMAGES = 21


@pytest.fixture
def spec(tiny_model):
    return pass_spec(
        tiny_model, collection="c", criterion="the color is", n_images=N_IMAGES, batch_size=8
    )


@pytest.fixture
def fitting(monkeypatch):
    """From a number to a device whose memory holds that many images; what it was given."""
    states, sizes = VisionLanguageModel.hidden_states, []

    def of(limit):
        def limited(model, inputs, **more):
            sizes.append(len(inputs["input_ids"]))
            if sizes[-1] > limit:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return states(model, inputs, **more)

        monkeypatch.setattr(VisionLanguageModel, "hidden_states", limited)
        return sizes

    return of


def test_what_does_not_fit_is_halved_and_stays_so(tiny_model, spec, fitting, tmp_path):
    whole = LensStore.create(tmp_path / "whole", spec, [])
    run_pass(tiny_model, whole, picture)
    store = LensStore.create(tmp_path / "halved", spec, [])
    sizes = fitting(3)
    run_pass(tiny_model, store, picture)
    too_many = [size for size in sizes if size > 3]
    assert sizes[0] == 8 and set(too_many) == {8, 4}
    assert len(too_many) < 2 * torch.get_num_threads() + 2  # each that was under way, twice
    assert store.is_complete and sum(sizes) - sum(too_many) == N_IMAGES
    for cell in [(0, 0), (3, 2)]:
        ours, theirs = store.cell(*cell), whole.cell(*cell)
        assert np.allclose(ours.probabilities, theirs.probabilities, atol=1e-3)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_a_small_model_looks_at_as_many_batches_at_a_time_as_there_are_threads(
    tiny_model, spec, monkeypatch, tmp_path, n_threads
):
    alone = LensStore.create(tmp_path / "alone", spec, [])
    with threadpool_limits(limits=1, user_api="openmp"):
        run_pass(tiny_model, alone, picture)
    states, together = VisionLanguageModel.hidden_states, threading.Barrier(n_threads)
    limits = []

    def meeting(model, inputs, **more):
        limits.append(torch.get_num_threads())
        together.wait(5)  # or it breaks: so many threads are in here at a time
        return states(model, inputs, **more)

    monkeypatch.setattr(VisionLanguageModel, "hidden_states", meeting)
    store = LensStore.create(tmp_path / "lanes", replace(spec, batch_size=4), [])
    with threadpool_limits(limits=n_threads, user_api="openmp"):
        run_pass(tiny_model, store, picture)
    assert set(limits) == {1} and len(limits) == 6
    for cell in np.ndindex(spec.n_layers + 1, spec.n_positions):
        ours, theirs = store.cell(*cell), alone.cell(*cell)
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-3)


def test_each_thread_records_its_own_pass(tiny_model):
    prompt = tiny_model.prompt("the color is")
    inputs = [tiny_model.preprocess([picture(i)], [prompt]) for i in range(8)]

    def look(i):
        return tiny_model.hidden_states(inputs[i], n_positions=prompt.n_positions)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(look, range(8)))
    for i, states in enumerate(together):
        torch.testing.assert_close(states, look(i), atol=1e-5, rtol=1e-5)


def test_memory_for_no_picture_at_all(tiny_model, spec, fitting, tmp_path):
    fitting(0)
    with pytest.raises(ModelError, match="not enough memory"):
        run_pass(tiny_model, LensStore.create(tmp_path, spec, []), picture)


def test_other_errors_are_not_taken_for_full_memory(tiny_model, spec, monkeypatch, tmp_path):
    def broken(model, inputs, **more):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(VisionLanguageModel, "hidden_states", broken)
    with pytest.raises(RuntimeError, match="do not fit"):
        run_pass(tiny_model, LensStore.create(tmp_path, spec, []), picture)
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))


def test_what_is_prepared_comes_in_order_and_not_too_far_ahead():
    begun = []

    def prepare(item):
        begun.append(item)
        time.sleep(0.002 * (item % 3))
        return item * 10

    taken = []
    for item, prepared in prefetch(range(12), prepare, n_workers=3):
        assert prepared == item * 10
        assert len(begun) - len(taken) <= 4
        taken.append(item)
    assert taken == list(range(12))


def test_what_cannot_be_prepared_is_told_in_its_turn():
    def prepare(item):
        if item == 2:
            raise ValueError("gone")
        return item

    taken = []
    with pytest.raises(ValueError, match="gone"):
        for item, _ in prefetch(range(9), prepare, n_workers=2):
            taken.append(item)
    assert taken == [0, 1]


class Disk:
    """Stands for a store; a commit takes a while."""

    def __init__(self, commit_s=0.0, broken=False):
        self.put_in, self.committed, self.commit_s, self.broken = [], [], commit_s, broken

    def put(self, images, tokens, probabilities):
        if self.broken:
            raise OSError(28, "No space left on device")
        self.put_in += list(images)

    def commit(self):
        time.sleep(self.commit_s)
        self.committed = list(self.put_in)


def nothing():
    return np.zeros(0), np.zeros(0)


def test_commits_are_few_where_they_are_slow_and_the_first_comes_at_once():
    disk, commits = Disk(commit_s=0.05), []
    with WriteBehind([disk], on_commit=lambda: commits.append(len(disk.committed))) as writer:
        for i in range(50):
            writer.put(disk, np.array([i]), nothing)
    assert commits[0] == 1 and commits[-1] == 50 and len(commits) <= 3


def test_what_was_put_is_committed_when_a_stop_ends_it():
    disk = Disk()
    with pytest.raises(KeyboardInterrupt), WriteBehind([disk]) as writer:
        writer.put(disk, np.array([3, 4]), nothing)
        raise KeyboardInterrupt
    assert disk.committed == [3, 4]


def test_a_full_disk_ends_the_pass():
    disk = Disk(broken=True)
    with pytest.raises(OSError, match="No space"), WriteBehind([disk]) as writer:
        for i in range(9):
            writer.put(disk, np.array([i]), nothing)


def test_a_slow_disk_holds_the_model_back():
    disk, go_on, given = Disk(), threading.Event(), []

    def late():
        go_on.wait(timeout=20)
        return nothing()

    def give(writer):
        for i in range(5):
            writer.put(disk, np.array([i]), late)
            given.append(i)

    with WriteBehind([disk]) as writer:
        thread = threading.Thread(target=give, args=[writer])
        thread.start()
        deadline_s = time.monotonic() + 20
        while len(given) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(given) == 2
        go_on.set()
        thread.join()
    assert disk.committed == list(range(5))


@pytest.mark.parametrize("n_vocab", [40, 300, 403, 3_000, 9_000])
def test_the_most_probable_words_are_those_of_torch(n_vocab):
    logits = torch.randn(3, 4, n_vocab, generator=torch.Generator().manual_seed(0)) * 4
    tokens, probabilities = top_tokens(logits, top_k=50)
    values, expected = logits.softmax(-1).topk(min(50, n_vocab), dim=-1)
    assert torch.equal(tokens.long(), expected)
    assert torch.allclose(probabilities, values, atol=1e-6)


@pytest.mark.parametrize("n_vocab", [403, 3_000])
def test_equally_probable_words_are_all_found(n_vocab):
    """Where it is open which are the largest, the quick way gives up."""
    logits = torch.zeros(2, 3, n_vocab)
    logits[..., ::7] = 3
    tokens, probabilities = top_tokens(logits, top_k=50)
    assert torch.allclose(probabilities, logits.softmax(-1).topk(50, dim=-1).values)
    assert all(len(set(cell)) == 50 for row in tokens.tolist() for cell in row)
