"""Bytes of an answer, in any split, to its chunks: server-sent events, a JSON array, or bare JSON.

``alt=sse`` gives server-sent events, anything else one JSON array that is written element by element; which of them
it is, the first byte that is no white space tells. In the middle of server-sent events the API has been seen to
write an error as bare JSON, over several lines; a line that begins with ``{`` can be nothing else, and a reader that
skipped it, as the standard says, would take a broken answer for a complete one.

Work is linear in the bytes: each is looked at once, and only brackets and quotes one by one.
"""

from __future__ import annotations

import re

from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.sse import Decoder, ServerSentEvent

MAX_ELEMENT = 16 * 1024 * 1024
"""Most bytes of one element: the same as of a line of server-sent events, which may carry an image."""

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_BARE = re.compile(rb"[\r\n]\{")


class Elements:
    """JSON objects, one after the other or in one array.

    ``array`` is whether a ``[`` has come, ``closed`` whether its ``]`` has.
    """

    __slots__ = ("_buffer", "_depth", "_escaped", "_in_string", "array", "closed")

    def __init__(self) -> None:
        self.array = False
        self.closed = False
        self._buffer = bytearray()
        self._depth = 0
        self._in_string = False
        self._escaped = False

    @property
    def complete(self) -> bool:
        """Whether ending here ends between two objects, and after the array if it is one."""
        return self._depth == 0 and (self.closed or not self.array)

    def feed(self, data: bytes, found: list[ServerSentEvent]) -> None:
        """Take the next bytes; add the objects that they complete to ``found``."""
        at = 0
        while at < len(data):
            if not self._depth:
                at = self._between(data, at)
                continue
            end = self._within(data, at)
            self._buffer += data[at:end]
            if len(self._buffer) > MAX_ELEMENT:
                raise LimitExceeded(f"an element of more than {MAX_ELEMENT} bytes", limit=MAX_ELEMENT)
            if not self._depth:
                found.append(ServerSentEvent(bytes(self._buffer)))
                self._buffer = bytearray()
            at = end

    def _between(self, data: bytes, at: int) -> int:
        """Take one byte that belongs to no object."""
        byte = data[at : at + 1]
        if byte == b"{" and not self.closed:
            self._depth = 1
            self._buffer += byte
        elif byte == b"[" and not self.array:
            self.array = True
        elif byte == b"]" and self.array and not self.closed:
            self.closed = True
        elif byte not in _SPACE and not (byte == b"," and self.array and not self.closed):
            raise RemoteProtocolError(f"{byte!r} between the elements of a gemini answer")
        return at + 1

    def _within(self, data: bytes, at: int) -> int:
        """Follow an object to its end or that of ``data``; return where that is."""
        while self._depth:
            if self._escaped:
                self._escaped = False
                at += 1
            match = (_INSIDE if self._in_string else _OUTSIDE).search(data, at)
            if match is None:
                return len(data)
            at = match.end()
            byte = match[0]
            if byte == b"\\":
                if at == len(data):
                    self._escaped = True
                    return at
                at += 1
            elif byte == b'"':
                self._in_string = not self._in_string
            else:
                self._depth += 1 if byte in b"{[" else -1
        return at


class Framing:
    """Finds the chunks of one answer, whichever form it has.

    A `feed` that finds some before a fault returns them, and the next call raises.
    """

    __slots__ = ("_elements", "_fault", "_last", "_sse", "_start")

    def __init__(self) -> None:
        self._start: bytes | None = b""  # the first bytes while they do not tell the form; None after that
        self._sse: Decoder | None = None
        self._elements: Elements | None = None
        self._last = b""  # the last byte, where a line may have ended
        self._fault: RemoteProtocolError | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer may end here: nothing is unfinished, and an array is closed."""
        if self._elements is not None:
            return self._elements.complete
        return self._sse is not None and not self._sse.pending

    @property
    def closed(self) -> bool:
        """Whether the answer is an array, and has ended."""
        return self._elements is not None and self._elements.closed

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what is in none of the forms."""
        if self._fault is not None:
            raise self._fault
        found: list[ServerSentEvent] = []
        try:
            self._feed(data, found)
        except RemoteProtocolError as error:
            self._fault = error
            if not found:
                raise
        return found

    def _feed(self, data: bytes, found: list[ServerSentEvent]) -> None:
        if self._start is not None:
            data = self._begin(self._start + data)
        if self._elements is None and self._sse is not None and data:
            data = self._feed_events(self._sse, data, found)
        if self._elements is not None and data:
            self._elements.feed(data, found)

    def _begin(self, data: bytes) -> bytes:
        """Return what is to be read once the form is known; nothing before that."""
        said = data.removeprefix(_BOM).lstrip(_SPACE)
        if not said or (_BOM.startswith(data) and data != _BOM):
            # White space says nothing, however much of it comes; the start of a byte-order mark may become one.
            self._start = data if _BOM.startswith(data) else b""
            return b""
        self._start = None
        if said[:1] in b"[{":
            self._elements = Elements()
            return said
        self._sse = Decoder()
        return data

    def _feed_events(self, sse: Decoder, data: bytes, found: list[ServerSentEvent]) -> bytes:
        """Take server-sent events up to bare JSON, if there is any; return that and what follows."""
        bare = _BARE.search(self._last + data)
        if bare is None:
            self._last = data[-1:]
            found += sse.feed(data)
            return b""
        at = bare.end() - 1 - len(self._last)
        self._elements = Elements()
        found += sse.feed(data[:at])
        return data[at:]

    def close(self) -> bool:
        """Say that the input has ended; return whether it may end here. Raises what no `feed` has said yet."""
        if self._fault is not None:
            raise self._fault
        complete = self.complete  # before what is unfinished is thrown away
        if self._sse is not None:
            self._sse.close()
        return complete
