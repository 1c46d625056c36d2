"""What all tests share: the event loop backend, and where third-party data may lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: the engine's transports are asyncio's."""
    return "asyncio"


def data_folder(variable: str, name: str) -> Path | None:
    """Return the folder of third-party data that ``variable`` names, else the one beside the project, if any."""
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / name)
    return folder if folder.is_dir() else None
