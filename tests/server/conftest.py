"""A relay in front of a simulator, both on real ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.engine import Limits, ProviderSpec, Relay, Secret
from tailrace.simulator import Simulator
from tailrace.testing import serving

UPSTREAM_KEY = "sk-canary-upstream-4711"


def providers(sim: Simulator) -> dict[str, ProviderSpec]:
    """Dialects of one simulator, as providers; one of them lists no models."""
    key = Secret(UPSTREAM_KEY)
    return {
        "ant": ProviderSpec(name="ant", dialect="anthropic", base_url=sim.url, api_key=key, models=("sim",)),
        "oai": ProviderSpec(name="oai", dialect="openai_chat", base_url=f"{sim.url}/v1", api_key=key, models=("sim",)),
        "res": ProviderSpec(name="res", dialect="openai_responses", base_url=f"{sim.url}/v1", api_key=key),
    }


class House(NamedTuple):
    """What a test goes in through, and what it looks at."""

    url: str
    sim: Simulator
    relay: Relay
    http: aiohttp.ClientSession


@pytest.fixture
def limits() -> Limits:
    """Overridden by tests that need others."""
    return Limits(breaker_failures=0)


@pytest.fixture
def make_relay(limits: Limits) -> Callable[[Simulator], Relay]:
    return lambda sim: Relay(providers(sim), limits=limits)


@pytest.fixture
async def house(make_relay: Callable[[Simulator], Relay]) -> AsyncIterator[House]:
    async with Simulator() as sim:
        relay = make_relay(sim)
        async with serving(relay) as url, aiohttp.ClientSession() as http:
            yield House(url, sim, relay, http)
