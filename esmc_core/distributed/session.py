"""A connection to Ray, which is optional: nothing else in the core needs it."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from esmc_core.errors import InputError

LOCAL = "local"
INSTALL = 'pip install "ray[data]==2.60.*"'
_CLIENT_PORT = 10001  # of ray:// without a port
_PATIENCE_S = 10.0
_OBJECT_STORE_BYTES = 200 * 2**20  # batches carry the places of pictures, not the pictures


@contextmanager
def ray_session(address: str = LOCAL, *, n_workers: int | None = None) -> Iterator[ModuleType]:
    """Ray, connected for as long as the context lasts; a connection that is there is used.

    Args:
        address: "local" starts Ray on this machine, "auto" finds the one that runs here,
            "host:port" and "ray://host:port" go to another.
        n_workers: that must have room, on this machine.

    Raises:
        InputError: Ray is not installed, or does not answer.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield ray
        return
    _connect(ray, address, n_workers)
    try:
        yield ray
    finally:
        ray.shutdown()


def _import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"The ray engine needs Ray Data ({error}).", f"Install it: {INSTALL}"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # what is finished is told at once, not by the megabyte
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # Of what it is to be replaced by, this version has nothing for the number of tries.
    warnings.filterwarnings("ignore", message=".*ray_remote_args.*is deprecated")
    return ray


def _knock(address: str) -> None:
    """Raise InputError where nobody listens at a host and port: Ray would try for ever."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = place.hostname, place.port
    except ValueError:
        host, port = None, None
    if address in (LOCAL, "auto") or host is None:
        return
    try:
        socket.create_connection((host, port or _CLIENT_PORT), timeout=_PATIENCE_S).close()
    except OSError as error:
        raise InputError(
            f"Ray at {address} cannot be reached: {error.strerror or error}.",
            "Start it: ray start --head. Its port is 6379 if none was chosen, 10001 for ray://.",
        ) from error


def _connect(ray: ModuleType, address: str, n_workers: int | None) -> None:
    _knock(address)
    options: dict = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))  # the workers inherit it
        options["include_dashboard"] = False
        options["object_store_memory"] = _OBJECT_STORE_BYTES
        options["num_cpus"] = max(os.cpu_count() or 1, n_workers or 1)
    try:
        ray.init(address=address, **options)
    except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
        raise InputError(
            f"Ray at {address} cannot be reached: {first}", "Start it: ray start --head"
        ) from error
