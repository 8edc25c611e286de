"""Texts in a real browser: a person answers by keyboard, tunes, and takes the clusters along."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from esmc_core.config import Config
from esmc_core.texts.answers import PERSON
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from esmc_core.texts.study import Study
from esmc_core.texts.workspace import TextWorkspace
from tests.browser import steps
from tests.browser.conftest import OpenWindow, assert_calm
from tests.browser.server import ROOT, Server, serving

pytestmark = pytest.mark.browser

SAMPLES = ROOT / "assets" / "texts" / "messages.csv"
KEY = "sk-secret-0123456789abcdef"
TUNING_MS = 240_000


@pytest.fixture
def server(browser, tmp_path: Path):
    """An app with a home of its own."""
    with serving(tmp_path / "home") as server:
        yield server
    assert_calm(server)


def topics() -> dict[str, str]:
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        return {row["text"]: row["intent"] for row in csv.DictReader(file)}


def opened(server: Server) -> Study:
    """The only study under the app's home, read from the disk."""
    workspace = TextWorkspace(Config(server.home))
    (summary,) = workspace.library.list()
    (study,) = workspace.list_studies(workspace.library.load(summary.key))
    return study


def ask_about_samples(page: Page) -> None:
    """From the first page about texts to its questions."""
    steps.button(page, "Open the sample texts").click()
    expect(page.get_by_role("heading", name="Sample messages")).to_be_visible()
    steps.button(page, "Ask about them").click()
    expect(steps.button(page, "Begin")).to_be_visible()
    steps.wait_for_run(page)  # Enter in a form does nothing before its button is there
    box = page.get_by_role("textbox", name="Perspective on")
    box.fill("intent")
    box.press("Enter")


def press_answers(page: Page, number: int) -> None:
    """Answer by the keyboard alone, as somebody who knows the intents."""
    known = topics()
    for _ in range(number):
        own = known[page.locator(".questions .query").inner_text()]
        choices = page.locator(".questions .choice span").all_inner_texts()
        same = [known[text] == own for text in choices]
        before = page.locator(".questions .count").inner_text()
        page.keyboard.press("0" if same[0] == same[1] else "1" if same[0] else "2")
        expect(page.locator(".questions .count")).not_to_have_text(before)


def answered(server: Server) -> int:
    study = opened(server)
    return sum(a is not None for a in study.answers.find(study.triplet_questions(""), PERSON))


def test_a_person_answers_by_keyboard_comes_back_tunes_and_exports(
    server: Server, open_window: OpenWindow
) -> None:
    page = open_window(f"{server.address}texts")
    ask_about_samples(page)
    expect(page.locator(".questions .choice")).to_have_count(2)
    press_answers(page, 10)
    expect(page.locator(".questions .saved")).to_have_text("Kept")
    assert answered(server) == 10
    page.close()

    page = open_window(f"{server.address}questions")
    count = page.locator(".questions .count")
    expect(count).to_have_text("10 of 64 answered")
    press_answers(page, 5)
    expect(count).to_have_text("15 of 64 answered")
    last = page.locator(".questions .query").inner_text()
    page.keyboard.press("u")
    expect(count).to_have_text("14 of 64 answered")
    expect(page.locator(".questions .saved")).to_have_text("Taken back")
    assert answered(server) == 14
    press_answers(page, 1)
    expect(page.locator(".questions .query")).to_have_text(last)
    page.keyboard.press("Backspace")
    expect(count).to_have_text("14 of 64 answered")
    while decided(server) < 10:  # who says “neither” has to answer more
        press_answers(page, 1)
        expect(page.locator(".questions .saved")).to_have_text("Kept")

    tune(page)
    see_before_and_after(page, server)
    export(page, server)


def test_cards_keep_quiet_while_the_page_runs(server: Server, open_window: OpenWindow) -> None:
    """What they say while another page is on its way would lead back from it."""
    page = open_window(f"{server.address}texts")
    ask_about_samples(page)
    expect(page.locator(".questions .choice")).to_have_count(2)
    expect(page.locator(".progress")).to_have_count(0)
    page.wait_for_timeout(1000)  # for news of the drawing that is still on its way
    steps.wait_for_run(page)
    app = page.get_by_test_id("stApp")
    app.evaluate("node => node.setAttribute('data-test-script-state', 'running')")
    page.keyboard.press("1")
    expect(page.locator(".questions .saved")).to_have_text("Kept")
    page.wait_for_timeout(3000)
    expect(page.get_by_text("0 so far")).to_be_visible()
    app.evaluate("node => node.setAttribute('data-test-script-state', 'notRunning')")
    expect(page.get_by_text("1 so far")).to_be_visible()


def decided(server: Server) -> int:
    return len(opened(server).preferences(PERSON, round=""))


def tune(page: Page) -> None:
    """Tune once the page is at rest, and wait for the verdict."""
    expect(page.locator(".progress")).to_have_count(0)
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    expect(steps.button(page, "Tune now")).to_be_enabled()
    steps.button(page, "Tune now").click()
    expect(page.get_by_role("heading", name="Round 1")).to_be_visible(timeout=TUNING_MS)


def see_before_and_after(page: Page, server: Server) -> None:
    """The verdict, two maps of all texts, the metrics, and the neighbours that changed."""
    (made,) = opened(server).rounds.list()
    expect(page.get_by_text(f"{made.report.before:.1%}", exact=True).first).to_be_visible()
    maps = page.locator(".scatter .plot")
    expect(maps).to_have_count(2, timeout=TUNING_MS)
    expect(page.locator(".scatter .status").first).to_have_text("120 texts")
    expect(page.get_by_text("Accuracy after")).to_be_visible()
    expect(page.get_by_text("Neighbours that changed")).to_be_visible()
    steps.wait_for_run(page)
    with page.expect_download() as waiting:
        steps.button(page, "Download the tuned embedder").click()
    assert waiting.value.path().read_bytes()[:2] == b"PK"


def export(page: Page, server: Server) -> None:
    """Clusters come up by themselves; their table has a row for each row of the file."""
    steps.button(page, "Go on to the clusters").click()
    cards = page.locator(".esmc-card")
    expect(cards.first).to_be_visible(timeout=TUNING_MS)
    expect(page.locator(".scatter .plot")).to_be_visible(timeout=TUNING_MS)
    n_clusters = int(page.get_by_role("spinbutton", name="Clusters").input_value())
    expect(cards).to_have_count(n_clusters)
    page.locator(".st-key-text-card-0").get_by_role("button", name="Rename").click()
    box = page.get_by_role("textbox", name="Name")
    box.fill("my own name")
    box.press("Enter")
    expect(page.locator(".esmc-card strong").first).to_have_text("my own name")
    expect(box).to_have_count(0)
    steps.wait_for_run(page)
    with page.expect_download() as waiting:
        steps.button(page, "Download CSV").click()
    assert waiting.value.suggested_filename == "sample-messages-intent.csv"
    with waiting.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == list(topics())
    assert {row["perspective"] for row in rows} == {"intent"}
    names = page.locator(".esmc-card strong").all_inner_texts()
    assert all(row["name"] == names[int(row["cluster"]) - 1] for row in rows)
    assert "intent" not in rows[0] and "label" not in rows[0]


def test_a_key_that_is_typed_is_kept_nowhere(server: Server, open_window: OpenWindow) -> None:
    page = open_window(f"{server.address}settings")
    addresses = []
    page.on("request", lambda request: addresses.append(request.url))
    with SimulatedJudge(LabelOracle(topics())) as judge:
        endpoint = judge.endpoint()
        page.get_by_role("textbox", name="Address").fill(endpoint.base_url)
        page.get_by_role("textbox", name="Model", exact=True).fill("a-model")
        page.get_by_role("textbox", name="Key", exact=True).fill(KEY)
        steps.button(page, "Use this endpoint").click()
        expect(page.get_by_text("texts can be judged by it")).to_be_visible()
        page.get_by_role("link", name="Texts", exact=True).click()
        ask_about_samples(page)
        page.get_by_role("radio", name="An LLM answers").click()
        expect(page.get_by_text("256 questions")).to_be_visible()
        number = page.get_by_role("spinbutton", name="Questions")
        number.fill("40")
        number.press("Enter")
        expect(page.get_by_text("40 questions")).to_be_visible()
        judge.misbehave("500")
        steps.button(page, "Let the LLM answer").click()
        expect(page.get_by_text("As the embedder")).to_be_visible(timeout=TUNING_MS)
        assert judge.authorizations == {f"Bearer {KEY}"}
        tune(page)
        judge.misbehave("401", times=50)
        steps.button(page, "Go on to the clusters").click()
        expect(page.locator(".esmc-card").first).to_be_visible(timeout=TUNING_MS)
        steps.button(page, "Names").click()
        steps.button(page, "Name by the LLM").click()
        expect(steps.alert(page)).to_contain_text("status 401")
        assert KEY not in steps.alert(page).inner_text()
        page.keyboard.press("Escape")
        steps.wait_for_run(page)
        with page.expect_download() as waiting:
            steps.button(page, "Download CSV").click()
    found = [waiting.value.path(), server.log, *server.home.rglob("*")]
    assert [path for path in found if path.is_file() and KEY.encode() in path.read_bytes()] == []
    assert not any(KEY in address for address in [page.url, *addresses])
    assert re.search("study=", page.url)
