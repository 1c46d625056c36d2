"""A provider that is only bytes: whatever a socket can say, right or wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import aiohttp

from tailrace.engine import Limits, ProviderSpec, Relay, Secret
from tailrace.simulator import bytes_of, parse
from tailrace.testing import serving

KEY = "sk-canary-upstream-4711"
ANSWER = bytes_of(parse("sim:tokens=3"), "anthropic")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def refusal(status: str, body: bytes, *headers: str) -> bytes:
    """Return an error answer."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    """Return ``data`` as one chunk (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class RawProvider:
    """Answers each connection with ``says``, then closes it, or holds it open, or resets it."""

    def __init__(self) -> None:
        self.says = b""
        self.then = "close"
        self.url = ""
        self.open = 0
        self.heard = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            self.heard += 1
            writer.write(self.says)
            await writer.drain()
            if self.then == "hold":
                while await reader.read(65536):
                    pass
        if self.then == "reset":
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.open -= 1


class Rig(NamedTuple):
    """A relay in front of a raw provider."""

    url: str
    provider: RawProvider
    relay: Relay
    http: aiohttp.ClientSession


@contextlib.asynccontextmanager
async def rig(
    limits: Limits | None = None,
    context: ssl.SSLContext | None = None,
    make_relay: Callable[[dict[str, ProviderSpec], Limits | None], Relay] = lambda specs, limits: Relay(
        specs, limits=limits or Limits(breaker_failures=0)
    ),
    url: str | None = None,
) -> AsyncIterator[Rig]:
    """Serve one of each on free ports; the provider is known as ``ant`` and as ``oai``, by its two dialects.

    With ``url`` the relay is sent there instead.
    """
    provider = RawProvider()
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0, ssl=context)
    scheme = "https" if context else "http"
    provider.url = url or f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    specs = {
        name: ProviderSpec(name=name, dialect=dialect, base_url=provider.url, api_key=Secret(KEY))
        for name, dialect in (("ant", "anthropic"), ("oai", "openai_chat"))
    }
    relay = make_relay(specs, limits)
    async with server, serving(relay) as url, aiohttp.ClientSession() as http:
        yield Rig(url, provider, relay, http)
