"""A client on the bare socket: it reads exactly as many bytes as it is told, then leaves as rudely as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Mapping
from typing import Literal, NamedTuple, Self, TypeAlias
from urllib.parse import urlsplit

How: TypeAlias = Literal["rst", "fin"]

READ = 256 * 1024


class Body(NamedTuple):
    """A part of an HTTP answer that has come: ``status`` is None while its head is not whole."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    complete: bool


def parsed(raw: bytes) -> Body:
    """Return what ``raw``, the beginning of an answer, holds."""
    head, mark, rest = raw.partition(b"\r\n\r\n")
    if not mark:
        return Body(None, {}, b"", False)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split(" ", 2)[1])
    if "content-length" in headers:
        length = int(headers["content-length"])
        return Body(status, headers, rest[:length], len(rest) >= length)
    if headers.get("transfer-encoding") != "chunked":
        return Body(status, headers, rest, status == 204)
    body: list[bytes] = []
    while True:
        size, mark, rest = rest.partition(b"\r\n")
        if not mark:
            return Body(status, headers, b"".join(body), False)
        length = int(size, 16)
        if length == 0:
            return Body(status, headers, b"".join(body), rest.startswith(b"\r\n"))
        body.append(rest[:length])
        if len(rest) < length + 2:
            return Body(status, headers, b"".join(body), False)
        rest = rest[length + 2 :]


class Exchange:
    """One request on one connection of its own; ``raw`` is what has been read of the answer.

    ``arrivals`` are the moments (monotonic seconds) at which something was read.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.raw = bytearray()
        self.ended = False
        self.arrivals: list[float] = []

    @property
    def answer(self) -> Body:
        """What has come so far."""
        return parsed(bytes(self.raw))

    async def take(self, count: int, *, at_once: bool = False) -> bool:
        """Read until ``count`` bytes have come in all, or ``at_once`` what there is; False when the answer ended."""
        loop = asyncio.get_running_loop()
        before = len(self.raw)
        # Answers differ by a few bytes in how their chunks are cut: the last one is the end, whatever was asked for.
        while len(self.raw) < count and not self.ended and not self.raw.endswith(b"\r\n0\r\n\r\n"):
            if at_once and len(self.raw) > before:
                break
            try:
                data = await loop.sock_recv(self._sock, min(READ, count - len(self.raw)))
            except ConnectionError:
                data = b""
            if data:
                self.arrivals.append(time.monotonic())
            self.raw += data
            self.ended = not data
        return len(self.raw) >= count

    async def to_the_end(self) -> Body:
        """Read to the end of the answer."""
        while not self.ended and not self.whole():
            await self.take(len(self.raw) + READ, at_once=True)
        return self.answer

    def whole(self) -> bool:
        """Whether the answer says of itself that it is whole."""
        return self.raw.endswith(b"\r\n0\r\n\r\n") or (b"chunked" not in self.raw[:4096] and self.answer.complete)

    async def until(self, mark: bytes, times: int = 1) -> Body:
        """Read until ``mark`` has come ``times`` times, or to the end."""
        while self.raw.count(mark) < times and not self.ended and not self.whole():
            await self.take(len(self.raw) + READ, at_once=True)
        return self.answer

    async def head(self) -> Body:
        """Read until the head is whole."""
        return await self.until(b"\r\n\r\n")

    def leave(self, how: How) -> None:
        """Reset the connection, or say that nothing more will be sent and go away when closed."""
        if how == "rst":
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._sock.close()
        else:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Reset the connection under a reading of it, which then ends."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close."""
        self._sock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sock.close()


async def request(
    url: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    receive_buffer: int | None = None,
) -> Exchange:
    """Send a request; the answer is read by whoever gets the exchange."""
    parts = urlsplit(url)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(sock, (parts.hostname, parts.port))
        lines = [f"{method} {path} HTTP/1.1", f"host: {parts.netloc}"]
        if method == "POST":
            lines += [f"content-length: {len(body)}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode() + body)
    except BaseException:
        sock.close()
        raise
    return Exchange(sock)


@contextlib.asynccontextmanager
async def requested(
    url: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> AsyncIterator[Exchange]:
    """The same, closed at the end."""
    exchange = await request(url, method, path, body, headers)
    async with exchange:
        yield exchange


async def fetch(url: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Body:
    """Send a request and read its whole answer."""
    async with requested(url, method, path, body, headers) as exchange:
        return await exchange.to_the_end()
