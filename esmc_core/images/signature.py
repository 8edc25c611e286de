"""What a file is, told from its first bytes; its name plays no part."""

from __future__ import annotations

HEAD_BYTES = 512
"""How much of a file `kind_of` wants to see."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Pillow's names of the formats that are read."""

FORMATS_IN_WORDS = "JPEG, PNG, WebP, BMP, TIFF, GIF, PGM and PPM"

ARCHIVES = ("zip", "gzip", "bzip2", "xz", "tar")
"""Archives that are unpacked."""

FOREIGN = {
    "HEIC": "Save it as JPEG or PNG.",
    "AVIF": "Save it as JPEG or PNG.",
    "PDF": "Save its pages as JPEG or PNG.",
    "SVG": "Save it as PNG.",
    "7z": "Pack it as zip or tar.",
    "rar": "Pack it as zip or tar.",
}
"""What is known but not read, and what to do instead."""

_MAGIC = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (8, b"WEBP", "WEBP"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (0, b"%PDF-", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (257, b"ustar", "tar"),
    (0, b"BM", "BMP"),
)


def kind_of(head: bytes) -> str:
    """The kind of a file that begins with `head` (HEAD_BYTES of it), or "" if it is unknown."""
    for offset, magic, kind in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PPM"
    return ""
