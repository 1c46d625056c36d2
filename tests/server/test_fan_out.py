"""One answer, many readers: one copy of the bytes, each at its own place; a stuck one troubles none but itself."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest

from tailrace.engine import Limits
from tests.server.conftest import House
from tests.server.test_streams import begin, read_events

pytestmark = pytest.mark.anyio

READERS = 300


async def test_hundreds_of_readers_at_their_own_places_see_the_same_bytes(house: House) -> None:
    response, stream_id = await begin(house, "ant/sim:tokens=300,rate=300")
    await read_events(response, 20)
    places = [random.Random(7).randrange(20) for _ in range(READERS)]
    url = f"{house.url}/streams/{stream_id}"

    async def follow(http: aiohttp.ClientSession, after: int) -> bytes:
        async with http.get(url, params={"after": str(after)}) as reader:
            assert reader.status == 200
            return (await reader.read()).removeprefix(b"retry: 1000\n")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        seen = await asyncio.gather(*(follow(http, after) for after in places))
        whole = await follow(http, 0)
    frames = whole.split(b"\n\n")[:-1]
    for after, data in zip(places, seen, strict=True):
        assert data.split(b"\n\n")[:-1] == frames[after:]
    assert len(house.sim.requests) == 1
    response.close()


class TestOneThatIsStuck:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(high_water=16 * 1024, low_water=4 * 1024)

    async def test_it_does_not_hold_the_others(self, house: House) -> None:
        response, stream_id = await begin(house, "ant/sim:tokens=12000")
        host, port = house.url.removeprefix("http://").split(":")
        _, stuck = await asyncio.open_connection(host, int(port), limit=1024)
        stuck.write(f"GET /streams/{stream_id}?after=0 HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        data = await response.read()
        assert data.rstrip().endswith(b"}")
        generation = house.relay.generation(stream_id)
        assert generation is not None
        assert generation.ending == "completed"
        assert generation.log.size > 1_000_000
        stuck.close()
