"""`extract` on this machine: folders, lists and URLs into a store that the app opens."""

import importlib.util
from pathlib import Path

import fsspec
import pytest

from esmc_core.__main__ import main
from esmc_core.config import Config
from esmc_core.errors import InputError
from esmc_core.images import Library
from esmc_core.workspace import Workspace
from tests.command_line import refused
from tests.conftest import CRITERION, N_PHOTOS


def extract(photos, out, model, *options):
    command = ["extract", photos, "--criterion", CRITERION, "--model", model, "--out", out]
    return main([str(part) for part in [*command, *options]])


@pytest.fixture
def bucket(mixed_photos):
    """The mixed pictures in a file system that fsspec keeps in memory."""
    files = fsspec.filesystem("memory")
    for path in mixed_photos.rglob("*"):
        if path.is_file():
            name = path.relative_to(mixed_photos).as_posix()
            files.pipe_file(f"/bucket/photos/{name}", path.read_bytes())
    yield "memory://bucket/photos"
    files.rm("/bucket", recursive=True)


def digests(collection):
    return [(picture.file, picture.digest) for picture in collection.pictures]


def test_two_criteria_are_passes_that_the_workspace_opens(mixed_photos, tiny_llava, tmp_path):
    out = tmp_path / "store"
    assert extract(mixed_photos, out, tiny_llava, "--criterion", "the shape is") == 0
    workspace = Workspace(Config(out))
    (collection,) = workspace.library.list()
    passes = workspace.list_passes(collection.key)
    assert {found.criterion for found in passes} == {CRITERION, "the shape is"}
    assert {(found.n_done, found.n_images) for found in passes} == {(N_PHOTOS, N_PHOTOS)}


def test_a_url_gives_the_collection_of_the_folder(bucket, mixed_photos, tmp_path):
    library = Library(tmp_path)
    remote, local = library.read_source(bucket), Library(tmp_path / "l").read_folder(mixed_photos)
    assert remote.key == local.key and remote.name == "photos"
    assert (remote.refusals, remote.duplicates) == (local.refusals, local.duplicates)
    picture = remote.pictures[0]
    assert picture.location == f"memory:///bucket/photos/{picture.file}"
    assert library.open(picture).size == (48, 40)
    fsspec.filesystem("memory").pipe_file(f"/bucket/photos/{picture.file}", b"other")
    with pytest.raises(InputError, match="has changed"):
        library.open(picture)
    fsspec.filesystem("memory").rm(f"/bucket/photos/{picture.file}")
    with pytest.raises(InputError, match="no longer at memory://"):
        library.open(picture)


def test_a_file_url_is_the_folder(mixed_photos, tmp_path):
    library = Library(tmp_path)
    assert (
        library.read_source(f"file://{mixed_photos}").key == library.read_source(mixed_photos).key
    )


def test_a_list_names_files_wherever_they_are(bucket, mixed_photos, tmp_path):
    paths = sorted(mixed_photos.glob("*-*.png"))[:3]
    beside = tmp_path / "beside.png"
    beside.write_bytes((mixed_photos / "few" / "red-00.png").read_bytes())
    lines = ["# some", *map(str, paths), "", f"{bucket}/few/white-05.png", "beside.png", "gone.png"]
    photos = tmp_path / "photos.txt"
    photos.write_text("\n".join(lines))
    collection = Library(tmp_path / "home").read_source(photos)
    assert collection.name == "photos"
    assert len(collection.pictures) == 5
    (refusal,) = collection.refusals
    assert refusal.file.endswith("gone.png")


def test_names_in_a_list_leave_out_the_folder_that_all_have_in_common(mixed_photos, tmp_path):
    paths = sorted(mixed_photos.rglob("*-*.png"))
    photos = tmp_path / "photos.txt"
    photos.write_text("\n".join(map(str, paths)))
    found = Library(tmp_path / "home").read_source(photos)
    files = {picture.file for picture in found.pictures} | {d.file for d in found.duplicates}
    assert files == {path.relative_to(mixed_photos).as_posix() for path in paths}


def test_the_app_takes_no_lists(tmp_path):
    """A list in a folder that may be opened would lead to files that may not."""
    (tmp_path / "photos.txt").write_text("/etc/passwd\n")
    with pytest.raises(InputError, match="neither a folder nor"):
        Library(tmp_path / "home").read_folder(tmp_path / "photos.txt")


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_missing_package_is_named(tiny_llava, tmp_path, capsys):
    line = refused(capsys, extract, "s3://bucket/photos", tmp_path / "store", tiny_llava)
    assert "pip install s3fs" in line


def test_what_cannot_be_is_one_line(mixed_photos, tiny_llava, tmp_path, capsys):
    assert "Nothing here reads" in refused(
        capsys, extract, "nowhere://photos", tmp_path / "a", tiny_llava
    )
    assert "no pictures in memory://empty" in refused(
        capsys, extract, "memory://empty", tmp_path / "b", tiny_llava
    )
    assert "--engine ray" in refused(
        capsys, extract, mixed_photos, tmp_path / "c", tiny_llava, "--workers", "2"
    )
    assert "holds other things" in refused(capsys, extract, mixed_photos, mixed_photos, tiny_llava)
    assert not Path(tmp_path / "c" / "collections").exists()
