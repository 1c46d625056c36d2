"""The end of a real server process: every reader is told, nobody hangs, and the exit code says how it was."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.simulator import Simulator
from tests.cli.processes import SECONDS, Running, running
from tests.server.test_doors import DOORS, body, read

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SLOW = "ant/sim:tokens=100000,rate=20"
SILENT = "ant/sim:fault=hang"


class Serving(NamedTuple):
    """A server process in front of a simulator."""

    process: Running
    sim: Simulator
    http: aiohttp.ClientSession

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.process.wait, SECONDS)


@contextlib.asynccontextmanager
async def server(grace: float) -> AsyncIterator[Serving]:
    async with Simulator() as sim, aiohttp.ClientSession() as http:
        variables = {
            "TAILRACE__PROVIDERS__ANT__DIALECT": "anthropic",
            "TAILRACE__PROVIDERS__ANT__BASE_URL": sim.url,
            "TAILRACE__SERVER__SHUTDOWN_GRACE": str(grace),
        }
        with running("serve", "--port", "0", variables=variables) as process:
            yield Serving(process, sim, http)


async def begun(made: Serving, door: str, model: str, *, stream: bool = True) -> asyncio.Task[tuple[int, bytes]]:
    """Start asking; return when the provider has been asked."""

    async def ask() -> tuple[int, bytes]:
        async with made.http.post(made.process.url + DOORS[door], json=body(model, stream=stream)) as response:
            return response.status, await response.read()

    count = len(made.sim.requests)
    task = asyncio.create_task(ask())
    async with asyncio.timeout(SECONDS):
        await made.sim.until(lambda sim: len(sim.requests) > count)
    return task


async def test_every_reader_is_told_within_the_grace() -> None:
    async with server(grace=0.5) as made:
        streams = {door: await begun(made, door, SLOW) for door in DOORS}
        silent = await begun(made, "anthropic", SILENT)
        whole = await begun(made, "openai_chat", SLOW, stream=False)
        started = time.monotonic()
        made.process.process.send_signal(signal.SIGTERM)
        code = await made.ended()
        assert time.monotonic() - started < 6
        for door, task in streams.items():
            status, data = await task
            assert status == 200
            message, fold = read(door, data)
            assert fold.error is not None, door
            assert fold.error.ending == "interrupted"
            assert message.text
        assert (await silent)[0] == 503
        assert (await whole)[0] == 503
        async with asyncio.timeout(SECONDS):
            await made.sim.until(lambda sim: all(request.state != "open" for request in sim.requests))
    assert code in {0, -signal.SIGTERM}


async def test_what_ends_within_the_grace_is_whole() -> None:
    async with server(grace=20) as made:
        task = await begun(made, "anthropic", "ant/sim:tokens=30,rate=20")
        made.process.process.send_signal(signal.SIGTERM)
        code = await made.ended()
        message, fold = read("anthropic", (await task)[1])
        assert fold.error is None
        assert message.stop_reason == "end_turn"
    assert code in {0, -signal.SIGTERM}


async def test_a_client_that_does_not_read_does_not_hold_the_end_up() -> None:
    async with server(grace=0.2) as made:
        host, port = made.process.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port), limit=1024)
        data = (
            b'{"model":"ant/sim:tokens=80000","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}'
        )
        writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(data) + data)
        async with asyncio.timeout(SECONDS):
            await made.sim.until(lambda sim: bool(sim.requests) and sim.requests[0].paused)
        started = time.monotonic()
        made.process.process.send_signal(signal.SIGTERM)
        await made.ended()
        assert time.monotonic() - started < 8
        writer.transport.abort()


async def test_a_second_signal_ends_at_once_and_looks_like_no_success() -> None:
    async with server(grace=60) as made:
        host, port = made.process.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        data = b'{"model":"%b","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}' % SLOW.encode()
        writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(data) + data)
        await reader.readuntil(b"content_block_delta")
        made.process.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            while (await ready(made)) not in {503, None}:
                pass
        started = time.monotonic()
        made.process.process.send_signal(signal.SIGTERM)
        await made.ended()
        assert time.monotonic() - started < 5
        with contextlib.suppress(ConnectionError):
            rest = await reader.read()
            assert not rest.endswith(b"0\r\n\r\n") or b'"ending":"interrupted"' in rest
        writer.close()


async def ready(made: Serving) -> int | None:
    """The status of the readiness door, or None when nothing listens any more."""
    try:
        async with made.http.get(made.process.url + "/health/ready") as response:
            return response.status
    except aiohttp.ClientConnectionError:
        return None
