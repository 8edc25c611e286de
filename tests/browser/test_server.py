"""What the server's process promises its threads."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.browser.server import ROOT

RUN_A_PAGE = """
import sys
import app
from streamlit.runtime.scriptrunner.exec_code import modified_sys_path
from pages.ui import shell

before = list(sys.path)
with modified_sys_path(shell.__file__):
    assert sys.path == before
"""


def test_running_a_page_leaves_the_import_path_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", RUN_A_PAGE], cwd=ROOT, env=environment, check=True)
