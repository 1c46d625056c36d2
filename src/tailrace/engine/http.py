"""The upstream over HTTP: one POST, its body read as it arrives.

aiohttp below, because it has the strictest parser and half the cost per event of the alternatives
(docs/decisions/0002-dependencies.md). Its exceptions stop here. It sets TCP_NODELAY itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import re
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

from tailrace.dialects import DIALECTS, Dialect
from tailrace.engine.beginnings import check_encoding, is_document
from tailrace.engine.redaction import redact
from tailrace.engine.resolver import Resolver
from tailrace.engine.sockets import upstream_socket
from tailrace.engine.spec import ProviderSpec
from tailrace.engine.upstream import Call, Source
from tailrace.errors import ConnectError, ProviderTimeout, RemoteProtocolError, StatusError
from tailrace.events import Error

READ_BUFFER = 32 * 1024
"""aiohttp pauses the socket when twice this much is unread, so a held provider costs us 64 KiB of memory."""

WRITE = 256 * 1024
"""A request's body beyond this is written in pieces."""

MAX_ERROR_BODY = 64 * 1024
"""Most of an error answer that is read. Real ones are below 4 KiB; more would only be an HTML page."""

ERROR_SECONDS = 5.0
"""Seconds an error answer's body may take; its client should not wait for what only explains."""

MAX_RETRY_AFTER = 7 * 24 * 3600.0
"""Most seconds that a ``Retry-After`` may ask for; a larger number is a mistake."""

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
"""RFC 9110 section 10.2.3 has whole seconds; some providers send fractions."""

MAX_HEADER = 16 * 1024
"""Most bytes of one response header field; OpenAI's longest, a cookie, is below 2 KiB."""

NAME_SECONDS = 10
"""How long an address is used without asking again: providers move within a minute, and tell so with 60 s or less."""


class _Stale(aiohttp.ClientError):
    """The provider had closed this kept connection before anything was written to it."""


class _Request(aiohttp.ClientRequest):
    """Looks at its connection once more before it writes.

    A provider that closes idle connections after five seconds (llama.cpp, uvicorn, Node) closes some just as they are
    taken. Where the end has arrived here before a byte of the request went out, the request was never made, and may be
    made again without any risk of paying twice. Where it arrives later nobody can know: that is told as an error.
    """

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write the request; raises `_Stale` instead when the other side has closed."""
        if _was_closed(conn.transport):
            raise _Stale("the kept connection was closed")
        return await super().send(conn)


class HttpUpstream:
    """A provider behind its base URL. One for each provider; it keeps the connections alive between calls."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._dialect: Dialect = DIALECTS[spec.dialect]
        self._proxy = _proxy_for(spec.base_url)
        self._ssl = _trust() if spec.base_url.lower().startswith("https:") else True
        self._session: aiohttp.ClientSession | None = None

    async def run(self, call: Call, source: Source) -> None:
        """Bring one answer from the provider to ``source``."""
        with _mapped(self._spec.name, call.connect):
            async with await self._ask(call) as response:
                try:
                    await self._check(response)
                    source.accepted()
                    await self._pump(response.content, source)
                except BaseException:
                    # Not `release`: the connection must be gone at once, not read to its end.
                    response.close()
                    raise

    async def _ask(self, call: Call) -> aiohttp.ClientResponse:
        body = msgspec.json.encode(call.body)
        for last in (False, True):
            try:
                return await self._open().post(
                    self._spec.base_url.rstrip("/") + call.path,
                    # As a file, it is written piece by piece: 32 MiB at once would hold everybody else up.
                    data=io.BytesIO(body) if len(body) > WRITE else body,
                    headers=self._headers(call),
                    proxy=self._proxy,
                    timeout=aiohttp.ClientTimeout(total=None, connect=call.connect, sock_connect=call.connect),
                    allow_redirects=False,
                )
            except _Stale:
                if last:
                    raise
                # One turn of the loop takes every other connection that was closed out of the pool.
                await asyncio.sleep(0)
        raise AssertionError

    async def _pump(self, content: aiohttp.StreamReader, source: Source) -> None:
        # `readany` gives all that has arrived: ten events that came together leave in one write.
        data = await content.readany()
        await self._doubt(data, content)
        while data:
            source.feed(data)
            await source.ready()
            data = await content.readany()

    async def _doubt(self, first: bytes, content: aiohttp.StreamReader) -> None:
        """Refuse an answer that does not begin like a stream, with words that say what it is instead."""
        name, dialect = self._spec.name, self._dialect
        if not is_document(name, dialect.name, first):
            return
        body = first + await _read_error(content)
        with contextlib.suppress(msgspec.DecodeError, RecursionError, ValueError):
            said = msgspec.json.decode(body)
            if isinstance(said, dict) and said.get("error"):
                error = redact(dialect.read_error(502, body), self._spec.secrets)
                raise StatusError(error.message, status=502, kind=error.kind, body=error.data)
        raise RemoteProtocolError(f"{name} answered with one JSON document where a stream was asked for")

    async def aclose(self) -> None:
        """Close the idle connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # No cap of its own: admission is the server's decision, and a wait here would be a silent queue.
                connector=aiohttp.TCPConnector(
                    limit=0,
                    keepalive_timeout=30,
                    ssl=self._ssl,
                    resolver=Resolver(),
                    family=socket.AF_UNSPEC,
                    ttl_dns_cache=NAME_SECONDS,
                    socket_factory=upstream_socket,
                ),
                request_class=_Request,
                read_bufsize=READ_BUFFER,
                max_line_size=MAX_HEADER,
                max_field_size=MAX_HEADER,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Content encodings would let a few bytes become many; identity is asked for and only it is read.
                auto_decompress=False,
                skip_auto_headers=("User-Agent",),
            )
        return self._session

    def _headers(self, call: Call) -> dict[str, str]:
        key = self._spec.api_key
        return {
            "accept": "text/event-stream",
            "user-agent": "tailrace",
            **self._dialect.headers(key.reveal() if key else None, call.client_headers),
            **self._spec.headers,
            "content-type": "application/json",
            "accept-encoding": "identity",
        }

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        status, name = response.status, self._spec.name
        if status == 200:
            check_encoding(self._spec.name, response.headers.getall("content-encoding", ()))
            return
        if not 400 <= status <= 599:
            what = "a redirect, which is not followed" if 300 <= status < 400 else "neither an answer nor an error"
            raise StatusError(f"{name} answered with status {status}: {what}", status=502)
        error = self._dialect.read_error(status, await _read_error(response.content))
        raise _status_error(redact(error, self._spec.secrets), response)


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for ``url`` (``HTTPS_PROXY``, ``NO_PROXY`` …), if any.

    Looked up once: aiohttp's own ``trust_env`` asks again for every request, in a thread.
    """
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return what certificates are checked with: the system's, and those that ``SSL_CERT_FILE`` names.

    Not `ssl.create_default_context`: that writes the keys of every connection to where ``SSLKEYLOGFILE`` says.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _was_closed(transport: asyncio.BaseTransport | None) -> bool:
    """Whether the other side's end has arrived, noticed by the event loop or not."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or not hasattr(select, "POLLRDHUP"):
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))


async def _read_error(content: aiohttp.StreamReader) -> bytes:
    """Return an error answer's body, as far as it comes: its status has said most already."""
    body = b""
    with contextlib.suppress(TimeoutError, aiohttp.ClientPayloadError):
        async with asyncio.timeout(ERROR_SECONDS):
            while len(body) < MAX_ERROR_BODY and (data := await content.read(MAX_ERROR_BODY - len(body))):
                body += data
    return body


def _status_error(error: Error, response: aiohttp.ClientResponse) -> StatusError:
    return StatusError(
        error.message,
        status=error.status or response.status,
        kind=error.kind,
        body=error.data,
        retry_after=_retry_after(response.headers.get("retry-after"), response.headers.get("date")),
    )


def _retry_after(value: str | None, date: str | None) -> float | None:
    """Return seconds from a ``Retry-After`` (RFC 9110 section 10.2.3): a number, or a date against ``Date``."""
    if not value:
        return None
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(date or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, wait.total_seconds()), MAX_RETRY_AFTER)


@contextmanager
def _mapped(name: str, connect_seconds: float) -> Iterator[None]:
    """Turn the HTTP client's exceptions into ours; the first row that fits wins."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise ConnectError(f"{name}: the server's certificate is not trusted") from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise ConnectError(f"{name}: no secure connection") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise ProviderTimeout(f"{name}: no connection within {connect_seconds:g} s", phase="connect") from error
    except aiohttp.ClientConnectorDNSError as error:
        again = isinstance(error.os_error, socket.gaierror) and error.os_error.errno == socket.EAI_AGAIN
        what = "no name server knows about the host name" if again else "the host name does not resolve"
        raise ConnectError(f"{name}: {what}") from error
    except aiohttp.ClientConnectorError as error:
        raise ConnectError(f"{name}: cannot connect ({error.strerror or 'connection refused'})") from error
    except aiohttp.ClientPayloadError as error:
        raise ConnectError(f"{name}: the connection closed in the middle of the answer") from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, _Stale) as error:
        raise ConnectError(f"{name}: the connection was lost") from error
    except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
        raise RemoteProtocolError(f"{name}: not a valid HTTP answer") from error
    except TimeoutError as error:
        raise ProviderTimeout(f"{name}: timed out", phase="connect") from error
    except aiohttp.ClientError as error:
        raise ConnectError(f"{name}: {type(error).__name__}") from error
