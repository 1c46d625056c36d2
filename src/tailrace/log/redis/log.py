"""One stream that is written here: all its frames in memory, and how far Redis has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tailrace.events import Ending
from tailrace.log.base import Claim, StreamInfo
from tailrace.log.frames import Frames, Watchers


class RedisLog:
    """A log whose `tail` follows what is stored.

    ``mark`` is called whenever there is something to store, ``clock`` gives monotonic seconds. ``sent`` is how many
    frames Redis has, ``tail`` how many of them it keeps as safely as was asked for. The rest of the attributes are the
    writer's: ``renewed`` when the lease was last known to be held, ``since`` how long the oldest frame has been
    waiting, ``absent`` whether Redis has forgotten the stream, ``unsure`` whether it may have less than it
    acknowledged, ``names`` what it is to be called from the next batch on.
    """

    severed = False

    def __init__(
        self,
        info: StreamInfo,
        *,
        ids: bool,
        max_bytes: int,
        max_frames: int,
        mark: Callable[[RedisLog], None],
        clock: Callable[[], float],
        epoch: int = 1,
        claim: Claim | None = None,
        first: int = 0,
    ) -> None:
        self.info = info
        self.ids = ids
        self.epoch = epoch
        self.claim = claim
        self.first = first
        self.tail = self.sent = first
        self.ending: Ending | None = None
        self.closing: Ending | None = None
        self.parting = b""
        self.lost = False
        self.names: list[str] = []
        self.called: list[str] = list(info.names)
        self.renewed = clock()
        self.since: float | None = None
        self.absent = False
        self.ended_at: float | None = None
        self.unsure = False
        self._frames = Frames(ids=ids, max_bytes=max_bytes, max_frames=max_frames, first=first)
        self._watchers = Watchers()
        self._mark = mark
        self._clock = clock

    # ---- for whoever writes and reads it -------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """The number of the newest frame, stored or not."""
        return len(self._frames)

    @property
    def size(self) -> int:
        """Bytes of the frames up to ``tail``."""
        return self._frames.size_at(self.tail)

    @property
    def backlog(self) -> int:
        """Bytes that are not stored yet."""
        return self._frames.size - self._frames.size_at(self.tail)

    def append(self, frames: Sequence[bytes]) -> None:
        """Add ``frames``; all of them or, past a cap, none. They are stored with the next batch."""
        if self.closing is None and not self.lost and frames:
            self._frames.add(frames, capped=True)
            self._wait()

    def close(self, ending: Ending, frames: Sequence[bytes] = ()) -> None:
        """End the log with ``frames``, whatever the caps; the first ending stays."""
        if self.closing is None and not self.lost:
            self._frames.add(frames, capped=False)
            self.closing = ending
            self._wait()

    def call(self, name: str) -> None:
        """Let the owner find it by ``name``."""
        if not self.lost:
            self.names.append(name)
            self._wait()

    def read(self, after: int, limit: int) -> tuple[bytes, int]:
        """Return stored frames after ``after``, joined: what one write to a client takes."""
        return self._frames.read(after, limit, self.tail)

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number``."""
        return self._frames.size_at(number)

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever more is stored, or the log has ended."""
        return self._watchers.add(callback)

    @property
    def watchers(self) -> int:
        """How many follow this log."""
        return len(self._watchers)

    # ---- for whoever stores it ----------------------------------------------------------------------------------

    @property
    def kept(self) -> int:
        """Bytes in memory."""
        return self._frames.size

    @property
    def waiting(self) -> bool:
        """Whether something is not stored yet."""
        return not self.lost and (
            len(self._frames) > self.tail
            or bool(self.names)
            or (self.closing is not None and self.ending is None)
            or self.unsure
        )

    def between(self, after: int, last: int) -> list[bytes]:
        """Return the frames ``after + 1`` … ``last``, stamped."""
        return self._frames.between(after, last)

    def cut_at(self, after: int, limit: int, last: int) -> int:
        """Return the last frame of those that are ``limit`` bytes after ``after``: one at least, ``last`` at most."""
        return self._frames.cut(after, limit, last)

    def fill(self, frames: Sequence[bytes]) -> None:
        """Take in frames that another node has stored."""
        self._frames.add(frames, capped=False, stamped=True)
        self.tail = self.sent = len(self._frames)

    def stored(self, upto: int, ending: Ending | None, names: int) -> None:
        """Note what is stored now: the frames up to ``upto``, the ending if given, the oldest ``names``."""
        moved = upto > self.tail or (ending is not None and self.ending is None)
        self.called += self.names[:names]
        del self.names[:names]
        self.tail = max(self.tail, upto)
        if ending is not None and self.ending is None:
            self.ending = ending
            self.ended_at = self._clock()
        self.unsure = False
        self.since = self._clock() if self.waiting else None
        if moved:
            self._watchers.call()

    def cut(self, last_words: Callable[[RedisLog], bytes]) -> None:
        """End it here without storing that: it is another's, or cannot be stored (L7, L8)."""
        self.unsure = self.absent = False
        if not self.lost and self.ending is None:
            self.lost = True
            self.parting = last_words(self)
            self.ending = "interrupted"
            self.ended_at = self._clock()
            self._watchers.call()

    def doubt(self) -> None:
        """Have it compared with what Redis has, and brought again."""
        self.unsure = True
        self._wait()

    def _wait(self) -> None:
        if self.since is None:
            self.since = self._clock()
        self._mark(self)
