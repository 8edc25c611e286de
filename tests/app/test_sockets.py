"""The server's socket."""

import asyncio
import socket

from pages.ui.sockets import sending_at_once


def test_answers_are_not_held_back():
    """The body of each thumbnail waited 40 ms; a page of 200 took two seconds."""

    async def is_prompt(listening: socket.socket) -> bool:
        async with sending_at_once(None):
            with socket.create_connection(listening.getsockname()):
                accepted, _ = listening.accept()
                with accepted:
                    return bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with socket.create_server(("localhost", 0)) as listening:
        assert asyncio.run(is_prompt(listening))
