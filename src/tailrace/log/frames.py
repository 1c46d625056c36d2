"""Frames by number, in memory, with the running total of their sizes: what every log reads from."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tailrace.errors import LimitExceeded
from tailrace.log.cursor import stamp_id

Callback: TypeAlias = Callable[[], None]


class Frames:
    """A list of frames; the totals (8 bytes a frame) make a lag one subtraction and a bounded read one bisection.

    ``ids`` says whether frames are stamped with their number when they are added; ``first`` is how many are not kept at
    the beginning.
    """

    __slots__ = ("_data", "_ends", "_ids", "_max_bytes", "_max_frames", "first")

    def __init__(self, *, ids: bool, max_bytes: int, max_frames: int, first: int = 0) -> None:
        self.first = first
        self._ids = ids
        self._max_bytes = max_bytes
        self._max_frames = max_frames
        self._data: list[bytes] = []
        self._ends = array("Q")

    def __len__(self) -> int:
        """The number of the newest frame."""
        return self.first + len(self._data)

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return self._ends[-1] if self._ends else 0

    def add(self, frames: Sequence[bytes], *, capped: bool, stamped: bool = False) -> None:
        """Add ``frames``; all of them or, past a cap when ``capped``, none: `LimitExceeded` is raised then.

        ``stamped`` says that they have their numbers already: they were read from where they are stored.
        """
        number, total, stamp = len(self), self.size, self._ids and not stamped
        added: list[bytes] = []
        ends: list[int] = []
        for frame in frames:
            number += 1
            data = stamp_id(number, frame) if stamp else frame
            total += len(data)
            added.append(data)
            ends.append(total)
        if capped:
            self._check(number, total)
        self._data += added
        self._ends.extend(ends)

    def _check(self, count: int, size: int) -> None:
        if size > self._max_bytes:
            raise LimitExceeded(f"an answer of more than {self._max_bytes} bytes", limit=self._max_bytes)
        if count > self._max_frames:
            raise LimitExceeded(f"an answer of more than {self._max_frames} events", limit=self._max_frames)

    def between(self, after: int, last: int) -> list[bytes]:
        """Return the frames ``after + 1`` … ``last``, as they are kept."""
        return self._data[after - self.first : last - self.first]

    def read(self, after: int, limit: int, tail: int) -> tuple[bytes, int]:
        """Return frames after ``after`` and up to ``tail``, joined: what one write to a client takes."""
        if after >= tail:
            return b"", after
        if after == tail - 1:
            return self._data[after - self.first], tail
        last = self.cut(after, limit, tail)
        return b"".join(self.between(after, last)), last

    def cut(self, after: int, limit: int, last: int) -> int:
        """Return the last frame of those that are ``limit`` bytes after ``after``: one at least, ``last`` at most."""
        return min(last, max(after + 1, self.first + bisect_right(self._ends, self.size_at(after) + limit)))

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number``, as far as they are kept."""
        return self._ends[number - self.first - 1] if number > self.first else 0


class Watchers:
    """Who is called when a log has changed."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: tuple[Callback, ...] = ()

    def __len__(self) -> int:
        return len(self._callbacks)

    def add(self, callback: Callback) -> Callback:
        """Call ``callback`` from now on; returns how to end that."""
        self._callbacks = (*self._callbacks, callback)

        def remove() -> None:
            self._callbacks = tuple(one for one in self._callbacks if one is not callback)

        return remove

    def call(self) -> None:
        """Call everybody. The tuple is replaced, never changed, so a watcher may leave while it is being called."""
        for callback in self._callbacks:
            callback()
