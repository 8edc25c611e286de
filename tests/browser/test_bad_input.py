"""Bad input through the browser: a clear message each, and the app lives on."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import steps
from tests.browser.conftest import OpenWindow
from tests.browser.server import Server

pytestmark = pytest.mark.browser

BOMB_BYTES = 80 << 20


def picture(seed: int, kind: str = "PNG") -> bytes:
    """A small picture, the same for the same seed."""
    draw = np.random.default_rng(seed)
    pixels = np.clip(draw.integers(0, 256, 3) + draw.normal(0, 12, (60, 80, 3)), 0, 255)
    content = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(content, kind)
    return content.getvalue()


def huge_png() -> bytes:
    """A few bytes that claim to be 50,000 × 50,000 pixels."""
    header = struct.pack(">4s2I5B", b"IHDR", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = [header, b"IDAT" + zlib.compress(bytes(1000)), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return content.getvalue()


JPEG = picture(1, "JPEG")
UNREADABLE = {
    "notes.jpg": b"words that a text editor wrote",
    "empty.png": b"",
    "half.jpg": JPEG[: len(JPEG) // 2],
    "huge.png": huge_png(),
}
REASONS = {
    "notes.jpg": "Not a picture.",
    "empty.png": "The file is empty.",
    "half.jpg": "The JPEG file is truncated: its end is missing.",
    "huge.png": "The picture has too many pixels",
}


@pytest.fixture
def page(app: Server, open_window: OpenWindow) -> Page:
    window = open_window(app.address)
    steps.start_anew(window)
    return window


def test_files_that_are_no_pictures(page: Page) -> None:
    steps.upload_files(page, UNREADABLE)
    expect(steps.alert(page)).to_contain_text("None of the 4 files")
    expect(steps.alert(page)).to_contain_text("half.jpg: The JPEG file is truncated")

    steps.upload_files(page, {**UNREADABLE, "good.png": picture(2)})
    steps.wait_for_collection(page)
    expect(steps.alert(page)).to_have_count(0)
    expect(page.get_by_text("1 picture · 4 files not read")).to_be_visible()
    told = reasons(page, n_files=len(UNREADABLE))
    assert set(told) == set(REASONS)
    for name, reason in REASONS.items():
        assert told[name].startswith(reason)


def reasons(page: Page, *, n_files: int) -> dict[str, str]:
    """What the page tells of the files that it has not read."""
    page.get_by_text("Files that were not read").click()
    cells = page.get_by_test_id("stDataFrame").locator("td")  # what screen readers find
    expect(cells).to_have_count(2 * n_files)
    texts = cells.all_text_contents()
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_archives_that_are_traps(page: Page) -> None:
    steps.upload_files(page, {"nothing.zip": archive({})})
    expect(steps.alert(page)).to_contain_text("There are no pictures")

    steps.upload_files(page, {"torn.zip": archive({"a.png": picture(3)})[:-30]})
    expect(steps.alert(page)).to_contain_text("torn.zip")

    trap = {
        "../../outside.png": picture(4),
        "bomb.png": b"\x89PNG\r\n\x1a\n" + bytes(BOMB_BYTES),
        "good.png": picture(5),
    }
    steps.upload_files(page, {"trap.zip": archive(trap)})
    steps.wait_for_collection(page)
    expect(page.get_by_text("1 picture · 2 files not read")).to_be_visible()
    told = reasons(page, n_files=2)
    assert told["../../outside.png"].startswith("Its path leads outside the archive.")
    assert told["bomb.png"].startswith("It unpacks to more than 64 MiB")


def test_criteria_that_cannot_be_read_and_numbers_that_cannot_be(page: Page) -> None:
    steps.upload_files(page, {f"{seed}.png": picture(seed) for seed in range(6, 12)})
    steps.wait_for_collection(page)
    steps.button(page, "Type a criterion").click()
    steps.type_criterion(page, " \t ")
    expect(steps.alert(page)).to_contain_text("The criterion is empty.")
    steps.type_criterion(page, "ways " * 1000)
    expect(steps.alert(page)).to_contain_text("the limit is 500")
    steps.type_criterion(page, "🚗🎨 the 😀 is")
    steps.wait_for_pass(page)
    expect(page.locator(".heatmap .title")).to_have_text("Information · 6 pictures")

    steps.button(page, "Cluster by this cell").click()
    steps.wait_for_map(page)
    number = page.get_by_role("spinbutton", name="Clusters")
    number.fill("20")
    steps.button(page, "Cluster").click()
    problem = page.get_by_role("alert").filter(has_text="between 1 and 6")
    expect(problem).to_be_visible()
    number.fill("1")
    steps.button(page, "Cluster").click()
    expect(page.locator(".esmc-card")).to_have_count(1)
    expect(problem).to_have_count(0)


def test_one_picture_goes_all_the_way(page: Page) -> None:
    steps.upload_files(page, {"alone.png": picture(12)})
    steps.wait_for_collection(page)
    steps.button(page, "Type a criterion").click()
    steps.type_criterion(page, steps.CRITERION)
    steps.wait_for_pass(page)
    steps.button(page, "Cluster by this cell").click()
    steps.wait_for_map(page)
    expect(page.locator(".esmc-card .count")).to_have_text("1 picture · 100%")
    steps.wait_for_run(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    assert len(waiting.value.path().read_text().splitlines()) == 2
