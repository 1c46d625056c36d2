"""What the answers of a relay that died had come to, as far as their logs tell.

The rows that it left open in the ledger are closed by whoever finds them, who knows nothing of their answers. The logs
may: every event that any reader has seen is in them. So the bill is an estimate at worst, not a blank.
"""

from __future__ import annotations

from collections import Counter, deque

from tailrace.engine.retold import Retold
from tailrace.engine.usage import final_usage
from tailrace.errors import Overloaded
from tailrace.ledger import Ledger, Orphan, Outcome
from tailrace.log import LogStore

AT_ONCE = 100
"""Orphans looked at in one go: reading an answer's log again takes some milliseconds."""

WAITING = 10_000
"""Most orphans that wait for a store which is away; the oldest are given up, their usage unknown."""


class Salvage:
    """Amends the rows of ``ledger``'s orphans by the logs in ``store``."""

    def __init__(self, ledger: Ledger, store: LogStore) -> None:
        self._ledger = ledger
        self._store = store
        self._waiting: deque[Orphan] = deque(maxlen=WAITING)

    async def look(self) -> None:
        """Look after the orphans there are; those whose store is away wait for the next time."""
        orphans = self._ledger.orphans()
        rows = Counter(orphan.stream for orphan in orphans)
        # Of two attempts that were under way at once nobody knows whose words the log has.
        self._waiting.extend(orphan for orphan in orphans if rows[orphan.stream] == 1)
        for _ in range(min(AT_ONCE, len(self._waiting))):
            try:
                outcome = await self._told(self._waiting[0].stream)
            except Overloaded:
                return
            orphan = self._waiting.popleft()
            if outcome is not None:
                self._ledger.amend(orphan.id, outcome)

    async def _told(self, stream: str) -> Outcome | None:
        """Return how the answer of a dead writer ended and what it used; None when nothing is left of it."""
        log = await self._store.find(stream)
        if log is None:
            return None
        fold = Retold(log).fold
        usage = final_usage(fold)
        # Where nobody has ended it yet somebody will, and not otherwise than so.
        ending = log.ending or "interrupted"
        error = fold.error.kind if fold.error is not None else None if ending == "completed" else "interrupted"
        return Outcome(ending=ending, seconds=None, error=error, usage=usage.usage, label=usage.label)
