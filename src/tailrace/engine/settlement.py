"""What is written down when an attempt is over: its row in the ledger, its provider's health, who counts."""

from __future__ import annotations

import asyncio

from tailrace.engine.attempt import Attempt
from tailrace.engine.breaker import Breaker
from tailrace.engine.generation import Generation
from tailrace.engine.observer import Observers
from tailrace.engine.usage import final_usage
from tailrace.ledger import Attempt as Row
from tailrace.ledger import Ledger, Outcome


class Settlement:
    """Closes the row of an attempt, once: by the generation's end when that was its own, else by its failure."""

    def __init__(
        self,
        ledger: Ledger,
        breaker: Breaker,
        generation: Generation,
        attempt: Attempt,
        row: Row,
        *,
        observers: Observers,
    ) -> None:
        self._ledger = ledger
        self._observers = observers
        self._breaker = breaker
        self._generation = generation
        self._attempt = attempt
        self._row = row
        self._started = asyncio.get_running_loop().time()
        self._done = False

    def __call__(self) -> None:
        """Settle it, unless that has been done."""
        if self._done:
            return
        self._done = True
        attempt, generation = self._attempt, self._generation
        now = asyncio.get_running_loop().time()
        theirs = attempt is generation.attempt
        error = generation.error if theirs else attempt.failure
        ending = generation.ending if theirs else error and error.ending
        if error is not None:
            self._breaker.failed(error, now)
        fold, first = attempt.fold, attempt.first_content
        usage = final_usage(fold)
        outcome = Outcome(
            ending=ending or "cancelled",
            seconds=now - self._started,
            first_content=None if first is None else first - self._started,
            error=error.kind if error else None,
            status=error.status if error else None,
            usage=usage.usage,
            label=usage.label,
        )
        self._ledger.close(self._row.id, outcome)
        self._observers.attempt_ended(self._row, outcome)
