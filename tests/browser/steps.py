"""What a user does with the pages: clicks, types, drags, drops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect

PADDING = 26  # px around the points of the plot
SEAM = 1  # px between two cells of the heatmap
CRITERION = "the color of the object is"

# Opaque runs of the canvas along its first row or column: what is drawn, cell by cell.
_RUNS = """([canvas, down]) => {
  const ratio = canvas.width / canvas.clientWidth;
  const at = Math.round(6 * ratio);
  const pixels = canvas.getContext("2d").getImageData(
    down ? at : 0, down ? 0 : at, down ? 1 : canvas.width, down ? canvas.height : 1).data;
  const runs = [];
  for (let i = 0; i < pixels.length / 4; i += 1) {
    const filled = pixels[4 * i + 3] > 0;
    const open = runs.length > 0 && runs.at(-1).length === 1;
    if (filled && !open) runs.push([i / ratio]);
    if (!filled && open) runs.at(-1).push(i / ratio);
  }
  return runs;
}"""

Box = tuple[float, float, float, float]


def button(page: Page, name: str) -> Locator:
    """The button of just that name."""
    return page.get_by_role("button", name=name, exact=True)


def start_anew(page: Page) -> None:
    """Leave the collection that is open, if there is one."""
    samples, others = button(page, "Open the samples"), button(page, "Other pictures")
    expect(samples.or_(others)).to_be_visible()
    if others.is_visible():
        others.click()
        expect(samples).to_be_visible()


def upload_folder(page: Page, folder: Path) -> None:
    """Give the folder to the first page and wait for its grid."""
    page.locator("input[webkitdirectory]").set_input_files(folder)
    wait_for_collection(page)


def upload_files(page: Page, files: dict[str, bytes]) -> None:
    """Give files, by name, to the first page."""
    page.get_by_role("tab", name="Files or archive").click()
    page.locator("input[type=file]:not([webkitdirectory])").set_input_files(
        [
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
            for name, content in files.items()
        ]
    )


def wait_for_collection(page: Page) -> None:
    """Wait until the first page shows pictures."""
    expect(button(page, "Type a criterion")).to_be_visible()
    expect(page.locator(".gallery button").first).to_be_visible()


def type_criterion(page: Page, criterion: str) -> None:
    """Type a criterion on its page, and Enter."""
    box = page.get_by_role("textbox", name="Criterion for")
    box.fill(criterion)
    box.press("Enter")


def wait_for_pass(page: Page) -> None:
    """Wait for the heatmap, and until all pictures have been looked at."""
    expect(page.locator(".heatmap .cells")).to_be_visible()
    expect(page.locator(".progress")).to_have_count(0)
    expect(page.locator(".heatmap .title")).to_be_visible()


def wait_for_run(page: Page) -> None:
    """Until the page has run to its end: a click before may meet a button that is replaced."""
    still = "data-test-script-state"
    expect(page.get_by_test_id("stApp")).to_have_attribute(still, "notRunning")


def wait_for_map(page: Page) -> None:
    """Wait for the clusters and their map."""
    expect(page.locator(".esmc-card").first).to_be_visible()
    wait_for_run(page)
    expect(page.locator(".scatter .plot")).to_be_visible()


def alert(page: Page) -> Locator:
    """The card that tells what is wrong."""
    return page.get_by_test_id("stAlert")


def wait_until_still(locator: Locator) -> None:
    """The element keeps its place and size for a fifth of a second."""
    locator.wait_for()
    before = None
    while (now := locator.bounding_box()) != before:
        before = now
        locator.page.wait_for_timeout(200)


def cell_box(page: Page, layer: int, position: int, *, n_rows: int) -> Box:
    """Left, right, top and bottom of a cell on its canvas, seams included, as drawn."""
    wait_until_still(page.locator(".heatmap .cells"))
    canvas = page.locator(".heatmap .cells").element_handle()
    across = page.evaluate(_RUNS, [canvas, False])
    down = page.evaluate(_RUNS, [canvas, True])[:n_rows]
    (left, right), (top, bottom) = across[position], down[n_rows - 1 - layer]
    return left, right + SEAM, top, bottom + SEAM


def places_on_screen(page: Page, x: Any, y: Any) -> np.ndarray:
    """(n_points, 2) pixels of the points in the plot: both axes alike, all of them inside."""
    box = page.locator(".plot").evaluate("node => [node.clientWidth, node.clientHeight]")
    scale = ((np.array(box) - 2 * PADDING) / np.array([np.ptp(x), np.ptp(y)])).min()
    return np.column_stack(
        [
            box[0] / 2 + (x - (x.min() + x.max()) / 2) * scale,
            box[1] / 2 - (y - (y.min() + y.max()) / 2) * scale,
        ]
    )


def drag(page: Page, corners: Sequence[tuple[float, float]]) -> None:
    """Drag the pointer over the plot, from corner to corner."""
    page.locator(".plot").scroll_into_view_if_needed()
    box = page.locator(".plot").bounding_box()
    assert box is not None
    places = [(box["x"] + 1 + x, box["y"] + 1 + y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


def sort_samples(page: Page) -> None:
    """From the first page to the clusters of the pictures that come with the app."""
    button(page, "Open the samples").click()
    wait_for_collection(page)
    button(page, "Type a criterion").click()
    page.get_by_role("radio", name=CRITERION, exact=True).click()
    wait_for_pass(page)
    expect(page.get_by_role("textbox", name="Criterion for")).to_have_value(CRITERION)
    button(page, "Cluster by this cell").click()
    wait_for_map(page)
