"""Bytes of a text/event-stream, in any split, to events (WHATWG HTML, 9.2.5 and 9.2.6).

Two rules:

1. Line ends are made LF first, whatever the stream uses; nothing after that knows CR. A CR ends its line at
   once, and an LF right after it, even in the next chunk, is swallowed.
2. A chunk is cut at its blank lines. What lies whole between two of them goes the short way (`_block`); what
   a chunk leaves unfinished, or what the short way does not know, goes line by line (`_line`). Both give the
   same events.

Work is linear in the bytes fed: a byte is looked at in its own chunk only, and an unfinished line or event
grows in place. Line ends are found in bytes, not in text: UTF-8 never holds a CR or LF inside a character,
and U+2028, U+2029 and U+0085 end no line in this format.
"""

from __future__ import annotations

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

    At any time it holds at most one unfinished line and one unfinished event.
    """

    __slots__ = (
        "_after_cr",
        "_buffer",
        "_closed",
        "_data",
        "_failure",
        "_id",
        "_max_event",
        "_max_line",
        "_start",
        "_told",
        "_type",
        "_whole",
        "last_event_id",
        "retry",
    )

    last_event_id: str
    """Id of the last finished event, which a reconnection sends; an unfinished event does not set it."""
    retry: int | None
    """Milliseconds to wait before a reconnection, as the stream last asked; None when it has not."""

    def __init__(
        self, *, max_line: int = MAX_LINE, max_event: int = MAX_EVENT, last_event_id: str = ""
    ) -> None:
        self.last_event_id = last_event_id
        self.retry = None
        self._max_line = max_line
        self._max_event = max_event
        self._whole = min(max_line, max_event)  # a block of this size can break neither limit
        self._start: bytes | None = b""  # the stream's first bytes while they may be a BOM; None after that
        self._after_cr = False
        self._buffer = bytearray()  # the unfinished line
        self._data: bytearray | None = None  # None: no data field yet, which is not the same as empty data
        self._type = ""
        self._id = last_event_id
        self._failure: tuple[str, int] | None = None
        self._told = False
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether a line or an event is unfinished: closing now would discard it."""
        return bool(
            self._buffer
            or self._data is not None
            or self._type
            or self._id != self.last_event_id
            or self._start
        )

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete, in order.

        Raises `LimitExceeded` when a line or an event's data passes its limit, and again on every later call;
        `LocalProtocolError` after `close`.
        """
        if self._closed:
            raise LocalProtocolError("a decoder takes no bytes after close")
        self._raise_failure()
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
        if not self._told:
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._told = True
            message, limit = self._failure
            raise LimitExceeded(message, limit=limit)

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
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _decode(self, data: bytes, events: list[ServerSentEvent]) -> None:
        """Add the events of ``data``, which has LF line ends, to ``events``."""
        if self.pending:
            rest_of_event, blank, data = data.partition(b"\n\n")
            self._lines(rest_of_event + blank, events)
        if not data:
            return
        *blocks, rest = data.split(b"\n\n")
        for block in blocks:
            self._block(block, events)
        if rest:
            self._lines(rest, events)

    def _block(self, block: bytes, events: list[ServerSentEvent]) -> None:
        """Take the lines between two blank lines, and the blank line that ends them; nothing is pending."""
        if len(block) <= self._whole:
            line_end = block.find(b"\n")
            if line_end < 0:
                if block.startswith(b"data: "):
                    events.append(ServerSentEvent(block[6:], DEFAULT_TYPE, self.last_event_id))
                    return
            elif (
                block.startswith(b"event: ")
                and block.startswith(b"data: ", line_end + 1)
                and block.find(b"\n", line_end + 1) < 0
            ):
                kind = block[7:line_end].decode("utf-8", "replace") or DEFAULT_TYPE
                events.append(ServerSentEvent(block[line_end + 7 :], kind, self.last_event_id))
                return
        for line in block.split(b"\n"):
            self._line(line, events)
        self._dispatch(events)

    def _lines(self, data: bytes, events: list[ServerSentEvent]) -> None:
        """Take whole lines and a last, unfinished one."""
        first, *others = data.split(b"\n")
        self._buffer += first
        if others:
            line = bytes(self._buffer)
            self._buffer = bytearray(others.pop())
            self._line(line, events)
            for line in others:
                self._line(line, events)
        if len(self._buffer) > self._max_line:
            raise _too_long(self._max_line)

    def _line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        """Take one line, without its end. What is no known field, comments among it, is ignored."""
        if not line:
            self._dispatch(events)
            return
        if len(line) > self._max_line:
            raise _too_long(self._max_line)
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._append(value)
        elif field == b"event":
            self._type = value.decode("utf-8", "replace")
        elif field == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit():
            digits = value.lstrip(b"0")
            if len(digits) <= MAX_RETRY_DIGITS:
                self.retry = int(digits or b"0")

    def _append(self, value: bytes) -> None:
        if self._data is None:
            self._data = bytearray(value)
        else:
            self._data += b"\n"
            self._data += value
        if len(self._data) > self._max_event:
            raise LimitExceeded(
                f"an event with more than {self._max_event} bytes of data", limit=self._max_event
            )

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        self.last_event_id = self._id
        if self._data is not None:
            events.append(ServerSentEvent(bytes(self._data), self._type or DEFAULT_TYPE, self._id))
            self._data = None
        self._type = ""


def _too_long(limit: int) -> LimitExceeded:
    return LimitExceeded(f"a line of more than {limit} bytes", limit=limit)
