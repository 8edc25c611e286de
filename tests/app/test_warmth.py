"""What is done ahead of the user."""

import os
import subprocess
import sys

from tests.browser.server import ROOT

WARM_UP = """
import gc
import time
from types import SimpleNamespace
from pages.ui import warmth
from pages.ui.resources import jobs

warmth.projection = lambda: SimpleNamespace(warm_up=lambda: None)
warmth.start()
while jobs().active():
    time.sleep(0.05)
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_what_is_loaded_for_good_is_not_collected_again(home):
    """Each run of a page collected garbage among all of torch's modules, for 0.3 s."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ESMC_HOME": str(home)}
    told = subprocess.run(
        [sys.executable, "-c", WARM_UP],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    frozen, left = map(int, told.split())
    assert frozen > 100_000 > left
