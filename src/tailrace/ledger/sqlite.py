"""The ledger in an SQLite file: the event loop decides (`tailrace.ledger.owed`), one thread writes (`.store`).

All that waits goes into one transaction; while it is being written the next one gathers. Several processes may share
the file. Durability D1: WAL with ``synchronous = NORMAL``, which outlives the process; ``full`` outlives a power cut.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from tailrace.errors import Overloaded
from tailrace.ledger.base import Attempt, Orphan, Outcome, Row
from tailrace.ledger.faults import Unwritable
from tailrace.ledger.owed import SPILL, Batch, Owed
from tailrace.ledger.store import BUSY, Store, Synchronous

_log = structlog.get_logger("tailrace.ledger")

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that an attempt waits for its row on a disk that is slow but not broken: more than an fsync takes anywhere,
less than a person waits for a first word."""

RETRY = 1.0
"""Seconds between two tries to write what is owed: what mends by itself is not noticed to have been broken for long."""

SWEEP = 30.0
"""Seconds between two looks for rows that dead writers left: a sibling that nobody replaces is not looked for else."""

MOST_ROWS = 10_000
"""Most rows read at once, about 10 MB: reading them keeps the one thread from writing for some 50 ms."""


class SqliteLedger:
    """A ledger in the file at ``path``, which is made, with its folder, where it is missing.

    ``strict``: no attempt begins whose row could not be stored. Otherwise up to ``spill`` rows are kept in memory
    meanwhile, and lost with the process. ``synchronous`` is ``"normal"`` or ``"full"``. The other four are in seconds.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        strict: bool = False,
        synchronous: Synchronous = "normal",
        spill: int = SPILL,
        busy: float = BUSY,
        patience: float = PATIENCE,
        retry: float = RETRY,
        sweep: float = SWEEP,
    ) -> None:
        self.path = Path(path)
        self.strict = strict
        self._owed = Owed(spill)
        self._store = Store(self.path, synchronous=synchronous, busy=busy)
        self._patience = patience
        self._retry = retry
        self._sweep = sweep
        self._executor: ThreadPoolExecutor | None = None
        self._opening: dict[str, asyncio.Future[bool]] = {}
        self._writing: asyncio.Future[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        # As many as anybody reads at once; more are left as nobody knows better.
        self._orphans: deque[Orphan] = deque(maxlen=MOST_ROWS)

    @property
    def trouble(self) -> str | None:
        """Why the file cannot be written now: ``disk_full``, ``io_error``, ``locked`` …; None when it can."""
        return self._owed.trouble

    @property
    def owed(self) -> int:
        """How many attempts' rows are not, or not all, in the file yet."""
        return self._owed.count

    @property
    def spilled(self) -> dict[str, int]:
        """How many attempts had to be kept in memory so far, by the reason."""
        return dict(self._owed.spilled)

    async def start(self) -> None:
        """Open the file; close the rows of writers that died. Raises `ConfigError` for what will not mend by itself."""
        if self._executor is not None:
            return
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="tailrace-ledger")
        try:
            await self._run(self._store.open)
            self._orphans.extend(await self._run(self._store.unknown))
            self._recovered(await self._run(self._store.recover))
        except Unwritable as fault:
            self._broken(fault)
        except BaseException:
            self._executor.submit(self._store.close)
            self._executor.shutdown(wait=False)
            self._executor = None
            raise
        self._later("sweep", self._sweep, self._look_for_the_dead)

    async def open(self, attempt: Attempt) -> None:
        """Return when the row is stored or, not strict, kept. Raises `Overloaded` where it is neither."""
        if self._executor is None or self._owed.full or (self.strict and self._owed.trouble):
            raise self._refusal()
        self._owed.admit(attempt)
        if self._owed.trouble:
            return
        stored = self._opening[attempt.id] = asyncio.get_running_loop().create_future()
        self._write()
        try:
            async with asyncio.timeout(self._patience):
                done = await stored
        except TimeoutError:
            done = False
            self._owed.spilled["slow"] += 1
        except BaseException:
            self._withdraw(attempt.id)
            raise
        finally:
            self._opening.pop(attempt.id, None)
        if not done and self.strict:
            self._withdraw(attempt.id)
            raise self._refusal()

    def close(self, attempt_id: str, outcome: Outcome) -> None:
        """Note how an attempt ended; it is written with the next transaction."""
        if self._owed.settle(attempt_id, outcome):
            self._write()

    def orphans(self) -> list[Orphan]:
        """Return the rows that were closed for dead writers and not named yet; the newest, where there are many."""
        orphans, self._orphans = list(self._orphans), deque(maxlen=MOST_ROWS)
        return orphans

    def amend(self, outcomes: Mapping[str, Outcome]) -> None:
        """Note what became known of orphans. What cannot be written now is looked for again at the next start."""
        if self._executor is not None:
            self._run(self._store.amend, outcomes).add_done_callback(_amended)

    async def rows(self, *, stream: str | None = None, limit: int = 100) -> list[Row]:
        """Return the newest stored rows. Raises `Overloaded` when the file cannot be read."""
        for _ in range(2):  # what is being written, then what waited for that
            if self._writing is not None:
                await asyncio.wait([self._writing])
        try:
            return await self._run(self._store.rows, stream, max(0, min(limit, MOST_ROWS)))
        except Unwritable as fault:
            raise Overloaded(f"the ledger cannot be read now: {fault.reason}", code="ledger_unavailable") from fault

    async def aclose(self) -> None:
        """Write what is owed, try once more where that failed, and leave. What must be given up goes into the log."""
        if self._executor is None:
            return
        self._write(even_if_broken=True)
        try:
            async with asyncio.timeout(self._patience):
                while self._writing is not None:
                    await asyncio.wait([self._writing])
                await self._run(self._store.close)
        except TimeoutError:
            _log.warning("the ledger's file is not answering", path=str(self.path))
        self._executor.shutdown(wait=False)
        self._executor = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._answer(dict.fromkeys(self._opening), stored=False)
        for entry in self._owed.rows:
            if not entry.withdrawn:
                _log.error("a row could not be written", reason=self.trouble, row=msgspec.to_builtins(entry))

    def _run(self, call: Callable[..., T], *args: object) -> asyncio.Future[T]:
        if self._executor is None:
            raise Overloaded("the ledger is not open", code="ledger_unavailable")
        return asyncio.get_running_loop().run_in_executor(self._executor, call, *args)

    def _refusal(self) -> Overloaded:
        reason = self._owed.trouble or ("not open" if self._executor is None else "too slow")
        return Overloaded(
            f"the ledger cannot be written ({reason}), and no work begins without its row",
            code="ledger_unavailable",
            retry_after=self._retry,
        )

    def _withdraw(self, attempt_id: str) -> None:
        self._owed.withdraw(attempt_id)
        self._write()

    def _write(self, *, even_if_broken: bool = False) -> None:
        """Begin a transaction, unless one is going on: its end begins the next."""
        if self._writing is not None or self._executor is None or (self._owed.trouble and not even_if_broken):
            return
        batch = self._owed.take()
        if batch or even_if_broken:
            self._writing = self._run(self._store.write, batch)
            self._writing.add_done_callback(self._written)

    def _written(self, writing: asyncio.Future[None]) -> None:
        self._writing = None
        error = writing.exception()
        if error is None:
            trouble = self._owed.trouble
            done = self._owed.stored()
            if trouble:
                _log.info("the ledger is written again", reason=trouble, rows=len(done))
            self._answer(done, stored=True)
            self._write()
        else:
            self._broken(error)

    def _broken(self, error: BaseException) -> None:
        reason = error.reason if isinstance(error, Unwritable) else "fault"
        if self._owed.trouble != reason:
            _log.error("the ledger cannot be written", reason=reason, error=str(error), path=str(self.path))
        self._owed.failed(reason)
        # Nobody waits for a disk that is known to be broken.
        self._answer(dict.fromkeys(self._opening), stored=False)
        self._later("retry", self._retry, lambda: self._write(even_if_broken=True))

    def _answer(self, ids: Batch | dict[str, None], *, stored: bool) -> None:
        for attempt_id in ids:
            waiter = self._opening.get(attempt_id)
            if waiter is not None and not waiter.done():
                waiter.set_result(stored)

    def _look_for_the_dead(self) -> None:
        if self._owed.trouble:
            self._later("sweep", self._sweep, self._look_for_the_dead)
        else:
            self._run(self._store.recover).add_done_callback(self._looked)

    def _looked(self, looking: asyncio.Future[list[Orphan]]) -> None:
        # Trouble here is noticed by the next row; the dead can wait.
        if looking.exception() is None:
            self._recovered(looking.result())
        self._later("sweep", self._sweep, self._look_for_the_dead)

    def _recovered(self, orphans: list[Orphan]) -> None:
        self._orphans.extend(orphans)
        if orphans:
            _log.warning("closed the rows of a writer that had died", rows=len(orphans), path=str(self.path))

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        if self._executor is not None:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, call)


def _amended(amending: asyncio.Future[None]) -> None:
    if (error := amending.exception()) is not None:
        _log.warning("what became known of orphans could not be written", error=str(error))
