"""Choices that are remembered from one visit to the next, in the home folder."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esmc_core.errors import StoreError
from esmc_core.records import read_json, write_json
from pages.ui.resources import workspace

if TYPE_CHECKING:
    from esmc_core.models.model import Lens

N_CRITERIA = 12
N_SHOWN = 5
_lock = threading.Lock()


def get(name: str, default: Any) -> Any:
    """The remembered choice; what another version left in another form counts as none."""
    value = _read().get(name, default)
    return value if isinstance(value, type(default)) else default


def put(**choices: Any) -> None:
    """Remember choices."""
    with _lock:
        record = _read()
        if any(record.get(name) != value for name, value in choices.items()):
            write_json(_file(), record | choices)


def remember_criterion(criterion: str) -> None:
    """Put a criterion first among the earlier ones; one of those shown keeps its place."""
    earlier = get("criteria", [])
    if criterion not in earlier[:N_SHOWN]:
        others = [one for one in earlier if one != criterion]
        put(criteria=[criterion, *others][:N_CRITERIA])


def model_name() -> str:
    """The model that new passes use."""
    chosen = get("model", "")
    if chosen:
        return str(chosen)
    from esmc_core.models.loading import default_model

    return default_model()


def lens() -> Lens:
    """How new passes read hidden states."""
    return "raw" if get("lens", "norm") == "raw" else "norm"


def _read() -> dict[str, Any]:
    try:
        record = read_json(_file())
    except StoreError:
        return {}
    return record if isinstance(record, dict) else {}


def _file() -> Path:
    return workspace().config.home / "preferences.json"
