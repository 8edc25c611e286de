"""From folders of tars to one array of pictures and one list of records."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import KDTree

from esmc_core.errors import InputError
from esmc_core.train import sources
from esmc_core.train.colours import NAMES, border_colour, centre_colour, colour_region, rgb_to_lab

Colour = tuple[float, float, float]  # sRGB, in the range that its place says

SIDE = 112  # px of a stored picture, squeezed to a square as the image processor does
VALIDATION_SHARE = 0.04
# Sets whose things are shown in other colours, too, where they stand, and of which colours: paint
# can be told from what is around it where it is neither white nor gray nor black, and from its own
# shadows where these don't look brown.
RECOLOURED_SETS = {
    "flowers": NAMES,
    "clothing": NAMES,
    "car_colours": ("red", "pink", "blue", "green"),
}
# Sets with products on white, which can be cut out, and the shares of the picture that one fills.
CUT_OUT_SETS = {"fashion": (0.06, 0.75), "car_colours": (0.18, 0.88)}


@dataclass
class Record:
    """One training picture.

    Args:
        source: the set it is from.
        labels: attribute -> answer word.
        nouns: what the picture's thing may be called.
        validation: kept out of the training.
        cut_out: row in the array of masks, -1 where the picture cannot be cut out.
        region: row in the array of masks of the part that carries the colour, -1 for none.
    """

    source: str
    labels: dict[str, str]
    nouns: list[str]
    validation: bool
    cut_out: int = -1
    region: int = -1


@dataclass
class Dataset:
    """All pictures of a training.

    Args:
        pictures: (n, SIDE, SIDE, 3) uint8.
        masks: (n_masks, SIDE, SIDE) uint8, 255 on the product or the coloured part.
        records: one a picture.
        captions: text for the tokenizer.
    """

    pictures: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    records: list[Record]
    captions: list[str] = field(default_factory=list)


def squeeze(image: Image.Image, side: int = SIDE) -> NDArray[np.uint8]:
    """The whole picture as a (side, side, 3) square: squashed, nothing cut off."""
    return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))


def is_validation(content: bytes) -> bool:
    """Decide by the file's hash, so that the split never changes."""
    return hashlib.sha256(content).digest()[0] < 256 * VALIDATION_SHARE


def difference_hash(image: Image.Image) -> int:
    """A 64-bit perceptual hash: brightness steps along the rows of a 9 x 8 thumbnail."""
    small = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int("".join("1" if b else "0" for b in bits), 2)


@dataclass(frozen=True)
class KnownPictures:
    """Pictures to keep out of the training.

    Args:
        codes: (n,) uint64 perceptual hashes.
        thumbnails: (n, 16, 16, 3) int16, to confirm what the hashes suspect: products on white
            share their hash with many others.
    """

    codes: NDArray[np.uint64]
    thumbnails: NDArray[np.int16]

    def contain(self, image: Image.Image, *, bits: int = 6, levels: float = 9.0) -> bool:
        """Whether an image is within `bits` and, on average, within `levels` of a known one."""
        if not len(self.codes):
            return False
        apart = np.bitwise_count(self.codes ^ np.uint64(difference_hash(image)))
        near = self.thumbnails[apart <= bits]
        return bool(len(near)) and bool(
            np.abs(near - thumbnail(image)).mean(axis=(1, 2, 3)).min() <= levels
        )


def thumbnail(image: Image.Image) -> NDArray[np.int16]:
    """(16, 16, 3) of the whole picture."""
    return np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BOX)).astype(np.int16)


def know_pictures(folder: Path | None) -> KnownPictures:
    """Read every picture below a folder, none for None."""
    names = [] if folder is None else sorted(folder.rglob("*"))
    images = [Image.open(p) for p in names if p.suffix.lower() in {".jpg", ".jpeg", ".png"}]
    codes = np.array([difference_hash(image) for image in images], dtype=np.uint64)
    thumbnails = np.array([thumbnail(image) for image in images], dtype=np.int16)
    return KnownPictures(codes, thumbnails)


def cut_out(
    picture: NDArray[np.uint8], *, least: float = 0.06, most: float = 0.75
) -> NDArray[np.uint8] | None:
    """Mask of a product on white: what the white around it does not reach; None if unsure.

    Args:
        picture: (height, width, 3).
        least, most: share of the picture that a product fills.

    Returns:
        (height, width), 255 on the product.
    """
    white = picture.min(-1) > 238
    regions, _ = ndimage.label(white)
    edge = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    outside = np.isin(regions, edge[edge > 0])
    inside = ndimage.binary_opening(~outside, iterations=1)
    if not least < inside.mean() < most:
        return None
    return (ndimage.gaussian_filter(inside.astype(np.float32), 0.7) * 255).astype(np.uint8)


def coloured_part(picture: NDArray[np.uint8], record: Record) -> NDArray[np.uint8] | None:
    """Mask of what gave a picture its colour, where pixels did; None elsewhere."""
    if record.labels.get("color") not in RECOLOURED_SETS.get(record.source, ()):
        return None
    return colour_region(picture.astype(np.float32) / 255, record.labels["color"])


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        for member in tar:
            handle = tar.extractfile(member) if member.isfile() else None
            if handle:
                yield Path(member.name).name, handle.read()


def read_source(path: Path) -> Iterator[tuple[bytes, Image.Image, dict[str, str], list[str], str]]:
    """Yield (bytes, image, labels, nouns, caption) of every labelled picture in a tar.

    Raises:
        InputError: the set's columns are unknown.
    """
    name = path.stem
    if name not in sources.READERS:
        known = ", ".join(sorted(sources.READERS))
        raise InputError(f"The training set {name} is unknown.", f"Known are: {known}.")
    files = dict(_members(path))
    lines = files.get("captions.jsonl", b"").decode().splitlines()
    captions = {c["file"]: c["captions"][0] for c in map(json.loads, lines)}
    for row in csv.DictReader(io.StringIO(files["labels.csv"].decode())):
        labels, nouns = sources.READERS[name](row)
        content = files.get(row["file"])
        if content is None:
            continue
        image = Image.open(io.BytesIO(content)).convert("RGB")
        yield content, image, labels, nouns, captions.get(row["file"], "")


def label_pixels(labels: dict[str, str], picture: NDArray[np.uint8], source: str) -> None:
    """Add what the pixels themselves tell: the colour in the middle, a plain background."""
    rgb = picture[::2, ::2].astype(np.float32) / 255
    if source in sources.PIXEL_COLOURS and "color" not in labels:
        colour = centre_colour(rgb, only=sources.PIXEL_COLOURS[source] or NAMES)
        # Half of what pixels call gray, people call a muted blue, purple, brown or green.
        if colour and colour != "gray":
            labels["color"] = colour
    border = border_colour(rgb)
    if border and source not in ("cifar10_train", "cifar10_captioned", "car_body_colours"):
        labels["background"] = border


def _add_caption_colour(labels: dict[str, str], caption: str, source: str) -> None:
    if source == "cifar10_captioned":
        colour = sources.caption_colour(caption, labels["kind"])
        if colour:
            labels["color"] = colour


def build_dataset(
    folder: Path, *, avoid: KnownPictures, extra: list[tuple[NDArray[np.uint8], Record]]
) -> Dataset:
    """Read every tar of a folder.

    Args:
        folder: where the tars are.
        avoid: pictures whose near-duplicates must not be trained on.
        extra: pictures made here (procedural scenes) with their records.

    Raises:
        InputError: the folder holds no tar.
    """
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise InputError(f"No training set (*.tar) in {folder}.", "Give the folder of the tars.")
    pictures: list[NDArray[np.uint8]] = []
    masks: list[NDArray[np.uint8]] = []
    records: list[Record] = []
    captions: list[str] = []
    for path in paths:
        source = path.stem
        for content, image, labels, nouns, caption in read_source(path):
            if avoid.contain(image):
                continue
            picture = squeeze(image)
            label_pixels(labels, picture, source)
            _add_caption_colour(labels, caption, source)
            record = Record(source, labels, nouns, is_validation(content))
            mask = None
            if source in CUT_OUT_SETS:
                least, most = CUT_OUT_SETS[source]
                mask = cut_out(picture, least=least, most=most)
            if mask is not None:
                record.cut_out = len(masks)
                masks.append(mask)
            part = coloured_part(picture, record)
            if part is not None:
                record.region = len(masks)
                masks.append(part)
            elif labels.get("species") in sources.PETALS_OF_SPECIES:
                labels.pop("color", None)  # too little of it to be seen
            pictures.append(picture)
            records.append(record)
            if caption:
                captions.append(caption)
    for picture, record in extra:
        pictures.append(picture)
        records.append(record)
    empty = np.zeros((0, SIDE, SIDE), np.uint8)
    return Dataset(np.stack(pictures), np.stack(masks) if masks else empty, records, captions)


def plain_colours(
    data: Dataset, source: str, *, spread: float = 22.0, least: int = 7
) -> dict[str, list[Colour]]:
    """What people call the colours of plain products, as far as they are trained on.

    Args:
        source: a set of products on white with their colours.
        spread: the mean distance of a plain product's pixels from their median, by channel, of 255.
        least: the least number of products of a colour, of those whose nearest agree with them.

    Returns:
        Name -> the median sRGB of each product, (3,) in [0, 255].
    """
    names: list[str] = []
    colours: list[Colour] = []
    for i, record in enumerate(data.records):
        if record.source != source or record.validation or record.cut_out < 0:
            continue
        name = record.labels.get("color", "multicolor")
        pixels = data.pictures[i][data.masks[record.cut_out] > 200].astype(np.float32)
        if name == "multicolor" or not len(pixels):
            continue
        red, green, blue = (float(value) for value in np.median(pixels, axis=0))
        if np.abs(pixels - (red, green, blue)).mean() < spread:
            names.append(name)
            colours.append((red, green, blue))
    found: dict[str, list[Colour]] = {}
    for name, colour, share in zip(names, colours, _agreement(names, colours), strict=True):
        if share >= 1 / 3:
            found.setdefault(name, []).append(colour)
    return {name: values for name, values in found.items() if len(values) >= least}


def _agreement(names: list[str], colours: list[Colour], *, n_near: int = 9) -> NDArray[np.float64]:
    """(n,) share of the nearest colours in Lab that have the same name."""
    if len(names) < 2:
        return np.ones(len(names))
    lab = rgb_to_lab(np.array(colours) / 255)
    number = min(n_near + 1, len(names))
    near = KDTree(lab).query(lab, k=number)[1]
    same = np.array(names)[near] == np.array(names)[:, None]
    return (same.sum(1) - 1) / (number - 1)  # without itself


def save_dataset(data: Dataset, folder: Path) -> None:
    """Write a dataset so that several processes can map it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "pictures.npy", data.pictures)
    np.save(folder / "masks.npy", data.masks)
    (folder / "captions.json").write_text(json.dumps(data.captions))
    lines = "\n".join(json.dumps(asdict(record)) for record in data.records)
    (folder / "records.jsonl").write_text(lines)


def load_dataset(folder: Path) -> Dataset:
    """Map a dataset that `save_dataset` wrote."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    return Dataset(
        np.load(folder / "pictures.npy", mmap_mode="r"),
        np.load(folder / "masks.npy", mmap_mode="r"),
        [Record(**json.loads(line)) for line in lines],
        json.loads((folder / "captions.json").read_text()),
    )
