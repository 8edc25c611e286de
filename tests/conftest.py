"""What all tests share: no network, a home folder of their own, pictures and a tiny model."""

import os
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is first imported

import numpy as np
import pytest
from PIL import Image

COLOURS = {"red": (215, 40, 35), "blue": (35, 50, 200), "white": (240, 240, 238)}
N_PHOTOS = 40


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
