"""Bytes of a text/event-stream, in any split, to events (WHATWG HTML, 9.2.5 and 9.2.6).

Three steps, each of which knows nothing of the next:

1. `Decoder._normalised`: the BOM goes, and every line end becomes LF. A CR ends its line at once; an LF right
   after it, even in the next chunk, is swallowed.
2. `Decoder._decode`: whole lines. What a chunk leaves unfinished waits in a buffer that grows in place.
3. `Decoder._take`: the lines' fields, by the table `Decoder._FIELDS`; a blank line dispatches.

Work is linear in the bytes fed: a byte is searched in its own chunk only, however long its line is. Line
ends are found in bytes, not in text: UTF-8 never holds a CR or LF inside a character, and U+2028, U+2029 and
U+0085 end no line in this format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from tailrace.errors import LimitExceeded, LocalProtocolError
from tailrace.sse.event import DEFAULT_TYPE, MAX_RETRY_DIGITS, ServerSentEvent

MAX_LINE = 16 * 1024 * 1024
"""Most bytes of one line, without its end. Images come as base64 in one line: 16 MiB carry one of 12 MiB."""

MAX_EVENT = 16 * 1024 * 1024
"""Most bytes of one event's data, line feeds included: the same, as splitting data must gain nothing."""

_BOM = b"\xef\xbb\xbf"


class Decoder:
    """Decodes one connection's stream.

    ``last_event_id`` is what the stream starts with: on a reconnection, the id sent as ``Last-Event-ID``.
    ``max_line`` and ``max_event`` are in bytes (`MAX_LINE`, `MAX_EVENT`). Lines that are ignored count too.

    Past a limit the decoder is dead. Events that were complete before the offending line are never lost: a
    `feed` that has some returns them, and the next call, of `feed` or `close`, raises.

    Between two calls it holds one unfinished line, one unfinished event, the last id and the last type.
    """

    __slots__ = (
        "_after_cr",
        "_buffer",
        "_closed",
        "_data",
        "_event_line",
        "_event_type",
        "_failure",
        "_id",
        "_max_event",
        "_max_line",
        "_start",
        "_told",
        "_type",
        "last_event_id",
        "retry",
    )

    last_event_id: str
    """Id of the last finished event, which a reconnection sends; an unfinished event does not set it."""
    retry: int | None
    """Milliseconds to wait before a reconnection, as the stream last asked; None when it has not."""

    def __init__(self, *, max_line: int = MAX_LINE, max_event: int = MAX_EVENT, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry = None
        self._max_line = max_line
        self._max_event = max_event
        self._start: bytes | None = b""  # the stream's first bytes while they may be a BOM; None after that
        self._after_cr = False
        self._buffer = bytearray()  # the unfinished line
        self._data: bytes | bytearray | None = None  # None: no data field yet; b"": one that is empty
        self._type = ""
        self._id = last_event_id
        self._event_line = b"event: "  # the last event field, for most events repeat the one before, …
        self._event_type = ""  # … and what it said
        self._failure: tuple[str, int] | None = None
        self._told = False
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether a line or an event is unfinished: closing now would discard it."""
        return bool(
            self._buffer or self._start or self._data is not None or self._type or self._id != self.last_event_id
        )

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete, in order.

        Raises `LimitExceeded` when a line or an event's data passes its limit, and again on every later call;
        `LocalProtocolError` after `close`.
        """
        if self._closed:
            raise LocalProtocolError("a decoder takes no bytes after close")
        if self._failure is not None:
            raise self._limit_exceeded(*self._failure)
        events: list[ServerSentEvent] = []
        try:
            self._decode(self._normalised(data), events)
        except LimitExceeded as error:
            self._failure = (str(error), error.limit)
            self._discard()
            if not events:
                self._told = True
                raise
        return events

    def close(self) -> None:
        """Say that the stream has ended; an event without its blank line is discarded, as the standard asks.

        Raises `LimitExceeded` when a limit was passed and no `feed` has said so yet. Closing again does
        nothing.
        """
        self._closed = True
        self._discard()
        if self._failure is not None and not self._told:
            raise self._limit_exceeded(*self._failure)

    def _limit_exceeded(self, message: str, limit: int) -> LimitExceeded:
        self._told = True
        return LimitExceeded(message, limit=limit)

    def _discard(self) -> None:
        self._start = None
        self._buffer = bytearray()
        self._data = None
        self._type = ""
        self._id = self.last_event_id

    def _normalised(self, data: bytes) -> bytes:
        """Return ``data`` without the stream's BOM and with LF for every line end."""
        if self._start is not None:
            data = self._start + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._start = data
                return b""
            self._start = None
            data = data.removeprefix(_BOM)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if data.find(b"\r") >= 0:  # half the time of `in`, which asks first whether the pattern is an integer
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _decode(self, data: bytes, events: list[ServerSentEvent]) -> None:
        """Take bytes with LF line ends; add the events that they complete to ``events``."""
        lines = data.split(b"\n")
        unfinished = lines.pop()
        if lines:
            if self._buffer:
                self._buffer += lines[0]
                lines[0] = bytes(self._buffer)
                self._buffer = bytearray()
            self._take(lines, events)
        if unfinished:
            self._buffer += unfinished
            if len(self._buffer) > self._max_line:
                raise self._line_too_long()

    def _take(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        for line in lines:
            if not line:
                self.last_event_id = self._id
                if self._data is not None:
                    events.append(ServerSentEvent(bytes(self._data), self._type or DEFAULT_TYPE, self._id))
                    self._data = None
                self._type = ""
            elif len(line) > self._max_line:
                raise self._line_too_long()
            elif line == self._event_line:
                self._type = self._event_type
            else:
                name, _, value = line.partition(b":")
                take_field = self._FIELDS.get(name)
                if take_field is not None:
                    take_field(self, value.removeprefix(b" "))

    def _take_data(self, value: bytes) -> None:
        if self._data is None:
            self._data = value
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += b"\n"
            self._data += value
        if len(self._data) > self._max_event:
            limit = self._max_event
            raise LimitExceeded(f"an event with more than {limit} bytes of data", limit=limit)

    def _take_event(self, value: bytes) -> None:
        self._type = self._event_type = value.decode("utf-8", "replace")
        self._event_line = b"event: " + value

    def _take_id(self, value: bytes) -> None:
        if b"\0" not in value:
            self._id = value.decode("utf-8", "replace")

    def _take_retry(self, value: bytes) -> None:
        digits = value.lstrip(b"0")
        if value.isdigit() and len(digits) <= MAX_RETRY_DIGITS:
            self.retry = int(digits or b"0")

    _FIELDS: ClassVar[dict[bytes, Callable[[Decoder, bytes], None]]] = {
        b"data": _take_data,
        b"event": _take_event,
        b"id": _take_id,
        b"retry": _take_retry,
    }
    """Fields that mean something, by exact name. All else is ignored; a comment is a field without a name."""

    def _line_too_long(self) -> LimitExceeded:
        return LimitExceeded(f"a line of more than {self._max_line} bytes", limit=self._max_line)
