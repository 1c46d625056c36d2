"""One relay and one provider for a whole module: a thousand cells need a port each only once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.engine import ProviderSpec, Relay, Secret
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.matrix.cells import UPSTREAM


class Street(NamedTuple):
    """What a cell goes in through, and what it looks at."""

    url: str
    sim: Simulator
    http: aiohttp.ClientSession


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def street() -> AsyncIterator[Street]:
    async with Simulator() as sim:
        specs = {
            name: ProviderSpec(name=name, dialect=name, base_url=sim.url, api_key=Secret("key")) for name in UPSTREAM
        }
        async with serving(Relay(specs)) as url, aiohttp.ClientSession() as http:
            yield Street(url, sim, http)
