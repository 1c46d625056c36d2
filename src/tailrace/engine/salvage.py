"""What the answers of a relay that died had come to, as far as their logs tell.

The rows that it left open in the ledger are closed by whoever finds them, who knows nothing of their answers. The logs
may: every event that any reader has seen is in them. So the bill is an estimate at worst, not a blank.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

import structlog

from tailrace.engine.failures import trace
from tailrace.engine.retold import Retold
from tailrace.engine.usage import final_usage
from tailrace.errors import Overloaded
from tailrace.ledger import Ledger, Orphan, Outcome
from tailrace.log import LogStore, StreamLog

EVERY = 5.0
"""Seconds between two looks."""

AT_ONCE = 100
"""Orphans looked at in one go, and then written in one transaction."""

WAITING = 10_000
"""Most orphans that wait for a store which is away, or for the end of their stream; the oldest are given up."""

_log = structlog.get_logger("tailrace.relay")


class Salvage:
    """Amends the rows of ``ledger``'s orphans by the logs in ``store``."""

    def __init__(self, ledger: Ledger, store: LogStore) -> None:
        self._ledger = ledger
        self._store = store
        self._waiting: deque[Orphan] = deque(maxlen=WAITING)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    async def look(self) -> None:
        """Look after the orphans there are; those whose store is away wait for the next time."""
        orphans = self._ledger.orphans()
        rows = Counter(orphan.stream for orphan in orphans)
        # Of two attempts that were under way at once nobody knows whose words the log has.
        self._waiting.extend(orphan for orphan in orphans if rows[orphan.stream] == 1)
        known: dict[str, Outcome] = {}
        for _ in range(min(AT_ONCE, len(self._waiting))):
            orphan = self._waiting[0]
            try:
                log = await self._store.find(orphan.stream)
            except Overloaded:
                break
            self._waiting.popleft()
            if log is not None and log.ending is None:
                # Another node is about to end it, and to say how.
                self._waiting.append(orphan)
            elif log is not None and (outcome := _told(log)) is not None:
                known[orphan.id] = outcome
            await asyncio.sleep(0)  # reading a long answer again takes some 10 ms, in which nobody else gets a turn
        if known:
            self._ledger.amend(known)


def _told(log: StreamLog) -> Outcome | None:
    """Return how the answer of a dead writer ended and what it used; None where its log cannot be read."""
    try:
        fold = Retold(log).fold
        usage = final_usage(fold)
    except Exception as bug:  # noqa: BLE001 - one log, of a newer version perhaps, must not keep the others waiting
        _log.warning("orphan_not_read", stream=log.info.id[:8], exception=trace(bug))
        return None
    error = fold.error.kind if fold.error is not None else None if log.ending == "completed" else "interrupted"
    ending = log.ending or "interrupted"
    return Outcome(ending=ending, seconds=None, error=error, usage=usage.usage, label=usage.label)
