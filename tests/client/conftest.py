"""Both colours of the client, and retries that do not wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tailrace.client import retry
from tailrace.engine import ProviderSpec, Relay
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.client.colours import COLOURS


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.0)
    for name in ("TAILRACE_URL", "TAILRACE_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class House(NamedTuple):
    url: str
    simulator: Simulator


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """A relay and its provider on real ports, with an event loop of their own in a thread."""
    ready: threading.Event = threading.Event()
    over: list[Any] = []
    houses: list[House] = []

    async def serve() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with Simulator() as simulator:
            specs = {
                "ant": ProviderSpec(name="ant", dialect="anthropic", base_url=simulator.url, models=("sim",)),
                "oai": ProviderSpec(name="oai", dialect="openai_chat", base_url=f"{simulator.url}/v1"),
            }
            async with serving(Relay(specs)) as url:
                houses.append(House(url, simulator))
                over.append(lambda: loop.call_soon_threadsafe(end.set))
                ready.set()
                await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="house", daemon=True)
    thread.start()
    assert ready.wait(30)
    yield houses[0]
    over[0]()
    thread.join(30)
