"""Keys and view tokens where two nodes share their streams in one Redis, each with a configuration of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.engine import Relay, Secret
from tailrace.log import RedisSpec, redis_store
from tailrace.server import KeySpec, ServerSpec
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.redis_servers import RedisServer, needs_redis, redis_server
from tests.server.conftest import providers
from tests.server.key_house import ALICE, BOB, headers, key_spec, server_spec
from tests.server.test_keys_revoked import QUESTION, WITHIN, rest

pytestmark = [pytest.mark.anyio, needs_redis]


class Source:
    """Keys that a test changes; in place of files."""

    def __init__(self) -> None:
        self.keys: tuple[KeySpec, ...] = (key_spec(ALICE), key_spec(BOB))
        self.seen: object = self.keys

    def stamp(self) -> object:
        return self.keys

    def read(self) -> tuple[KeySpec, ...]:
        self.seen = self.keys
        return self.keys


class Street(NamedTuple):
    one: str
    two: str
    at_two: Source
    http: aiohttp.ClientSession
    relay: Relay


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis"), {"appendonly": "yes"}) as running:
        yield running


def node(redis: RedisServer, sim: Simulator) -> Relay:
    store = redis_store(
        RedisSpec(url=redis.url, prefix="keys:"),
        ttl=60,
        max_logs=100,
        max_total=10**8,
        max_bytes=10**7,
        max_frames=10**5,
    )
    return Relay(providers(sim), store=store)


def spec(redis: RedisServer, source: Source) -> ServerSpec:
    return server_spec(
        named_keys=source.keys, key_source=source, counters=Secret(redis.url), token_key=Secret("0123456789abcdef" * 2)
    )


@pytest.fixture
async def street(redis: RedisServer) -> AsyncIterator[Street]:
    at_two = Source()
    async with Simulator() as sim:
        relay = node(redis, sim)
        async with (
            serving(relay, spec(redis, Source())) as one,
            serving(node(redis, sim), spec(redis, at_two)) as two,
            aiohttp.ClientSession() as http,
        ):
            yield Street(one, two, at_two, http, relay)


async def test_a_token_made_at_one_node_opens_the_stream_at_the_other(street: Street) -> None:
    body = {**QUESTION, "model": "ant/sim", "stream": True}
    async with street.http.post(street.one + "/v1/messages", json=body, headers=headers(ALICE)) as response:
        whole = await response.read()
    stream = response.headers["tailrace-stream-id"]
    async with street.http.post(f"{street.one}/streams/{stream}/tokens", headers=headers(ALICE)) as made:
        token = (await made.json())["token"]
    async with street.http.get(f"{street.two}/streams/{stream}?token={token}") as shown:
        assert (shown.status, (await shown.read()).removeprefix(b"retry: 1000\n")) == (200, whole)
    for path, head in ((f"/streams/{stream}", headers(BOB)), (f"/streams/{stream}?token={token}x", {})):
        async with street.http.get(street.two + path, headers=head) as foreign:
            assert foreign.status == 404


async def test_a_key_taken_away_at_one_node_cuts_its_readers_there(street: Street) -> None:
    """The stream is written at the other node, which has not been told: there it goes on."""
    body = {**QUESTION, "stream": True}
    async with street.http.post(street.one + "/v1/messages", json=body, headers=headers(ALICE)) as mine:
        await mine.content.readany()
        path = f"/streams/{mine.headers['tailrace-stream-id']}"
        async with street.http.get(street.two + path, headers=headers(ALICE)) as reader:
            assert reader.status == 200
            await reader.content.readany()
            began = time.monotonic()
            street.at_two.keys = (key_spec(BOB),)
            await asyncio.wait_for(rest(reader), WITHIN)
            assert time.monotonic() - began < WITHIN
        async with street.http.get(street.two + path, headers=headers(ALICE)) as refused:
            assert refused.status == 401
        assert street.relay.live == 1
        assert await mine.content.readany()
