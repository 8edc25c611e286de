"""Running the commands in this process, and reading what they say and write."""

import csv
import io
import re
from pathlib import Path

from esmc_core.__main__ import main
from esmc_core.workspace import Workspace
from tests.conftest import CRITERION


def messages(stderr: str) -> list[str]:
    """The lines on stderr; where nobody watches, no progress is among them."""
    return [line for line in re.split(r"[\r\n]", stderr) if line.strip()]


def cluster(photos, out, *options, criterion=CRITERION, clusters=3):
    command = ["cluster", photos, "--criterion", criterion, "--clusters", clusters, "--out", out]
    return main([str(part) for part in [*command, *options]])


def lens(photos, out, *options, criterion=CRITERION):
    command = ["lens", photos, "--criterion", criterion, "--out", out, *options]
    return main([str(part) for part in command])


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def only_pass(home: Path):
    """The one pass under a home folder."""
    workspace = Workspace()
    assert workspace.config.home == home
    (collection,) = workspace.library.list()
    (made,) = workspace.list_passes(collection.key)
    return workspace.open_pass(collection.key, made.key)


def refused(capsys, command, *arguments, **more) -> str:
    """The one line with which a command ends that gives 1."""
    capsys.readouterr()
    assert command(*arguments, **more) == 1
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = messages(output.err)
    assert line.startswith("esmc: ")
    return line
