"""Find a Chromium for the browser tests, or install one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
INSTALLERS = (
    [sys.executable, "-m", "playwright", "install", "chromium"],
    ["apt-get", "update"],
    ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"],
)
INSTALL_S = 900
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_or_install() -> str | None:
    """Path of a Chromium; None where there is none and none can be had."""
    found = find()
    for command in INSTALLERS:
        if found or not shutil.which(command[0]):
            break
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, check=False, timeout=INSTALL_S, capture_output=True)
        found = find()
    return found


def find() -> str | None:
    """Path of an installed Chromium; `ESMC_CHROMIUM` names one by hand."""
    candidates = [os.environ.get("ESMC_CHROMIUM"), *map(shutil.which, NAMES), MAC]
    found = next((path for path in candidates if path and Path(path).exists()), None)
    return found or _playwrights()


def _playwrights() -> str | None:
    """The one that Playwright has installed; asked for last, as it starts a driver."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None
