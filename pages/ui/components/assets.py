"""The text of the components' modules and style sheets."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def read_script(*names: str) -> str:
    """The modules `names` as one text, the shared helpers first.

    One text, because Streamlit loads a component's module from a blob, where imports of
    neighbouring files cannot be resolved.
    """
    return "\n".join(_read(f"{name}.js") for name in ("shared", *names))


def read_style(*names: str) -> str:
    """The style sheets `names` as one text, the shared one first."""
    return "\n".join(_read(f"{name}.css") for name in ("shared", *names))


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
