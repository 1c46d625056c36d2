"""A stream that another node writes, followed here: one copy of its bytes for all who read it in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tailrace.errors import LocalProtocolError
from tailrace.events import Ending
from tailrace.log.base import StreamInfo
from tailrace.log.frames import Frames, Watchers

UNBOUNDED = 2**62
"""The writer has kept the caps; a copy takes what there is."""

_ELSEWHERE = "this stream is written by another node"


class Replica:
    """A log that is read here and written elsewhere; made from the first page of it.

    ``checked`` is when Redis was last heard of it, ``caught`` when it was last known to have all that Redis had,
    ``idle`` since when nobody has read it (None: somebody does).
    ``on_watch`` is called when somebody begins to.
    """

    backlog = 0
    parting = b""

    def __init__(self, page: Page, now: float, on_watch: Callable[[], None] = lambda: None) -> None:
        self.info = page.info
        self.ending: Ending | None = None
        self.severed = False
        self.checked = now
        self.caught = 0.0
        self.idle: float | None = now
        self._epoch = page.epoch
        self._frames = Frames(ids=False, max_bytes=UNBOUNDED, max_frames=UNBOUNDED, first=page.number - 1)
        self._watchers = Watchers()
        self._on_watch = on_watch

    @property
    def first(self) -> int:
        """How many frames Redis no longer had."""
        return self._frames.first

    @property
    def tail(self) -> int:
        """The number of the newest frame that is here."""
        return len(self._frames)

    count = tail  # another node writes it

    @property
    def size(self) -> int:
        """Bytes of the frames that are here."""
        return self._frames.size

    def append(self, frames: Sequence[bytes]) -> None:  # noqa: ARG002 - the protocol's
        """Another node does that."""
        raise LocalProtocolError(_ELSEWHERE)

    def close(self, ending: Ending, frames: Sequence[bytes] = ()) -> None:  # noqa: ARG002 - the protocol's
        """Another node does that."""
        raise LocalProtocolError(_ELSEWHERE)

    def call(self, name: str) -> None:  # noqa: ARG002 - the protocol's
        """Another node does that."""
        raise LocalProtocolError(_ELSEWHERE)

    def read(self, after: int, limit: int) -> tuple[bytes, int]:
        """Return frames after ``after``, joined: what one write to a client takes."""
        return self._frames.read(after, limit, len(self._frames))

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number`` that are here."""
        return self._frames.size_at(number)

    def between(self, after: int, last: int) -> list[bytes]:
        """Return the frames ``after + 1`` … ``last``."""
        return self._frames.between(after, last)

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever more has come, or the stream has ended or is severed."""
        remove = self._watchers.add(callback)
        self._on_watch()
        return remove

    @property
    def watchers(self) -> int:
        """How many follow it."""
        return len(self._watchers)

    @property
    def over(self) -> bool:
        """Whether nothing can come any more."""
        return self.severed or self.ending is not None

    def take(self, page: Page) -> bool:
        """Take in what Redis has; return whether that was all of it."""
        if self.over:
            return True
        if page.epoch != self._epoch:
            self._epoch = page.epoch
            if page.taken < self.tail:
                # A crashed Redis had lost frames that are here, and their writer died before it could bring them
                # back: what comes now has their numbers and is something else.
                self.sever()
                return True
        here = self.tail
        if page.frames and page.number > here + 1:
            # Trimmed faster than it was followed.
            self.sever()
            return True
        fresh = page.frames[max(0, here + 1 - page.number) :]
        self._frames.add(fresh, capped=False)
        whole = self.tail >= page.tail
        if whole and page.ending is not None:
            self.ending = page.ending
        if fresh or self.ending is not None:
            self._watchers.call()
        return whole

    def sever(self) -> None:
        """Let go of it: its readers have to come back (L8)."""
        if not self.over:
            self.severed = True
            self._watchers.call()


class Page(msgspec.Struct, frozen=True):
    """What the script `READ` returned of a stream: where it stands, and some frames from ``number`` on."""

    info: StreamInfo
    ids: bool
    epoch: int
    tail: int
    ending: Ending | None
    taken: int
    number: int
    frames: list[bytes]


_info = msgspec.json.Decoder(StreamInfo)


def page(reply: list[Any], info: StreamInfo | None) -> Page | None:
    """Return what ``reply`` says, or None when Redis has no such stream; ``info`` where it is known already."""
    if not reply:
        return None
    epoch, tail, ending, taken, ids, told, number, *frames = reply
    return Page(
        info=info or _info.decode(told),
        ids=ids == b"1",
        epoch=int(epoch),
        tail=tail,
        ending=msgspec.convert(ending.decode(), Ending) if ending else None,
        taken=int(taken or 0),
        number=number,
        frames=frames,
    )
