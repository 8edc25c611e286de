"""`bench speed`: every figure is there, on a tiny model; the paper's procedure reads as ours."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from esmc_core.__main__ import main
from esmc_core.bench import paper, random_model
from esmc_core.bench.head_speed import TURNS, HeadTask, made_up_rows, measure_head
from esmc_core.bench.speed import speed_task, take_turns
from esmc_core.bench.speed_parts import PeakMemory, matrix_tflops
from esmc_core.errors import ModelError
from esmc_core.lens import read_lens
from tests.command_line import refused
from tests.core.test_extract import picture

RATIOS = {"pass_vs_forward", "pass_vs_paper", "three_criteria_vs_one", "head_vs_paper"}
RATIOS |= {"pass_vs_paper_short", "later_criterion_vs_first"}
FIGURES = {"images_per_s", "forward_images_per_s", "paper_images_per_s", "matrix_tflops", "head_s"}


def nothing(*_progress) -> None:
    pass


def speed(photos: Path, *options) -> int:
    command = ["bench", "speed", "--quick", "--photos", photos, "--device", "cpu", *options]
    return main([str(part) for part in command])


@pytest.mark.parametrize("kind", ["weights", "random weights", "one by one"])
def test_one_command_measures_everything(
    kind, home, colour_photos, tiny_llava, tiny_family, tmp_path, capsys
):
    folder = tiny_family("paligemma") if kind == "one by one" else tiny_llava
    options = ["--random-weights"] if kind == "random weights" else []
    out = tmp_path / "speed.json"
    assert (
        speed(colour_photos, "--model", folder, "--json", out, "--many-images", 30, *options) == 0
    )
    record = json.loads(out.read_text())
    expected = RATIOS | FIGURES
    if kind == "one by one":
        alone = {"three_criteria_vs_one", "later_criterion_vs_first"}
        assert all(record[name] is None for name in alone)
        expected = expected - alone
    assert all(record[name] > 0 for name in expected)
    assert (record["device"], record["n_images"], record["rounds"]) == ("cpu", 8, 1)
    assert record["model"].endswith("random weights") == (kind == "random weights")
    assert record["memory"]["many"]["n_images"] == 30
    assert set(record["ms_per_image"]) == {"decode", "preprocess", "model", "lens"}
    printed = capsys.readouterr().out
    assert "the pass, of the model alone" in printed and "Memory" in printed
    (collection,) = (home / "collections").iterdir()
    assert not [path for path in collection.iterdir() if path.is_dir() and "tmp" in path.name]


def test_random_weights_of_what_is_not_there(
    home, colour_photos, tiny_family, tmp_path, capsys, monkeypatch
):
    options = ["--random-weights", "--model", tiny_family("gemma-3")]
    assert "is no LLaVA-1.5, but gemma3" in refused(capsys, speed, colour_photos, *options)
    monkeypatch.setattr(random_model, "free_memory", lambda device: 10**9)
    with pytest.raises(ModelError, match=r"needs 35.* GB on cpu, 1\.0 GB are free"):
        random_model.random_model(device="cpu")


def test_the_largest_model_is_the_published_one():
    config = random_model.llava_7b_config()
    with torch.device("meta"):
        from transformers import LlavaForConditionalGeneration

        network = LlavaForConditionalGeneration(config)
    n_parameters = sum(weight.numel() for weight in network.parameters())
    assert n_parameters == pytest.approx(7.06e9, rel=0.01)


def test_the_papers_reading_is_the_raw_lens(tiny_model):
    prompt = tiny_model.prompt("the color is")
    tokens, probabilities, n_steps = paper.read_image(
        tiny_model, picture(3), prompt, max_new_tokens=3, to_the_cap=True
    )
    inputs = tiny_model.preprocess([picture(3)], [prompt])
    states = tiny_model.hidden_states(inputs, n_positions=prompt.n_positions)
    expected = read_lens(tiny_model, states, lens="raw")
    assert n_steps == 3
    assert torch.allclose(probabilities, expected[1][:, :, 0], atol=1e-5)
    assert (tokens == expected[0][:, :, 0]).float().mean() > 0.99  # but for ties


def test_both_heads_agree_from_the_same_start():
    task = HeadTask(n_rows=200, n_vocab=600, n_clusters=4, epochs=100, n_entries=20)
    turns = []
    found = measure_head(task, device="cpu", progress=lambda *at: turns.append(at))
    assert found["head_same_labels"] and found["head_agreement"] == 1
    assert found["head_vs_paper"] == found["head_paper_s"] / found["head_s"]
    assert turns[-1] == (TURNS, TURNS)


def test_epochs_of_the_paper_that_are_cut_short_give_the_same_labels():
    rows = made_up_rows(HeadTask(n_rows=60, n_vocab=80, n_clusters=3, n_entries=9)).toarray()

    def labels(**options):
        torch.manual_seed(0)
        head = nn.Sequential(nn.Linear(80, 16), nn.ReLU(), nn.Linear(16, 3))
        more = {"alpha": 0.5, "learning_rate": 1e-2, "epochs": 12}
        return list(paper.cluster(rows, rows[:3], head, **more, **options))

    whole, cut = labels(), labels(n_whole=2)
    assert len(whole) == 12 and len(cut) == 3
    assert all(map(np.array_equal, cut, [*whole[:2], whole[-1]]))


def test_rows_that_are_made_up_have_the_form_of_a_cell():
    task = HeadTask(n_rows=1_500, n_vocab=300, n_entries=20)
    rows = made_up_rows(task)
    assert rows.shape == (1_500, 300) and (np.diff(rows.indptr) == 20).all()
    assert np.allclose(rows.multiply(rows).sum(axis=1), 1, atol=1e-5)
    assert (made_up_rows(task) != rows).nnz == 0


def test_what_is_timed_takes_turns():
    begun, seen = [], []

    def work(name: str, spent_s: float) -> float:
        begun.append(name)
        return spent_s

    works = {"long": lambda: work("long", 9.0), "short": lambda: work("short", 0.1)}
    seconds = take_turns(works, 2, lambda *at: seen.append(at))
    assert seconds == {"long": [9.0] * 2, "short": [0.1] * 6}
    assert begun == ["long", "short", "short", "short"] * 2 and seen == [(1, 2), (2, 2)]


def test_how_much_is_measured():
    assert speed_task(on_gpu=True).n_images > speed_task(on_gpu=False).n_images
    assert speed_task(on_gpu=False, rounds=7, many_images=9, n_images=3).rounds == 7
    assert speed_task(on_gpu=True, is_quick=True).n_images == 8


def test_the_most_memory_is_seen_after_it_is_given_back(tiny_model):
    with PeakMemory(torch.device("cpu"), every_s=0.001) as before:
        pass
    with PeakMemory(torch.device("cpu"), every_s=0.001) as peak:
        np.ones(25_000_000)
    assert peak.process_mb - before.process_mb > 100 and peak.device_mb is None
    assert matrix_tflops(tiny_model, repeats=2) > 0
