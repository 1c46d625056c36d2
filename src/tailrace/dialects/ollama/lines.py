"""Bytes, in any split, to lines of JSON; and a line to the bytes that every client reads as one."""

from __future__ import annotations

from collections.abc import Iterator

from tailrace.errors import LimitExceeded

MAX_LINE = 16 * 1024 * 1024
"""Most bytes of one line. A call's arguments and an image come whole in one: 16 MiB carry an image of 12 MiB."""

_BOM = b"\xef\xbb\xbf"

_LINE_ENDS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
"""Characters that end a line for Python's `str.splitlines`, which the official client goes by, and their escapes."""


class Lines:
    """Splits one answer into lines. It holds one unfinished line, of at most ``max_line`` bytes."""

    __slots__ = ("_buffer", "_max_line", "_start")

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._buffer = bytearray()
        self._max_line = max_line
        self._start = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that ``data`` completes, without their ends; blank ones say nothing and are left out.

        Raises `LimitExceeded` for a line that is too long, after those before it.
        """
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._hold(line)
            if whole := self.rest():
                yield whole
        self._hold(rest)

    def rest(self) -> bytes:
        """Return what has come of the unfinished line, and forget it: at the end of input it is the last one."""
        line = bytes(self._buffer)
        self._buffer.clear()
        if self._start:
            self._start = False
            line = line.removeprefix(_BOM)
        return line.strip()

    def _hold(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > self._max_line:
            raise LimitExceeded(f"a line of more than {self._max_line} bytes", limit=self._max_line)


def one_line(data: bytes) -> bytes:
    """Return ``data``, a JSON document, as one line with its end.

    The characters of `_LINE_ENDS` can only stand inside a JSON string, where their escapes say the same; a line feed
    can only stand outside of one, where a space does.
    """
    if not data.isascii():
        for character, escape in _LINE_ENDS:
            data = data.replace(character, escape)
    return data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
