"""A command that was killed goes on when it is given again."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

from esmc_core.__main__ import main
from esmc_core.models.model import VisionLanguageModel
from tests.command_line import only_pass
from tests.conftest import CRITERION, N_PHOTOS

ROOT = Path(__file__).resolve().parents[2]
KILLED_WHILE_WRITING = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from esmc_core.__main__ import main
    from esmc_core import extract
    from esmc_core.lens_store import LensStore

    put, batches = LensStore.put, []

    def torn(store, images, tokens, probabilities):
        batches.append(images)
        if len(batches) == 2:
            store._tokens[:, :, store._row[images[: len(images) // 2]]] = 7
            store._tokens.flush()
            Path(sys.argv[1]).touch()
            time.sleep(600)
        put(store, images, tokens, probabilities)

    LensStore.put = torn
    extract.default_batch_size = lambda model: 16
    sys.exit(main(sys.argv[2:]))
""")


def test_killed_and_given_again_goes_on_where_it_was(
    colour_photos, tiny_llava, tmp_path, monkeypatch
):
    """kill -9 while the second batch is half written: only that one is looked at again."""
    monkeypatch.setattr("esmc_core.extract.default_batch_size", lambda model: 16)
    options = ["--criterion", CRITERION, "--clusters", "3", "--model", str(tiny_llava)]
    command = ["cluster", str(colour_photos), *options, "--out"]
    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "whole"))
    assert main([*command, str(tmp_path / "whole.csv")]) == 0
    whole = only_pass(tmp_path / "whole").folder

    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "killed"))
    signal_file, out = tmp_path / "writing", tmp_path / "killed.csv"
    script = [sys.executable, "-c", KILLED_WHILE_WRITING, str(signal_file), *command, str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(script, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not signal_file.exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists()
    store = only_pass(tmp_path / "killed")
    done = np.flatnonzero(store.done)
    assert list(done) == sorted(store.order[:16])
    assert (store.cell(1, 1).tokens[store.order[16]] == 7).all()

    seen, states = [], VisionLanguageModel.hidden_states

    def counted(model, inputs, **more):
        seen.append(len(inputs["input_ids"]))
        return states(model, inputs, **more)

    monkeypatch.setattr(VisionLanguageModel, "hidden_states", counted)
    assert main([*command, str(out)]) == 0
    assert sum(seen) == N_PHOTOS - 16
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    for name in ("tokens.i32", "probabilities.f16"):
        assert (store.folder / name).read_bytes() == (whole / name).read_bytes()
    seen.clear()
    shutil.copy(out, tmp_path / "first.csv")
    assert main([*command, str(out)]) == 0
    assert (sum(seen), out.read_bytes()) == (0, (tmp_path / "first.csv").read_bytes())
