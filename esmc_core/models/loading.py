"""From a name to a loaded model: where it is, whether it is safe, whether it fits."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors import SafetensorError

from esmc_core.errors import ModelError
from esmc_core.hub import check_reachable, is_kept, is_path
from esmc_core.models.catalogue import BUNDLED, BUNDLED_FOLDER, CATALOGUE, PAPER, model_card
from esmc_core.models.family import FAMILIES, Family
from esmc_core.models.model import VisionLanguageModel

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

_LOADING_ERRORS = (
    *(OSError, ValueError, KeyError, ImportError, RuntimeError, TypeError, AttributeError),
    SafetensorError,
)
"""What transformers raises for checkpoints that are incomplete, damaged or of another kind."""

_CHECK_NAME = 'Check the name and the network, or use "bundled", which needs neither.'

RESERVE = 1.25
"""Weights are not all: activations and the allocator's slack take a quarter more."""


def best_device() -> str:
    """ "cuda", "mps" or "cpu", whatever is there."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def best_dtype(device: str) -> torch.dtype:
    """bfloat16 on a GPU that has it, float16 on others, float32 on the CPU."""
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if device.startswith("mps") else torch.float32


def free_memory(device: str) -> int:
    """Bytes that a model may take on the device."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def default_model(device: str | None = None) -> str:
    """LLaVA-1.5-7B where a GPU has room for it and it has been fetched; else the bundled one."""
    device = device or best_device()
    if device == "cpu" or not is_local(PAPER):
        return BUNDLED
    return PAPER if memory_need(PAPER, device=device) <= free_memory(device) else BUNDLED


def is_local(name: str) -> bool:
    """Whether the model can be loaded without a network."""
    if name == BUNDLED or Path(name).expanduser().is_dir():
        return True
    return is_kept(name)


def memory_need(name: str, *, device: str | None = None) -> int:
    """Bytes that `name` takes once loaded, from its config alone.

    Raises:
        ModelError: there is no such model, or it is of no supported family.
    """
    device = device or best_device()
    card = model_card(name)
    n_parameters = card.n_parameters if card else _count_parameters(name)
    bytes_each = torch.empty((), dtype=best_dtype(device)).element_size()
    return int(n_parameters * bytes_each * RESERVE)


def load_model(
    name: str = BUNDLED, *, device: str | None = None, dtype: torch.dtype | None = None
) -> VisionLanguageModel:
    """Load a model by hub id, local folder or "bundled"; safetensors only, no remote code.

    Raises:
        ModelError: not found, not supported, damaged, or too large for the device.
    """
    import transformers

    device = device or best_device()
    dtype = dtype or best_dtype(device)
    _check_room(name, device)
    source = _source(name)
    family = _family(source)
    transformers.utils.logging.disable_progress_bar()
    options = _options(source)
    try:
        processor = family.load_processor(source, **options)
        network: Any = family.load_model(source, dtype=dtype, use_safetensors=True, **options)
    except _LOADING_ERRORS as error:
        raise ModelError(
            f"The model {name} cannot be loaded: {_first_line(error)}",
            "It must hold safetensors weights, a tokenizer and an image processor.",
        ) from error
    network.requires_grad_(False)
    fingerprint = _fingerprint(source, dtype)
    return VisionLanguageModel(
        network.to(device), processor, family, name=name, fingerprint=fingerprint
    )


def read_config(name: str) -> Any:
    """The model's configuration alone; raise ModelError as `load_model` does."""
    source = _source(name)
    _family(source)
    return _config(source)


def _source(name: str) -> str | Path:
    if name == BUNDLED:
        return BUNDLED_FOLDER
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if name.count("/") != 1 or is_path(name):
        raise ModelError(
            f"There is no model {name}.",
            'Give a folder, a hub id such as "llava-hf/llava-1.5-7b-hf", or "bundled".',
        )
    if not is_local(name):
        check_reachable(name, advice=_CHECK_NAME)
    return name


def _options(source: str | Path) -> dict[str, Any]:
    return {"local_files_only": isinstance(source, Path), "trust_remote_code": False}


def _config(source: str | Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(source, **_options(source))
    except _LOADING_ERRORS as error:
        raise _unreadable(source, error) from error


def _family(source: str | Path) -> Family:
    """The family that config.json names; only the file is read, so any model can be refused."""
    from transformers import PreTrainedConfig

    try:
        record, _ = PreTrainedConfig.get_config_dict(source, **_options(source))
    except _LOADING_ERRORS as error:
        raise _unreadable(source, error) from error
    kind = record.get("model_type") if isinstance(record, dict) else None
    for family in FAMILIES:
        if kind in family.model_types:
            return family
    known = ", ".join(family.title for family in FAMILIES)
    raise ModelError(
        f"{source} is a {kind} model, which is not supported."
        if kind
        else f"{source} does not say which kind of model it is.",
        f"Supported families, in the format of stock transformers: {known}.",
    )


def _unreadable(source: str | Path, error: Exception) -> ModelError:
    return ModelError(
        f"The model {source} cannot be read: {_first_line(error)}",
        _CHECK_NAME,
    )


def _check_room(name: str, device: str) -> None:
    need, free = memory_need(name, device=device), free_memory(device)
    if need <= free:
        return
    fitting = [card.name for card in CATALOGUE if memory_need(card.name, device=device) <= free]
    raise ModelError(
        f"{name} needs {need / 1e9:.1f} GB on {device}, {free / 1e9:.1f} GB are free.",
        f"Models that fit: {', '.join(fitting) or 'none'}.",
    )


def _count_parameters(name: str) -> int:
    from transformers import AutoModelForImageTextToText

    config = read_config(name)
    try:
        with torch.device("meta"):
            network = AutoModelForImageTextToText.from_config(config)
    except _LOADING_ERRORS as error:
        raise _unreadable(name, error) from error
    return sum(weight.numel() for weight in network.parameters())


def _fingerprint(source: str | Path, dtype: torch.dtype) -> str:
    """Digest of what decides the numbers; large weight files count by their ends and size."""
    digest = hashlib.sha256(f"{dtype}{torch.__version__}".encode())
    if isinstance(source, Path):
        for path in sorted(source.iterdir()):
            if path.suffix in {".safetensors", ".json", ".jinja", ".model"}:
                digest.update(f"{path.name}{path.stat().st_size}".encode())
                _digest_ends(path, digest)
    else:
        digest.update(f"{source}{_commit(source)}".encode())
    return digest.hexdigest()[:16]


def _commit(name: str) -> str:
    """The hub's commit of the files that were loaded: the name of their folder in the cache."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    return Path(config).parent.name if isinstance(config, str) else ""


def _digest_ends(path: Path, digest: Any, *, n_bytes: int = 32 * 2**20) -> None:
    with path.open("rb") as file:
        digest.update(file.read(n_bytes))
        if path.stat().st_size > 2 * n_bytes:
            file.seek(-n_bytes, os.SEEK_END)
        digest.update(file.read(n_bytes))


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else json.dumps(type(error).__name__)
