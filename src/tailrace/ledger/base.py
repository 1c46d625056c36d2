"""What a ledger promises, whoever keeps it. `tailrace.testing.ledgers` checks every implementation for it.

M1. One row for each attempt at a provider: opened before the provider is asked, closed once, when the attempt has
    ended; a second close of the same row changes nothing.
M2. ``open`` returns when the row is stored, so that no provider is ever asked without one; ``close`` never waits and
    never raises: a ledger that cannot write keeps what it owes, bounded, and writes it later, each row once.
M3. A row that its writer never closed, because it died, is closed as ``interrupted`` by the next one that starts, and
    named as an orphan to that one's owner, who may know more and amend it, once, and again at each start while nothing
    is known of it; a row of a writer that lives is left alone, and what that says of its own row is what stays.
M4. What is not known is null, never 0: usage that nobody reported, a first content that never came.
M5. Nothing blocks the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from tailrace.events import Ending, Usage, UsageLabel


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a provider, as it begins.

    ``id`` is unique; ``stream`` is the stream it answers, ``number`` counts that stream's attempts from 1. ``owner`` is
    the identity that pays, ``door`` the dialect it spoke, ``asked`` the model as the client named it. ``provider`` and
    ``model`` are who was asked for what. ``started`` is in Unix seconds.
    """

    id: str
    stream: str
    number: int
    owner: str
    door: str
    asked: str
    provider: str
    model: str
    started: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended.

    ``seconds`` and ``first_content`` (None when there was none) count from its start, on a monotonic clock. ``error``
    is the kind of the error that ended it, ``status`` the provider's HTTP status, where there was one. ``label`` says
    how far ``usage`` can be trusted; ``exact`` is what the provider itself said at the end. ``seconds`` is None in the
    row of a writer that died: nobody knows (M4).
    """

    ending: Ending
    seconds: float | None
    first_content: float | None = None
    error: str | None = None
    status: int | None = None
    usage: Usage = Usage()
    label: UsageLabel = "unknown"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it is read back; ``outcome`` is None while the attempt goes on."""

    attempt: Attempt
    outcome: Outcome | None


class Orphan(NamedTuple):
    """The row of a writer that died, which was closed in its place."""

    id: str
    stream: str


class Ledger(Protocol):
    """Where attempts are written down."""

    async def start(self) -> None:
        """Open it and close the rows of writers that died (M3). Raises `ConfigError` when it cannot be used."""

    async def open(self, attempt: Attempt) -> None:
        """Store the row of an attempt that is about to begin. Raises `Overloaded` when it cannot (code
        ``ledger_unavailable``), in a ledger that was told to be strict; otherwise the row is kept for later. Cancelled
        while it waits, it leaves no row: nobody was asked.
        """

    def close(self, attempt_id: str, outcome: Outcome) -> None:
        """Note how an attempt ended."""

    def orphans(self) -> list[Orphan]:
        """Return the rows that were closed for dead writers and not named yet."""

    def amend(self, outcomes: Mapping[str, Outcome]) -> None:
        """Note what became known of orphans, by their ids; any other row stays as it is. Never waits, never raises."""

    async def rows(self, *, stream: str | None = None, limit: int = 100) -> list[Row]:
        """Return the newest rows, newest first, of ``stream`` only where it is given."""

    async def aclose(self) -> None:
        """Write what is still owed, as far as that can be done, and close."""


class NoLedger:
    """Writes nothing down: for an application that embeds the relay and counts for itself."""

    async def start(self) -> None:
        """Nothing to open."""

    async def open(self, attempt: Attempt) -> None:
        """Nothing is stored."""

    def close(self, attempt_id: str, outcome: Outcome) -> None:
        """Nothing is noted."""

    def orphans(self) -> list[Orphan]:
        """Nobody left any."""
        return []

    def amend(self, outcomes: Mapping[str, Outcome]) -> None:
        """There are none."""

    async def rows(self, *, stream: str | None = None, limit: int = 100) -> list[Row]:  # noqa: ARG002 - the protocol's
        """There are none."""
        return []

    async def aclose(self) -> None:
        """Nothing is owed."""
