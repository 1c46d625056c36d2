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
from enum import Enum
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tailrace.server.descriptors import max_connections
from tailrace.server.heads import Head, Refused, judged, told

HEAD_SECONDS = 10.0
"""For the head of a request: from the connection's beginning, or from the first byte of a further request. A head is
one packet or two; a phone on a bad network repeats them within 3 s. Also how long a connection may stay silent."""

BODY_SECONDS = 30.0
"""For a body, beside what `BODY_RATE` allows: several lost packets in a row, each waited for twice as long."""

BODY_RATE = 4 * 1024
"""Bytes of a body that buy one more second. An image from a phone on EDGE (100 kbit/s up) comes three times as fast;
a client that sends a byte now and then is out after 30 s. Framing around the bytes buys nothing."""

LATE = 0.5
"""Seconds by which a timer may be late before that counts as this process's own lateness. uvloop runs timers before it
reads: after a turn that took longer than a deadline (5,000 clients that come back at once), it would close connections
whose requests have long arrived."""

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

_log = structlog.get_logger("tailrace.connection")


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
        self._due = 0.0
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
            self._arm(HEAD_SECONDS, self._head_is_late)

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
            if isinstance(cause, Refused):
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
            raise Refused(400, "a request before the end of the answer")
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._unended = self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET:
            raise Refused(414, "the request's target is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field. One behind the body is no header (RFC 9110 section 6.5.1), whatever its name says."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD:
            raise Refused(431, "the request's head is too large")
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)
            if len(self.headers) > MAX_HEADERS:
                raise Refused(431, f"more than {MAX_HEADERS} header fields")

    def on_headers_complete(self) -> None:
        """Judge the head, then let uvicorn begin the answer."""
        version = self.parser.get_http_version()
        head = Head(self.parser.get_method().decode("ascii"), version, self.url, self.headers)
        self.url, self._announced = judged(head, upgrades=self.parser.should_upgrade())
        if version == "1.0":
            self.expect_100_continue = False
        super().on_headers_complete()
        self.cycle.transport = _Parting(self)  # type: ignore[assignment]
        self._phase = _Phase.BODY
        # From here on it counts trailers.
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began = 0.0

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
        if self.loop.time() - self._due > LATE:
            # Not the client is late but this process: what has come must be read first.
            self._arm(LATE, self._head_is_late)
        elif self._phase is _Phase.HEAD:
            self._refuse(408, f"no whole request within {HEAD_SECONDS:g} s")
        else:
            # Browsers open connections on suspicion; an answer there would be taken for that of a later request.
            self.transport.close()

    def _body_is_late(self) -> None:
        now = self.loop.time()
        late = now - self._due > LATE
        due = self._body_began + BODY_SECONDS + self._body_bytes / BODY_RATE
        if self.flow.read_paused or late:
            # The door is busy, not the client.
            due = now + (LATE if late else BODY_SECONDS)
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
        return told(status, reason, self.server_state.default_headers)

    def _arm(self, seconds: float, then: Any) -> None:
        self._disarm()
        self._due = self.loop.time() + seconds
        self._timer = self.loop.call_at(self._due, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
