"""Providers that never come to the point: heads in drips, heads without end, greetings for ever."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from tailrace.engine import Deadlines, Policy, ProviderSpec, Relay, Retry, RouteSpec, Target
from tailrace.testing import serving
from tests.server.test_doors import body

pytestmark = pytest.mark.anyio

SECONDS = 1.0


async def endless(writer: asyncio.StreamWriter, begin: bytes, more: bytes, every: float) -> None:
    """Send ``begin``, then ``more`` for ever, in one go (``every`` 0) or byte by byte."""
    writer.write(begin)
    while more:
        for piece in [more * 100] if not every else [more[n : n + 1] for n in range(len(more))]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)


STATUS = b"HTTP/1.1 200 OK\r\n"
WAYS: dict[str, tuple[bytes, bytes, float]] = {
    "nothing": (b"", b"", 0),
    "a head in drips": (STATUS, b"x: y\r\n", 0.02),
    "a first line in drips": (b"HTTP/1.1 200 ", b"O", 0.02),
    "one field in drips": (STATUS + b"x: ", b"y", 0.02),
    "1xx in drips": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "a head and no body": (STATUS + b"content-type: text/event-stream\r\n\r\n", b"", 0),
    "comments for ever": (STATUS + b"content-type: text/event-stream\r\n\r\n", b": still here\n\n", 0.01),
    "1xx without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0),
    "hints without end": (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", 0),
    "fields without end": (STATUS, b"x: y\r\n", 0),
    "a field without end": (STATUS + b"x: ", b"y", 0),
    "empty lines without end": (b"", b"\r\n", 0),
    "comments without end": (STATUS + b"content-type: text/event-stream\r\n\r\n", b": still here\n\n", 0),
}


@contextlib.asynccontextmanager
async def provider(way: tuple[bytes, bytes, float]) -> AsyncIterator[tuple[str, Callable[[], int]]]:
    """Serve every connection in that way; yield the URL, and how many connections are open."""
    open_now = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        talking = asyncio.create_task(endless(writer, *way))
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        writer.close()
        open_now -= 1

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", lambda: open_now


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_it_is_left_in_time_and_the_client_told(way: tuple[bytes, bytes, float]) -> None:
    async with provider(way) as (upstream, connections):
        spec = ProviderSpec(name="p", dialect="anthropic", base_url=upstream)
        policy = Policy(deadlines=Deadlines(connect=SECONDS, first_content=SECONDS), retry=Retry(attempts=1))
        relay = Relay({"p": spec}, {"r": RouteSpec(name="r", targets=(Target("p", "m"),), policy=policy)})
        async with serving(relay) as url, aiohttp.ClientSession() as http:
            began = time.monotonic()
            async with asyncio.timeout(15), http.post(url + "/v1/messages", json=body("r")) as response:
                text = await response.text()
                assert response.status in {502, 504}, text
            assert time.monotonic() - began < SECONDS + 4
            async with asyncio.timeout(5):
                while connections():
                    await asyncio.sleep(0.01)
