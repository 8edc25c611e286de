"""The pass: complete, resumable after a kill, the same numbers every time."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

from esmc_core.errors import Cancelled, StoreError
from esmc_core.extract import pass_spec, run_hidden_pass, run_pass
from esmc_core.lens import read_lens
from esmc_core.lens_store import LensStore
from esmc_core.models.loading import load_model
from tests.tiny_models import save_tiny_llava

N_IMAGES = 21


def picture(i):
    pixels = np.random.default_rng(i).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "tiny-llava")


@pytest.fixture(scope="module")
def model(folder):
    return load_model(str(folder), device="cpu")


@pytest.fixture(scope="module")
def spec(model):
    return pass_spec(
        model, collection="c", criterion="the color is", n_images=N_IMAGES, batch_size=4
    )


@pytest.fixture(scope="module")
def whole(model, spec, tmp_path_factory):
    store = LensStore.create(tmp_path_factory.mktemp("passes"), spec, model.vocabulary())
    run_pass(model, store, picture)
    return store


def test_every_cell_holds_the_lens_of_its_image(model, spec, whole):
    prompt = model.prompt("the color is")
    batch = whole.order[:4]
    inputs = model.preprocess([picture(int(i)) for i in batch], [prompt] * 4)
    hidden = model.hidden_states(inputs, n_positions=prompt.n_positions)
    tokens, probabilities = read_lens(model, hidden)
    cell = whole.cell(2, 3)
    assert (cell.tokens[batch] == tokens[2, 3].numpy()).all()
    assert np.allclose(cell.probabilities[batch], probabilities[2, 3], atol=1e-3)
    assert cell.probabilities.shape == (N_IMAGES, spec.top_k)
    assert (cell.tail >= 0).all()


def test_the_order_is_a_shuffle_and_the_sample_its_beginning(whole):
    assert sorted(whole.order) == list(range(N_IMAGES))
    assert list(whole.order) != sorted(whole.order)
    assert (whole.sample(5) == whole.order[:5]).all()


def test_cancel_keeps_what_is_done_and_the_rest_gives_the_same_numbers(
    model, spec, whole, tmp_path
):
    store = LensStore.create(tmp_path, spec, [])
    calls = iter([False, False, True])
    with pytest.raises(Cancelled):
        run_pass(model, store, picture, should_stop=lambda: next(calls))
    assert store.n_done == 8
    seen = []
    again = LensStore.create(tmp_path, spec, [])
    run_pass(model, again, lambda i: (seen.append(i), picture(i))[1])
    assert sorted(seen) == sorted(store.order[8:])
    assert again.is_complete
    for name in ("tokens.i32", "probabilities.f16"):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_killed_pass_goes_on_without_computing_an_image_twice(folder, whole, spec, tmp_path):
    """kill -9 in the middle; only what was not marked done yet is computed again."""
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from tests.core.test_extract import picture
        from esmc_core.extract import pass_spec, run_pass
        from esmc_core.lens_store import LensStore
        from esmc_core.models.loading import load_model
        model = load_model(sys.argv[1], device="cpu")
        spec = pass_spec(model, collection="c", criterion="the color is",
                         n_images=21, batch_size=4)
        store = LensStore.create(Path(sys.argv[2]), spec, [])
        log = open(sys.argv[3], "a", buffering=1)
        pace = float(sys.argv[4])
        def progress(done, total):
            log.write(f"done {done}\\n")
            time.sleep(pace)
        def opened(i):
            log.write(f"open {i}\\n")
            return picture(i)
        run_pass(model, store, opened, progress=progress)
    """)
    log = tmp_path / "log"
    command = [sys.executable, "-c", script, str(folder), str(tmp_path / "p"), str(log)]
    process = subprocess.Popen([*command, "60"])
    deadline = time.monotonic() + 120
    while not log.exists() or "done 4" not in log.read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    store = LensStore.open(tmp_path / "p" / spec.key)
    finished = set(np.flatnonzero(store.done))
    assert finished == set(store.order[:4])
    log.unlink()
    subprocess.run([*command, "0"], check=True)
    opened = {int(line.split()[1]) for line in log.read_text().splitlines() if "open" in line}
    assert opened == set(range(N_IMAGES)) - finished
    for name in ("tokens.i32", "probabilities.f16"):
        assert (store.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_damaged_pass_is_named(whole, tmp_path, spec):
    store = LensStore.create(tmp_path, spec, [])
    (store.folder / "tokens.i32").write_bytes(b"short")
    with pytest.raises(StoreError, match="is damaged"):
        LensStore.open(store.folder)
    (store.folder / "tokens.i32").unlink()
    with pytest.raises(StoreError, match=r"tokens\.i32 is missing"):
        LensStore.open(store.folder)
    (store.folder / "pass.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        LensStore.open(store.folder)


def test_the_hidden_state_of_one_cell_is_kept_and_resumed(model, spec, whole):
    with pytest.raises(Cancelled):
        calls = iter([False, False, True])
        run_hidden_pass(model, whole, picture, layer=3, position=1, should_stop=lambda: next(calls))
    seen = []
    states = run_hidden_pass(
        model, whole, lambda i: (seen.append(i), picture(i))[1], layer=3, position=1
    )
    assert len(seen) == N_IMAGES - 8
    assert not [path for path in whole.folder.iterdir() if path.suffix in (".whole", ".partial")]
    prompt = model.prompt("the color is")
    inputs = model.preprocess([picture(5)], [prompt])
    stock = model.network(**inputs, output_hidden_states=True).hidden_states[-1]
    expected = stock[0, -prompt.n_positions + 1].detach().numpy()
    assert np.allclose(states[5], expected, atol=5e-3)
    again = run_hidden_pass(model, whole, None, layer=3, position=1)
    assert (again == states).all()
