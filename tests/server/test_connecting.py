"""A provider that cannot be reached: each way of failing has its own words, and the route's own patience."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tailrace.engine import Deadlines, Policy, ProviderSpec, Relay, RouteSpec, Target
from tailrace.testing import serving
from tests.server.test_doors import body

pytestmark = pytest.mark.anyio


@pytest.fixture
async def deaf_port() -> AsyncIterator[int]:
    """A port whose queue of connections is full, so that the kernel answers no further one."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = [socket.socket() for _ in range(8)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    await asyncio.sleep(0)
    yield listener.getsockname()[1]
    for sock in (*fillers, listener):
        sock.close()


async def test_a_connection_takes_no_longer_than_the_route_allows(deaf_port: int) -> None:
    spec = ProviderSpec(name="deaf", dialect="anthropic", base_url=f"http://127.0.0.1:{deaf_port}")
    policy = Policy(deadlines=Deadlines(connect=0.2))
    route = RouteSpec(name="quick", targets=(Target("deaf", "x"),), policy=policy)
    async with (
        serving(Relay({"deaf": spec}, {"quick": route})) as url,
        aiohttp.ClientSession() as http,
        asyncio.timeout(5),
        http.post(url + "/v1/messages", json=body("quick")) as response,
    ):
        answer = await response.json()
    assert response.status == 504
    assert answer["error"]["type"] == "timeout_error"
    assert "no connection within 0.2 s" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://127.0.0.1:9", "cannot connect"),
        ("http://no-such-host.invalid", "does not resolve"),
        ("https://127.0.0.1:9", "cannot connect"),
    ],
)
async def test_a_provider_that_is_not_there_is_502(base_url: str, words: str) -> None:
    spec = ProviderSpec(name="gone", dialect="openai_chat", base_url=base_url)
    async with (
        serving(Relay({"gone": spec})) as url,
        aiohttp.ClientSession() as http,
        asyncio.timeout(20),
        http.post(url + "/v1/chat/completions", json=body("gone/x")) as response,
    ):
        answer = await response.json()
    assert response.status == 502
    assert words in answer["error"]["message"]
    assert "gone" in answer["error"]["message"]
