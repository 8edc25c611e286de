"""The heatmap, the gallery and the scatter plot in a real browser, on the demo page."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from pages.ui.components.heatmap import _index_tokens
from pages.ui.components.scatter import _pack, _unpack
from tests.browser.conftest import OpenWindow
from tests.browser.demo_components import NAMES, make_points
from tests.browser.server import ROOT, free_port, wait_for
from tests.browser.steps import cell_box, drag, places_on_screen

pytestmark = pytest.mark.browser

DEMO = Path(__file__).with_name("demo_components.py")
PATIENCE_S = 60

# Mean lightness (0–255) of what is drawn on a canvas.
LIGHTNESS = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let [sum, count] = [0, 0];
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 200) { sum += data[i]; count += 1; }
  return sum / count;
}"""


def test_masks_survive_the_way_to_the_browser_and_back() -> None:
    for chosen in ([], [0], [7, 8, 9], list(range(19))):
        assert _unpack(_pack(chosen, 19), 19) == tuple(chosen)


def test_top_tokens_are_sent_once_a_word() -> None:
    words, cells = _index_tokens([[[("red", 0.5), ("car", 0.25)], []], [[("red", 1.0)], []]])
    assert words == ["red", "car"]
    assert cells == [[0, 0.5, 1, 0.25], [], [0, 1.0], []]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = free_port()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(DEMO), str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://localhost:{port}/"
    try:
        wait_for(f"{url}thumbnails/1.webp", server)
        yield url
    finally:
        server.terminate()
        server.wait(20)


class Demo:
    """One open page and what it says about the events it was given."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, query: str) -> None:
        self.page.goto(self.address + query)
        self.page.locator(".esmc").wait_for()
        expect(self.page.get_by_text("runs 1")).to_be_visible()

    def said(self, part: str) -> str:
        text = self.page.locator("code").inner_text()
        return dict(piece.split(" ", 1) for piece in text.split(" | "))[part]

    @property
    def log(self) -> list[Any]:
        return [ast.literal_eval(entry) for entry in ast.literal_eval(self.said("log"))]

    def expect_log(self, *events: Any) -> None:
        end = time.monotonic() + PATIENCE_S
        while self.log != list(events):
            assert time.monotonic() < end, f"{self.log} instead of {list(events)}"
            self.page.wait_for_timeout(50)

    def press_button(self, name: str) -> None:
        # Without the mouse, which stays where the test has put it.
        runs = int(self.said("runs"))
        self.page.get_by_role("button", name=name, exact=True).evaluate("node => node.click()")
        expect(self.page.get_by_text(f"runs {runs + 1} ")).to_be_visible()


@pytest.fixture
def demo(open_window: OpenWindow, address: str) -> Demo:
    return Demo(open_window("about:blank", viewport={"width": 1280, "height": 900}), address)


# --- heatmap --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(6, 12), (33, 12), (33, 60)])
def test_click_anywhere_in_a_cell_selects_it(demo: Demo, rows: int, columns: int) -> None:
    demo.open(f"?view=heatmap&rows={rows}&columns={columns}")
    cell = (rows // 2, columns // 3)
    left, right, top, bottom = cell_box(demo.page, *cell, n_rows=rows)
    middle = ((left + right) / 2, (top + bottom) / 2)
    corners = [(x, y) for x in (left + 0.2, right - 0.2) for y in (top + 0.2, bottom - 0.2)]
    for count, (x, y) in enumerate([middle, *corners], start=1):
        demo.page.locator(".cells").click(position={"x": x, "y": y})
        demo.expect_log(*[cell] * count)
    assert demo.said("returned") == str(cell)
    beyond = {"x": right + 0.2, "y": top + 1}
    demo.page.locator(".cells").click(position=beyond)
    demo.expect_log(*[cell] * 5, (cell[0], cell[1] + 1))


def test_same_cell_again_after_code_has_moved_the_selection(demo: Demo) -> None:
    demo.open("?view=heatmap&rows=6")
    left, _, top, _ = cell_box(demo.page, 3, 2, n_rows=6)
    cells = demo.page.locator(".cells")
    cells.click(position={"x": left + 3, "y": top + 3})
    demo.expect_log((3, 2))
    demo.press_button("Jump")
    expect(cells).to_have_attribute("data-selected", "1,1")
    cells.click(position={"x": left + 3, "y": top + 3})
    demo.expect_log((3, 2), (3, 2))
    expect(cells).to_have_attribute("data-selected", "3,2")


def test_arrow_keys_move_and_end_in_one_rerun(demo: Demo) -> None:
    demo.open("?view=heatmap&rows=33")
    cells, keyboard = demo.page.locator(".cells"), demo.page.keyboard
    demo.page.locator(".scroller").focus()
    keyboard.press("ArrowUp")  # the first key takes up the suggested cell
    demo.expect_log((24, 7))
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft"):
        keyboard.press(key)
    expect(cells).to_have_attribute("data-selected", "25,6")
    demo.expect_log((24, 7), (25, 6))
    said = demo.page.locator(".live")
    expect(said).to_contain_text("Layer 25, token ·car")
    for key, cell in (("Home", "25,0"), ("End", "25,11"), ("PageUp", "30,11"), ("PageUp", "32,11")):
        keyboard.press(key)
        expect(cells).to_have_attribute("data-selected", cell)
    keyboard.press("Enter")
    demo.expect_log((24, 7), (25, 6), (32, 11))


def test_reruns_on_the_way_never_pull_the_selection_back(demo: Demo) -> None:
    demo.open("?view=heatmap&rows=33&poll=1")
    cells, keyboard = demo.page.locator(".cells"), demo.page.keyboard
    demo.page.locator(".scroller").focus()
    keyboard.press("Home")
    expect(cells).to_have_attribute("data-selected", "24,7")
    cells.evaluate(
        """node => {
          window.seen = [];
          new MutationObserver(() => window.seen.push(Number(node.dataset.selected.split(",")[0])))
            .observe(node, { attributes: true, attributeFilter: ["data-selected"] });
        }"""
    )
    for _ in range(16):
        keyboard.press("ArrowDown")
        demo.page.wait_for_timeout(110)
    demo.page.wait_for_timeout(1000)
    expect(cells).to_have_attribute("data-selected", "8,7")
    seen = demo.page.evaluate("() => window.seen")
    assert seen == sorted(seen, reverse=True)


def test_new_scores_keep_hover_focus_scroll_and_height(demo: Demo) -> None:
    demo.page.set_viewport_size({"width": 800, "height": 900})
    demo.open("?view=heatmap&rows=33&columns=60")
    scroller, card = demo.page.locator(".scroller"), demo.page.locator(".card")
    scroller.focus()
    scroller.evaluate("node => { node.scrollLeft = 90 }")
    scroller.hover(position={"x": 300, "y": 100})
    expect(card).to_be_visible()
    before = card.inner_text()
    below = demo.page.get_by_role("button", name="Sharpen").bounding_box()
    demo.press_button("Sharpen")
    expect(card).not_to_have_text(before)
    assert card.is_visible()
    assert card.inner_text().splitlines()[1] == before.splitlines()[1]
    assert scroller.evaluate("node => node.scrollLeft") == 90
    assert scroller.evaluate("node => node.matches(':focus')")
    assert demo.page.get_by_role("button", name="Sharpen").bounding_box() == below


def test_colours_follow_the_theme(demo: Demo) -> None:
    demo.page.emulate_media(color_scheme="light")
    demo.open("?view=heatmap&rows=6")
    axis = demo.page.locator(".axis")
    assert axis.evaluate(LIGHTNESS) < 130
    demo.page.emulate_media(color_scheme="dark")
    demo.page.wait_for_function(
        f"() => ({LIGHTNESS})(document.querySelector('[data-testid=stBidiComponentIsolated]')"
        ".shadowRoot.querySelector('.axis')) > 130"
    )


# --- gallery --------------------------------------------------------------------------------------


def test_gallery_opens_by_click_and_by_keyboard(demo: Demo) -> None:
    demo.open("?view=grid&n=30")
    buttons, keyboard = demo.page.locator(".gallery button"), demo.page.keyboard
    buttons.nth(4).click()
    demo.expect_log("p4")
    expect(buttons.nth(4)).to_have_attribute("aria-current", "true")
    assert demo.said("returned") == "'p4'"
    demo.press_button("Jump")
    expect(buttons.nth(1)).to_have_attribute("aria-current", "true")
    buttons.nth(4).click()
    demo.expect_log("p4", "p4")
    tops = [box["y"] for box in (button.bounding_box() for button in buttons.all()) if box]
    columns = sum(top == tops[0] for top in tops)
    assert columns > 2
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        keyboard.press(key)
    demo.expect_log("p4", "p4", f"p{5 + columns}")
    # Tab has one way in and one way out, however many pictures there are.
    assert demo.page.locator(".gallery button[tabindex='0']").count() == 1


def test_gallery_names_its_pictures_and_survives_a_broken_one(demo: Demo) -> None:
    demo.open("?view=grid&n=20")
    buttons = demo.page.locator(".gallery button")
    expect(buttons.nth(2)).to_have_attribute(
        "aria-label", "cars/IMG_1002_a_rather_long_file_name.jpg. IMG_1002.jpg. 95 %"
    )
    buttons.nth(16).scroll_into_view_if_needed()
    expect(buttons.nth(16).locator(".broken")).to_be_visible()
    expect(buttons.nth(15).locator(".broken")).to_be_hidden()


def test_gallery_asks_for_many_pictures_at_a_time(demo: Demo) -> None:
    demo.open("?view=grid&n=120")
    images = demo.page.locator(".gallery img[src]")
    expect(images).to_have_count(120 - 7)  # one of 17 is missing
    assert images.evaluate_all("all => all.every((image) => image.naturalWidth >= 180)")
    assert sum("thumbnails" in url for url in demo.requests) == 3
    demo.press_button("Next page")
    expect(images.last).to_be_attached()
    assert sum("thumbnails" in url for url in demo.requests) == 6


def test_gallery_shows_that_the_server_is_gone(demo: Demo) -> None:
    demo.page.route("**/thumbnails?*", lambda route: route.abort())
    demo.open("?view=grid&n=20")
    expect(demo.page.locator(".gallery [data-broken]")).to_have_count(20)


def test_gallery_keeps_its_pictures_while_tokens_change(demo: Demo) -> None:
    demo.open("?view=strip")
    images, first = demo.page.locator(".gallery img"), demo.page.locator(".gallery button").first
    images.evaluate_all("all => all.forEach((image) => { image.marked = true })")
    height = demo.page.locator(".gallery").evaluate("node => node.clientHeight")
    first.focus()
    expect(first.locator(".share").first).to_have_text("40 %")
    loaded = sum("thumbnails" in url for url in demo.requests)
    demo.press_button("Sharpen")
    expect(first.locator(".share").first).to_have_text("50 %")
    assert images.evaluate_all("all => all.every((image) => image.marked)")
    assert sum("thumbnails" in url for url in demo.requests) == loaded
    assert first.evaluate("node => node.matches(':focus')")
    assert demo.page.locator(".gallery").evaluate("node => node.clientHeight") == height
    demo.press_button("Next page")
    expect(first.locator(".name")).to_contain_text("IMG_1014")


# --- scatter plot ---------------------------------------------------------------------------------


def _on_screen(demo: Demo, n_points: int, *, turn: int = 1) -> np.ndarray:
    x, y, _ = make_points(n_points, turn=turn)
    return places_on_screen(demo.page, x, y)


def _event_of(points: np.ndarray) -> tuple[str, int, int]:
    return ("select", len(points), int(points.sum()))


def test_lasso_and_box_select_what_they_enclose(demo: Demo) -> None:
    demo.open("?view=scatter&n=356")
    places = _on_screen(demo, 356)
    width, height = demo.page.locator(".plot").evaluate("n => [n.clientWidth, n.clientHeight]")
    # A triangle, by half planes: below neither of its upper sides.
    drag(demo.page, [(5, height - 5), (width / 2, 5), (width - 5, height - 5), (6, height - 5)])
    along = np.abs(places[:, 0] - width / 2) / (width / 2 - 5) * (height - 10) + 5
    triangle = _event_of(np.flatnonzero(places[:, 1] > along))
    assert 50 < triangle[1] < 300
    demo.expect_log(triangle)
    demo.page.keyboard.press("b")
    drag(demo.page, [(5, 5), (width / 2, height / 2)])
    box = np.flatnonzero((places[:, 0] < width / 2) & (places[:, 1] < height / 2))
    demo.expect_log(triangle, _event_of(box))
    expect(demo.page.locator(".status")).to_have_text(f"{len(box)} of 356 selected")
    demo.page.keyboard.press("Escape")
    demo.expect_log(triangle, _event_of(box), "clear")
    expect(demo.page.locator(".status")).to_have_text("356 pictures")


def test_legend_selects_a_cluster_and_lets_it_go(demo: Demo) -> None:
    demo.open("?view=scatter&n=356")
    entry = demo.page.locator(".legend button").nth(3)
    expect(entry).to_contain_text(NAMES[3])
    entry.click()
    of_three = _event_of(np.arange(3, 356, len(NAMES)))
    demo.expect_log(of_three)
    expect(entry).to_have_attribute("aria-pressed", "true")
    demo.page.locator(".legend button").nth(0).click(modifiers=["Shift"])
    both = np.array([i for i in range(356) if i % len(NAMES) in (0, 3)])
    demo.expect_log(of_three, _event_of(both))
    demo.press_button("Jump")
    expect(demo.page.locator(".status")).to_have_text("2 of 356 selected")
    expect(entry).to_have_attribute("aria-pressed", "false")
    entry.click()
    demo.expect_log(of_three, _event_of(both), of_three)
    entry.click()
    demo.expect_log(of_three, _event_of(both), of_three, "clear")


def test_point_shows_its_picture_and_opens(demo: Demo) -> None:
    demo.open("?view=scatter&n=40")
    x, y = _on_screen(demo, 40)[11]
    plot, card = demo.page.locator(".plot"), demo.page.locator(".card")
    plot.hover(position={"x": x + 1, "y": y + 1})
    expect(card.locator(".name")).to_have_text("IMG_1011.jpg")
    expect(card.locator("img")).to_have_attribute("src", "/thumbnails/11.webp")
    plot.click(position={"x": x + 1, "y": y + 1})
    demo.expect_log(("open", 11))


def test_zoom_and_pan_keep_points_findable(demo: Demo) -> None:
    demo.open("?view=scatter&n=40")
    x, y = _on_screen(demo, 40)[11]
    plot, mouse = demo.page.locator(".plot"), demo.page.mouse
    plot.hover(position={"x": x, "y": y})
    for _ in range(4):
        mouse.wheel(0, -100)
    demo.page.keyboard.press("p")
    plot.click(position={"x": x, "y": y})  # zooming leaves the place at the pointer where it is
    demo.expect_log(("open", 11))
    demo.page.keyboard.press("p")
    across = 40 if x < 400 else -40
    drag(demo.page, [(x, y + 30), (x + across, y + 55)])
    plot.click(position={"x": x + across, "y": y + 25})
    demo.expect_log(("open", 11), ("open", 11))


def test_new_layout_walks_and_keeps_the_selection(demo: Demo) -> None:
    demo.open("?view=scatter&n=200")
    demo.page.locator(".legend button").nth(2).click()
    demo.expect_log(_event_of(np.arange(2, 200, len(NAMES))))
    demo.press_button("Rearrange")
    expect(demo.page.locator(".status")).to_have_text("29 of 200 selected")
    demo.page.wait_for_timeout(900)
    x, y = _on_screen(demo, 200, turn=2)[9]
    demo.page.locator(".plot").click(position={"x": x, "y": y})
    demo.expect_log(_event_of(np.arange(2, 200, len(NAMES))), ("open", 9))


@pytest.mark.parametrize("n_points", [1, 12])
def test_points_that_coincide_lie_in_the_middle(demo: Demo, n_points: int) -> None:
    demo.open(f"?view=scatter&n={n_points}&shape=same")
    plot = demo.page.locator(".plot")
    width, height = plot.evaluate("node => [node.clientWidth, node.clientHeight]")
    plot.click(position={"x": width / 2, "y": height / 2})
    demo.expect_log(("open", n_points - 1))
    drag(demo.page, [(20, 20), (width - 20, 20), (width - 20, height - 20), (20, height - 20)])
    demo.expect_log(("open", n_points - 1), ("select", n_points, sum(range(n_points))))
