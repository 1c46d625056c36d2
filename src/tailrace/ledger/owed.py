"""What a ledger owes its file: decided here, synchronously; `tailrace.ledger.sqlite` acts on it. Pure.

::

    admit → waiting → writing → stored          take() moves all that waits into one transaction
               ↑         │
               └─────────┘ failed               once more later: every write may be repeated without harm
"""

from __future__ import annotations

from collections import Counter

import msgspec

from tailrace.ledger.base import Attempt, Outcome

SPILL = 10_000
"""Rows owed at most before new work is refused: as many as a relay keeps streams; about 15 MB. Attempts that run when
the file fails may add one each: a close always has room."""


class Entry(msgspec.Struct, frozen=True):
    """What is to be written of one attempt, all of it each time: a newer entry stands for the older ones.

    ``withdrawn``: the attempt never took place; its row, if it got that far, is to go.
    """

    attempt: Attempt
    outcome: Outcome | None = None
    withdrawn: bool = False


Batch = dict[str, Entry]
"""Entries by the id of their attempt, in the order in which the attempts began."""


class Owed:
    """The rows that go on, wait to be written, and are being written; ``trouble`` is why they cannot be."""

    def __init__(self, spill: int = SPILL) -> None:
        self._spill = spill
        self._running: dict[str, Attempt] = {}
        self._waiting: Batch = {}
        self._writing: Batch = {}
        self.trouble: str | None = None
        self.spilled: Counter[str] = Counter()
        """Attempts that were kept for later so far, by the reason."""

    @property
    def count(self) -> int:
        """How many attempts the file does not know all about."""
        return len(self._waiting) + sum(attempt_id not in self._waiting for attempt_id in self._writing)

    @property
    def full(self) -> bool:
        """Whether no new attempt may be admitted."""
        return len(self._waiting) + len(self._writing) >= self._spill and self.count >= self._spill

    @property
    def rows(self) -> list[Entry]:
        """All that is owed, for whoever must give it up."""
        return list({**self._writing, **self._waiting}.values())

    def admit(self, attempt: Attempt) -> None:
        """Take note of an attempt that is about to begin."""
        self._running[attempt.id] = attempt
        self._waiting[attempt.id] = Entry(attempt)
        if self.trouble:
            self.spilled[self.trouble] += 1

    def settle(self, attempt_id: str, outcome: Outcome) -> bool:
        """Take note of how an attempt ended; False when it was not running, and nothing changes."""
        attempt = self._running.pop(attempt_id, None)
        if attempt is None:
            return False
        if self.trouble and attempt_id not in self._waiting:
            self.spilled[self.trouble] += 1
        self._waiting[attempt_id] = Entry(attempt, outcome)
        return True

    def withdraw(self, attempt_id: str) -> None:
        """Forget an attempt that will not take place."""
        attempt = self._running.pop(attempt_id, None)
        if attempt is None:
            return
        # Even where its opening has failed: nobody can say whether that got through.
        self._waiting[attempt_id] = Entry(attempt, withdrawn=True)

    def take(self) -> Batch:
        """Return what is to be written now, in one transaction. Then call `stored` or `failed`."""
        self._writing, self._waiting = self._waiting, {}
        return self._writing

    def stored(self) -> Batch:
        """Note that the batch is in the file; return it."""
        done, self._writing = self._writing, {}
        self.trouble = None
        return done

    def failed(self, reason: str) -> None:
        """Note that the batch could not be written: it waits again, in its old place."""
        if self.trouble is None:
            self.spilled[reason] += len({**self._writing, **self._waiting})
        self._waiting = {**self._writing, **self._waiting}
        self._writing = {}
        self.trouble = reason
