"""Take the pictures in the README from the running app: `python -m tests.browser.screenshots`."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import steps
from tests.browser.chromium import FLAGS, find_or_install
from tests.browser.server import ROOT, serving

FOLDER = ROOT / "docs" / "images"
WINDOW = {"width": 1440, "height": 900}
MAX_BYTES = 300_000
PATIENCE_MS = 120_000


def main() -> None:
    path = find_or_install()
    if path is None:
        sys.exit("No Chromium was found, and none could be installed.")
    expect.set_options(timeout=PATIENCE_MS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "home") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        walk(browser, server.address)
        browser.close()


def walk(browser: Browser, address: str) -> None:
    """Go from the samples to their clusters, and take a picture at each stop."""
    page = open_page(browser, address, "light")
    steps.button(page, "Open the samples").click()
    steps.wait_for_collection(page)
    take(page, "images.jpg")
    steps.button(page, "Type a criterion").click()
    steps.type_criterion(page, steps.CRITERION)
    steps.wait_for_pass(page)
    take(page, "criterion.png")
    steps.button(page, "Cluster by this cell").click()
    steps.wait_for_map(page)
    take(page, "clusters.png")
    dark = open_page(browser, page.url, "dark")
    steps.wait_for_map(dark)
    take(dark, "clusters-dark.png")


def open_page(browser: Browser, address: str, scheme: str) -> Page:
    """A window of the size of the pictures; `scheme` is "light" or "dark"."""
    page = browser.new_page(viewport=WINDOW, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    return page


def take(page: Page, name: str) -> None:
    """Take a picture of the window once nothing in it moves; JPEG suits a wall of photographs."""
    page.mouse.move(WINDOW["width"] - 1, WINDOW["height"] - 1)
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    page.wait_for_function(
        "() => [...document.images].every((image) => image.complete) && document.fonts.status"
        " === 'loaded'"
    )
    page.wait_for_timeout(1500)
    path = FOLDER / name
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(path, optimize=True, quality=93, subsampling=0)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size / 1e3:.0f} KB")
    assert size <= MAX_BYTES, "too large for a README"


if __name__ == "__main__":
    main()
