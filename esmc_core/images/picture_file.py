"""Decoding one untrusted picture file to RGB, upright."""

from __future__ import annotations

import io
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from esmc_core.errors import InputError
from esmc_core.images import limits
from esmc_core.images.signature import ARCHIVES, FOREIGN, FORMATS, FORMATS_IN_WORDS, kind_of

# Pillow warns above this and raises above twice as much; `_check_size` refuses from here on.
Image.MAX_IMAGE_PIXELS = limits.MAX_PIXELS

# What Pillow's many decoders raise on damaged files; it promises no single class.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""

_QUARTER_TURNS = (5, 6, 7, 8)


def open_picture(content: bytes | Path) -> Image.Image:
    """The whole picture, RGB and upright; transparent parts are white.

    Args:
        content: the file's bytes, or the path of the file.

    Raises:
        InputError: the file is not a picture, damaged, too large, or cannot be read.
    """
    data = read_file(content) if isinstance(content, Path) else content
    picture = open_header(data)
    return decode(picture)


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_FILE_BYTES; raise InputError otherwise."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError("Not a file but a device, pipe or folder.")
        check_bytes(status.st_size)
        with path.open("rb") as file:
            data = file.read(limits.MAX_FILE_BYTES + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(f"The file cannot be read: {why}.", "Check its permissions.") from error
    check_bytes(len(data))
    return data


def check_bytes(n_bytes: int) -> None:
    """Raise InputError for a file of no bytes or of too many."""
    if n_bytes == 0:
        raise InputError("The file is empty.", "Copy it again.")
    if n_bytes > limits.MAX_FILE_BYTES:
        limit = limits.MAX_FILE_BYTES // limits.MIB
        raise InputError(f"The file is larger than {limit} MiB.", "Make the picture smaller.")


def check_kind(head: bytes) -> str:
    """Pillow's format of a file that begins with `head`; raise InputError if it is not read."""
    kind = kind_of(head)
    if kind in FORMATS:
        return kind
    if kind in ARCHIVES:
        raise InputError("An archive inside a folder or archive.", "Unpack it or add it by itself.")
    if kind in FOREIGN:
        raise InputError(f"{kind} files are not read.", FOREIGN[kind])
    raise InputError("Not a picture.", f"{FORMATS_IN_WORDS} are read.")


def open_header(data: bytes) -> Image.Image:
    """The picture before decoding; raise InputError if it is none, or too large."""
    check_bytes(len(data))
    kind = check_kind(data)
    try:
        picture = Image.open(io.BytesIO(data), formats=(kind,))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("") from error
    except DECODER_ERRORS as error:
        raise _damaged(kind, error) from error
    width, height = picture.size
    if width * height > limits.MAX_PIXELS:
        raise _too_large(f" ({width:,} × {height:,})")
    return picture


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height after the EXIF rotation, of a picture that is not decoded yet."""
    width, height = picture.size
    # Pillow turns a TIFF while it loads it, and reports its upright size from the start.
    turned = picture.format != "TIFF" and _orientation(picture) in _QUARTER_TURNS
    return (height, width) if turned else (width, height)


def decode(picture: Image.Image) -> Image.Image:
    """Decode an opened picture wholly, to RGB, upright.

    Raises:
        InputError: the data is damaged or ends too early.
    """
    kind = picture.format or "picture"
    try:
        picture.load()
        flat = to_rgb(picture)
    except DECODER_ERRORS as error:
        raise _damaged(kind, error) from error
    # ImageOps.exif_transpose would rewrite the whole EXIF block, and fail where it is damaged.
    turn = _TURNS.get(_orientation(picture))
    flat.info.clear()
    return flat if turn is None else flat.transpose(turn)


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB: deep greys scaled, transparency laid on white.

    Large pictures are not copied where that can be avoided.
    """
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Image.fromarray(_grey_bytes(picture)).convert("RGB")
    if picture.has_transparency_data:
        layers = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        flat = Image.new("RGB", picture.size, "white")
        flat.paste(layers, mask=layers)
        return flat
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _grey_bytes(picture: Image.Image) -> np.ndarray:
    """(height, width) uint8 of a grey picture of more than 8 bits.

    16-bit values keep their absolute scale. 32-bit and float values have none: the full scale is
    the smallest of 1 (floats), 255 and 65,535 that holds them, else their own range.
    """
    values = np.asarray(picture, dtype=np.float32)
    if picture.mode.startswith("I;16") or picture.format == "PPM":
        low, high = 0.0, 65535.0
    else:
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        scales = (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0)
        if low >= 0:
            low, high = 0.0, next((scale for scale in scales if high <= scale), high)
    scaled = (values - low) * (255.0 / max(high - low, 1e-12))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the EXIF data cannot be read, as viewers do."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except DECODER_ERRORS:
        return 1


def _too_large(size: str) -> InputError:
    limit = limits.MAX_PIXELS // 1_000_000
    return InputError(
        f"The picture has too many pixels{size}: up to {limit} million are read.",
        "Make it smaller.",
    )


def _damaged(kind: str, error: Exception) -> InputError:
    if "truncated" in str(error).lower():
        return InputError(f"The {kind} file is truncated: its end is missing.", "Copy it again.")
    if isinstance(error, UnidentifiedImageError):
        return InputError(f"The {kind} file is damaged: its header is wrong.", "Copy it again.")
    return InputError(f"The {kind} file is damaged ({error}).", "Copy it again or save it anew.")
