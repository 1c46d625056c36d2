"""What a stream log promises, whoever keeps it.

L1. Frames are numbered 1, 2, 3 … without a gap, in the order in which they were appended.
L2. A frame never changes: every reader of number n gets the same bytes.
L3. Store, then send: ``tail`` moves only when the frames up to it are stored at the log's durability level, and
    nothing past ``tail`` can be read. (In memory that is at once.)
L4. Closed once: after ``close`` nothing is appended; the first ending stays.
L5. Watchers are called after ``tail`` has moved or the log has closed, once for each append, never for each frame.
L6. Bounded: past its cap in bytes or in frames an append raises `LimitExceeded` and stores nothing of it. Only the
    frames given to ``close`` always have room: a stream whose end nobody could write would read as a success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from tailrace.events import Ending


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what a stream is; fixed at its beginning.

    ``id`` is unguessable and safe in a URL; ``owner`` is the identity that may read and stop it; ``created`` is in
    Unix seconds. ``chat`` is what the client calls the conversation that the stream belongs to, "" where it has no name
    for it: chosen by the client, so it names a stream only among its owner's.
    """

    id: str
    owner: str
    dialect: str
    model: str
    created: float
    chat: str = ""


class StreamLog(Protocol):
    """The frames of one stream."""

    info: StreamInfo

    @property
    def tail(self) -> int:
        """The highest number that can be read; 0 while there is none."""

    @property
    def size(self) -> int:
        """Bytes of the frames up to ``tail``."""

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None while it goes on."""

    def append(self, frames: Sequence[bytes]) -> None:
        """Add ``frames`` in order, each stamped with its number."""

    def close(self, ending: Ending, frames: Sequence[bytes] = ()) -> None:
        """Say that nothing more comes after ``frames``. A second call changes nothing."""

    def read(self, after: int, limit: int) -> tuple[bytes, int]:
        """Return the joined frames after number ``after``, about ``limit`` bytes at most but at least one frame.

        The second value is the number of the last frame in it (``after`` itself when there is none).
        """

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number``."""

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever there is more to read or the log has closed; returns how to end that."""


class LogStore(Protocol):
    """All logs of this process or cluster."""

    @property
    def full(self) -> bool:
        """Whether no new log should begin: those that are being written are too much already."""

    def create(self, info: StreamInfo, *, ids: bool) -> StreamLog:
        """Begin a log; ``ids`` says whether its frames carry ``id:`` lines."""

    def get(self, stream_id: str) -> StreamLog | None:
        """Return the log of that id, or None when it is unknown or its time is over."""

    def owned_by(self, owner: str) -> Iterator[StreamLog]:
        """Yield the logs of ``owner``, newest first."""

    def sweep(self) -> list[str]:
        """Forget logs whose time is over or that no longer fit; return their ids."""
