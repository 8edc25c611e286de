"""The Hugging Face hub: what is kept of it here, and whether it can be reached."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from esmc_core.errors import ModelError


def is_path(name: str) -> bool:
    """Whether a name is written as a path, and so is no hub id."""
    return name.startswith((".", "/", "~"))


def is_kept(name: str) -> bool:
    """Whether the model of a hub id has been fetched before."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:  # no hub id
        return False


def check_reachable(name: str, *, advice: str) -> None:
    """Refuse at once where there is no network: the hub's library tries for half a minute.

    Args:
        name: hub id of the model that is not here.

    Raises:
        ModelError: the hub's address is not found.
    """
    from huggingface_hub import constants

    host = urlsplit(constants.ENDPOINT).hostname
    if getproxies():  # which find the address themselves
        return
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        raise ModelError(
            f"{name} is not on this computer, and {host} cannot be reached.", advice
        ) from error
