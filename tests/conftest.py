"""What all tests share: the event loop backend, and where third-party data may lie."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blocking import watching

ROOT = Path(__file__).parent.parent


def pytest_collection_finish() -> None:
    """Leave what is there by now out of all later collections of garbage.

    Looking through it took half a second in the middle of some test, in which nothing else happened.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio: the engine's transports are asyncio's."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test writes into the ledger of whoever runs it."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


def data_folder(variable: str, name: str) -> Path | None:
    """Return the folder of third-party data that ``variable`` names, else the one beside the project, if any."""
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / name)
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session", autouse=True)
def blocking_calls() -> Iterator[list[str]]:
    with watching() as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_of_ours_blocks_a_loop(blocking_calls: list[str]) -> Iterator[None]:
    blocking_calls.clear()
    yield
    assert not blocking_calls, "a blocking call of ours in an event loop:\n" + "\n".join(blocking_calls)
