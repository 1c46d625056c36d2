"""Every raw request of the table against the running server, alone and behind two fronts, with a stream beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import httptools
import pytest

from tailrace.engine import Relay
from tailrace.server import ServerSpec, bind, make_server
from tailrace.simulator import Simulator
from tests.server.conftest import providers
from tests.server.fronts import fronted, path_of, taken
from tests.server.raw_requests import RAW, Raw
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio


class Place(NamedTuple):
    """Where to ask, and what the application behind it has been asked for."""

    port: int
    asked: list[str]


class Answers:
    """Reads answers off a connection, one after another."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self._body = b""
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() >= 200:
            self.statuses.append(self.parser.get_status_code())
            self.bodies.append(self._body)
        self._body = b""


@contextlib.asynccontextmanager
async def place(front: str, folder: Path) -> AsyncIterator[Place]:
    async with Simulator() as sim:
        relay, spec, ready = Relay(providers(sim)), ServerSpec(port=0, shutdown_grace=0), asyncio.Event()
        sock = bind(spec)
        server = make_server(relay, spec, ready.set, signals=False)
        app: Any = server.config.app
        asked: list[str] = []

        async def noted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                asked.append(path_of(scope["raw_path"].decode()))
            await app(scope, receive, send)

        server.config.app = noted
        with sock:
            running = asyncio.ensure_future(server.serve(sockets=[sock]))
            await ready.wait()
            try:
                async with fronted(front, sock.getsockname()[1], folder) as port:
                    yield Place(port, asked)
            finally:
                await relay.drain(0)
                server.should_exit = True
                await running


async def tell(port: int, raw: Raw, number: int, *, strict: bool) -> Answers:
    """Send a row and return what is answered. ``strict``: hold the server to the row."""
    answers = Answers()
    if raw.sent.startswith(b"HEAD"):
        raw = raw._replace(sent=raw.sent.replace(b"HEAD", b"GET", 1))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        writer.write(raw.sent)
        await writer.drain()

    async def until(count: int) -> bool:
        """Read until so many answers have come; False when the connection ends before."""
        while len(answers.statuses) < count:
            data = await reader.read(65536)
            if not data:
                return False
            answers.parser.feed_data(data)
        return True

    try:
        if not strict:
            with contextlib.suppress(TimeoutError, ConnectionError, httptools.HttpParserError):
                async with asyncio.timeout(1.0):
                    await until(99)
            return answers
        async with asyncio.timeout(5):
            open_still = await until(len(raw.answers))
            if not raw.opens:
                await until(99)
            elif open_still:
                writer.write(b"GET /probe-%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
                await until(len(raw.answers) + 1)
        return answers
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def stream_beside(port: int, begun: asyncio.Event, over: asyncio.Event) -> float:
    """Read a stream for as long as the table runs, then to its end; return the longest silence in it."""
    longest, last, data = 0.0, time.monotonic(), b""
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{port}/v1/messages", json=body("ant/sim:tokens=300,rate=50")) as response,
    ):
        async for part in response.content.iter_any():
            now = time.monotonic()
            if begun.is_set() and not over.is_set():
                longest = max(longest, now - last)
            last = now
            data += part
            begun.set()
    _, fold = read("anthropic", data)
    assert fold.ended
    assert fold.error is None
    return longest


async def test_the_table_holds_for_the_server_alone(tmp_path: Path) -> None:
    async with place("alone", tmp_path) as there:
        begun, over = asyncio.Event(), asyncio.Event()
        stream = asyncio.create_task(stream_beside(there.port, begun, over))
        await begun.wait()
        wrong = []
        for number, raw in enumerate(RAW):
            try:
                answers = await tell(there.port, raw, number, strict=True)
            except (TimeoutError, OSError, httptools.HttpParserError) as error:
                wrong.append((raw.name, repr(error)))
                continue
            wanted = (*raw.answers, 404) if raw.opens else raw.answers
            probed = not raw.opens or b"/probe-%d" % number in answers.bodies[-1]
            if tuple(answers.statuses) != wanted or not probed:
                wrong.append((raw.name, f"{answers.statuses} instead of {wanted}"))
        over.set()
        assert wrong == []
        assert "/smuggled" not in there.asked
        assert await stream < 1.0


@pytest.mark.parametrize("front", ["nginx", "haproxy"])
async def test_no_front_and_server_disagree_on_where_a_request_ends(front: str, tmp_path: Path) -> None:
    """A front may be lenient and read two requests where we would read one: but what it reads we read, and no more."""
    async with place(front, tmp_path) as there:
        begun, over = asyncio.Event(), asyncio.Event()
        stream = asyncio.create_task(stream_beside(there.port, begun, over))
        await begun.wait()

        async def one(number: int, raw: Raw) -> None:
            answers = await tell(there.port, raw, number, strict=False)
            assert len(answers.statuses) <= 2, raw.name
            # On connections that the front shares among its clients: an answer that is not this request's would be
            # the one to somebody else's.
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{there.port}/probe-{number}") as response,
            ):
                assert f"/probe-{number}" in await response.text(), raw.name

        for start in range(0, len(RAW), 16):
            await asyncio.gather(*(one(start + n, raw) for n, raw in enumerate(RAW[start : start + 16])))
        over.set()
        assert await stream < 1.0
    forwarded, asked = taken(tmp_path), Counter(there.asked)
    assert asked - forwarded == Counter()
    assert all(asked[f"/probe-{number}"] == 1 for number in range(len(RAW)))
    assert asked["/health/live"] > 10


def test_the_table_is_large_enough() -> None:
    assert len(RAW) >= 60
    assert len({raw.name for raw in RAW}) == len(RAW)
