"""What lasts: the place over reloads, tabs and restarts, the pass over all of these and kill -9."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from esmc_core.config import Config
from esmc_core.workspace import Workspace
from tests.browser import steps
from tests.browser.conftest import OpenWindow, assert_calm
from tests.browser.server import Server, serving

pytestmark = pytest.mark.browser

N_MANY = 448
CRITERION = "the color of the picture is"
WELCOMES = {
    "": "Sort pictures by what you ask of them",
    "criterion": "A criterion needs pictures to look at.",
    "clusters": "Clusters need pictures.",
    "texts": "Sort texts by what you ask of them",
    "questions": "Questions need texts.",
    "text_clusters": "Clusters need texts.",
    "library": "There are no collections yet.",
    "settings": "Bundled model",
}
PAGES = ["Images", "Criterion", "Clusters", "Texts", "Questions", "Text clusters"]
PAGES += ["Library", "Settings"]


@pytest.mark.parametrize("name", WELCOMES)
def test_any_page_can_be_the_first_request(name: str, home: Path, open_window: OpenWindow) -> None:
    with serving(home) as server:
        page = open_window(f"{server.address}{name}")
        expect(page.get_by_text(WELCOMES[name])).to_be_visible()
        expect(page).to_have_title("ESMC Studio")
        links = page.get_by_role("navigation").get_by_role("link")
        expect(links).to_have_text(PAGES)
        expect(steps.alert(page)).to_have_count(0)
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert_calm(server)


def test_the_place_outlives_reload_and_tab(
    app: Server, sorted_samples: str, open_window: OpenWindow
) -> None:
    page = open_window(sorted_samples)
    steps.wait_for_map(page)
    names = page.locator(".esmc-card strong").all_inner_texts()
    page.reload()
    steps.wait_for_map(page)
    expect(page.locator(".esmc-card strong")).to_have_text(names)

    tab = open_window(app.address)  # knows nothing but the address
    expect(tab.get_by_role("heading", name="Sample objects")).to_be_visible()
    expect(tab).to_have_url(f"{app.address}?{urlsplit(sorted_samples).query}")
    tab.get_by_role("link", name="Criterion", exact=True).click()
    expect(tab.get_by_role("textbox", name="Criterion for")).to_have_value(steps.CRITERION)
    expect(tab.locator(".heatmap .cells")).to_be_visible()
    tab.get_by_role("link", name="Clusters", exact=True).click()
    expect(tab.locator(".esmc-card strong")).to_have_text(names)


def test_back_is_one_step_after_the_menu_too(sorted_samples: str, open_window: OpenWindow) -> None:
    page = open_window(sorted_samples)
    steps.wait_for_map(page)
    query = urlsplit(sorted_samples).query
    for name, heading in (("Library", "Library"), ("Criterion", "What should the pictures")):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page).to_have_url(re.compile(f"{name.lower()}\\?{re.escape(query)}"))
    page.go_back()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()
    page.go_back()
    steps.wait_for_map(page)
    assert page.url == sorted_samples
    page.go_forward()
    expect(page.get_by_role("heading", name="Library")).to_be_visible()


def test_back_is_one_step_after_buttons_too(sorted_samples: str, open_window: OpenWindow) -> None:
    page = open_window(sorted_samples)
    steps.wait_for_map(page)
    page.get_by_role("link", name="Criterion", exact=True).click()
    heading = page.get_by_role("heading", name="What should the pictures")
    expect(page.locator(".heatmap .cells")).to_be_visible()
    for layer in ("4", "3"):
        page.get_by_role("combobox", name="Layer").click()
        page.get_by_role("option", name=layer, exact=True).click()
        expect(page.get_by_role("heading", name=f"Layer {layer}, at")).to_be_visible()
    steps.button(page, "Back to the suggestion").click()
    expect(page.get_by_text("suggested ★").first).to_be_visible()
    steps.button(page, "Cluster by this cell").click()
    steps.wait_for_map(page)
    page.go_back()
    expect(heading).to_be_visible()
    page.go_back()
    steps.wait_for_map(page)
    expect(heading).to_have_count(0)


@pytest.fixture(scope="module")
def many_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with N_MANY small pictures of one colour each, all different."""
    folder = tmp_path_factory.mktemp("many") / "many"
    folder.mkdir()
    draw = np.random.default_rng(7)
    for i, colour in enumerate(draw.integers(0, 256, (N_MANY, 3))):
        noise = draw.integers(-9, 10, (40, 48, 3))
        pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04}.png")
    return folder


def test_the_pass_outlives_its_page_and_its_server(
    home: Path, many_pictures: Path, open_window: OpenWindow
) -> None:
    with serving(home, image_roots=many_pictures, slow=True) as server:
        page = open_window(server.address)
        open_path(page, many_pictures)
        steps.button(page, "Type a criterion").click()
        steps.type_criterion(page, CRITERION)
        done = wait_until_done(page, 1)
        page.get_by_role("link", name="Library", exact=True).click()
        expect(page.get_by_role("heading", name="Library")).to_be_visible()
        page.get_by_role("link", name="Clusters", exact=True).click()  # shows the same bar
        done = wait_until_done(page, done + 1)
        page.reload()
        done = wait_until_done(page, done + 1)
        tab = open_window(f"{server.address}criterion")
        done = wait_until_done(tab, done + 1)

        steps.button(tab, "Cancel").click()
        left = n_left_undone(tab)
        assert done <= left < N_MANY
        steps.button(tab, "Go on").click()
        done = wait_until_done(tab, left + 1)

        server.kill()
        server.start()
        tab.reload()
        left = n_left_undone(tab)
        assert done <= left < N_MANY
        steps.button(tab, "Go on").click()
        wait_until_done(tab, left)
        steps.wait_for_pass(tab)
        expect(tab.locator(".heatmap .title")).to_have_text(f"Information · {N_MANY} pictures")
        workspace = Workspace(Config(home))
        (collection,) = workspace.library.list()
        (made,) = workspace.list_passes(collection.key)
        assert (made.criterion, made.n_done) == (CRITERION, N_MANY)
        assert_calm(server)


def open_path(page: Page, folder: Path) -> None:
    """Open a folder on the server's disk."""
    page.get_by_role("tab", name="Path on this computer").click()
    page.get_by_role("textbox", name="Folder or archive").fill(str(folder))
    steps.button(page, "Open").click()
    steps.wait_for_collection(page)


def wait_until_done(page: Page, least: int) -> int:
    """Wait until the bar tells of `least` pictures; how many it tells of, fewer than all."""
    text = page.locator(".progress .text").last
    expect(text).to_have_text(re.compile(rf"\d+ of {N_MANY}"))
    while (done := int(re.findall(r"(\d+) of", text.inner_text())[0])) < least:
        page.wait_for_timeout(100)
    assert done < N_MANY, "the pass was over before the test could look at it"
    return done


def n_left_undone(page: Page) -> int:
    """How many pictures the page tells are done, of a pass that has stopped."""
    told = page.get_by_text(f"of {N_MANY} pictures are done")
    expect(told).to_be_visible()
    expect(page.locator(".progress")).to_have_count(0)
    return int(re.findall(r"\d+", told.inner_text())[0])


def test_library_opens_renames_and_deletes(
    app: Server, sorted_samples: str, home: Path, open_window: OpenWindow
) -> None:
    copy_collection(app.home, home, place=urlsplit(sorted_samples).query)
    with serving(home) as server:  # a deep link into what is on disk is its first request
        page = open_window(f"{server.address}clusters?{urlsplit(sorted_samples).query}")
        steps.wait_for_map(page)
        names = page.locator(".esmc-card strong").all_inner_texts()
        page.get_by_role("link", name="Images", exact=True).click()
        steps.start_anew(page)
        page.get_by_role("link", name="Library", exact=True).click()
        page.get_by_role("button", name=f"{len(names)} clusters: {names[0]}").click()
        steps.wait_for_map(page)
        expect(page.locator(".esmc-card strong")).to_have_text(names)

        page.get_by_role("link", name="Library", exact=True).click()
        deletes = page.get_by_role("button", name="Delete")
        expect(deletes).to_have_count(3)
        page.get_by_role("button", name="Rename").click()
        page.get_by_role("textbox", name="Name").fill("Toys")
        steps.button(page, "Save").click()
        expect(page.get_by_role("heading", name="Toys")).to_be_visible()
        for left in (2, 1, 0):  # the clustering, the pass, the collection
            deletes.last.click()
            page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            expect(deletes).to_have_count(left)
        expect(page.get_by_text("There are no collections yet.")).to_be_visible()
        assert not list((home / "collections").iterdir())
        assert_calm(server)


def copy_collection(source: Path, target: Path, *, place: str) -> None:
    """Copy a home folder with only that of its collections that the place names."""

    def others(folder: str, names: list[str]) -> list[str]:
        is_list = Path(folder) == source / "collections"
        return [name for name in names if name not in place] if is_list else []

    shutil.copytree(source, target, ignore=others)


def test_the_criterion_that_is_shown_is_marked(
    sorted_samples: str, open_window: OpenWindow
) -> None:
    page = open_window(sorted_samples.replace("clusters?", "criterion?"))

    def expect_marked(criterion: str) -> None:
        expect(page.locator(".heatmap .cells")).to_be_visible()
        expect(page.get_by_role("radio", checked=True, name="the ")).to_have_text(criterion)
        expect(page.get_by_role("textbox", name="Criterion for")).to_have_value(criterion)

    expect_marked(steps.CRITERION)
    other = "the background color is"
    for criterion in (other, steps.CRITERION, other):  # looked for, then kept from before
        page.get_by_role("radio", name=criterion, exact=True).click()
        expect_marked(criterion)
    shown = page.get_by_role("radio", name="the ").all_inner_texts()
    page.get_by_role("radio", name=steps.CRITERION, exact=True).click()
    expect_marked(steps.CRITERION)
    expect(page.get_by_role("radio", name="the ")).to_have_text(shown)
