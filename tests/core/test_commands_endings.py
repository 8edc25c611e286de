"""How the commands end when something is wrong: the exit code, and one clear line."""

from pathlib import Path

import pytest
import torch

from esmc_core.__main__ import main
from tests.command_line import cluster, lens, messages, only_pass, refused
from tests.conftest import CRITERION, N_PHOTOS


def test_no_such_folder(home, tmp_path, capsys):
    missing = tmp_path / "nowhere"
    line = refused(capsys, cluster, missing, tmp_path / "c.csv")
    assert str(missing) in line and "Check" in line
    assert not (tmp_path / "c.csv").exists()


def test_empty_folder(home, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    line = refused(capsys, cluster, tmp_path / "empty", tmp_path / "c.csv")
    assert "no pictures" in line and str(tmp_path / "empty") in line


def test_folder_without_a_readable_picture(home, tmp_path, capsys):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jpg").write_text("no picture")
    line = refused(capsys, cluster, tmp_path / "texts", tmp_path / "c.csv")
    assert "None of the 1 files" in line and "a.jpg" in line


def test_too_few_pictures(home, colour_photos, tmp_path, capsys):
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv", clusters=N_PHOTOS + 1)
    assert f"{N_PHOTOS} different pictures" in line and f"{N_PHOTOS + 1} clusters" in line
    assert f"{N_PHOTOS} or fewer" in line


def test_duplicates_are_no_further_pictures(home, mixed_photos, tmp_path, capsys):
    capsys.readouterr()
    assert cluster(mixed_photos, tmp_path / "c.csv", clusters=N_PHOTOS + 1) == 1
    skipped, problem = messages(capsys.readouterr().err)
    assert "notes.jpg" in skipped and f"{N_PHOTOS} different pictures" in problem


@pytest.mark.parametrize(
    ("criterion", "problem"),
    [("   \t ", "empty"), ("ab " * 1667, "5,000 characters"), ("🚗🎨🌈", "no words")],
    ids=["spaces", "5,000 characters", "emoji"],
)
@pytest.mark.parametrize("command", [cluster, lens])
def test_criterion_that_says_nothing(
    command, criterion, problem, home, colour_photos, tiny_llava, tmp_path, capsys
):
    out = tmp_path / ("c.csv" if command is cluster else "c.json")
    line = refused(capsys, command, colour_photos, out, "--model", tiny_llava, criterion=criterion)
    assert problem in line
    assert not out.exists()
    assert not home.exists(), "no picture was read before it was told"


def test_two_criteria_where_one_is_taken(home, colour_photos, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        cluster(colour_photos, tmp_path / "c.csv", "--criterion", "the shape is")
    assert stopped.value.code == 2
    assert "--criterion is given twice" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["nothing", "nobody/nothing", "empty"])
def test_unknown_model(model, home, colour_photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv", "--model", model)
    assert model in line


def test_folder_of_the_output_is_missing(home, colour_photos, tmp_path, capsys):
    out = tmp_path / "nowhere" / "c.csv"
    line = refused(capsys, cluster, colour_photos, out)
    assert str(out.parent) in line
    assert not home.exists(), "nothing is begun before the end is known to work"


@pytest.mark.parametrize(
    ("command", "name"), [(cluster, "c.json"), (cluster, "c"), (lens, "h.csv"), (lens, "h.png")]
)
def test_wrong_kind_of_output(command, name, home, colour_photos, tmp_path, capsys):
    line = refused(capsys, command, colour_photos, tmp_path / name)
    assert name in line and "--out" in line


def test_output_that_is_a_folder(home, colour_photos, tmp_path, capsys):
    """It was told only at the end, and under the name of a temporary file."""
    out = tmp_path / "c.csv"
    out.mkdir()
    line = refused(capsys, cluster, colour_photos, out)
    assert f"{out} is a folder" in line
    assert not home.exists()


@pytest.mark.parametrize(
    ("option", "number"), [("--layer", "4"), ("--layer", "-1"), ("--position", "99")]
)
def test_cell_out_of_range(option, number, home, colour_photos, tiny_llava, tmp_path, capsys):
    out = tmp_path / "c.csv"
    line = refused(capsys, cluster, colour_photos, out, "--model", tiny_llava, option, number)
    assert (
        f"There is no {option[2:]} {number}" in line and f"{option[2:].capitalize()}s run" in line
    )
    assert only_pass(home).n_done == 0, "the pictures were looked at before it was told"


def test_position_too_far_from_the_end_is_told_as_it_was_written(
    home, colour_photos, tiny_llava, tmp_path, capsys
):
    out = tmp_path / "c.csv"
    line = refused(capsys, cluster, colour_photos, out, "--model", tiny_llava, "--position", "-99")
    assert "position -99" in line


def test_more_clusters_than_answers(home, colour_photos, tiny_llava, tmp_path, capsys):
    """At the embeddings every picture says the same."""
    out = tmp_path / "c.csv"
    line = refused(capsys, cluster, colour_photos, out, "--model", tiny_llava, "--layer", "0")
    assert "only 1 different" in line and "3 clusters" in line


@pytest.mark.parametrize("device", ["cuda:99", "mps"])
def test_device_that_is_not_there(device, home, colour_photos, tmp_path, capsys):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv", "--device", device)
    assert device in line


def test_keywords_without_a_word(home, colour_photos, tmp_path, capsys):
    out = tmp_path / "h.json"
    line = refused(capsys, lens, colour_photos, out, "--keywords", " , ")
    assert "no keywords" in line
    line = refused(capsys, lens, colour_photos, out, "--score", "keywords")
    assert "no keywords" in line
    assert not home.exists()


def test_home_that_cannot_be_written(colour_photos, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ESMC_HOME", str(tmp_path / "file"))
    line = refused(capsys, cluster, colour_photos, tmp_path / "c.csv")
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "esmc: No space left on device"),
        (OSError(13, "Permission denied", "/x"), "esmc: Permission denied: /x"),
        (OSError("disk I/O\nerror"), "esmc: disk I/O error"),
        (KeyboardInterrupt(), "esmc: stopped; the same command goes on from here."),
    ],
)
def test_every_trouble_is_one_line(error, told, home, tmp_path, capsys, monkeypatch):
    def fail(_options):
        raise error

    monkeypatch.setattr("esmc_core.commands.cluster", fail)
    line = refused(capsys, cluster, tmp_path, tmp_path / "c.csv")
    assert line == told


@pytest.mark.parametrize(
    "options",
    [
        ["--clusters", "0"],
        ["--clusters", "-3"],
        ["--clusters", "three"],
        ["--clusters", "3", "--alpha", "2"],
        ["--clusters", "3", "--alpha", "0"],
        ["--clusters", "3", "--alpha", "nan"],
        ["--clusters", "3", "--seed", "-1"],
        ["--clusters", "3", "--seed", str(2**31)],
        ["--clusters", "3", "--device", "tpu"],
        ["--clusters", "3", "--representation", "pixels"],
        ["--clusters", "3", "--layer", "top"],
        ["--clusters", "3", "--keywords", "caf\udce9"],
        ["--clusters", "3", "--nonsense"],
        [],
    ],
    ids=lambda options: " ".join(options).encode("ascii", "replace").decode() or "no --clusters",
)
def test_wrong_usage(options, home, tmp_path, capsys):
    base = ["cluster", str(tmp_path), "--criterion", CRITERION, "--out", str(tmp_path / "c.csv")]
    with pytest.raises(SystemExit) as ended:
        main([*base, *options])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize(
    "command",
    [
        ["cluster", "p", "--clusters", "3", "--out", "c.csv"],
        ["cluster", "--criterion", "c", "--clusters", "3", "--out", "c.csv"],
        ["cluster", "", "--criterion", "c", "--clusters", "3", "--out", "c.csv"],
        ["cluster", "p", "--criterion", "c", "--clusters", "3"],
        ["cluster", "p", "--criterion", "caf\udce9", "--clusters", "3", "--out", "c.csv"],
        ["lens", "p", "--criterion", "c"],
        ["lens", "p", "--criterion", "c", "--out", "h.json", "--score", "beauty"],
        ["paint", "p"],
        [],
    ],
    ids=[
        *("no criterion", "no folder", "empty folder name", "no output", "criterion no text"),
        *("lens no output", "unknown score", "unknown command", "nothing"),
    ],
)
def test_command_that_lacks_something(command, home, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
