"""What all tests share: no network, a home folder of their own, pictures and a tiny model."""

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is first imported

import numpy as np
import pytest
from PIL import Image

COLOURS = {"red": (215, 40, 35), "blue": (35, 50, 200), "white": (240, 240, 238)}
N_PHOTOS = 24
CRITERION = "the color of the car is"
CELL = {"layer": 2, "position": 3}


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory):
    """No test sees the user's data folder or the user's endpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESMC_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("ESMC_IMAGE_ROOTS", raising=False)
        for name in ("OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_API_KEY"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty home folder, for this test alone."""
    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def tiny_llava(tmp_path_factory) -> Path:
    """A folder with a tiny LLaVA of random weights."""
    from tests.tiny_models import save_tiny_llava

    return save_tiny_llava(tmp_path_factory.mktemp("models") / "tiny-llava")


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory) -> Callable[[str], Path]:
    """From a name in `tests.tiny_families.TINY` to the folder of that tiny model."""
    from tests.tiny_families import save_tiny

    folder = tmp_path_factory.mktemp("families")
    return functools.cache(lambda name: save_tiny(name, folder / name))


@pytest.fixture(scope="session")
def colour_photos(tmp_path_factory) -> Path:
    """N_PHOTOS pictures of one colour each and nothing else; the name tells the colour."""
    folder = tmp_path_factory.mktemp("pictures") / "colours"
    for i in range(N_PHOTOS):
        colour = list(COLOURS)[i % len(COLOURS)]
        path = folder / ("few" if i % 5 == 0 else "") / f"{colour}-{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).normal(0, 12, (40, 48, 3))
        pixels = np.clip(noise + COLOURS[colour], 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="session")
def mixed_photos(colour_photos, tmp_path_factory) -> Path:
    """The same pictures, two of them twice, beside a file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures") / "mixed"
    shutil.copytree(colour_photos, folder)
    (folder / "few" / "deep").mkdir()
    shutil.copy(folder / "blue-01.png", folder / "few" / "deep" / "blue-again.png")
    shutil.copy(folder / "blue-01.png", folder / "a blue, again.png")
    (folder / "notes.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_llava):
    """The tiny LLaVA, loaded."""
    from esmc_core.models.loading import load_model

    return load_model(str(tiny_llava), device="cpu")


@pytest.fixture(scope="session")
def filled_home(tiny_model, mixed_photos, tmp_path_factory) -> Path:
    """A home with one collection and one finished pass over it."""
    from esmc_core.config import Config
    from esmc_core.extract import run_pass
    from esmc_core.workspace import Workspace

    home = tmp_path_factory.mktemp("filled") / "home"
    workspace = Workspace(Config(home))
    collection = workspace.library.read_folder(mixed_photos)
    store = workspace.create_pass(collection, tiny_model, CRITERION)
    run_pass(tiny_model, store, workspace.image_opener(collection))
    return home


@pytest.fixture
def workspace(filled_home, home):
    """The filled home, copied for this test alone."""
    from esmc_core.workspace import Workspace

    shutil.copytree(filled_home, home, dirs_exist_ok=True)
    return Workspace()


@pytest.fixture
def collection(workspace):
    (summary,) = workspace.library.list()
    return workspace.library.load(summary.key)


@pytest.fixture
def store(workspace, collection):
    (summary,) = workspace.list_passes(collection.key)
    return workspace.open_pass(collection.key, summary.key)


@pytest.fixture(scope="session")
def saved_clustering(filled_home, tmp_path_factory) -> Path:
    """The folder of a clustering of the pass, which was made in another copy of the home."""
    from esmc_core.cluster.clustering import ClusterSettings
    from esmc_core.config import Config
    from esmc_core.workspace import Workspace

    home = tmp_path_factory.mktemp("clustered") / "home"
    shutil.copytree(filled_home, home)
    workspace = Workspace(Config(home))
    (collection,) = workspace.library.list()
    (made,) = workspace.list_passes(collection.key)
    store = workspace.open_pass(collection.key, made.key)
    found = workspace.cluster(store, ClusterSettings(n_clusters=3, epochs=20), **CELL)
    return store.folder / "clusterings" / found.key


@pytest.fixture
def found(workspace, store, saved_clustering):
    """A saved clustering of the pass."""
    key = saved_clustering.name
    shutil.copytree(saved_clustering, store.folder / "clusterings" / key)
    return workspace.open_clustering(store, key)
