"""The whole walk in a real browser: from a folder of pictures to named clusters in a table."""

from __future__ import annotations

import csv
import re
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from esmc_core.cluster.clustering import Clustering
from esmc_core.config import Config
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from esmc_core.workspace import Workspace
from tests.browser import steps
from tests.browser.conftest import OpenWindow
from tests.browser.server import ROOT, Server

pytestmark = pytest.mark.browser

SAMPLES = ROOT / "assets" / "samples"
N_PHOTOS = 48


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with N_PHOTOS pictures, one of them twice, and a file that is none."""
    folder = tmp_path_factory.mktemp("upload") / "holiday"
    for i, path in enumerate(sorted(SAMPLES.glob("*.jpg"))[:N_PHOTOS]):
        target = folder / ("beach/evening" if i % 5 == 0 else "") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(folder / "objects_001.jpg", folder / "objects_001 copy.jpg")
    (folder / "notes.jpg").write_text("not a picture")
    return folder


def test_from_a_folder_to_named_clusters(
    app: Server, open_window: OpenWindow, photos: Path
) -> None:
    page = open_window(app.address)
    steps.start_anew(page)
    see_what_was_read(page, photos)
    choose_cells(page, app)
    cluster(page)
    collection, store, found = opened(page, app)
    lasso(page, collection, found, Workspace(Config(app.home)).find_layout(store, found))
    show_one_cluster(page)
    open_pictures(page, collection, found)
    rename(page, "deep, “warm” hues")
    check_table(page, photos, store)
    expect(steps.alert(page)).to_have_count(0)


def see_what_was_read(page: Page, photos: Path) -> None:
    """Drop the folder; the grid, the counts and the reasons come up."""
    steps.upload_folder(page, photos)
    expect(page.get_by_role("heading", name="holiday")).to_be_visible()
    expect(page.get_by_text("48 pictures · 1 exact duplicate · 1 file not read")).to_be_visible()
    pictures = page.locator(".gallery button")
    expect(pictures).to_have_count(N_PHOTOS)
    first = pictures.first.locator("img")
    expect(first).to_have_attribute("src", re.compile("."))
    assert first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    pictures.nth(3).click()
    expect(page.get_by_role("dialog").locator("img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def choose_cells(page: Page, app: Server) -> None:
    """Type the criterion; choose cells by mouse, by keyboard and by the boxes."""
    steps.button(page, "Type a criterion").click()
    steps.type_criterion(page, steps.CRITERION)
    steps.wait_for_pass(page)
    expect(page.locator(".heatmap .title")).to_have_text("Information · 48 pictures")
    spec = opened_store(page, app).spec
    n_rows = spec.n_layers + 1
    left, right, top, bottom = steps.cell_box(page, 2, 3, n_rows=n_rows)
    click_cell(page, (left + right) / 2, (top + bottom) / 2)
    expect_cell(page, 2, 3)
    click_cell(page, right + 1, bottom + 1)  # 1 px inside the next cell, down to the right
    expect_cell(page, 1, 4)
    click_cell(page, left - 1.5, top - 1.5)
    expect_cell(page, 3, 2)
    page.locator(".heatmap .scroller").focus()
    for key in ("ArrowUp", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect_cell(page, 4, 4)
    page.get_by_role("combobox", name="Layer").click()
    page.get_by_role("option", name="1", exact=True).click()
    expect_cell(page, 1, 4)
    expect(page.locator(".gallery.strip button").first.locator(".token")).to_have_count(3)


def click_cell(page: Page, x: float, y: float) -> None:
    page.locator(".heatmap .cells").click(position={"x": x, "y": y})


def expect_cell(page: Page, layer: int, position: int) -> None:
    """The outline, the boxes and the heading tell of the same cell."""
    token = steps.CRITERION.split()[position]
    expect(page.locator(".heatmap .cells")).to_have_attribute(
        "data-selected", f"{layer},{position}"
    )
    expect(page.get_by_role("heading", name=f"Layer {layer}, at “{token}”")).to_be_visible()
    expect(page.get_by_role("combobox", name="Layer")).to_have_value(str(layer))
    chosen = f"{position} · {token}"
    expect(page.get_by_role("combobox", name="Prompt token")).to_have_value(chosen)


def cluster(page: Page) -> None:
    """Go on with the suggested cell; as many cards and legend entries as clusters come up."""
    steps.button(page, "Back to the suggestion").click()
    expect(page.get_by_text("suggested ★")).to_be_visible()
    steps.button(page, "Cluster by this cell").click()
    steps.wait_for_map(page)
    n_clusters = int(page.get_by_role("spinbutton", name="Clusters").input_value())
    assert 2 <= n_clusters <= 12
    expect(page.locator(".esmc-card")).to_have_count(n_clusters)
    expect(page.locator(".legend button")).to_have_count(n_clusters)
    assert names_of(page.locator(".legend .name")) == names_of(page.locator(".esmc-card strong"))
    assert sum(sizes_of_cards(page)) == N_PHOTOS


def names_of(nodes: Locator) -> list[str]:
    return [" ".join(text.split()) for text in nodes.all_inner_texts()]


def sizes_of_cards(page: Page) -> list[int]:
    return [int(text.split()[0]) for text in page.locator(".esmc-card .count").all_inner_texts()]


def lasso(page: Page, collection: Collection, found: Clustering, layout: np.ndarray | None) -> None:
    """Draw round the left part of the map: just its pictures stay, until all are shown again."""
    assert layout is not None
    places = steps.places_on_screen(page, layout[:, 0], layout[:, 1])
    across = np.sort(places[:, 0])
    gaps = np.diff(across)[N_PHOTOS // 4 : -N_PHOTOS // 4]
    at = int(gaps.argmax()) + N_PHOTOS // 4
    border = (across[at] + across[at + 1]) / 2
    height = page.locator(".plot").evaluate("node => node.clientHeight")
    steps.drag(page, [(2, 2), (border, 2), (border, height - 2), (2, height - 2), (2, 3)])
    inside = np.flatnonzero(places[:, 0] < border)
    expect(page.locator(".status")).to_have_text(f"{len(inside)} of {N_PHOTOS} selected")
    expect(page.get_by_role("heading", name=f"{len(inside)} pictures selected")).to_be_visible()
    expect(page.locator(".gallery button")).to_have_count(len(inside))
    shown = {text.split(" · ")[0] for text in page.locator(".gallery .name").all_text_contents()}
    assert shown == {collection.pictures[i].file for i in inside}
    steps.button(page, "Show all pictures").click()
    expect(page.locator(".status")).to_have_text(f"{N_PHOTOS} pictures")
    expect(page.locator(".gallery button")).to_have_count(N_PHOTOS)


def show_one_cluster(page: Page) -> None:
    """A card's button lights up its points in the map, and leaves only its pictures."""
    card, entry = page.locator(".st-key-card-1"), page.locator(".legend button").nth(1)
    size = sizes_of_cards(page)[1]
    card.get_by_role("button", name="Show", exact=True).click()
    expect(entry).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".status")).to_have_text(f"{size} of {N_PHOTOS} selected")
    expect(page.locator(".gallery button")).to_have_count(size)
    card.get_by_role("button", name="Show all", exact=True).click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    entry.click()  # the other way round: from the legend to the card
    expect(card.get_by_role("button", name="Show all", exact=True)).to_be_visible()
    expect(page.locator(".gallery button")).to_have_count(size)
    page.locator(".plot").focus()
    page.keyboard.press("Escape")
    expect(page.locator(".gallery button")).to_have_count(N_PHOTOS)


def open_pictures(page: Page, collection: Collection, found: Clustering) -> None:
    """A picture opens large, with what the model answers to it."""
    image = int(found.members(0)[0])
    page.locator(".gallery button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=collection.pictures[image].file)).to_be_visible()
    expect(dialog.get_by_text(f"confidence {found.confidence[image]:.2f}")).to_be_visible()
    expect(dialog.locator(".esmc-bars li")).to_have_count(8)
    large = dialog.locator("img")
    expect(large).to_have_js_property("complete", True)
    assert large.evaluate("image => image.naturalWidth") == collection.pictures[image].width
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def rename(page: Page, name: str) -> None:
    """A name of one's own stands in the card and in the legend."""
    card = page.locator(".st-key-card-0")
    before = names_of(card.locator("strong"))[0]
    card.get_by_role("button", name="Rename").click()
    box = page.get_by_role("textbox", name="Name")
    expect(box).to_have_value(before)
    box.fill(name)
    steps.button(page, "Save").click()
    expect(card.locator("strong")).to_have_text(name)
    expect(page.locator(".legend .name").first).to_have_text(name)
    expect(box).to_have_count(0)


def check_table(page: Page, photos: Path, store: LensStore) -> None:
    """The table has every picture once, with the numbers, names and colours of the cards."""
    steps.wait_for_run(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    assert waiting.value.suggested_filename == "holiday-the-color-of-the-object-is.csv"
    with waiting.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    readable = {path for path in photos.rglob("*.jpg") if path.name != "notes.jpg"}
    assert [row["file"] for row in rows] == sorted(
        path.relative_to(photos).as_posix() for path in readable
    )
    names, colours = names_of(page.locator(".esmc-card strong")), swatches(page)
    for row in rows:
        number = int(row["cluster"]) - 1
        assert (row["name"], row["colour"]) == (names[number], colours[number])
        assert row["criterion"] == steps.CRITERION
        assert 0 <= float(row["confidence"]) <= 1
        assert float(row["distance"]) >= 0
        assert row["top_tokens"]
    copies = {row["file"]: row["duplicate_of"] for row in rows if row["duplicate_of"]}
    assert copies == {"objects_001.jpg": "objects_001 copy.jpg"}
    originals = Counter(int(row["cluster"]) - 1 for row in rows if not row["duplicate_of"])
    assert [originals[i] for i in range(len(names))] == sizes_of_cards(page)


def swatches(page: Page) -> list[str]:
    """The clusters' colours as "#rrggbb", alike in the cards and in the legend."""
    found = []
    for place in (".esmc-card", ".legend button"):
        painted = page.locator(f"{place} .swatch").evaluate_all(
            "all => all.map((node) => getComputedStyle(node).backgroundColor)"
        )
        channels = [map(int, re.findall(r"\d+", colour)[:3]) for colour in painted]
        found.append(["#" + "".join(f"{value:02x}" for value in rgb) for rgb in channels])
    assert found[0] == found[1]
    return found[0]


def test_another_cell_makes_other_clusters(
    app: Server, sorted_samples: str, open_window: OpenWindow
) -> None:
    page = open_window(sorted_samples)
    steps.wait_for_map(page)
    collection, store, found = opened(page, app)
    layout = Workspace(Config(app.home)).find_layout(store, found)
    assert layout is not None
    open_from_map(page, collection, steps.places_on_screen(page, layout[:, 0], layout[:, 1]))
    page.get_by_text("Target cell").click()
    layer = 1 if found.source.layer != 1 else 2
    left, right, top, bottom = steps.cell_box(page, layer, 1, n_rows=store.spec.n_layers + 1)
    click_cell(page, (left + right) / 2, (top + bottom) / 2)
    expect(page.get_by_text(f"Target cell: layer {layer}, at “color”")).to_be_visible()
    expect(page).not_to_have_url(re.compile(f"clusters={found.key}"))
    steps.wait_for_map(page)
    expect(page).to_have_url(re.compile("clusters="))
    source = opened(page, app)[2].source
    assert (source.layer, source.position) == (layer, 1)


def open_from_map(page: Page, collection: Collection, places: np.ndarray) -> None:
    """The point that stands most alone shows its picture, and opens it."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    image = int(apart.min(axis=1).argmax())
    x, y = places[image]
    page.locator(".plot").hover(position={"x": x + 1, "y": y + 1})
    expect(page.locator(".card.picture .name")).to_have_text(collection.pictures[image].file)
    page.locator(".plot").click(position={"x": x + 1, "y": y + 1})
    title = page.get_by_role("dialog").get_by_role("heading")
    expect(title).to_have_text(collection.pictures[image].file)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def opened(page: Page, app: Server) -> tuple[Collection, LensStore, Clustering]:
    """What the address of the page names, read from the disk."""
    workspace, place = Workspace(Config(app.home)), place_of(page)
    store = opened_store(page, app)
    found = workspace.open_clustering(store, place["clusters"])
    return workspace.library.load(place["collection"]), store, found


def opened_store(page: Page, app: Server) -> LensStore:
    expect(page).to_have_url(re.compile("lens="))
    place = place_of(page)
    return Workspace(Config(app.home)).open_pass(place["collection"], place["lens"])


def place_of(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
