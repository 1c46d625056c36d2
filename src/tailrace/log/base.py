"""What a stream log promises, whoever keeps it. `tailrace.testing.logs` checks every implementation for it.

L1. Frames are numbered 1, 2, 3 … without a gap, in the order in which they were appended.
L2. A frame never changes: every reader of number n gets the same bytes, on every node.
L3. Store, then send: ``tail`` moves only when the frames up to it are stored at the log's durability level, and
    nothing past ``tail`` can be read. (In memory that is at once.)
L4. Closed once: after ``close`` nothing is appended; the first ending stays. ``ending`` is shown when the end is
    stored, together with its frames, never before them.
L5. Watchers are called after ``tail`` has moved, the log has closed or it was severed, once for each step, never for
    each frame.
L6. Bounded: past its cap in bytes or in frames an append raises `LimitExceeded` and stores nothing of it. Only the
    frames given to ``close`` always have room: a stream whose end nobody could write would read as a success.
L7. One writer: whoever was replaced (a lease ran out, another node closed the stream) can store nothing more; its
    listener is told with `StoreListener.lost`.
L8. Never silence: a log whose frames cannot be stored for longer than its cap ends as ``interrupted``, with `parting`
    for the readers there are; one that can no longer be followed here is `severed`, and its readers come back.
L9. A name that the owner calls a stream by finds the newest stream of that name, as long as that stream is kept.
L10. A claim is held by one stream: of any number of creations with the same claim exactly one begins a log, the others
    get that one; a claim made with another fingerprint is refused. It is free again when released, or with its stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from tailrace.errors import Mismatch
from tailrace.events import Ending


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what a stream is; fixed at its beginning.

    ``id`` is unguessable and safe in a URL; ``owner`` is the identity that may read and stop it; ``created`` is in
    Unix seconds. ``chat`` is what the client calls the conversation that the stream belongs to, "" where it has no name
    for it: chosen by the client, so it names a stream only among its owner's. ``names`` are what the stream can be
    found by from its beginning (L9). ``reply`` is what whoever must write the end in place of a writer that died has
    to know: plain JSON, opaque to the log.
    """

    id: str
    owner: str
    dialect: str
    model: str
    created: float
    chat: str = ""
    names: tuple[str, ...] = ()
    reply: dict[str, Any] = {}


class Claim(NamedTuple):
    """A client's ``Idempotency-Key``: ``key`` among its owner's, and the SHA-256 of what was asked with it."""

    key: str
    fingerprint: str


class Claimed(NamedTuple):
    """A claim, and the log of the stream that has it."""

    claim: Claim
    log: StreamLog

    def by(self, claim: Claim) -> StreamLog:
        """Return the log if ``claim`` is this one; raises `Mismatch` where something else was asked with its key."""
        if claim.fingerprint != self.claim.fingerprint:
            raise Mismatch
        return self.log


class Entry(NamedTuple):
    """A stream in a list: without its frames."""

    info: StreamInfo
    tail: int
    ending: Ending | None


class Held(NamedTuple):
    """What a store holds in this process: so many logs, of so many bytes."""

    logs: int
    size: int


class StreamLog(Protocol):
    """The frames of one stream."""

    info: StreamInfo

    @property
    def first(self) -> int:
        """How many frames are no longer there at the beginning: a cursor below it cannot be served."""

    @property
    def tail(self) -> int:
        """The highest number that can be read; 0 while there is none."""

    @property
    def count(self) -> int:
        """The number of the newest frame, whether it can be read yet or not."""

    @property
    def size(self) -> int:
        """Bytes of the frames up to ``tail``."""

    @property
    def backlog(self) -> int:
        """Bytes that were appended and cannot be read yet because they are not stored; 0 in memory."""

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None while it goes on."""

    @property
    def parting(self) -> bytes:
        """Last words, unnumbered and kept nowhere, for those who read when the end could not be stored (L8)."""

    @property
    def severed(self) -> bool:
        """Whether the stream goes on but can no longer be followed here: its readers must come back."""

    def append(self, frames: Sequence[bytes]) -> None:
        """Add ``frames`` in order, each stamped with its number."""

    def close(self, ending: Ending, frames: Sequence[bytes] = ()) -> None:
        """Say that nothing more comes after ``frames``. A second call changes nothing."""

    def call(self, name: str) -> None:
        """Let the owner find the stream by ``name`` too, stored no later than the next frames."""

    def read(self, after: int, limit: int) -> tuple[bytes, int]:
        """Return the joined frames after number ``after``, about ``limit`` bytes at most but at least one frame.

        The second value is the number of the last frame in it (``after`` itself when there is none).
        """

    def size_at(self, number: int) -> int:
        """Return the bytes of the frames 1 … ``number``."""

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever there is more to read or the log has closed; returns how to end that."""


class StoreListener(Protocol):
    """What a store tells the process that writes its logs. Called in the event loop; must return at once."""

    def stop_asked(self, stream_id: str) -> None:
        """Somebody asked, perhaps on another node, that a stream written here be stopped. May be said twice."""

    def lost(self, log: StreamLog) -> bytes:
        """Say that ``log``, written here, can no longer be: end it; return the last words for its readers (L8)."""

    def last_words(self, log: StreamLog, ending: Ending) -> list[bytes]:
        """Return the frames that end ``log``, all read and written by a node that is dead, by ``ending``."""


class LogStore(Protocol):
    """All logs of this process or cluster."""

    @property
    def shared(self) -> bool:
        """Whether other nodes read and write here as well."""

    @property
    def full(self) -> bool:
        """Whether no new log should begin: those that are being written are too much already."""

    async def start(self, listener: StoreListener) -> None:
        """Connect; raises `ConfigError` when the store cannot promise what it was configured for."""

    async def create(self, info: StreamInfo, *, ids: bool, claim: Claim | None = None) -> StreamLog:
        """Begin a log; ``ids`` says whether its frames carry ``id:`` lines.

        When another stream has ``claim``, return that stream's log: its ``info.id`` is another. Raises `Overloaded`
        when the store cannot be reached, `Mismatch` when the claim was made with another fingerprint.
        """

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return the log of that id, whoever writes it, or None when it is unknown or its time is over.

        All frames that any reader has seen so far can be read in it. Raises `Overloaded` when the store cannot be
        reached and the log is not here.
        """

    async def find_named(self, owner: str, name: str) -> StreamLog | None:
        """Return the newest log that ``owner`` calls ``name``; as `find`."""

    async def find_claimed(self, owner: str, key: str) -> Claimed | None:
        """Return the log whose stream has a claim of ``owner`` by ``key``; as `find`."""

    async def owned_by(self, owner: str, limit: int) -> list[Entry]:
        """Return the newest ``limit`` streams of ``owner``, newest first."""

    async def ask_stop(self, stream_id: str) -> None:
        """Have the stream stopped wherever it is written: the wish is stored, then its writer is told."""

    async def followed_elsewhere(self, stream_id: str) -> bool:
        """Whether another node has readers of the stream now: its last reader here may only have moved.

        True when that cannot be found out: nobody's answer is given up because the store is away.
        """

    def release(self, owner: str, claim: Claim) -> None:
        """Free a claim whose stream failed before it was worth anything: the next request begins anew."""

    def sever(self) -> None:
        """Let go of everything that another node writes: this process is going away, its readers have to come back."""

    def held(self) -> Held:
        """Return what is held in this process now; may look at every log."""

    def sweep(self) -> list[str]:
        """Forget logs whose time is over or that no longer fit; return their ids."""

    async def aclose(self) -> None:
        """Store what is waiting, as far as that can be done at once, and disconnect."""
