"""F8: ten thousand open connections, idle, then reading, then all gone at once and all back.

``python -m chaos.connections [CONNECTIONS] [RELAYS]`` prints the figures. A provider here says an event when it is told
to; a few streams of it are begun at every relay, and each connection follows one of them as a browser's EventSource
does: by ``Last-Event-ID``, coming back after the server's ``retry`` with a jitter. Every connection keeps the ids that
it has seen, so that a lost or repeated event is counted as one. Sources are spread over 127.0.0.x, because an address
pair has 28,000 ports; a process here holds all clients, so its own limit of descriptors bounds their number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

from chaos.nodes import Node, node, settings

STREAMS = 10
"""Streams at each relay, so that a connection is a reader among many, as with popular answers."""

AT_ONCE = 250
"""Connections being opened at the same moment while they are counted; a storm opens all of them."""

RETRY = 1.0
"""Seconds the server asks an EventSource to wait (``retry: 1000``); each waits that and up to as much again."""

PATIENCE = 120.0
"""Seconds for any phase; the storm's target is 30."""

_ID = re.compile(rb"(?:^|\n)id: ?([0-9]+)\r?\n")


class Figures(NamedTuple):
    """What came of it. Seconds, bytes, counts.

    ``storm_cpu_ms`` is what a relay spends on one client that leaves, comes back and catches up: the storm's seconds on
    a machine that is shared say little. ``closed`` are connections that a relay closed because nothing had been said on
    them: all clients are in one process here, which may be late itself. ``left_open`` are sockets that a relay still
    holds when everybody has gone.
    """

    connections: int
    relays: int
    connected: int
    connect_seconds: float
    rss_per_connection: float
    heard: int
    hear_seconds: float
    storm_connected: int
    storm_seconds: float
    storm_cpu_ms: float
    caught_up: int
    lost: int
    repeated: int
    refused: int
    closed: int
    left_open: int

    @property
    def good(self) -> bool:
        """Whether nobody was refused for good, and nothing lost or said twice."""
        everyone = self.connected == self.heard == self.storm_connected == self.caught_up == self.connections
        return everyone and not self.lost and not self.repeated and not self.left_open


class Provider:
    """Speaks Anthropic's Messages: a beginning at once, and one more word for every stream at each `tick`."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []
        self.words = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self.writers:
            writer.close()
        self.server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            await reader.readexactly(int(length[1]) if length else 0)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
            usage = {"input_tokens": 1, "output_tokens": 1}
            message: dict[str, Any] = {
                "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None,
                "stop_sequence": None, "usage": usage,
            }  # fmt: skip
            self._say(writer, "message_start", message=message)
            self._say(writer, "content_block_start", index=0, content_block={"type": "text", "text": ""})
            self._word(writer)
            self.writers.append(writer)
            await reader.read()

    @staticmethod
    def _say(writer: asyncio.StreamWriter, kind: str, **fields: Any) -> None:
        writer.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())

    def _word(self, writer: asyncio.StreamWriter) -> None:
        self._say(writer, "content_block_delta", index=0, delta={"type": "text_delta", "text": "word "})

    def tick(self) -> None:
        """Say one word more in every stream."""
        self.words += 1
        for writer in self.writers:
            self._word(writer)


class Client(asyncio.Protocol):
    """One EventSource."""

    def __init__(self, crowd: Crowd, host: str, port: int, source: str, stream: str) -> None:
        self.crowd = crowd
        self.where = (host, port)
        self.source = source
        self.stream = stream
        self.seen = 0
        self.open = False
        self.wanted = True
        self.transport: asyncio.Transport | None = None
        self._rest = b""

    async def connect(self) -> None:
        """Open the connection and ask; returns when it has been opened, not yet answered."""
        loop = asyncio.get_running_loop()
        self.open, self._rest = False, b""
        await loop.create_connection(lambda: self, *self.where, local_addr=(self.source, 0))

    async def insist(self, wait: float) -> None:
        """Come back after ``wait`` seconds, and again after a refusal, as long as there is patience."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await asyncio.sleep(wait)
            try:
                await self.connect()
            except OSError:
                self.crowd.refused += 1
                wait = RETRY * (1 + random.random())
            else:
                return

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        last = f"Last-Event-ID: {self.seen}\r\n" if self.seen else ""
        ask = f"GET /streams/{self.stream} HTTP/1.1\r\nHost: {self.where[0]}\r\nAccept: text/event-stream\r\n{last}\r\n"
        transport.write(ask.encode())

    def data_received(self, data: bytes) -> None:
        if not self.open:
            self.open = True
            if not data.startswith(b"HTTP/1.1 200"):
                self.crowd.refused += 1
        self._rest += data
        found = 0
        for match in _ID.finditer(self._rest):
            number, found = int(match[1]), match.end()
            if number > self.seen + 1 and self.seen:
                self.crowd.lost += number - self.seen - 1
            if number <= self.seen:
                self.crowd.repeated += 1
            self.seen = max(self.seen, number)
        self._rest = self._rest[max(found, len(self._rest) - 32) :]

    def connection_lost(self, _error: Exception | None) -> None:
        self.open = False
        if self.wanted:
            # Not by the storm, but by the relay: an EventSource comes back by itself.
            self.crowd.closed += 1
            self.crowd.returning.add(asyncio.ensure_future(self.insist(RETRY * (1 + random.random()))))


class Crowd:
    """All clients."""

    def __init__(self, relays: list[tuple[str, list[str]]], count: int) -> None:
        self.lost = self.repeated = self.refused = self.closed = 0
        self.returning: set[asyncio.Future[None]] = set()
        self.clients: list[Client] = []
        for number in range(count):
            url, streams = relays[number % len(relays)]
            host, _, port = url.removeprefix("http://").rpartition(":")
            stream = streams[number // len(relays) % len(streams)]
            source = f"127.0.0.{2 + number % 100}"
            self.clients.append(Client(self, host, int(port), source, stream))

    def opened(self) -> int:
        """Return how many have been answered."""
        return sum(client.open for client in self.clients)

    def at(self, number: int) -> int:
        """Return how many have seen the event ``number``."""
        return sum(client.seen >= number for client in self.clients)

    async def gather(self) -> None:
        """Connect all of them, some at a time."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(client: Client) -> None:
            async with room:
                await client.insist(0)

        await asyncio.gather(*(one(client) for client in self.clients))

    async def storm(self) -> None:
        """Drop all at once; all come back with the server's ``retry`` and a jitter."""
        self.leave()
        for client in self.clients:
            client.open = False
        await asyncio.sleep(0)
        for client in self.clients:
            client.wanted = True
        await asyncio.gather(*(client.insist(RETRY * (1 + random.random())) for client in self.clients))

    def leave(self) -> None:
        """Drop all at once."""
        for client in self.clients:
            client.wanted = False
            if client.transport is not None:
                client.transport.abort()


async def until(done: Any) -> float:
    """Wait for ``done()``, at most `PATIENCE`; return how long it took."""
    began = time.monotonic()
    while not done() and time.monotonic() - began < PATIENCE:  # noqa: ASYNC110 - it is in another process
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def begin(url: str) -> tuple[str, asyncio.StreamWriter]:
    """Begin a stream; return its id, and the connection that keeps it wanted."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = {"model": "ant/m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    data = json.dumps(body).encode()
    writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"(?i)tailrace-stream-id: (\S+)", head)
    assert found is not None, head
    return found[1].decode(), writer


def cpu_of(one: Node) -> float:
    """Return the seconds of processor time that a relay has used (proc(5), ``stat``)."""
    fields = Path(f"/proc/{one.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sockets_of(one: Node) -> int:
    """Return how many sockets a relay holds."""
    held = 0
    for entry in Path(f"/proc/{one.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            held += str(entry.readlink()).startswith("socket:")
    return held


async def run(connections: int = 10_000, relays: int = 2) -> Figures:
    """Play it, and return what came of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(Provider())
        nodes = [await stack.enter_async_context(node(settings(provider.url))) for _ in range(relays)]
        kept: list[asyncio.StreamWriter] = []
        places: list[tuple[str, list[str]]] = []
        for one in nodes:
            begun = [await begin(one.url) for _ in range(STREAMS)]
            places.append((one.url, [stream for stream, _ in begun]))
            kept += [writer for _, writer in begun]
        before, sockets = [one.resident() for one in nodes], [sockets_of(one) for one in nodes]

        crowd = Crowd(places, connections)
        began = time.monotonic()
        await crowd.gather()
        await until(lambda: crowd.opened() == connections and len({client.seen for client in crowd.clients}) == 1)
        connect_seconds, connected = time.monotonic() - began, crowd.opened()
        grown = sum(one.resident() for one in nodes) - sum(before)
        latest = max(client.seen for client in crowd.clients)

        provider.tick()
        hear_seconds = await until(lambda: crowd.at(latest + 1) == connections)
        heard = crowd.at(latest + 1)

        began, spent = time.monotonic(), sum(cpu_of(one) for one in nodes)
        storm = asyncio.create_task(crowd.storm())
        for _ in range(3):
            # Said while nobody is there: each must be among what they find when they come back.
            await asyncio.sleep(0.1)
            provider.tick()
        await storm
        await until(lambda: crowd.opened() == connections and crowd.at(latest + 4) == connections)
        storm_seconds = time.monotonic() - began
        storm_cpu = sum(cpu_of(one) for one in nodes) - spent
        storm_connected, caught_up = crowd.opened(), crowd.at(latest + 4)

        for task in crowd.returning:
            task.cancel()
        crowd.leave()
        # A relay closes what has gone; some descriptors more may belong to kept connections.
        await until(lambda: all(sockets_of(one) <= then + 4 for one, then in zip(nodes, sockets, strict=True)))
        left = sum(max(0, sockets_of(one) - then - 4) for one, then in zip(nodes, sockets, strict=True))
        for writer in kept:
            writer.close()
        return Figures(
            connections=connections,
            relays=relays,
            connected=connected,
            connect_seconds=round(connect_seconds, 2),
            rss_per_connection=round(grown / connections),
            heard=heard,
            hear_seconds=round(hear_seconds, 2),
            storm_connected=storm_connected,
            storm_seconds=round(storm_seconds, 2),
            storm_cpu_ms=round(1000 * storm_cpu / connections, 2),
            caught_up=caught_up,
            lost=crowd.lost,
            repeated=crowd.repeated,
            refused=crowd.refused,
            closed=crowd.closed,
            left_open=left,
        )


def main() -> int:
    """Print the figures; exit with 1 when one connection or event was lost."""
    counts = [int(word) for word in sys.argv[1:]]
    figures = asyncio.run(run(*counts))
    print(json.dumps(figures._asdict(), indent=2))
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
