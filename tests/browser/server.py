"""The app as its users start it, on a free port and with a home folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
START_S = 120


class Server:
    """One `streamlit run app.py`.

    Args:
        home: its ESMC_HOME.
        image_roots: folder that it may open by path.
        slow: its passes take their time, so that there is a middle to do things in.

    Attributes:
        address: where it answers, with a slash at the end.
        log: file that takes all it says, over restarts too.
    """

    def __init__(self, home: Path, *, image_roots: Path | None = None, slow: bool = False) -> None:
        self.home = home
        self._module = "tests.browser.slow_app" if slow else "streamlit"
        self.log = home.with_name(f"{home.name}.log")
        self.port = free_port()
        self.address = f"http://localhost:{self.port}/"
        self._environment = {
            **os.environ,
            "ESMC_HOME": str(home),
            "ESMC_IMAGE_ROOTS": str(image_roots or ""),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", self._module, "run", "app.py"]
        command += ["--server.port", str(self.port), "--server.headless", "true"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(f"{self.address}_stcore/health", self._process)
        except TimeoutError:
            self.stop()
            raise RuntimeError(f"The app did not start:\n{self.said()[-4000:]}") from None

    def kill(self) -> None:
        """End it as a power cut does, in the middle of whatever it is at."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it and whatever it has started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):  # all of them may have ended already
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def said(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(errors="replace")


@contextmanager
def serving(home: Path, *, image_roots: Path | None = None, slow: bool = False) -> Iterator[Server]:
    """A started server that is stopped at the end, whatever happens."""
    server = Server(home, image_roots=image_roots, slow=slow)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Wait until the address answers; raise TimeoutError if it does not, or the process ends."""
    end = time.monotonic() + START_S
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"Nobody answers at {url}.") from None
            time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])
