"""One client's connection as bytes: what uvicorn leaves open to a hostile client is closed here.

uvicorn with httptools refuses most malformed requests by itself (llhttp is strict), but it waits for ever for a
request, takes headers without end, and writes its refusal into the middle of an answer that is being streamed
(docs/decisions/0014-requests-from-strangers.md has the table). This subclass adds deadlines and caps, takes one
request at a time, and reads what is left of a refused one so that the refusal arrives.

A connection has one timer, armed while a request is being received and disarmed once it has been: none is ever set
or looked at while an answer is streamed.
"""

from __future__ import annotations

import asyncio
import sys
from enum import Enum
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tailrace.dialects import DIALECTS
from tailrace.events import Error
from tailrace.server.errors import NEUTRAL

if sys.platform != "win32":
    import resource

HEAD_SECONDS = 10.0
"""For the head of a request: from the connection's beginning, or from the first byte of a further request. A head is
one packet or two; a phone on a bad network repeats them within 3 s. Also how long a connection may stay silent."""

BODY_SECONDS = 30.0
"""For a body, beside what `BODY_RATE` allows: several lost packets in a row, each waited for twice as long."""

BODY_RATE = 4 * 1024
"""Bytes of a body that buy one more second. An image from a phone on EDGE (100 kbit/s up) comes three times as fast;
a client that sends a byte now and then is out after 30 s. Framing around the bytes buys nothing."""

LINGER_SECONDS = 2.0
"""How long the rest of a refused request is read and thrown away: closing at once would reset the connection, and
the client would never see why."""

KEPT_REST = 64 * 1024
"""Most bytes of an unread body for which a connection is kept: below this, reading them costs less than a new one."""

MAX_HEAD = 32 * 1024
"""Bytes of a request's head: four times what nginx takes by default (8 KiB a line), for cookies of a shared host."""

MAX_HEADERS = 100
"""Header fields: SDKs send 20, a browser behind three proxies 40; Apache's own limit is 100."""

MAX_TARGET = 8 * 1024
"""Bytes of a request's target (RFC 9110 section 4.1 asks for 8,000)."""

SPARE_FILES = 64
"""File descriptors kept for what is no connection: logs, the ledger, the store, the listening socket."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that are passed on, most of them to be answered 405; httptools knows thirty more, CONNECT among them."""

_log = structlog.get_logger("tailrace.connection")


class _Refused(Exception):
    """Raised inside the parser's callbacks, which stops it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Phase(Enum):
    """What is being received."""

    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"
    REFUSED = "refused"


class _Parting:
    """The transport as an answer sees it: closing it reads on, for a moment, what the client is still sending."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, protocol: GuardedProtocol) -> None:
        # Bound here, not looked up: streaming goes through `write`.
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing
        self.close = protocol.part


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with deadlines, caps and manners."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = _Phase.NOTHING
        self._timer: asyncio.TimerHandle | None = None
        self._unended = 0
        """Bytes of the reads that a head has filled without ending."""
        self._head_bytes = 0
        self._body_bytes = 0
        self._announced: int | None = None
        self._body_began = 0.0

    # ---- the connection ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a first request."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            self._phase = _Phase.REFUSED
            transport.write(self._answer(503, "this server has no room for another connection"))
            transport.close()
        else:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; nothing in it is looked at once the request was refused."""
        self._unset_keepalive_if_required()
        if self._phase is _Phase.REFUSED:
            return
        if self._phase is _Phase.HEAD:
            self._unended += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # What follows is in no protocol of ours. The request itself is answered, in HTTP.
            self._hear_no_more()
        except httptools.HttpParserError as error:
            cause = error.__context__
            if isinstance(cause, _Refused):
                self._refuse(cause.status, cause.reason)
            else:
                self._refuse(400, "this is not a valid HTTP/1.1 request")
        else:
            self._received()

    def _received(self) -> None:
        """Arm or disarm the timer by what is still to come; called once a read."""
        if self._phase is _Phase.BODY:
            if self._body_began == 0.0:
                self._body_began = self.loop.time()
                self._arm(BODY_SECONDS, self._body_is_late)
        elif self._answering():
            self._disarm()
        elif self._phase is _Phase.HEAD and self._unended > MAX_HEAD:
            # One field that never ends: `on_header` is only told of those that do.
            self._refuse(431, "the request's head is too large")
        elif self._timer is None:
            self._arm(HEAD_SECONDS, self._head_is_late)

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is not None and not cycle.response_complete

    # ---- what the parser finds --------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request, unless the one before it is still being answered."""
        if self._answering():
            # RFC 9112 section 9.3.2 lets a server close instead: a client must be prepared to send again what came
            # behind the request that it saw answered. Nothing has been begun for it, so nothing is paid twice.
            raise _Refused(400, "a request before the end of the answer")
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._unended = self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET:
            raise _Refused(414, "the request's target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field. One behind the body is no header (RFC 9110 section 6.5.1), whatever its name says."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD:
            raise _Refused(431, "the request's head is too large")
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)
            if len(self.headers) > MAX_HEADERS:
                raise _Refused(431, f"more than {MAX_HEADERS} header fields")

    def on_headers_complete(self) -> None:
        """Judge the head, then let uvicorn begin the answer."""
        method = self.parser.get_method().decode("ascii")
        version = self.parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise _Refused(505, "only HTTP/1.1 is spoken here")
        if method not in METHODS:
            raise _Refused(501, "an unknown method")
        fields = _fields(self.headers)
        self._check_host(fields.get(b"host", []), version)
        self._check_framing(fields, version)
        if self.parser.should_upgrade() and (self._announced or b"transfer-encoding" in fields):
            raise _Refused(400, "no upgrade of a request with a body")
        if version == "1.0":
            self.expect_100_continue = False
        super().on_headers_complete()
        self.cycle.transport = _Parting(self)  # type: ignore[assignment]
        self._phase = _Phase.BODY
        # From here on it counts trailers.
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began = 0.0

    def _check_host(self, hosts: list[bytes], version: str) -> None:
        """RFC 9112 section 3.2: exactly one; and a target that names a host must name the same."""
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise _Refused(400, "a request has one Host")
        if self.url.startswith(b"/"):
            return
        scheme, separator, rest = self.url.partition(b"://")
        authority, slash, path = rest.partition(b"/")
        if not separator or scheme.lower() not in {b"http", b"https"} or authority.lower() != b"".join(hosts).lower():
            raise _Refused(400, "a target that is not on this server")
        self.url = slash + path if slash else b"/"

    def _check_framing(self, fields: dict[bytes, list[bytes]], version: str) -> None:
        """RFC 9112 section 6: what two readers of a request could read differently is no request."""
        lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
        if codings and (lengths or version == "1.0" or [coding.lower() for coding in codings] != [b"chunked"]):
            raise _Refused(400, "a body has a length, or comes in chunks")
        if len(lengths) > 1:
            raise _Refused(400, "a body has one length")
        if any(value.lower() != b"100-continue" for value in fields.get(b"expect", [])):
            raise _Refused(417, "only 100-continue can be expected")
        self._announced = int(lengths[0]) if lengths else None if codings else 0

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is here."""
        self._phase = _Phase.NOTHING
        super().on_message_complete()

    # ---- ends -------------------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Go on to the next request, or close if this one's body is more than is worth reading."""
        if self._phase is _Phase.REFUSED or self._rest() > KEPT_REST:
            self.part()
            return
        super().on_response_complete()

    def _rest(self) -> float:
        """Return how many bytes of the body are still to come; infinitely many where nobody has said."""
        if self._phase is not _Phase.BODY:
            return 0
        return float("inf") if self._announced is None else self._announced - self._body_bytes

    def part(self) -> None:
        """Close: at once when the request has been received, else when what follows has been thrown away."""
        unread = self._phase in {_Phase.BODY, _Phase.REFUSED}
        self._phase = _Phase.REFUSED
        if not unread or self.transport.is_closing():
            self._disarm()
            self.transport.close()
            return
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._arm(LINGER_SECONDS, self.transport.abort)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._phase is _Phase.HEAD:
            self._refuse(408, f"no whole request within {HEAD_SECONDS:g} s")
        else:
            # Browsers open connections on suspicion; an answer there would be taken for that of a later request.
            self.transport.close()

    def _body_is_late(self) -> None:
        now = self.loop.time()
        due = self._body_began + BODY_SECONDS + self._body_bytes / BODY_RATE
        if self.flow.read_paused:
            # The door is busy, not the client.
            due = now + BODY_SECONDS
        if now < due:
            self._arm(due - now, self._body_is_late)
        else:
            self._refuse(408, "the body comes too slowly")

    def _refuse(self, status: int, reason: str) -> None:
        """Say why, if nothing has been said yet, and close. An answer that has begun is not touched."""
        _log.debug("request_refused", status=status, reason=reason)
        receiving = self._phase is _Phase.BODY
        if self._answering() and not receiving:
            self._hear_no_more()
            return
        self._phase = _Phase.REFUSED
        if receiving and self.cycle is not None:
            begun = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        else:
            begun = False
        if not begun:
            self.transport.write(self._answer(status, reason))
        self.part()

    def _hear_no_more(self) -> None:
        """Answer what has been asked, then close."""
        self._disarm()
        self._phase = _Phase.REFUSED
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _answer(self, status: int, reason: str) -> bytes:
        kind: Any = {408: "timeout", 431: "too_large", 503: "overloaded"}.get(status, "invalid_request")
        code = HTTPStatus(status).name.lower()
        body = msgspec.json.encode(DIALECTS[NEUTRAL].error_body(Error(kind, reason, code=code, status=status)))
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            fields.append((b"retry-after", b"1"))
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        return b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body)

    def _arm(self, seconds: float, then: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def max_connections() -> int:
    """Return how many clients this process can hold: each may need a second descriptor, for its provider."""
    if sys.platform == "win32":
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(1, (soft - SPARE_FILES) // 2)


def raise_file_limit() -> None:
    """Take as many file descriptors as this process may have: 1,024, the usual default, is 480 streams."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
