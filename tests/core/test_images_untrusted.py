"""Bombs, escapes and damage: each gets a reason, and the rest of the pictures is read."""

import bz2
import gzip
import io
import os
import struct
import tarfile
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from esmc_core.errors import InputError
from esmc_core.images import Library, limits, open_picture


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def png_bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG of a few kilobytes whose header asks for width × height pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1_000_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def zip_of(members: dict, **options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", options.get("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tar_of(members: dict, *, mode: str = "w") -> bytes:
    """A tar; a value is a file's content, or a TarInfo."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.name = name
            if isinstance(content, bytes):
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def tar_member(kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def library(tmp_path) -> Library:
    return Library(tmp_path / "home")


def upload(library: Library, name: str, content: bytes):
    return library.read_uploads([(name, content)], name="test")


def reasons(collection) -> dict[str, str]:
    return {refusal.file: refusal.reason for refusal in collection.refusals}


def files(collection) -> list[str]:
    return [picture.file for picture in collection.pictures]


def test_png_bomb_is_refused_by_its_header():
    bomb = png_bomb()
    assert len(bomb) < 2_000
    started = time.perf_counter()
    with pytest.raises(InputError, match="too many pixels: up to 120 million"):
        open_picture(bomb)
    assert time.perf_counter() - started < 0.5


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_picture_just_above_the_limit_tells_its_size():
    with pytest.raises(InputError, match="12,001 × 10,000"):
        open_picture(png_bomb(12_001, 10_000))


def test_bombs_and_junk_do_not_stop_the_rest(library):
    content = {"a.png": png(), "bomb.png": png_bomb(), "empty.png": b"", "text.jpg": b"hello"}
    collection = upload(library, "all.zip", zip_of(content))
    assert files(collection) == ["a.png"]
    assert "too many pixels" in reasons(collection)["bomb.png"]
    assert "empty" in reasons(collection)["empty.png"]
    assert "Not a picture" in reasons(collection)["text.jpg"]


@pytest.mark.parametrize(
    "name", ["../a.png", "x/../../a.png", "/esmc-escape/a.png", "..\\a.png", "C:\\a.png"]
)
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_member_that_leads_outside_is_refused(library, tmp_path, name, pack):
    before = sorted(tmp_path.rglob("*"))
    collection = upload(library, "a.bin", pack({name: png(1), "good.png": png(2)}))
    assert files(collection) == ["good.png"]
    assert "outside the archive" in reasons(collection)[name]
    escaped = [path for path in tmp_path.rglob("a.png") if path not in before]
    assert not escaped and not os.path.exists("/esmc-escape")


def test_links_and_devices_in_a_tar_are_refused(library):
    kinds = {
        "symlink.png": tarfile.SYMTYPE,
        "hardlink.png": tarfile.LNKTYPE,
        "device.png": tarfile.CHRTYPE,
        "pipe.png": tarfile.FIFOTYPE,
    }
    members = {name: tar_member(kind) for name, kind in kinds.items()}
    collection = upload(library, "a.tar", tar_of({**members, "good.png": png()}))
    assert files(collection) == ["good.png"]
    assert set(reasons(collection)) == set(kinds)
    assert all("link or device" in reason for reason in reasons(collection).values())


def test_symlink_in_a_zip_is_refused(library):
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.png", png())
    collection = upload(library, "a.zip", buffer.getvalue())
    assert files(collection) == ["good.png"]
    assert "link or device" in reasons(collection)["link.png"]


def empty_zip_with_directory(count: int) -> bytes:
    entry = b"PK\x01\x02" + struct.pack("<HHHHHHLLLHHHHHLL", *[0] * 9, 1, *[0] * 6) + b"a"
    directory = entry * count
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), 0
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return b"PK\x03\x04" + b"\0" * 26 + directory + end64 + locator + end


def test_zip_of_a_million_entries_is_refused_at_once(library):
    content = empty_zip_with_directory(1_000_000)
    started = time.perf_counter()
    with pytest.raises(InputError, match="more than 250,000 entries"):
        upload(library, "many.zip", content)
    assert time.perf_counter() - started < 2.0
    assert library.list() == []


def test_zip_that_lies_about_its_count_is_refused(library):
    content = empty_zip_with_directory(300_000)
    lie = content.replace(struct.pack("<QQ", 300_000, 300_000), struct.pack("<QQ", 1, 1))
    assert lie != content
    with pytest.raises(InputError, match="more than 250,000 entries"):
        upload(library, "many.zip", lie)


def test_tar_of_too_many_entries_is_refused(library, monkeypatch):
    monkeypatch.setattr(limits, "MAX_ENTRIES", 50)
    content = tar_of({f"{number}.txt": b"" for number in range(60)}, mode="w:gz")
    with pytest.raises(InputError, match="more than 50 entries"):
        upload(library, "many.tar.gz", content)


@pytest.mark.parametrize("head", [b"", png(), b"BM"])
def test_bomb_in_a_zip_is_refused(library, head):
    bomb = head + bytes(limits.RATIO_FLOOR_BYTES + 1)
    content = zip_of({"bomb.png": bomb, "good.png": png()})
    assert len(content) < 200_000
    collection = upload(library, "a.zip", content)
    assert files(collection) == ["good.png"]
    expected = "out of proportion" if head else "Not a picture"
    assert expected in reasons(collection)["bomb.png"]


def test_zip_header_that_understates_the_size_is_not_believed(library, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 100_000)
    content = zip_of({"a.bmp": b"BM" + os.urandom(150_000), "good.png": png()})
    size = struct.pack("<L", 150_002)
    collection = upload(library, "a.zip", content.replace(size, struct.pack("<L", 50)))
    assert files(collection) == ["good.png"]
    assert "a.bmp" in reasons(collection)


def test_archive_out_of_all_proportion_is_refused(library, monkeypatch):
    monkeypatch.setattr(limits, "RATIO_FLOOR_BYTES", 1_000_000)
    members = {f"{number}.bmp": b"BM" + bytes(400_000) for number in range(20)}
    for content in (zip_of(members), tar_of(members, mode="w:xz")):
        with pytest.raises(InputError, match="200 times its size"):
            upload(library, "bomb", content)


def test_skipped_members_of_a_tar_count_as_well(library, monkeypatch):
    monkeypatch.setattr(limits, "RATIO_FLOOR_BYTES", 1_000_000)
    content = tar_of({"zeros.bin": bytes(10_000_000), "good.png": png()}, mode="w:gz")
    with pytest.raises(InputError, match="200 times its size"):
        upload(library, "bomb.tar.gz", content)


def test_upload_larger_than_the_disk_is_refused_and_leaves_nothing(library, monkeypatch):
    monkeypatch.setattr(limits, "MAX_TOTAL_BYTES", 1_000)
    members = {f"{number}.png": png(number) for number in range(100)}
    with pytest.raises(InputError, match=r"when copied. Free some disk space"):
        upload(library, "a.zip", zip_of(members))
    assert not (library.home / "originals").exists()
    assert list((library.home / "incoming").iterdir()) == []


def test_tar_header_of_many_megabytes_is_not_read(library):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    content = gzip.compress(header.tobuf() + bytes(1 << 20))
    with pytest.raises(InputError, match="a header is too large"):
        upload(library, "a.tar.gz", content)


def test_tar_with_a_negative_size_ends(library):
    member = tarfile.TarInfo("loop.png")
    member.size = -1024
    content = member.tobuf(format=tarfile.GNU_FORMAT) * 4
    with pytest.raises(InputError, match="damaged"):
        upload(library, "a.tar", content + bytes(1024))


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz"])
def test_noise_that_is_called_an_archive_is_called_a_damaged_one(library, name):
    noise = np.random.default_rng(0).bytes(20_000)
    with pytest.raises(InputError, match=rf"The archive {name} is damaged"):
        upload(library, name, noise)
    collection = upload(library, name, png())
    assert collection.n_images == 1, "a picture by a wrong name"


def test_encrypted_and_uncommon_members_are_refused(library):
    encrypted = bytearray(zip_of({"secret.png": png()}, method=zipfile.ZIP_STORED))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match=r"Encrypted. Unpack the archive with its password"):
        upload(library, "a.zip", bytes(encrypted))
    with pytest.raises(InputError, match="uncommon method"):
        upload(library, "b.zip", zip_of({"a.png": png()}, method=zipfile.ZIP_BZIP2))


def test_archive_in_an_archive_is_refused(library):
    inner = zip_of({"a.png": png(1)})
    for content in (
        zip_of({"inner.zip": inner, "b.png": png()}),
        tar_of({"inner.zip": inner, "b.png": png()}),
    ):
        collection = upload(library, "a", content)
        assert files(collection) == ["b.png"]
        assert "An archive inside" in reasons(collection)["inner.zip"]


def test_member_with_a_wrong_checksum_is_refused(library):
    content = bytearray(zip_of({"a.png": png(1), "b.png": png(2)}, method=zipfile.ZIP_STORED))
    content[content.index(b"IDAT") + 6] ^= 0xFF
    collection = upload(library, "a.zip", bytes(content))
    assert files(collection) == ["b.png"]
    assert "Damaged in the archive" in reasons(collection)["a.png"]


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 and nothing more",
        zip_of({"a.png": png()})[:-30],
        tar_of({"a.png": os.urandom(50_000)}, mode="w:gz")[:20_000],
        tar_of({"a.png": png()}, mode="w:xz")[:100],
        gzip.compress(b"only a text"),
        bz2.compress(b"only a text"),
        b"\x1f\x8b broken",
        b"BZh broken",
        b"\xfd7zXZ\0 broken",
    ],
)
def test_damaged_archive_is_a_clear_error(library, content):
    with pytest.raises(InputError, match=r"archive pictures.bin is damaged.*again"):
        upload(library, "pictures.bin", content)
    collection = library.read_uploads([("pictures.bin", content), ("b.png", png())], name="x")
    assert files(collection) == ["b.png"]
    assert "is damaged" in reasons(collection)["pictures.bin"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_is_read(library, mode):
    members = {"x/a.png": png(1), "./b.png": png(2), "c.png": b"", "__MACOSX/._a.png": b"1"}
    collection = upload(library, "a", tar_of(members, mode=mode))
    assert files(collection) == ["b.png", "x/a.png"]
    assert list(reasons(collection)) == ["c.png"]


def test_sparse_member_is_refused(library):
    sparse = tarfile.TarInfo()
    sparse.type = tarfile.GNUTYPE_SPARSE
    collection = upload(library, "a.tar", tar_of({"hole.png": sparse, "good.png": png()}))
    assert files(collection) == ["good.png"]
    assert "sparse" in reasons(collection)["hole.png"]


def test_random_bytes_never_escape_as_another_error(library):
    random = np.random.default_rng(0)
    sound = [
        zip_of({"a.png": png()}),
        tar_of({"a.png": png()}),
        tar_of({"a.png": png()}, mode="w:gz"),
    ]
    for _ in range(150):
        content = bytearray(sound[random.integers(len(sound))])
        for at in random.integers(6, len(content), size=4):
            content[at] = random.integers(256)
        try:
            upload(library, "a", bytes(content))
        except InputError:
            continue
