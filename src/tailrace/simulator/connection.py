"""One client's connection: requests in, answers out by hand, since faults need the bare socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from http import HTTPStatus
from typing import Protocol, cast

from tailrace.simulator.actions import Close, Head
from tailrace.simulator.http import MAX_BODY, BadHttp, HttpRequest, RequestParser

MAX_PIPELINED = 16
"""Requests that may wait on one connection while another is answered; no client that streams sends any. Their bodies
together may be as large as one body."""

SEND_BUFFER = 64 * 1024
"""Bytes that the kernel is asked to hold for a client that does not read; its own choice is megabytes, behind which
a pause would go unseen."""


class App(Protocol):
    """What a connection needs of the simulator."""

    def connected(self, connection: Connection) -> None:
        """A client has come."""

    def lost(self, connection: Connection) -> None:
        """The client has gone, or was sent away."""

    def paused(self, connection: Connection) -> None:
        """The client does not read as fast as it is written to."""

    def resumed(self, connection: Connection) -> None:
        """The client has caught up."""

    async def respond(self, connection: Connection, request: HttpRequest) -> None:
        """Answer one request."""


class Connection(asyncio.Protocol):
    """Hands requests to the app one by one, and writes what it is told.

    The transport's write buffer has its high-water mark at 0: it is paused as soon as the kernel takes no more, so
    nothing is ever produced ahead of the reader. Reading is never paused: that is how a client's leaving is noticed
    while nothing is written. ``closed`` is set when the connection is gone.
    """

    transport: asyncio.Transport

    def __init__(self, app: App, *, max_body: int = MAX_BODY) -> None:
        self._app = app
        self._max_body = max_body
        self._parser = RequestParser(self._go_on, max_body=max_body)
        self._waiting: deque[HttpRequest] = deque()
        self._writable = asyncio.Event()
        self._writable.set()
        self.task: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self._keep_alive = True
        self._chunked = True
        self._length: int | None = None
        self._written = 0

    # --- the transport's side ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; small writes leave at once (TCP_NODELAY)."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one, though not by inheritance
        self.transport.set_write_buffer_limits(high=0)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._app.connected(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Stop whatever is being played, at once."""
        self._waiting.clear()
        self._writable.set()
        self.closed.set()
        if self.task is not None:
            self.task.cancel()
        self._app.lost(self)

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        self._writable.clear()
        self._app.paused(self)

    def resume_writing(self) -> None:
        """The kernel has taken everything."""
        self._writable.set()
        self._app.resumed(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes of requests."""
        if self.transport.is_closing():
            return
        try:
            self._waiting.extend(self._parser.feed(data))
        except BadHttp as error:
            self._refuse(error.status)
        if len(self._waiting) > MAX_PIPELINED or sum(len(r.body or b"") for r in self._waiting) > self._max_body:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        elif self._waiting and self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._serve())

    def _refuse(self, status: HTTPStatus) -> None:
        self._waiting.clear()
        self.transport.write(b"HTTP/1.1 %d %s\r\nconnection: close\r\n\r\n" % (status, status.phrase.encode()))
        self.transport.close()

    def _go_on(self) -> None:
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _serve(self) -> None:
        try:
            while self._waiting and not self.transport.is_closing():
                request = self._waiting.popleft()
                self._keep_alive, self._chunked = request.keep_alive, request.version != "1.0"
                await self._app.respond(self, request)
        except Exception as error:  # noqa: BLE001 (a mistake of ours: told to the loop's owner now, not when collected)
            asyncio.get_running_loop().call_exception_handler({"message": "the simulator failed", "exception": error})
        finally:
            self.task = None

    # --- the answer's side ------------------------------------------------------------------------------------

    async def writable(self) -> bool:
        """Wait until the kernel has taken everything; return whether that was to be waited for."""
        if self._writable.is_set():
            return False
        await self._writable.wait()
        return True

    def head(self, head: Head) -> None:
        """Write the status line and headers; they decide how the body is framed."""
        self._chunked = self._chunked and head.chunked and head.length is None
        self._keep_alive = self._keep_alive and (self._chunked or head.length is not None)
        self._length, self._written = head.length, 0
        try:
            phrase = HTTPStatus(head.status).phrase
        except ValueError:
            phrase = "Unknown"  # 529, for one
        lines = [f"HTTP/1.1 {head.status} {phrase}", *(f"{name}: {value}" for name, value in head.headers)]
        if head.length is not None:
            lines.append(f"content-length: {head.length}")
        elif self._chunked:
            lines.append("transfer-encoding: chunked")
        lines.append(f"connection: {'keep-alive' if self._keep_alive else 'close'}")
        self.transport.write("\r\n".join([*lines, "\r\n"]).encode("latin-1"))

    def body(self, data: bytes) -> None:
        """Write a part of the body."""
        self._written += len(data)
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def close(self, close: Close) -> None:
        """End the answer, and the connection with it where the end or the framing wants that."""
        if close.how == "rst":
            # Lingering for 0 seconds makes the kernel send RST and forget what it holds (socket(7), SO_LINGER).
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        if close.how == "end" and self._chunked:
            self.transport.write(b"0\r\n\r\n")
        whole = self._chunked or self._written == self._length
        if close.how == "fin" or not (self._keep_alive and whole):
            self.transport.close()
