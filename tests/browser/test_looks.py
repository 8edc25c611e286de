"""Every page in light and dark, on a desk and on a small screen: it fits, and it can be read."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from esmc_core.config import Config
from esmc_core.records import write_json
from esmc_core.texts.answers import PERSON
from esmc_core.texts.collection import collect_column
from esmc_core.texts.judging import answer_in_person
from esmc_core.texts.study import StudySettings
from esmc_core.texts.tables import read_table
from esmc_core.texts.workspace import TextWorkspace
from tests.browser import steps
from tests.browser.conftest import OpenWindow
from tests.browser.server import ROOT, Server, serving

pytestmark = pytest.mark.browser

PAPER = {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 23, 26)"}
AA, AA_LARGE = 4.5, 3.0
MAPS_MS = 300_000  # the first map compiles what lays it out

# How far the page, or anything in it that scrolls as a whole, is wider than the window.
OVERFLOW = """() => {
  const nodes = [document.documentElement, ...document.querySelectorAll(
    "[data-testid=stApp], [data-testid=stMain], [data-testid=stMainBlockContainer]")];
  return Math.max(...nodes.map((node) => node.scrollWidth - node.clientWidth));
}"""
# Texts whose contrast to what lies behind them is too low: [text, ratio].
FAINT = """([least, leastLarge]) => {
  const parse = (colour) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, share, below) => below.map((value, i) => top[i] * share + value * (1 - share));
  const up = (node) => node.parentElement || node.getRootNode().host || null;
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = up(at)) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, top[3], below), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const look = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) look(node.shadowRoot);
      const text = [...node.childNodes].filter((child) => child.nodeType === 3)
        .map((child) => child.textContent.trim()).join(" ").trim();
      if (!text || ["STYLE", "SCRIPT"].includes(node.tagName)) continue;
      if (node.closest("[disabled], [aria-disabled=true], [aria-hidden=true]")) continue;
      if (!node.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const box = node.getBoundingClientRect();
      if (box.width < 2 || box.height < 2) continue;
      let opacity = 1;
      for (let at = node; at; at = up(at)) opacity *= Number(getComputedStyle(at).opacity);
      if (opacity < 0.2) continue; // shown only under the pointer
      const style = getComputedStyle(node);
      const below = behind(node);
      const colour = parse(style.color);
      const [a, b] = [light(over(colour, colour[3] * opacity, below)), light(below)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 600);
      if (ratio < (large ? leastLarge : least)) found.push([text.slice(0, 60), ratio.toFixed(2)]);
    }
  };
  look(document);
  return found;
}"""


@pytest.mark.parametrize("width", [1440, 800])
@pytest.mark.parametrize("scheme", PAPER)
def test_pages_fit_and_can_be_read(
    app: Server, sorted_samples: str, open_window: OpenWindow, scheme: str, width: int
) -> None:
    page = open_window(
        sorted_samples, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    look(page, scheme, page.locator(".scatter .plot"), page.locator(".esmc-card").first)
    expect(page.locator(".legend button").first).to_be_visible()
    expect(page.get_by_role("button", name="Download CSV")).to_be_visible()
    turn_to(page, "Images")
    look(page, scheme, page.locator(".gallery img").first, steps.button(page, "Type a criterion"))
    turn_to(page, "Criterion")
    box = page.get_by_role("textbox", name="Criterion for")
    look(page, scheme, box, page.locator(".heatmap .cells"), page.locator(".gallery.strip"))
    turn_to(page, "Library")
    look(page, scheme, page.get_by_role("heading", name="Sample objects"))
    turn_to(page, "Settings")
    look(page, scheme, page.get_by_text("Bundled model"), page.get_by_text("Storage"))


@pytest.fixture(scope="module")
def texts_server(browser, tmp_path_factory: pytest.TempPathFactory):
    """An app with a study of the sample texts, tuned by a person's answers, and clustered."""
    home = tmp_path_factory.mktemp("looks") / "home"
    workspace = TextWorkspace(Config(home))
    table = read_table(ROOT / "assets" / "texts" / "messages.csv")
    labels = table.column("intent")
    collection = workspace.library.add(collect_column(table, "text"), labels=labels)
    study = workspace.study(collection, StudySettings("intent"))
    topic = dict(zip(table.column("text"), labels, strict=True))
    study.embedder_choices()
    for question in study.triplet_questions("")[:80]:
        own, first, second = (
            topic[t] for t in (question.query, question.choice1, question.choice2)
        )
        choice = 0 if (own == first) == (own == second) else 1 if own == first else 2
        answer_in_person(study.answers, question, choice)
    study.tune(PERSON)
    study.hierarchy()
    workspace.close()
    write_json(home / "place.json", {"texts": collection.key, "study": study.key})
    with serving(home) as server:
        yield server


@pytest.mark.parametrize("width", [1440, 800])
@pytest.mark.parametrize("scheme", PAPER)
def test_text_pages_fit_and_can_be_read(
    texts_server: Server, open_window: OpenWindow, scheme: str, width: int
) -> None:
    page = open_window(
        f"{texts_server.address}texts",
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    look(page, scheme, page.get_by_role("heading", name="messages"), page.get_by_text("120 rows"))
    page.goto(f"{texts_server.address}questions")
    round_title = page.get_by_role("heading", name="Round 1")
    expect(page.locator(".scatter .plot")).to_have_count(2, timeout=MAPS_MS)
    look(page, scheme, round_title, page.locator(".scatter .plot").nth(1))
    page.get_by_role("radio", name="Questions", exact=True).click()
    page.mouse.move(width - 1, 899)
    another = steps.button(page, "Ask another round").or_(page.get_by_text("All are answered"))
    expect(page.locator(".questions .choice").first.or_(another).first).to_be_visible()
    look(page, scheme, page.get_by_role("textbox", name="Perspective on"))
    page.goto(f"{texts_server.address}text_clusters")
    expect(page.locator(".scatter .plot")).to_be_visible(timeout=MAPS_MS)
    look(page, scheme, page.locator(".esmc-card").first, page.locator(".scatter .plot"))
    page.get_by_text("Find the number by questions").click()
    look(page, scheme, page.locator(".questions .text").first)


# What has the focus: its name, and whether it or a box round it wears a ring.
FOCUSED = """() => {
  let node = document.activeElement;
  while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  const wears = (at) => {
    const style = getComputedStyle(at);
    const line = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return line || style.boxShadow !== "none";
  };
  let ring = false;
  for (let at = node, i = 0; at && i < 4; at = at.parentElement, i += 1) ring ||= wears(at);
  const name = node.getAttribute("aria-label") || node.innerText || "";
  return [node.tagName, name.trim().split("\\n").at(-1), ring];
}"""


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    sorted_samples: str, open_window: OpenWindow
) -> None:
    page = open_window(sorted_samples.replace("/clusters?", "/criterion?"))
    look(page, "light", page.locator(".heatmap .cells"), page.locator(".gallery.strip"))
    stops = []
    for _ in range(40):
        page.keyboard.press("Tab")
        tag, name, ring = page.evaluate(FOCUSED)
        if tag == "BODY":
            break
        assert ring or tag == "MAIN", f"{name} has the focus and does not show it"
        stops.append(name)
    wanted = ["Images", "Settings", "Criterion for", "Look", steps.CRITERION, "Information"]
    wanted += ["Layer", "Prompt token", "Cluster by this cell", "objects_"]
    missed = [name for name in wanted if not any(stop.startswith(name) for stop in stops)]
    assert missed == [], stops
    assert any(stop.startswith("Information · 96 pictures: ") for stop in stops)  # the heatmap


def turn_to(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def look(page: Page, scheme: str, *signs: Locator) -> None:
    """The page has come up wholly, fits the window, and has its theme's colours."""
    for sign in signs:
        expect(sign).to_be_visible()
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    assert page.evaluate(OVERFLOW) <= 0
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", PAPER[scheme])
    assert page.evaluate(FAINT, [AA, AA_LARGE]) == []
