"""A Chromium, windows in it, and a running app; a loud word where there is no Chromium."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import Error as BrowserError

from tests.browser import steps
from tests.browser.chromium import FLAGS, find_or_install
from tests.browser.server import Server, serving

PATIENCE_MS = 60_000
LOCAL = ("localhost", "127.0.0.1", None)  # None: blob: and data: have no host
_missing = pytest.StashKey[str]()

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    # A run that is told to end ends as with Ctrl-C, so that no server is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    path = find_or_install()
    if path is None:
        _do_without(request.config, "no Chromium was found, and none could be installed")
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except BrowserError as error:
            _do_without(request.config, f"{path} does not start: {error.message[:300]}")
        yield chromium
        chromium.close()


def _do_without(config: pytest.Config, why: str) -> NoReturn:
    """Skip, so that the summary tells it; fail where tests must not be skipped."""
    config.stash[_missing] = why
    if os.environ.get("CI") == "true":
        pytest.fail(f"The browser tests cannot run: {why}.", pytrace=False)
    pytest.skip(f"{why}; set ESMC_CHROMIUM to the path of one")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    why = config.stash.get(_missing, None)
    if why:
        terminalreporter.section("BROWSER TESTS WERE NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(f"{why}. Install Chromium, or set ESMC_CHROMIUM to its path.")


OpenWindow = Callable[..., Page]


@pytest.fixture
def open_window(browser: Browser) -> Iterator[OpenWindow]:
    """Open windows that share nothing; each must stay without errors and on this machine."""
    contexts = []
    errors: list[str] = []
    requests: list[str] = []

    def open_one(address: str, **options: Any) -> Page:
        options = {"viewport": {"width": 1440, "height": 1000}, **options}
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", lambda request: requests.append(request.url))
        context.on("weberror", lambda error: errors.append(str(error.error)))
        page = context.new_page()
        page.on("websocket", lambda socket: requests.append(socket.url))
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []
    outside = {url for url in requests if urlsplit(url).hostname not in LOCAL}
    assert outside == set(), "a page has asked another host"


@pytest.fixture(scope="package")
def app(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app with a home of its own, for all tests that leave it running."""
    with serving(tmp_path_factory.mktemp("app") / "home") as server:
        yield server
    assert_calm(server)


@pytest.fixture(scope="package")
def sorted_samples(app: Server, browser: Browser) -> str:
    """Address of the page with the clusters of the pictures that come with the app."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(app.address)
    steps.start_anew(page)
    steps.sort_samples(page)
    address = page.url
    context.close()
    return address


def assert_calm(server: Server) -> None:
    """No error has come up that no user was told of."""
    said = server.said()
    assert "Traceback" not in said, said[said.index("Traceback") :][:4000]
