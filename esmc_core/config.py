"""Where the app keeps its state, and what it may touch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from esmc_core.errors import InputError


@dataclass(frozen=True)
class Config:
    """Settings of one process, read from the environment.

    Attributes:
        home: folder that holds all state; `ESMC_HOME`, else the user's data folder.
        image_roots: folders under which the app may open a path on this machine's disk;
            `ESMC_IMAGE_ROOTS`, separated as in `PATH`; empty means none.
    """

    home: Path
    image_roots: tuple[Path, ...] = ()

    @classmethod
    def from_env(cls) -> Config:
        home = os.environ.get("ESMC_HOME") or platformdirs.user_data_dir("esmc-studio", False)
        roots = os.environ.get("ESMC_IMAGE_ROOTS", "").split(os.pathsep)
        return cls(
            home=Path(home).expanduser().resolve(),
            image_roots=tuple(Path(root).expanduser().resolve() for root in roots if root),
        )

    def allowed_path(self, path: str | Path) -> Path:
        """Resolve `path`; raise InputError unless it exists under an image root."""
        resolved = Path(path).expanduser().resolve()
        if not any(resolved.is_relative_to(root) for root in self.image_roots):
            raise InputError(
                f"{resolved} may not be opened from the app.",
                "Whoever starts the app can list its folder in ESMC_IMAGE_ROOTS.",
            )
        if not resolved.exists():
            raise InputError(f"There is no {resolved}.", "Check the path.")
        return resolved
