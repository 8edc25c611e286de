"""`text cluster` and `bench texts` from the command line."""

import csv
import json
import sys

import pytest

from esmc_core.__main__ import main
from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.texts.embedder import BUNDLED
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from tests.command_line import messages
from tests.tiny_texts import tiny_texts


@pytest.fixture
def file(tmp_path):
    texts, topics = tiny_texts()
    rows = [*zip(texts, topics, strict=True), ("", "card"), (texts[1], topics[1])]
    path = tmp_path / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("said", "topic"), *rows])
    return path


@pytest.fixture
def cluster(file, home, tiny_model_folder, capsys):
    def run(*options, code=0, clusters=3):
        command = ["text", "cluster", file, "--column", "said", "--perspective", "topic"]
        command += ["--out", file.with_name("out.csv"), "--embedder", tiny_model_folder]
        command += ["--questions", 120, *(["--clusters", clusters] if clusters else []), *options]
        assert main([str(part) for part in command]) == code
        output = capsys.readouterr()
        assert output.out == ""
        return messages(output.err)

    return run


def written(file):
    return list(csv.DictReader(file.with_name("out.csv").read_text("utf-8").splitlines()))


def test_rows_in_the_files_order_with_and_without_a_judge(cluster, file):
    lines = cluster()
    assert "1 rows are empty, the first is row 61" in lines
    assert "1 rows repeat an earlier one, the first is row 62 = 2" in lines
    rows = written(file)
    assert [row["text"] for row in rows][:2] == tiny_texts()[0][:2]
    assert len(rows) == 62 and {row["cluster"] for row in rows} == {"1", "2", "3", ""}
    assert rows[60]["cluster"] == rows[60]["name"] == rows[60]["confidence"] == ""
    assert (rows[61]["cluster"], rows[61]["duplicate_of"]) == (rows[1]["cluster"], "2")
    plain = file.with_name("out.csv").read_bytes()

    said = cluster("--judge", "simulated:0.9", "--label-column", "topic")
    assert any("120 questions to simulated:0.9" in line for line in said)
    assert any(line.startswith("held-out answers:") for line in said)
    assert any(line.startswith("untuned: ACC") for line in said)
    tuned = file.with_name("out.csv").read_bytes()
    again = cluster("--judge", "simulated:0.9", "--label-column", "topic")
    assert any(line.startswith("0 questions to simulated:0.9") for line in again)
    assert file.with_name("out.csv").read_bytes() == tuned
    cluster()
    assert file.with_name("out.csv").read_bytes() == plain, "labels and judges leave no trace"


def test_the_judge_can_choose_the_number_of_clusters(cluster, file):
    cluster("--judge", "simulated", "--label-column", "topic", clusters=None)
    assert 2 <= len({row["cluster"] for row in written(file)} - {""}) <= 60


def test_answers_that_say_nothing_are_told_of_and_asked_again(cluster, monkeypatch):
    oracle = LabelOracle(dict(zip(*tiny_texts(), strict=True)), accuracy=1.0)
    with SimulatedJudge(oracle) as judge:
        monkeypatch.setenv("OPENAI_BASE_URL", judge.endpoint().base_url)
        monkeypatch.setenv("OPENAI_MODEL", judge.name)
        judge.misbehave("nonsense", times=240)
        *_, last = cluster("--judge", "openai", code=1)
        assert "None of 120 questions got an answer that can be used: 120 were dropped." in last
        assert "--ask-again" in last
        *_, last = cluster("--judge", "openai", code=1)
        n_asked = sum(judge.requests.values())
        assert "None of 120 questions" in last
        lines = cluster("--judge", "openai", "--ask-again", clusters=None)
        assert sum(judge.requests.values()) > n_asked + 100
    assert any(line.startswith("in all up to 120 questions about triplets") for line in lines)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--judge", "simulated:0.9"], "esmc: A simulated judge answers from labels"),
        (["--judge", "openai"], "esmc: No endpoint is set."),
        (["--column", "gone"], "esmc: texts.csv has no column 'gone'. It has: said, topic."),
        (["--clusters", "99"], "different texts cannot form 99 clusters"),
        (["--perspective", " "], "esmc: There is no perspective."),
        (["--out", "out.txt"], "esmc: out.txt is no .csv or .parquet file."),
    ],
)
def test_what_cannot_be_done_is_one_line(cluster, options, line):
    (*_, last) = cluster(*options, code=1)
    assert line in last


def test_without_judge_and_number_nobody_knows(cluster):
    (line,) = cluster(code=1, clusters=None)
    assert "Give --clusters" in line


def test_a_missing_file_is_told_before_anything_heavy(cluster, file, monkeypatch):
    monkeypatch.setitem(sys.modules, "esmc_core.commands", None)
    monkeypatch.delattr("esmc_core.commands", raising=False)
    file.unlink()
    (line,) = cluster(code=1)
    assert f"There is no file {file}" in line


def test_help_tells_the_defaults(capsys):
    expected = {
        "cluster": f"teaches the head; {ClusterSettings(2).alpha} if left",
        "text cluster": f"hub id or folder; {BUNDLED} if left",
    }
    for command, words in expected.items():
        with pytest.raises(SystemExit) as end:
            main([*command.split(), "--help"])
        assert end.value.code == 0
        assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("judge", ["simulated:2", "simulated:x", "gpt"])
def test_a_judge_that_is_none_is_wrong_usage(judge, capsys):
    command = "text cluster a --column a --perspective a --out a.csv --judge"
    with pytest.raises(SystemExit) as end:
        main([*command.split(), judge])
    assert end.value.code == 2
    assert "is not simulated:0.9, openai or none" in capsys.readouterr().err


def test_the_benchmark_keeps_every_run_and_goes_on(tmp_path, home, tiny_model_folder, capsys):
    texts, topics = tiny_texts(40)
    rows = [
        {"input": t, "label": label, "domain": label}
        for t, label in zip(texts, topics, strict=True)
    ]
    (tmp_path / "massive.jsonl").write_text("\n".join(map(json.dumps, rows)))
    command = ["bench", "texts", tmp_path, "--json", tmp_path / "out.json", "--seeds", 2]
    command += ["--embedder", tiny_model_folder, "--answers", 60, "--samplings", "entropy"]
    command = [str(part) for part in command]
    assert main([*command, "--accuracies", "1.0", "--tasks", "massive"]) == 0
    record = json.loads((tmp_path / "out.json").read_text())
    ((first, run),) = record["runs"].items()
    assert run["judge"] == "simulated, right in 100%" and len(run["tuned"]["acc"]) == 2
    assert record["tasks"]["massive"]["n_classes"] == 3
    capsys.readouterr()
    more = [*command, "--accuracies", "1.0,0.75", "--markdown", str(tmp_path / "out.md")]
    assert main(more) == 0
    assert capsys.readouterr().err.count("simulated 100%") == 1, "only the other task's"
    record = json.loads((tmp_path / "out.json").read_text())
    assert len(record["runs"]) == 4 and record["runs"][first] == run
    report = (tmp_path / "out.md").read_text()
    assert "| massive-domain | 120 / 3 |" in report and "60.7 / 77.6" in report
    assert "*simulated*" in report


def test_the_benchmark_says_what_it_misses(tmp_path, home, capsys):
    for options, line in (
        ([str(tmp_path / "gone")], "There is no folder"),
        ([str(tmp_path)], "has none of the sets"),
        ([str(tmp_path), "--tasks", "nothing"], "There is no task nothing"),
        ([str(tmp_path), "--tasks", "clinc"], "has no clinc.jsonl"),
    ):
        assert main(["bench", "texts", *options, "--json", str(tmp_path / "o.json")]) == 1
        assert line in capsys.readouterr().err
