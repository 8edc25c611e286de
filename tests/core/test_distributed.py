"""The pass on Ray: the same bits, whatever dies."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ray")

from esmc_core.__main__ import main
from esmc_core.config import Config
from esmc_core.distributed.run import RayPass
from esmc_core.distributed.session import _knock, ray_session
from esmc_core.distributed.worker import Looker
from esmc_core.errors import InputError
from esmc_core.workspace import Workspace
from tests.command_line import messages, rows_of
from tests.conftest import CRITERION

ROOT = Path(__file__).resolve().parents[2]
N_IMAGES, BATCH_SIZE = 45, 4
OTHER = "the shape is"
DRIVER = textwrap.dedent("""
    import sys
    from tests.core.test_distributed import SlowLooker, fill_on_ray
    from esmc_core.distributed.session import _knock, ray_session
    photos, home, model, address = sys.argv[1:]
    with ray_session(address) as ray:
        fill_on_ray(ray, photos, home, model, SlowLooker)
""")


class MarkingLooker(Looker):
    """Leaves a mark for each batch it computes; one of them is killed within its third."""

    def read(self, inputs):
        home = Path(self.task.home)
        pixels = sha256(inputs["pixel_values"].numpy().tobytes()).hexdigest()
        (home / f"mark-{pixels[:16]}-{uuid4().hex}").touch()
        self.n_read = getattr(self, "n_read", 0) + 1
        if self.n_read == 3 and not (home / "killed").exists():
            (home / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)  # so that both workers get their share
        return super().read(inputs)


class SlowLooker(Looker):
    """Takes its time, so that there is a middle to be killed in."""

    def read(self, inputs):
        time.sleep(0.5)
        return super().read(inputs)


def fill_on_ray(ray, photos, home, model, looker):
    """The pass as the command does it, with another looker."""
    workspace = Workspace(Config(Path(home)))
    task = RayPass(ray, model, device="cpu", n_workers=2, looker=looker)
    found = task.describe([CRITERION], batch_size=BATCH_SIZE)
    collection = workspace.library.read_source(photos, run=task.intake)
    (store,) = task.create_passes(workspace, collection, found)
    task.fill(workspace, collection, [store], shares=found.shares)
    return store


@pytest.fixture(scope="module")
def ray():
    with ray_session(n_workers=2) as ray:
        yield ray


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """N_IMAGES different pictures, one of them twice, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for i in range(N_IMAGES):
        pixels = np.random.default_rng(i).integers(0, 255, (30, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    (folder / "again.png").write_bytes((folder / "07.png").read_bytes())
    (folder / "notes.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def local_home(photos, tiny_llava, tmp_path_factory):
    """What the local engine makes of them."""
    home = tmp_path_factory.mktemp("local") / "home"
    assert extract(photos, home, tiny_llava) == 0
    return home


def extract(photos, home, model, *options, criteria=(CRITERION, OTHER)):
    words = [part for criterion in criteria for part in ("--criterion", criterion)]
    command = ["extract", photos, *words, "--model", model, "--device", "cpu"]
    return main([str(p) for p in [*command, "--batch-size", BATCH_SIZE, "--out", home, *options]])


def files_of(home, *, names=("tokens.i32", "probabilities.f16", "done.u8")):
    """The bytes of every pass's arrays, by its key and name."""
    found = [path for name in names for path in home.rglob(name)]
    return {(path.parent.name, path.name): path.read_bytes() for path in found}


def test_two_workers_give_the_same_bits_as_one_machine(
    ray, photos, local_home, tiny_llava, tmp_path, capsys
):
    home, shards = tmp_path / "home", tmp_path / "shards"
    assert (
        extract(photos, home, tiny_llava, "--engine", "ray", "--workers", 2, "--shards", shards)
        == 0
    )
    lines = [line for line in messages(capsys.readouterr().err) if line.startswith("not read")]
    assert [line.split(":")[1].strip() for line in lines] == ["notes.jpg"]
    assert files_of(home) == files_of(local_home)
    assert len(files_of(home)) == 6
    assert not list(shards.rglob("*.npz"))
    (collection,) = (
        Workspace(Config(home)).library.load(c.key) for c in Workspace(Config(home)).library.list()
    )
    (local,) = (
        Workspace(Config(local_home)).library.load(c.key)
        for c in Workspace(Config(local_home)).library.list()
    )
    assert (collection.pictures, collection.refusals) == (local.pictures, local.refusals)
    assert collection.duplicates == local.duplicates
    for picture in collection.pictures:
        mine, theirs = (
            Workspace(Config(each)).library.thumbnail_path(picture.digest).read_bytes()
            for each in (home, local_home)
        )
        assert mine == theirs


def test_killed_driver_then_killed_worker(ray, photos, tiny_llava, tmp_path):
    """What has its shard is not computed again; the lost worker costs the batch it was at."""
    home = tmp_path / "home"
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", DRIVER, photos, home, tiny_llava, address]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 120
        while len(list(home.rglob("batch-*.npz"))) < 3:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(1)  # Ray ends its workers
    n_left = len(list(home.rglob("batch-*.npz")))

    store = fill_on_ray(ray, photos, home, str(tiny_llava), MarkingLooker)
    n_batches = -(-N_IMAGES // BATCH_SIZE)
    marks = Counter(path.name.split("-")[1] for path in home.glob("mark-*"))
    assert 3 <= n_left < n_batches and len(marks) == n_batches - n_left
    assert (home / "killed").exists()
    assert sorted(marks.values()) == [1] * (len(marks) - 1) + [2]
    local = tmp_path / "local"
    assert extract(photos, local, tiny_llava, criteria=[CRITERION]) == 0
    assert files_of(home) == files_of(local)
    assert store.is_complete and not (store.folder / "shards").exists()


def test_without_ray_the_line_says_how_to_get_it(photos, tiny_llava, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "ray\[data\]'), ray_session():
        pass


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_listens_is_said_so_at_once(scheme):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        address = f"{scheme}127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"{address} cannot be reached: .*refused"):
            _knock(address)


def test_a_store_is_clustered_without_its_pictures(local_home, tmp_path, capsys):
    command = ["--clusters", "3", "--layer", "2", "--position", "3", "--out"]
    out = tmp_path / "clusters.csv"
    assert main(["cluster", str(local_home), "--criterion", CRITERION, *command, str(out)]) == 0
    assert len(rows_of(out)) == N_IMAGES + 1
    assert main(["cluster", str(local_home), "--criterion", "mood", *command, str(out)]) == 1
    assert f"“{CRITERION}”" in capsys.readouterr().err
