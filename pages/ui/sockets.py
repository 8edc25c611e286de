"""The server's socket, set up for many small answers."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil


@asynccontextmanager
async def sending_at_once(_app: Any) -> AsyncIterator[None]:
    """While the server runs, its answers are not held back (Nagle's algorithm is off).

    Streamlit binds its socket in a way that asyncio does not recognise as TCP. The body of each
    thumbnail then waited 40 ms for the browser to confirm its head.
    """
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.fd >= 0:
            with socket.socket(fileno=os.dup(connection.fd)) as listening:
                # What it accepts inherits the option.
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    yield
