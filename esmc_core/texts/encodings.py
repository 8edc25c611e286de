"""What encoding a file of text is in, and its text."""

from __future__ import annotations

import codecs
import re

from esmc_core.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark its own begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 64 * 1024
_FOREIGN_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
_WESTERN = "cp1252"
# What French, Spanish, German … write beyond ASCII. In other encodings of Latin script the same
# bytes stand for letters that, read as cp1252, are not all among these.
_WESTERN_LETTERS = frozenset("àâäáãåæçéèêëíìîïñóòôöõøúùûüÿœßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØÚÙÛÜŒ")
_WESTERN_SIGNS = frozenset("¿¡«»‹›‘’‚“”„–—…€£§°·•®©™ºª´\xa0")
_WESTERN_SHARE = 0.3


def decode(content: bytes, *, encoding: str = "") -> tuple[str, str]:
    """The text of a file and the encoding it is in.

    A byte order mark decides, then UTF-8 where all bytes fit it, then UTF-16 where every other
    byte is zero, then cp1252 where the letters are those of a Western language, then what
    `charset_normalizer` makes of the lines with bytes above 127.

    Args:
        encoding: known from elsewhere; "" to find it out.

    Raises:
        InputError: the bytes do not fit the encoding, or are no text in any.
    """
    found = encoding or find_encoding(content)
    try:
        text = content.decode(found)
    except LookupError:
        raise InputError(f"There is no encoding {encoding}.", "Write it as utf-8.") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"The file is not in {found} (byte {error.start}).", "Choose another encoding."
        ) from None
    if "\0" in text:
        raise InputError(
            "The file holds NUL bytes, as no text does.", "Save it as UTF-8, CSV, JSONL or Parquet."
        )
    return text, found


def find_encoding(content: bytes) -> str:
    """The name of the encoding, as Python knows it."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if wide := _wide_encoding(content[:_SAMPLE_BYTES]):
        return wide
    try:
        content.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return _legacy_encoding(content)


def _wide_encoding(sample: bytes) -> str:
    """UTF-16 without a mark: nearly every second byte of European text is zero."""
    half = len(sample) // 2
    if half < 2:
        return ""
    even, odd = sample[0 : 2 * half : 2].count(0), sample[1 : 2 * half : 2].count(0)
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.1 * half:
        return "utf-16-be"
    return ""


def _legacy_encoding(content: bytes) -> str:
    from charset_normalizer import from_bytes

    # Of a large file only lines that tell encodings apart, or most of the sample would be ASCII.
    lines, size = [], 0
    for match in _FOREIGN_LINE.finditer(content):
        lines.append(match.group())
        size += len(lines[-1])
        if size > _SAMPLE_BYTES:
            break
    sample = b"".join(lines)[:_SAMPLE_BYTES]
    if _is_western(sample):
        return _WESTERN
    best = from_bytes(sample).best()
    for name in (best.encoding if best else "", _WESTERN):
        try:
            content.decode(name)
            return name
        except (LookupError, UnicodeDecodeError):
            continue
    return "latin-1"  # which has a letter for every byte


def _is_western(sample: bytes) -> bool:
    """Whether, read as cp1252, all letters are Western ones, and most of them plain."""
    try:
        text = sample.decode(_WESTERN)
    except UnicodeDecodeError:
        return False
    foreign = [letter for letter in text if not letter.isascii()]
    if not all(letter in _WESTERN_LETTERS or letter in _WESTERN_SIGNS for letter in foreign):
        return False
    n_letters = sum(letter.isalpha() for letter in text)
    return sum(letter.isalpha() for letter in foreign) <= _WESTERN_SHARE * n_letters
