"""A kept connection that the provider has closed meanwhile: asked again where nothing was said, never where it was."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tailrace.engine import HttpUpstream, ProviderSpec
from tailrace.engine.upstream import Call
from tailrace.errors import ConnectError
from tests.server.raw_provider import ANSWER, HEAD

pytestmark = pytest.mark.anyio

KEPT = HEAD + b"content-length: %d\r\n\r\n" % len(ANSWER) + ANSWER


class Provider:
    """Serves in a thread of its own, so that it can close while the relay's event loop is busy."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        self.requests = 0
        self.answers = True
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock: socket.socket) -> None:
        while True:
            data = b""
            while b"}" not in data:
                try:
                    more = sock.recv(65536)
                except OSError:
                    return
                if not more:
                    return
                data += more
            self.requests += 1
            if not self.answers:
                self.end(sock)
                return
            sock.sendall(KEPT)

    @staticmethod
    def end(sock: socket.socket) -> None:
        """Close, also for the thread that is reading."""
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    def close_all(self) -> None:
        """Close the kept connections, and wait until the kernel has told the other side."""
        while self.connections:
            self.end(self.connections.pop())
        time.sleep(0.05)  # the event loop sleeps too: that is the point


class Ear:
    """A source that only listens."""

    def __init__(self) -> None:
        self.data = b""

    def accepted(self) -> None: ...

    def feed(self, data: bytes) -> None:
        self.data += data

    async def ready(self) -> None: ...


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.listener.shutdown(socket.SHUT_RDWR)
    made.listener.close()
    made.close_all()


async def ask(upstream: HttpUpstream) -> bytes:
    ear = Ear()
    await upstream.run(Call(model="m", path="/v1/messages", body={"a": 1}), ear)
    return ear.data


async def test_a_connection_that_was_closed_while_it_was_idle_costs_nothing(provider: Provider) -> None:
    upstream = HttpUpstream(ProviderSpec(name="p", dialect="anthropic", base_url=provider.url))
    assert await ask(upstream) == ANSWER
    assert await ask(upstream) == ANSWER
    assert len(provider.connections) == 1  # it was kept
    provider.close_all()
    assert await ask(upstream) == ANSWER
    assert provider.requests == 3
    await upstream.aclose()


async def test_a_request_that_may_have_been_read_is_not_made_twice(provider: Provider) -> None:
    upstream = HttpUpstream(ProviderSpec(name="p", dialect="anthropic", base_url=provider.url))
    assert await ask(upstream) == ANSWER
    provider.answers = False
    with pytest.raises(ConnectError, match="the connection was lost"):
        await ask(upstream)
    assert provider.requests == 2
    await upstream.aclose()
