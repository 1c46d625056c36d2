"""Both colours of the client, and retries that do not wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from tailrace.client import retry
from tailrace.engine import Limits, Policy, ProviderSpec, Relay, RouteSpec, Secret, Target
from tailrace.server import ServerSpec
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


KEY = "sk-of-the-house-0001"


class House(NamedTuple):
    """``guarded`` is a relay like that at ``url``, for whoever has `KEY`."""

    url: str
    guarded: str
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
            specs["frail"] = msgspec.structs.replace(specs["ant"], name="frail")
            unsure = RouteSpec(
                name="unsure",
                targets=(Target("frail", "sim:tokens=40,fault=cut_event@9"), Target("oai", "sim:tokens=12,seed=9")),
                policy=Policy(restart=True),
            )
            # The examples ask the first model that is listed.
            sure = RouteSpec(name="sure", targets=(Target("ant", "sim"),))
            # What breaks off on request must not be left alone for it.
            relay = Relay(specs, {"sure": sure, "unsure": unsure}, limits=Limits(breaker_failures=1000))
            locked = ServerSpec(port=0, shutdown_grace=0.0, keys=(Secret(KEY),))
            async with serving(relay) as url, serving(Relay(specs), locked) as guarded:
                houses.append(House(url, guarded, simulator))
                over.append(lambda: loop.call_soon_threadsafe(end.set))
                ready.set()
                await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="house", daemon=True)
    thread.start()
    assert ready.wait(30)
    yield houses[0]
    over[0]()
    thread.join(30)
