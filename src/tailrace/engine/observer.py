"""What the engine reports to whoever counts: attempts, endings, refusals. Pure.

Reported at beginnings and ends only, never for an event or a read: the push path does not know that anybody counts.
What grows in between (readers, blocked seconds, bytes held) is read where it already stands, when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from tailrace.events import Ending
from tailrace.ledger import Attempt, Outcome

if TYPE_CHECKING:
    from tailrace.engine.generation import Generation


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that has ended.

    ``door`` is its clients' dialect, ``provider`` the one that was asked last, "" where none was.
    ``seconds`` and ``first_content`` (None when there was none) count from its beginning; ``blocked`` is how many
    seconds its provider was held back for slow readers. ``frames`` and ``size`` (bytes) are its log's. ``unread`` is
    how many characters of the answer came while nobody was reading.
    """

    door: str
    provider: str
    ending: Ending
    seconds: float
    first_content: float | None
    blocked: float
    frames: int
    size: int
    unread: int = 0


def ended_of(generation: Generation) -> Ended:
    """Return the report on ``generation``, which has just ended."""
    asked = generation.attempt or (generation.trying[-1] if generation.trying else None)
    started, first, log = generation.started, generation.first_content, generation.log
    generation.unread.look(1, generation.fold.characters)
    return Ended(
        door=generation.door.name,
        provider=asked.provider if asked else "",
        ending=generation.ending or "interrupted",
        seconds=(generation.ended_at or started) - started,
        first_content=None if first is None else first - started,
        blocked=generation.flow.blocked_seconds,
        frames=log.count,
        size=log.size + log.backlog,
        unread=generation.unread.characters,
    )


class Unread:
    """How many characters of an answer came while nobody was reading: looked at when readers come and leave."""

    __slots__ = ("_since", "characters")

    def __init__(self) -> None:
        self._since: int | None = None
        self.characters = 0

    def look(self, readers: int, said: int) -> None:
        """Take the number of readers from now on, and how much has been said until now."""
        if self._since is not None:
            self.characters += said - self._since
        self._since = None if readers else said


class Observer(Protocol):
    """Somebody who counts. Called in the event loop's turn in which it happens: neither waits nor raises."""

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt at a provider is over; the ledger is told the same."""

    def ended(self, ended: Ended) -> None:
        """A generation is over."""

    def refused(self, reason: str) -> None:
        """A request was refused before any work had begun; ``reason`` is one of a few fixed words."""

    def released(self, seconds: float) -> None:
        """The connection of a stopped generation is closed, so many seconds after the stop."""


class Observers:
    """All who count; itself one, that tells each."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: tuple[Observer, ...] = ()

    def add(self, observer: Observer) -> None:
        """Tell ``observer`` from now on."""
        self._all = (*self._all, observer)

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """Tell each."""
        for one in self._all:
            one.attempt_ended(attempt, outcome)

    def ended(self, ended: Ended) -> None:
        """Tell each."""
        for one in self._all:
            one.ended(ended)

    def refused(self, reason: str) -> None:
        """Tell each."""
        for one in self._all:
            one.refused(reason)

    def released(self, seconds: float) -> None:
        """Tell each."""
        for one in self._all:
            one.released(seconds)


class Readers:
    """Counts of those who read, of this process, since its beginning: one addition where something happens anyway.

    ``open`` are there now. ``first`` and ``resumed`` have come, ``replayed`` is how many bytes were there before their
    readers. ``heartbeats`` were written; ``cut`` says how many connections were given up, by reason.
    """

    __slots__ = ("cut", "first", "heartbeats", "open", "replayed", "resumed")

    def __init__(self) -> None:
        self.open = 0
        self.first = 0
        self.resumed = 0
        self.replayed = 0
        self.heartbeats = 0
        self.cut: dict[str, int] = {}

    def came(self, *, resumed: bool, behind: int) -> None:
        """Count a reader in, for whom ``behind`` bytes are already there."""
        self.open += 1
        if resumed:
            self.resumed += 1
            self.replayed += behind
        else:
            self.first += 1

    def left(self, reason: str | None = None) -> None:
        """Count a reader out; ``reason``, one of a few words, says why it was cut."""
        self.open -= 1
        if reason is not None:
            self.cut[reason] = self.cut.get(reason, 0) + 1
