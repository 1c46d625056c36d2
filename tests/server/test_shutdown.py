"""The end of a real server process: every reader is told, nobody hangs, and the exit code says how it was."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
import pytest

from tailrace.engine import Relay
from tailrace.server import ServerSpec, bind, make_server
from tailrace.simulator import Simulator
from tests.cli.processes import SECONDS, Running, running
from tests.server.test_doors import DOORS, body, read

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SLOW = "ant/sim:tokens=100000,rate=20"
SILENT = "ant/sim:fault=hang"

PROMPT = 1.0
"""Seconds past the grace in which the process promises to be gone."""
BUSY = 1.5
"""Seconds more for a machine that has other things to do."""


class Serving(NamedTuple):
    """A server process in front of a simulator."""

    process: Running
    sim: Simulator
    http: aiohttp.ClientSession

    def signal(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal; return when."""
        self.process.process.send_signal(number)
        return time.monotonic()

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.process.wait, SECONDS)

    async def connected(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.process.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=64 * 1024)
        writer.write(sent)
        await writer.drain()
        return reader, writer


def posted(model: str, length: int = 0) -> bytes:
    """The bytes of a request to stream; ``length`` pretends that its body is longer."""
    data = b'{"model":"%b","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}' % model.encode()
    head = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
    return head % (length or len(data)) + data


READY = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def answered(reader: asyncio.StreamReader) -> bytes:
    """One whole answer with a content-length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return head + await reader.readexactly(int(length[1]))


@contextlib.asynccontextmanager
async def server(grace: float, **more: str) -> AsyncIterator[Serving]:
    async with Simulator() as sim, aiohttp.ClientSession() as http:
        variables = {
            "TAILRACE__PROVIDERS__ANT__DIALECT": "anthropic",
            "TAILRACE__PROVIDERS__ANT__BASE_URL": sim.url,
            "TAILRACE__SERVER__SHUTDOWN_GRACE": str(grace),
            **more,
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
        started = made.signal()
        code = await made.ended()
        assert time.monotonic() - started < 0.5 + PROMPT + BUSY
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
    assert code == 0


async def test_what_ends_within_the_grace_is_whole() -> None:
    async with server(grace=20) as made:
        task = await begun(made, "anthropic", "ant/sim:tokens=30,rate=20")
        made.process.process.send_signal(signal.SIGTERM)
        code = await made.ended()
        message, fold = read("anthropic", (await task)[1])
        assert fold.error is None
        assert message.stop_reason == "end_turn"
    assert code == 0


async def test_ctrl_c_is_an_orderly_end_too() -> None:
    async with server(grace=20) as made:
        task = await begun(made, "openai_chat", "ant/sim:tokens=30,rate=20")
        made.signal(signal.SIGINT)
        assert await made.ended() == 0
        assert b"data: [DONE]" in (await task)[1]


async def test_an_answer_that_nobody_reads_may_finish_as_well() -> None:
    detached = {
        "TAILRACE__ROUTES__KEPT__TARGETS": '["ant/sim:tokens=30,rate=20"]',
        "TAILRACE__ROUTES__KEPT__ON_DISCONNECT": "detach",
    }
    async with server(grace=20, **detached) as made:
        reader, writer = await made.connected(posted("kept"))
        await reader.readuntil(b"content_block_delta")
        writer.transport.abort()
        made.signal()
        assert await made.ended() == 0
        async with asyncio.timeout(SECONDS):
            await made.sim.until(lambda sim: sim.requests[0].state != "open")
        assert made.sim.requests[0].state == "completed"


async def test_what_comes_after_the_signal_is_refused_in_its_own_dialect_and_sent_elsewhere() -> None:
    async with server(grace=20, TAILRACE__SERVER__READY_DELAY="20") as made:
        old_reader, old_writer = await made.connected(READY)
        assert b" 200 " in (await answered(old_reader)).splitlines()[0]
        streaming = await begun(made, "anthropic", SLOW)
        made.signal()
        async with asyncio.timeout(SECONDS):
            while await ready(made) != 503:
                pass
        for door in DOORS:
            async with made.http.post(made.process.url + DOORS[door], json=body(SLOW, stream=True)) as response:
                assert response.status == 503
                assert response.headers["retry-after"] == "1"
                assert response.headers["connection"] == "close"
                assert "shutting down" in await response.text()
        # A connection from before is not kept either.
        old_writer.write(READY)
        answer = await answered(old_reader)
        assert b" 503 " in answer.splitlines()[0]
        assert b"connection: close" in answer
        assert await old_reader.read() == b""
        old_writer.close()
        assert len(made.sim.requests) == 1
        made.signal()
        await made.ended()
        with contextlib.suppress(aiohttp.ClientError):
            await streaming


async def test_the_port_closes_when_the_delay_is_over_and_the_streams_go_on() -> None:
    async with server(grace=20, TAILRACE__SERVER__READY_DELAY="0.3") as made:
        task = await begun(made, "anthropic", "ant/sim:tokens=60,rate=20")
        made.signal()
        async with asyncio.timeout(SECONDS):
            while await ready(made) is not None:
                pass
        assert not task.done()
        assert await made.ended() == 0
        message, fold = read("anthropic", (await task)[1])
        assert fold.error is None
        assert message.stop_reason == "end_turn"


HELD: dict[str, bytes] = {
    "a connection that says nothing": b"",
    "half a head": READY[:-4],
    "half a body": posted(SLOW, length=1000),
    "a stream that nobody takes": posted("ant/sim:tokens=80000"),
    "an idle connection": READY,
}


@pytest.mark.parametrize("sent", HELD.values(), ids=HELD)
async def test_no_client_holds_the_end_up(sent: bytes) -> None:
    async with server(grace=0.5) as made:
        _, writer = await made.connected(sent)
        if b"80000" in sent:
            async with asyncio.timeout(SECONDS):
                await made.sim.until(lambda sim: bool(sim.requests) and sim.requests[0].paused)
        started = made.signal()
        assert await made.ended() == 0
        assert time.monotonic() - started < 0.5 + PROMPT + BUSY
        writer.transport.abort()


async def test_a_second_signal_ends_at_once_and_still_says_how() -> None:
    async with server(grace=60) as made:
        reader, writer = await made.connected(posted(SLOW))
        await reader.readuntil(b"content_block_delta")
        made.signal()
        async with asyncio.timeout(SECONDS):
            while await ready(made) not in {503, None}:
                pass
        started = made.signal()
        assert await made.ended() == -signal.SIGTERM
        assert time.monotonic() - started < PROMPT + BUSY
        rest = await reader.read()
        assert b'"ending":"interrupted"' in rest
        assert rest.endswith(b"0\r\n\r\n")
        writer.close()


async def test_who_waits_in_the_queue_when_the_port_closes_is_answered() -> None:
    """Otherwise the kernel resets them, and a balancer cannot know whether their request has begun."""
    spec = ServerSpec(port=0, shutdown_grace=5.0)
    relay = Relay({})
    sock = bind(spec)
    started = asyncio.Event()
    server = make_server(relay, spec, started.set, signals=False)
    serving = asyncio.ensure_future(server.serve([sock]))
    await started.wait()
    with socket.create_connection(sock.getsockname()) as client:
        client.sendall(READY)
        # From here to the closing of the port the event loop does not get to accepting.
        await server.shutdown([sock])
        client.setblocking(False)
        assert b" 503 " in client.recv(4096).splitlines()[0]
    server.started = False
    server.should_exit = True
    await serving


async def ready(made: Serving) -> int | None:
    """The status of the readiness door, or None when nothing listens any more."""
    try:
        async with made.http.get(made.process.url + "/health/ready") as response:
            return response.status
    except aiohttp.ClientConnectionError:
        return None
