"""The border to the HTTP library: its exceptions become ours here, and its requests are made here."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

import httpx2

from tailrace.client.commands import Failure, Head, Send, Signal
from tailrace.client.endpoint import Endpoint
from tailrace.errors import (
    ConfigError,
    ConnectError,
    LocalProtocolError,
    ProviderTimeout,
    RemoteProtocolError,
    TailraceError,
)

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0)
"""No cap on connections: a stream holds one for minutes, and waiting for a free one would be a silent queue."""


def client_arguments(endpoint: Endpoint) -> dict[str, Any]:
    """Return what an ``httpx2`` client for ``endpoint`` is made with."""
    if not endpoint.loopback:
        return {"limits": LIMITS}
    # A proxy cannot reach this machine's loopback for us, whatever the environment says.
    arguments: dict[str, Any] = {"limits": LIMITS, "trust_env": False}
    if endpoint.plain:
        # Loading the system's certificates takes 80 ms and serves nothing here; this context trusts nobody.
        arguments["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return arguments


def request_arguments(command: Send) -> dict[str, Any]:
    """Return what ``build_request`` takes for ``command``."""
    timeout = httpx2.Timeout(connect=command.connect, read=command.read, write=command.read, pool=command.connect)
    return {
        "method": command.method,
        "url": command.url,
        "headers": dict(command.headers),
        "content": command.content,
        "timeout": timeout,
    }


def head_of(response: httpx2.Response) -> Head:
    """Return status and headers; several fields of one name are joined by commas (RFC 9110 section 5.2)."""
    return Head(response.status_code, {name.lower(): value for name, value in response.headers.items()})


def no_read_timeout(response: httpx2.Response) -> None:
    """Let reads of the body wait for ever: their deadline moves with the content, and the driver keeps it.

    The library reads the limit when the first piece of the body is asked for, so this must come before.
    """
    response.request.extensions.get("timeout", {})["read"] = None


def socket_of(response: httpx2.Response) -> socket.socket | None:
    """Return the socket that brings ``response`` and nothing else.

    None where the transport shows none (a test's), or shares it between requests (HTTP/2).
    """
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    return connection if isinstance(connection, socket.socket) and response.http_version != "HTTP/2" else None


def shut_down(connection: socket.socket) -> None:
    """Shut a connection down, from any thread; a read that waits on it returns at once.

    The plain socket's method is called, not that of a TLS socket, which would first forget its TLS state under the
    reader's hands.
    """
    with contextlib.suppress(OSError):  # closed already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def outcome_of(error: Exception, name: str) -> Failure | Signal:
    """Return what ``error`` means; the first row that fits wins. ``name`` is the server's."""
    for kinds, outcome in _TABLE:
        if isinstance(error, kinds):
            return Signal.TIMED_OUT if outcome is None else Failure(_said(outcome, error, name))
    return Failure(ConnectError(f"{name}: {type(error).__name__}"))


def _said(words: tuple[type[TailraceError], str], error: Exception, name: str) -> TailraceError:
    kind, text = words
    message = f"{name}: {text.format(reason=_reason(error))}"
    if kind is ProviderTimeout:
        return ProviderTimeout(message, phase="connect")
    mapped = kind(message)
    # Not for our own mistakes: such an exception quotes the header, which may be the key.
    mapped.__cause__ = None if kind is LocalProtocolError else error
    return mapped


def _reason(error: BaseException | None) -> str:
    """Return what lies behind ``error``: the library wraps the system's exceptions several times."""
    for _ in range(MAX_CAUSES):
        for kind, words in _REASONS:
            if isinstance(error, kind):
                return words
        error = error and (error.__cause__ or error.__context__)
    return "no connection"


MAX_CAUSES = 8
"""Most exceptions behind one that are looked at; there are four or five."""

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLCertVerificationError, "the server's certificate is not trusted"),
    (ssl.SSLError, "no secure connection"),
    (socket.gaierror, "the host name does not resolve"),
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
)

_TABLE: tuple[tuple[tuple[type[Exception], ...], tuple[type[TailraceError], str] | None], ...] = (
    ((httpx2.ConnectTimeout, httpx2.PoolTimeout), (ProviderTimeout, "no connection in time")),
    ((httpx2.TimeoutException,), None),
    ((httpx2.UnsupportedProtocol, httpx2.InvalidURL), (ConfigError, "not a usable URL")),
    ((httpx2.LocalProtocolError,), (LocalProtocolError, "the request has a header that HTTP does not allow")),
    ((httpx2.DecodingError,), (RemoteProtocolError, "the answer is compressed in a way that cannot be read")),
    ((httpx2.ProxyError,), (ConnectError, "the proxy refused")),
    ((httpx2.ConnectError,), (ConnectError, "cannot connect ({reason})")),
    ((httpx2.RemoteProtocolError,), (ConnectError, "the connection closed before the answer was complete")),
    ((httpx2.TransportError, OSError), (ConnectError, "the connection was lost")),
)
