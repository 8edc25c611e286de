"""Collections: what a folder or an upload becomes, and how it is found again."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from esmc_core.errors import Cancelled, InputError, StoreError
from esmc_core.images import Duplicate, Library, limits


def png(shade: int = 0, size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def files(collection) -> list[str]:
    return [picture.file for picture in collection.pictures]


def stored(library: Library, shelf: str) -> list[Path]:
    return [path for path in (library.home / shelf).rglob("*") if path.is_file()]


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(tmp_path / "home")


@pytest.fixture
def photos(tmp_path) -> Path:
    return write(tmp_path / "photos", {"b.png": png(1), "sub/a.png": png(2), "A.png": png(3)})


def test_folder_is_read_where_it_lies(library, photos):
    collection = library.read_folder(photos)
    assert (collection.name, collection.source) == ("photos", str(photos))
    assert files(collection) == ["A.png", "b.png", "sub/a.png"]
    first = collection.pictures[0]
    assert (first.width, first.height, first.n_bytes) == (8, 6, len(png(3)))
    assert first.location == str(photos / "A.png")
    assert stored(library, "originals") == []
    assert library.original_bytes(first) == png(3)
    assert library.open(first).getpixel((0, 0)) == (3, 0, 0)


def test_load_gives_what_was_read(library, photos):
    write(photos, {"copy.png": png(1), "notes.txt": b"hello", "labels.csv": b"file,label\n"})
    collection = library.read_folder(photos)
    assert library.load(collection.key) == collection
    assert collection.duplicates == (Duplicate("copy.png", of="b.png"),)
    assert [refusal.file for refusal in collection.refusals] == ["labels.csv", "notes.txt"]
    assert all("Not a picture" in refusal.reason for refusal in collection.refusals)


def test_same_folder_is_the_same_collection_under_its_name(library, photos, tmp_path):
    first = library.read_folder(photos)
    library.rename(first.key, "Holidays")
    write(photos, {"notes.txt": b"refusals are no part of the key"})
    moved = photos.rename(tmp_path / "moved")
    again = library.read_folder(moved)
    assert (again.key, again.name, again.created) == (first.key, "Holidays", first.created)
    assert again.pictures[0].location == str(moved / "A.png")
    assert len(library.list()) == 1
    assert len(library.load(first.key).refusals) == 1


def test_another_content_is_another_collection(library, photos):
    first = library.read_folder(photos)
    write(photos, {"b.png": png(9)})
    assert library.read_folder(photos).key != first.key
    assert len(library.list()) == 2


def test_upload_and_folder_of_the_same_content_share_a_key(library, photos):
    by_path = library.read_folder(photos)
    pictures = [(picture.file, library.original_bytes(picture)) for picture in by_path.pictures]
    copied = library.read_uploads(pictures, name="again")
    assert copied.key == by_path.key
    assert {picture.location for picture in copied.pictures} == {""}
    # A copy that is there stays in use: it outlives the folder.
    assert {picture.location for picture in library.read_folder(photos).pictures} == {""}


def test_upload_survives_its_source(library):
    streams = [("x/a.png", io.BytesIO(png(1))), ("b.png", png(2)), (".hidden.png", png(3))]
    collection = library.read_uploads(streams, name="two")
    assert files(collection) == ["b.png", "x/a.png"]
    assert [library.original_bytes(picture) for picture in collection.pictures] == [png(2), png(1)]
    assert len(stored(library, "originals")) == 2
    assert stored(library, "incoming") == []


def test_uploads_of_one_name_are_told_apart(library):
    uploads = [("a.png", png(1)), ("a.png", png(2)), ("a.png", png(1))]
    collection = library.read_uploads(uploads, name="x")
    assert files(collection) == ["a (2).png", "a (3).png"]
    assert collection.duplicates == (Duplicate("a.png", of="a (3).png"),)


def test_archive_file_is_copied(library, tmp_path):
    archive = tmp_path / "cars.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("cars/1.png", png(1))
        file.writestr("__MACOSX/cars/._1.png", b"junk")
        file.writestr("cars/.DS_Store", b"junk")
    seen = []
    collection = library.read_folder(archive, progress=lambda *step: seen.append(step))
    archive.unlink()
    assert (collection.name, collection.source) == ("cars", str(archive))
    assert (files(collection), collection.refusals) == (["cars/1.png"], ())
    assert library.open(collection.pictures[0]).size == (8, 6)
    assert seen == [(1, 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "There are no pictures in .*photos2. JPEG, PNG"),
        ({".hidden.png": png(), "Thumbs.db": b"x", ".git/a.png": png()}, "There are no pictures"),
        ({"a.txt": b"a", "b.jpg": b"b"}, "None of the 2 files in .*a.txt: Not a picture"),
    ],
)
def test_nothing_to_read_is_a_clear_error(library, tmp_path, content, message):
    folder = tmp_path / "photos2"
    folder.mkdir()
    with pytest.raises(InputError, match=message):
        library.read_folder(write(folder, content))
    assert library.list() == []


def test_wrong_path_is_a_clear_error(library, tmp_path):
    write(tmp_path, {"a.png": png(), "a.txt": b"text"})
    for name, message in (
        ("none", "There is no folder"),
        ("a.png/x", "There is no folder"),
        ("nul\0", "There is no folder"),
        ("a.png", "neither a folder nor a zip"),
        ("a.txt", "neither a folder nor a zip"),
    ):
        with pytest.raises(InputError, match=message):
            library.read_folder(tmp_path / name)
    with pytest.raises(InputError, match="There are no pictures in upload"):
        library.read_uploads([], name="x")


def test_links(library, photos, tmp_path):
    write(tmp_path, {"secret.png": png(7), "outside/b.png": png(8)})
    (photos / "out.png").symlink_to(tmp_path / "secret.png")
    (photos / "outside").symlink_to(tmp_path / "outside")
    (photos / "loop").symlink_to(photos)
    (photos / "sub" / "self").symlink_to(photos / "sub" / "self")
    (photos / "dead.png").symlink_to(photos / "none.png")
    (photos / "inside.png").symlink_to(photos / "sub" / "a.png")
    collection = library.read_folder(photos)
    assert files(collection) == ["A.png", "b.png", "inside.png"]
    assert collection.duplicates == (Duplicate("sub/a.png", of="inside.png"),)
    reasons = {refusal.file: refusal.reason for refusal in collection.refusals}
    assert sorted(reasons) == ["dead.png", "out.png", "outside", "sub/self"]
    assert "outside the folder" in reasons["out.png"] and "outside" in reasons["outside"]
    assert "leads nowhere" in reasons["dead.png"]


def test_pipe_is_refused_without_waiting(library, photos):
    os.mkfifo(photos / "pipe.png")
    reasons = library.read_folder(photos).refusals
    assert [refusal.file for refusal in reasons] == ["pipe.png"]


def test_unreadable_file_is_listed(library, photos, monkeypatch):
    opened = Path.open

    def deny(path, *args, **kwargs):
        if path.name == "b.png":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", deny)
    collection = library.read_folder(photos)
    assert files(collection) == ["A.png", "sub/a.png"]
    assert "cannot be read: Permission denied" in collection.refusals[0].reason


def test_odd_names_survive(library, tmp_path):
    names = ["new\nline.png", "ünï.png", "日本 🚗.png", "semi;colon,'\".png", "\u2028.png"]
    folder = write(tmp_path / "odd", {name: png(at) for at, name in enumerate(names)})
    raw = os.fsencode(folder) + b"/caf\xe9.png"
    Path(os.fsdecode(raw)).write_bytes(png(99))
    key = library.read_folder(folder).key
    collection = library.load(key)
    assert sorted(files(collection)) == sorted([*names, "caf\N{REPLACEMENT CHARACTER}.png"])
    shades = {
        picture.file: library.open(picture).getpixel((0, 0))[0] for picture in collection.pictures
    }
    assert shades["caf\N{REPLACEMENT CHARACTER}.png"] == 99
    assert shades["new\nline.png"] == 0


def test_home_inside_the_folder_is_not_read(photos):
    library = Library(photos / "state")
    first = library.read_folder(photos)
    assert library.read_folder(photos).pictures == first.pictures


def test_thumbnail_is_small_and_upright(library, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (800, 400), (0, 90, 200)).save(buffer, "JPEG", exif=exif)
    folder = write(tmp_path / "photos", {"a.jpg": buffer.getvalue(), "small.png": png(1)})
    tall, small = library.read_folder(folder).pictures
    assert (tall.width, tall.height) == (400, 800)
    with Image.open(library.thumbnail_path(tall.digest)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (128, 256))
    with Image.open(library.thumbnail_path(small.digest)) as thumbnail:
        assert thumbnail.size == (8, 6)


def test_picture_read_before_is_not_decoded_again(library, photos, monkeypatch):
    first = library.read_folder(photos)
    thumbnails = {path: path.stat().st_mtime_ns for path in stored(library, "thumbnails")}
    monkeypatch.setattr("esmc_core.images.intake.decode", None)
    assert library.read_folder(photos) == first
    assert {path: path.stat().st_mtime_ns for path in thumbnails} == thumbnails


@pytest.mark.parametrize("upload", [False, True])
def test_stop_leaves_no_collection_and_no_copies(library, photos, upload):
    seen = []

    def stop() -> bool:
        return len(seen) >= 1

    options = {"progress": lambda *step: seen.append(step), "should_stop": stop}
    with pytest.raises(Cancelled):
        if upload:
            library.read_uploads([(f"{n}.png", png(n)) for n in range(100)], name="x", **options)
        else:
            library.read_folder(photos, **options)
    assert seen[0] == (1, 100 if upload else 3)
    assert len(seen) < 100
    assert (library.list(), stored(library, "originals"), stored(library, "incoming")) == (
        [],
        [],
        [],
    )


def test_progress_counts_every_file(library, photos):
    write(photos, {"notes.txt": b"x"})
    seen = []
    library.read_folder(photos, progress=lambda *step: seen.append(step))
    assert seen == [(done, 4) for done in (1, 2, 3, 4)]


def test_pending_bytes_are_bounded(library, monkeypatch):
    monkeypatch.setattr(limits, "MAX_PENDING_BYTES", 1)
    collection = library.read_uploads([(f"{n}.png", png(n)) for n in range(9)], name="x")
    assert collection.n_images == 9


def test_list_is_newest_first_and_counts(library, photos):
    write(photos, {"copy.png": png(1), "notes.txt": b"x"})
    by_path = library.read_folder(photos)
    copied = library.read_uploads([("a.png", png(5))], name="up")
    (library.folder(copied.key) / "passes").mkdir()
    (library.folder(copied.key) / "passes" / "lens.bin").write_bytes(bytes(10_000))
    summaries = {summary.key: summary for summary in library.list()}
    assert (summaries[by_path.key].n_images, summaries[by_path.key].n_refused) == (3, 1)
    assert summaries[by_path.key].n_duplicates == 1
    assert summaries[copied.key].name == "up"
    records = library.folder(copied.key).glob("*.json*")
    size = sum(path.stat().st_size for path in records)
    assert summaries[copied.key].n_bytes == size + 10_000 + len(png(5))


def test_rename(library, photos):
    key = library.read_folder(photos).key
    library.rename(key, "  Été 🚗 ")
    assert library.load(key).name == library.list()[0].name == "Été 🚗"
    with pytest.raises(InputError, match="needs a name"):
        library.rename(key, "  ")


def test_delete_keeps_what_others_use(library):
    shared, alone, other = png(1), png(2), png(3)
    first = library.read_uploads([("a.png", shared), ("b.png", alone)], name="first")
    second = library.read_uploads([("a.png", shared), ("c.png", other)], name="second")
    library.delete(first.key)
    assert [summary.key for summary in library.list()] == [second.key]
    for picture, data in zip(second.pictures, (shared, other), strict=True):
        assert library.original_bytes(picture) == data
        assert library.thumbnail_path(picture.digest).exists()
    assert not library.thumbnail_path(first.pictures[1].digest).exists()
    library.delete(second.key)
    assert stored(library, "originals") == stored(library, "thumbnails") == []
    assert stored(library, "collections") == []


def test_delete_leaves_the_users_folder_alone(library, photos):
    library.delete(library.read_folder(photos).key)
    assert (photos / "b.png").read_bytes() == png(1)
    assert stored(library, "thumbnails") == []


def test_missing_and_malicious_keys(library, photos):
    library.read_folder(photos)
    for key in ("0" * 16, "../../etc", "", "..", "A" * 16, "0" * 16 + "\n"):
        for act in (library.load, library.delete, lambda key: library.rename(key, "x")):
            with pytest.raises(InputError):
                act(key)
    with pytest.raises(InputError):
        library.thumbnail_path("../../../etc/passwd")


def test_vanished_or_changed_picture_is_a_clear_error(library, photos):
    first, second, _ = library.read_folder(photos).pictures
    (photos / first.file).unlink()
    (photos / second.file).write_bytes(png(77))
    with pytest.raises(InputError, match=r"A.png is no longer at"):
        library.open(first)
    with pytest.raises(InputError, match=r"b.png has changed since it was read"):
        library.open(second)


def test_damaged_record_is_shown_and_can_be_deleted(library, photos):
    key = library.read_folder(photos).key
    (library.folder(key) / "collection.json").write_text("{")
    assert [(summary.key, summary.damaged) for summary in library.list()] == [(key, True)]
    with pytest.raises(StoreError, match="cannot be read"):
        library.load(key)
    library.delete(key)
    assert library.list() == []


def test_damaged_rows_are_a_clear_error(library, photos):
    key = library.read_folder(photos).key
    (library.folder(key) / "pictures.jsonl").write_text('{"digest": 1}\n')
    with pytest.raises(StoreError, match=r"pictures.jsonl cannot be read"):
        library.load(key)


def test_copies_of_a_killed_upload_are_removed_after_a_day(library, photos):
    old, young = library.home / "incoming" / "old", library.home / "incoming" / "young"
    for folder in (old, young):
        write(folder, {"a": b"1"})
    os.utime(old, (0, 0))
    library.read_folder(photos)
    assert not old.exists() and young.exists()


def test_home_that_cannot_be_written_is_a_clear_error(photos):
    with pytest.raises(StoreError, match="cannot be stored"):
        Library(photos / "b.png").read_folder(photos)
