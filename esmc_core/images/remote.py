"""Pictures at a URL: object stores, and whatever else fsspec reads."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from esmc_core.errors import InputError
from esmc_core.images import limits
from esmc_core.images.collection import showable
from esmc_core.images.entry import Entry, is_clutter
from esmc_core.images.picture_file import check_bytes, read_file

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}


def is_url(place: str | Path) -> bool:
    """Whether it is a URL such as s3://bucket/folder, not a path."""
    return isinstance(place, str) and _URL.match(place) is not None


def local_path(place: str | Path) -> Path | None:
    """The path on this machine, also of a file:// URL; None for any other URL."""
    if not is_url(place):
        return Path(place)
    scheme, _, rest = str(place).partition("://")
    return Path(unquote(rest)) if scheme.lower() == "file" else None


def open_filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for the URL, and the path there.

    Raises:
        InputError: nothing installed reads such URLs.
    """
    from fsspec.core import url_to_fs

    scheme = url.partition("://")[0].lower()
    package = _PACKAGES.get(scheme, "an fsspec package for it")
    try:
        return url_to_fs(url)
    except ImportError as error:
        hint = f"Install {package}: pip install {package}" if scheme in _PACKAGES else str(error)
        raise InputError(f"{scheme}:// needs a package that is not installed.", hint) from error
    except ValueError as error:
        raise InputError(f"Nothing here reads {scheme}:// addresses.", str(error)) from error
    except access_errors() as error:
        raise InputError(f"{url} cannot be opened: {error}.", "Check the address.") from error


def walk_remote(url: str) -> Iterator[Entry]:
    """Every file under `url`, sorted; hidden ones are skipped.

    Raises:
        InputError: the place cannot be listed, or there is none.
    """
    files, root = open_filesystem(url)
    try:
        found = files.find(root)
    except access_errors() as error:
        raise InputError(
            f"{url} cannot be listed: {error}.", "Check the address and the credentials."
        ) from error
    for path in sorted(found):
        name = path.removeprefix(root.rstrip("/")).lstrip("/") or PurePosixPath(path).name
        if not is_clutter(name):
            yield Entry(showable(name), files.unstrip_protocol(path))


def read_place(place: str | Path) -> bytes:
    """The bytes of a file at a path or URL, at most MAX_FILE_BYTES; raise InputError otherwise."""
    path = local_path(place)
    if path is not None:
        return read_file(path)
    files, name = open_filesystem(str(place))
    try:
        with files.open(name, "rb") as file:
            data = file.read(limits.MAX_FILE_BYTES + 1)
    except access_errors() as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"The file cannot be read: {why}.", "Check the credentials.") from error
    check_bytes(len(data))
    return data


def access_errors() -> tuple[type[Exception], ...]:
    """What file systems raise: most of them OSError, some the classes of their own clients."""
    own = (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError"))
    classes = (getattr(sys.modules.get(module), name, None) for module, name in own)
    return (OSError, *(found for found in classes if found is not None))
