"""A provider that is a list of bytes: what the simulator is too well-behaved to say."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple, TypeAlias

Script: TypeAlias = Callable[[], Iterable[bytes | float]]
"""Pieces of the body in order; a number is a wait in seconds, `math.inf` until the client leaves."""

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Provider:
    """Answers any request with ``script``, which may be changed; ``gone`` is set when a client's connection is over."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests = 0
        self.written = 0
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        await _read(reader)
        left = asyncio.ensure_future(reader.read(1))
        try:
            writer.write(HEAD)
            for piece in self.script():
                if isinstance(piece, float):
                    done, _ = await asyncio.wait({left}, timeout=None if piece == math.inf else piece)
                    if done:
                        break
                    continue
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.written += len(piece)
                await writer.drain()
            else:
                writer.write(b"0\r\n\r\n")
                await writer.drain()
        except ConnectionError:
            pass  # the relay has had enough: that is what many of these are for
        finally:
            left.cancel()
            await asyncio.wait({left})
            writer.close()
            self.gone.set()


async def _read(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
    await reader.readexactly(length)


class Address(NamedTuple):
    """A provider and where it is."""

    provider: Provider
    url: str


@contextlib.asynccontextmanager
async def provided(script: Script) -> AsyncIterator[Address]:
    """Serve ``script`` on a free port of loopback."""
    provider = Provider(script)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    try:
        yield Address(provider, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
