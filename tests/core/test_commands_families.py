"""The commands with a model of every family, and with one that is of none."""

import json
import shutil

import pytest

from tests.command_line import cluster, lens, only_pass, refused, rows_of
from tests.conftest import COLOURS
from tests.tiny_families import TINY

N_FEW = 6


@pytest.fixture(scope="module")
def few_photos(colour_photos, tmp_path_factory):
    """Two pictures of each colour."""
    folder = tmp_path_factory.mktemp("few")
    for path in sorted(colour_photos.glob("*.png"))[:: 20 // N_FEW][:N_FEW]:
        shutil.copy(path, folder)
    assert len(list(folder.iterdir())) == N_FEW
    return folder


@pytest.mark.parametrize("name", TINY)
def test_cluster_and_lens_with_every_family(name, tiny_family, few_photos, home, tmp_path):
    model = tiny_family(name)
    assert cluster(few_photos, tmp_path / "out.csv", "--model", model, "--seed", 1) == 0
    rows = rows_of(tmp_path / "out.csv")
    assert len(rows) == N_FEW and len({row["cluster"] for row in rows}) == len(COLOURS)
    assert {row["model"] for row in rows} == {str(model)}
    store = only_pass(home)
    answers = store.cell(store.spec.n_layers, store.spec.n_positions - 1).tokens
    assert len({tuple(row) for row in answers}) == N_FEW, "the pictures have no say"
    assert lens(few_photos, tmp_path / "out.json", "--model", model) == 0
    record = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert record["tokens"] == list(store.spec.token_texts)
    assert only_pass(home).spec == store.spec, "the second command looked again"


def test_a_model_of_no_family(home, colour_photos, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "blip-2"}')
    for command, out in ((cluster, "c.csv"), (lens, "c.json")):
        line = refused(
            capsys, command, colour_photos, tmp_path / out, "--model", tmp_path / "other"
        )
        assert "blip-2 model, which is not supported" in line and "Qwen3-VL" in line
