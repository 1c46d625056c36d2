"""Clients that are slow, silent, greedy or rude: each loses its connection, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tailrace.engine import Relay
from tailrace.server import http as server_http
from tailrace.server import protocol
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.conftest import House, providers
from tests.server.fronts import need
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Peer:
    """A client as a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer with a length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        return int(head.split()[1]), await self.reader.readexactly(int(length[1])) if length else b""

    async def drip(self, data: bytes, every: float) -> None:
        """Send one byte at a time, for as long as the other side listens."""
        with contextlib.suppress(OSError):
            for byte in data:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(every)


@contextlib.asynccontextmanager
async def peer(house: House) -> AsyncIterator[Peer]:
    port = int(house.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(20):
            yield Peer(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines short enough to wait for."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.2)


@pytest.mark.usefixtures("quick")
class TestDeadlines:
    async def test_a_silent_connection_is_closed_without_a_word(self, house: House) -> None:
        async with peer(house) as client:
            assert await client.reader.read() == b""

    @pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
    async def test_a_head_that_does_not_end_is_408(self, house: House, begun: bytes) -> None:
        async with peer(house) as client:
            client.writer.write(begun)
            status, said = await client.answer()
            assert status == 408
            assert json.loads(said)["error"]["message"] == "no whole request within 0.3 s"
            assert await client.reader.read() == b""

    @pytest.mark.parametrize("drip", [b"X: y\r\n" * 100, b"X: " + b"a" * 500, b"X" * 500])
    async def test_dripping_does_not_move_the_deadline(self, house: House, drip: bytes) -> None:
        async with peer(house) as client:
            client.writer.write(GET[:-2])
            began = time.monotonic()
            dripping = asyncio.create_task(client.drip(drip, 0.01))
            assert (await client.answer())[0] == 408
            assert time.monotonic() - began < 2
            dripping.cancel()

    async def test_empty_lines_are_no_request(self, house: House) -> None:
        async with peer(house) as client:
            dripping = asyncio.create_task(client.drip(b"\r\n" * 500, 0.01))
            with contextlib.suppress(ConnectionError):
                assert await client.reader.read() == b""
            dripping.cancel()

    @pytest.mark.parametrize(
        "framing",
        [
            b"Content-Length: 1000\r\n\r\n{",
            b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
            b"Content-Length: 9\r\n\r\n",
        ],
    )
    async def test_a_body_that_does_not_end_is_408(self, house: House, framing: bytes) -> None:
        async with peer(house) as client:
            client.writer.write(HEAD + framing)
            status, said = await client.answer()
            assert (status, json.loads(said)["error"]["message"]) == (408, "the body comes too slowly")
            assert await client.reader.read() == b""
        assert server_http.BODIES.taken == 0

    async def test_the_framing_of_chunks_buys_no_time(self, house: House) -> None:
        async with peer(house) as client:
            client.writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;")
            dripping = asyncio.create_task(client.drip(b"a" * 500, 0.01))
            assert (await client.answer())[0] == 408
            dripping.cancel()

    async def test_a_slow_but_honest_body_arrives(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        """A rate above the least one: for several times the seconds that silence would get."""
        monkeypatch.setattr(protocol, "BODY_RATE", 500)
        data = json.dumps({**body("ant/sim:tokens=3"), "x": "y" * 1000}).encode()
        async with peer(house) as client:
            client.writer.write(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data))
            began = time.monotonic()
            for start in range(0, len(data), 20):
                client.writer.write(data[start : start + 20])
                await client.writer.drain()
                await asyncio.sleep(0.02)
            answer = await client.reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert time.monotonic() - began > 3 * 0.3

    async def test_a_second_request_has_its_own_deadline(self, house: House) -> None:
        async with peer(house) as client:
            client.writer.write(GET)
            assert (await client.answer())[0] == 200
            await asyncio.sleep(0.5)  # idle between requests: the head's deadline does not run
            client.writer.write(GET[:20])
            assert (await client.answer())[0] == 408

    async def test_no_deadline_runs_while_an_answer_is_streamed(self, house: House) -> None:
        async with (
            house.http.post(house.url + "/v1/messages", json=body("ant/sim:tokens=60,rate=40")) as response,
            asyncio.timeout(20),
        ):
            data = await response.read()
        _, fold = read("anthropic", data)
        assert fold.ended
        assert fold.error is None


class TestWhatIsSaidToTheRude:
    async def test_a_refusal_arrives_although_the_body_is_still_coming(self, house: House) -> None:
        """Closing with unread bytes would reset the connection, and the kernel throw away what came before."""

        def send_all_and_then_read() -> bytes:
            with socket.create_connection(("127.0.0.1", int(house.url.rpartition(":")[2])), timeout=10) as sock:
                sock.sendall(HEAD + b"Content-Length: 50000000\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    for _ in range(40):
                        sock.sendall(b"x" * 65536)
                data = b""
                while more := sock.recv(65536):
                    data += more
                return data

        said = await asyncio.to_thread(send_all_and_then_read)
        assert said.startswith(b"HTTP/1.1 413")
        assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["type"] == "request_too_large"

    async def test_a_small_unread_body_does_not_cost_the_connection(self, house: House) -> None:
        async with peer(house) as client:
            client.writer.write(b"POST /streams/x/stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000\r\n\r\n")
            assert (await client.answer())[0] == 404
            client.writer.write(b"x" * 30000 + GET)
            assert (await client.answer())[0] == 200

    async def test_a_refusal_is_not_written_into_an_answer(self, house: House) -> None:
        async with peer(house) as client:
            data = json.dumps(body("ant/sim:tokens=40,rate=100")).encode()
            client.writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(data) + data)
            await client.reader.readuntil(b"content_block_delta")
            client.writer.write(b"\0\0\0 this is no request\r\n\r\n")
            rest = await client.reader.read()
        assert b"HTTP/1.1" not in rest
        assert b"message_stop" in rest
        assert rest.endswith(b"0\r\n\r\n")

    async def test_a_client_that_pipelines_and_leaves_is_noticed(self, house: House) -> None:
        """The stream is the first request; what came behind it must not hide that nobody reads any more."""
        async with peer(house) as client:
            data = json.dumps(body("ant/sim:tokens=10000,rate=50")).encode()
            client.writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(data) + data + GET * 3)
            await client.reader.readuntil(b"content_block_delta")
            (generation,) = house.relay._live.values()
            assert generation.readers
        async with asyncio.timeout(5):
            while generation.readers:
                await asyncio.sleep(0.01)

    async def test_100_continue_is_said_only_to_who_may_go_on(self, house: House) -> None:
        data = json.dumps(body("ant/sim:tokens=3", stream=False)).encode()
        async with peer(house) as client:
            client.writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(data))
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.writer.write(data)
            assert (await client.answer())[0] == 200
        async with peer(house) as client:
            client.writer.write(HEAD + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
            assert (await client.answer())[0] == 413

    async def test_head_of_a_live_stream_is_its_head_and_no_more(self, house: House) -> None:
        """The connection is free again at once, and nobody counts as a reader."""
        request = body("ant/sim:tokens=10000,rate=50")
        async with house.http.post(house.url + "/v1/messages", json=request) as response, peer(house) as client:
            stream_id = response.headers["tailrace-stream-id"]
            for path in ("", "/fields", "/message"):
                client.writer.write(
                    b"HEAD /streams/%b%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (stream_id.encode(), path.encode())
                )
                assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            client.writer.write(GET)
            assert (await client.answer())[0] == 200
            (generation,) = house.relay._live.values()
            assert generation.readers <= 2  # the POST's connection and its sink

    async def test_too_many_connections_are_told(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "max_connections", lambda: 2)
        async with peer(house), peer(house), peer(house) as third:
            assert (await third.answer())[0] == 503


def test_as_many_files_are_taken_as_may_be() -> None:
    """In a process of its own, as the limit is the process's."""
    said = subprocess.run(
        [sys.executable, "-c", """
import resource
from tailrace.server.descriptors import max_connections, raise_file_limit
hard = min(4000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
before = max_connections()
raise_file_limit()
print(before, max_connections() == (hard - 64) // 2, resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard)
"""],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.split() == ["96", "True", "True"]


def test_a_loop_that_was_late_does_not_blame_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """On uvloop, where timers run before what arrived meanwhile is read: reading another one took too long."""
    uvloop = pytest.importorskip("uvloop")
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    take, busy = protocol.GuardedProtocol.data_received, threading.Event()

    def slow(self: protocol.GuardedProtocol, data: bytes) -> None:
        if data == b"G":
            busy.set()
            time.sleep(1.0)
        take(self, data)

    monkeypatch.setattr(protocol.GuardedProtocol, "data_received", slow)

    def ask(where: tuple[str, int]) -> bytes:
        with socket.create_connection(where, timeout=10) as first, socket.create_connection(where, timeout=10) as other:
            time.sleep(0.05)
            other.sendall(b"G")
            busy.wait()
            first.sendall(GET)
            return first.recv(65536)

    async def play() -> bytes:
        async with Simulator() as sim, serving(Relay(providers(sim))) as url:
            return await asyncio.to_thread(ask, ("127.0.0.1", int(url.rpartition(":")[2])))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(play()).startswith(b"HTTP/1.1 200")


class TestMemory:
    async def test_all_bodies_together_are_bounded(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_http, "BODIES", server_http.Bodies(100_000))
        async with peer(house) as first, peer(house) as second, peer(house) as third:
            first.writer.write(HEAD + b"Content-Length: 90000\r\n\r\n{")
            async with asyncio.timeout(5):
                while server_http.BODIES.taken != 90_000:
                    await asyncio.sleep(0.01)
            for client, framing in [
                (second, b"Content-Length: 20000\r\n\r\n"),
                (third, b"Transfer-Encoding: chunked\r\n\r\n4e20\r\n" + b"x" * 20000),
            ]:
                client.writer.write(HEAD + framing)
                head = await client.reader.readuntil(b"\r\n\r\n")
                assert b" 503 " in head
                assert b"retry-after: 2" in head
        async with asyncio.timeout(5):
            while server_http.BODIES.taken:
                await asyncio.sleep(0.01)
        async with house.http.post(house.url + "/v1/messages", json=body("ant/sim:tokens=3")) as response:
            assert response.status == 200
        assert server_http.BODIES.taken == 0

    @pytest.mark.parametrize(
        ("data", "status"),
        [
            (b'{"x":[' + b"[]," * 1_000_001 + b"[]]}", 413),
            (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
            (b'{"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", 400),
            (b'{"x":"' + b"\\ud800" * 1000 + b'"}', 400),
            (b"[" * 2_000_000, 400),
        ],
        ids=["many lists", "deep lists", "deep objects", "half characters", "only opened"],
    )
    async def test_a_body_costs_no_more_than_its_size_lets_expect(self, house: House, data: bytes, status: int) -> None:
        headers = {"content-type": "application/json"}
        async with house.http.post(house.url + "/v1/messages", data=io.BytesIO(data), headers=headers) as response:
            assert response.status == status, await response.text()
        assert server_http.BODIES.taken == 0


SLOW_SECONDS = int(os.environ.get("TAILRACE_SLOW_SECONDS", "5"))
"""How long slowhttptest goes on; past the server's own deadlines these are left as they are."""


@pytest.mark.parametrize("mode", ["-H", "-B", "-X"])
async def test_slowhttptest_costs_nobody_else_anything(
    house: House, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's slowhttptest: slow heads, slow bodies, slow reading; 200 connections, as long as it is let."""
    if SLOW_SECONDS < protocol.HEAD_SECONDS:
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 2.0)
        monkeypatch.setattr(protocol, "BODY_SECONDS", 2.0)
    path = "/" if mode == "-X" else "/v1/messages"
    options = {
        "-H": ["-i", "1"],
        "-B": ["-i", "1", "-s", "8192"],
        "-X": ["-w", "8", "-y", "16", "-n", "2", "-z", "8", "-k", "1"],
    }
    longest = await longest_silence(
        house,
        lambda: asyncio.create_subprocess_exec(
            need("slowhttptest"), mode, "-c", "200", "-r", "100", "-l", f"{SLOW_SECONDS}",
            "-u", house.url + path, *options[mode],
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        ),
    )  # fmt: skip
    assert longest < 1.0


async def longest_silence(house: House, attack: Callable[[], Any]) -> float:
    """Read a stream while the attack runs; return its longest silence, and see that no connection is left."""
    longest, last, data = 0.0, time.monotonic(), b""
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim:tokens=10000,rate=50")) as response:
        async with asyncio.timeout(35 + SLOW_SECONDS):
            process = await attack()
            running = asyncio.create_task(process.wait())
            async for part in response.content.iter_any():
                now = time.monotonic()
                longest, last, data = max(longest, now - last), now, data + part
                if running.done():
                    break
        assert data.count(b"content_block_delta") > 100
    async with asyncio.timeout(5):
        while open_connections() > 1:
            await asyncio.sleep(0.05)
    return longest


def open_connections() -> int:
    """Return how many connections the one running server holds."""
    return sum(
        1 for thing in gc.get_objects() if isinstance(thing, protocol.GuardedProtocol) and thing in thing.connections
    )
