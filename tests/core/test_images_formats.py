"""Every format and mode comes out as the same upright RGB picture."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from esmc_core.errors import InputError
from esmc_core.images import open_picture
from esmc_core.images.picture_file import open_header, upright_size

RED, GREEN, BLUE = (200, 30, 40), (20, 160, 60), (30, 40, 190)


def encode(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def flag() -> Image.Image:
    """48 × 32: left half red, right half green above blue."""
    pixels = np.empty((32, 48, 3), np.uint8)
    pixels[:, :24] = RED
    pixels[:16, 24:] = GREEN
    pixels[16:, 24:] = BLUE
    return Image.fromarray(pixels)


def assert_is_flag(picture: Image.Image, *, tolerance: int = 6) -> None:
    assert (picture.mode, picture.size) == ("RGB", (48, 32))
    for at, colour in (((8, 16), RED), ((40, 6), GREEN), ((40, 26), BLUE)):
        assert np.abs(np.subtract(picture.getpixel(at), colour)).max() <= tolerance, at


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
        ("PPM", {}),
    ],
)
def test_format_is_read(kind, options):
    assert_is_flag(open_picture(encode(flag(), kind, **options)))


def test_name_plays_no_part(tmp_path):
    path = tmp_path / "flag.txt"
    path.write_bytes(encode(flag(), "PNG"))
    assert_is_flag(open_picture(path))


def test_gif_gives_its_first_frame():
    others = [Image.new("RGB", (48, 32), "white")]
    assert_is_flag(open_picture(encode(flag(), "GIF", save_all=True, append_images=others)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(kind, orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = flag().transpose(undo[orientation]) if orientation in undo else flag()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    data = encode(stored, kind, exif=exif, **options.get(kind, {}))
    assert upright_size(open_header(data)) == (48, 32)
    upright = open_picture(data)
    assert_is_flag(upright)
    assert upright.getexif().get(0x0112, 1) == 1


def test_damaged_exif_is_no_reason_to_refuse():
    exif = Image.Exif()
    exif[0x0112] = 1
    data = encode(flag(), "JPEG", exif=exif, quality=95, subsampling=0)
    at = data.index(b"Exif\0\0") + 6
    assert_is_flag(open_picture(data[:at] + b"XXXXXXXX" + data[at + 8 :]))


def test_cmyk_jpeg_has_its_colours():
    picture = open_picture(encode(flag().convert("CMYK"), "JPEG", quality=95, subsampling=0))
    assert_is_flag(picture)


def test_palette_is_resolved():
    assert_is_flag(open_picture(encode(flag().quantize(8), "PNG")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_laid_on_white(kind):
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    picture.putpixel((0, 0), (100, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 128))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    flat = open_picture(encode(picture, kind, **options))
    assert flat.getpixel((0, 0)) == (100, 0, 0)
    assert flat.getpixel((1, 0)) == (127, 127, 127)
    assert flat.getpixel((3, 3)) == (255, 255, 255)


def test_transparent_palette_and_grey_alpha_are_laid_on_white():
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    flat = open_picture(encode(palette, "PNG", transparency=0))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 0, 0)]
    grey = Image.new("LA", (2, 1), (0, 0))
    grey.putpixel((1, 0), (90, 255))
    flat = open_picture(encode(grey, "PNG"))
    assert [flat.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (90, 90, 90)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    values = np.array([[0, 257, 25700, 51400, 65535]], np.uint16)
    picture = open_picture(encode(Image.fromarray(values), kind))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 1, 100, 200, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 25700.0, 65535.0], [0, 100, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([float("nan"), 0.0, 1.0], [0, 0, 255]),
    ],
)
def test_float_tiff_is_scaled_by_its_range(values, expected):
    picture = Image.fromarray(np.array([values], np.float32))
    assert np.asarray(open_picture(encode(picture, "TIFF")))[0, :, 0].tolist() == expected


def test_one_bit_and_8_bit_grey():
    one_bit = Image.new("1", (2, 1), 0)
    one_bit.putpixel((1, 0), 1)
    for kind in ("PNG", "TIFF", "PPM"):
        picture = open_picture(encode(one_bit, kind))
        assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]
    assert open_picture(encode(Image.new("L", (1, 1), 77), "PPM")).getpixel((0, 0)) == (77,) * 3


def test_plain_text_pgm_is_read():
    picture = open_picture(b"P2\n# by hand\n2 1\n255\n7 200\n")
    assert np.asarray(picture)[0, :, 0].tolist() == [7, 200]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_truncated_file_is_refused(kind, share):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    with pytest.raises(InputError, match=r"truncated|damaged"):
        open_picture(data[: int(len(data) * share)])


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2, 50, 500])
def test_truncated_jpeg_is_called_so(progressive, missing):
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), "JPEG", progressive=progressive)
    with pytest.raises(InputError, match="The JPEG file is truncated"):
        open_picture(data[:-missing])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"file,label\na.jpg,red\n", "Not a picture"),
        (b"\0" * 5000, "Not a picture"),
        (b"%PDF-1.7 ...", "PDF files are not read. Save its pages"),
        (b"\0\0\0\x18ftypheic....", "HEIC files are not read. Save it as JPEG"),
        (b"\0\0\0\x18ftypavif....", "AVIF files are not read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "Not a picture"),
        (b"PK\x03\x04....", "An archive inside"),
        (b"\xff\xd8\xff\xe0 nothing more", "JPEG file is (damaged|truncated)"),
    ],
)
def test_what_is_no_picture_is_refused(content, reason):
    with pytest.raises(InputError, match=reason):
        open_picture(content)


def test_missing_file_folder_and_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in (("none.jpg", "No such file"), ("pipe.jpg", "device"), (".", "device")):
        with pytest.raises(InputError, match=reason):
            open_picture(tmp_path / name)
