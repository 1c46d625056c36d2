"""HTTP/1.1 requests out of bytes, by `httptools`. No socket, no time."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import httptools

from tailrace.errors import RemoteProtocolError

MAX_HEAD = 64 * 1024
"""Bytes of a request's head: eight times what the usual servers take by default."""

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request's body: Anthropic's own limit (platform.claude.com, API overview, "Request size limits")."""


class HttpRequest(NamedTuple):
    """A complete request; header names are in lower case, ``body`` is None when it passed the cap."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    keep_alive: bool
    version: str


class BadHttp(RemoteProtocolError):
    """What came is not a request, and nobody knows where the next one begins; never leaves the room."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class RequestParser:
    """Bytes, in any split, to complete requests.

    ``on_continue`` is called when a client waits to be told that it may send its body (RFC 9110 section 10.1.1).
    """

    def __init__(self, on_continue: Callable[[], None], *, max_body: int = MAX_BODY) -> None:
        self._on_continue = on_continue
        self._callbacks = _Callbacks(self._head_done, self._message_done, max_body)
        self._parser = httptools.HttpRequestParser(self._callbacks)
        self._done: list[HttpRequest] = []
        self._head_bytes = 0
        self._in_head = True

    def feed(self, data: bytes) -> list[HttpRequest]:
        """Take the next bytes; return the requests that they complete. Raises `BadHttp`."""
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the request itself is complete, and no other protocol is spoken here
        except httptools.HttpParserError as error:
            raise BadHttp(HTTPStatus.BAD_REQUEST) from error
        if self._in_head and self._head_bytes > MAX_HEAD:
            raise BadHttp(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        done, self._done = self._done, []
        return done

    def _head_done(self) -> None:
        self._in_head = False
        if self._callbacks.headers.get("expect", "").lower() == "100-continue":
            self._on_continue()

    def _message_done(self) -> None:
        self._in_head, self._head_bytes = True, 0
        callbacks, parser = self._callbacks, self._parser
        self._done.append(
            HttpRequest(
                parser.get_method().decode("latin-1"),
                (httptools.parse_url(callbacks.url).path or b"/").decode("latin-1"),
                callbacks.headers,
                callbacks.body(),
                parser.should_keep_alive(),
                parser.get_http_version(),
            )
        )


class _Callbacks:
    """Collects what the C parser reports of one message."""

    def __init__(self, head_done: Callable[[], None], message_done: Callable[[], None], max_body: int) -> None:
        self.on_headers_complete = head_done
        self.on_message_complete = message_done
        self._max_body = max_body
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= self._max_body:
            self._body.append(body)
        else:
            self._body.clear()  # read to its end and forgotten, so that the refusal reaches the client

    def body(self) -> bytes | None:
        return b"".join(self._body) if self._size <= self._max_body else None
