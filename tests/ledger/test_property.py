"""Any order of openings, closes, faults, cancellations and crashes of two writers gives exactly one row per attempt."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tailrace.errors import Overloaded
from tailrace.ledger import SqliteLedger
from tailrace.ledger.faults import Unwritable
from tailrace.ledger.owed import Batch
from tailrace.ledger.store import Store
from tailrace.testing.ledgers import COMPLETED, FAILED, INTERRUPTED, attempt
from tests.ledger.writer import rows

T = TypeVar("T")

Fault = Literal["none", "before", "after"]
"""Whether a transaction goes well, fails, or fails although it got through: what nobody can tell from the second."""


class Faulty(Store):
    fault: Fault = "none"

    def write(self, batch: Batch) -> None:
        if self.fault == "before":
            raise Unwritable("io_error", "planted")
        super().write(batch)
        if self.fault == "after":
            raise Unwritable("io_error", "planted")


class Life(msgspec.Struct):
    """One writer, and what its ledger has to say in the end of each of its attempts."""

    ledger: SqliteLedger
    store: Faulty
    strict: bool
    running: list[str] = []
    outcomes: dict[str, Any] = {}
    refused: list[str] = []
    """Attempts that did not take place: refused, or cancelled before they began."""


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ledger.sqlite3"
        self.counter = 0
        self.due: dict[str, Any] = {}
        """What the dead owe: attempts that were surely stored, with the outcomes that their rows may have."""
        self.possible: set[str] = set()
        """Attempts of the dead of which a row may be there or not."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 20))

    def born(self, strict: bool) -> Life:
        ledger = SqliteLedger(self.path, strict=strict, spill=8, retry=0.001, busy=5, sweep=1000)
        ledger._store = store = Faulty(self.path)
        self.run(ledger.start())
        return Life(ledger, store, strict)

    @initialize(strict=st.tuples(st.booleans(), st.booleans()))
    def begin(self, strict: tuple[bool, bool]) -> None:
        self.lives = [self.born(one) for one in strict]

    which = st.integers(0, 1)

    @rule(which=which, count=st.integers(1, 4))
    def open(self, which: int, count: int) -> None:
        life = self.lives[which]

        async def one(name: str) -> None:
            try:
                await life.ledger.open(msgspec.structs.replace(attempt(), id=name))
                life.running.append(name)
            except Overloaded:
                life.refused.append(name)

        async def several() -> None:
            await asyncio.gather(*(one(f"a{self.counter + number}") for number in range(count)))

        self.run(several())
        self.counter += count

    @rule(which=which, turns=st.integers(0, 5))
    def open_and_cancel(self, which: int, turns: int) -> None:
        """The client goes away while its row is being stored; it may also be too late for that."""
        life = self.lives[which]
        name = f"c{self.counter}"
        self.counter += 1

        async def cancelled() -> None:
            task = asyncio.ensure_future(life.ledger.open(msgspec.structs.replace(attempt(), id=name)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Overloaded):
                await task
                life.running.append(name)

        self.run(cancelled())
        if name not in life.running:
            life.refused.append(name)

    @rule(which=which, pick=st.integers(0, 99), well=st.booleans())
    def close(self, which: int, pick: int, well: bool) -> None:
        life = self.lives[which]
        if life.running:
            name = life.running.pop(pick % len(life.running))
            life.outcomes[name] = COMPLETED if well else FAILED

            async def closes() -> None:
                life.ledger.close(name, life.outcomes[name])
                life.ledger.close(name, FAILED)

            self.run(closes())

    @rule(which=which, fault=st.sampled_from(["before", "after"]))
    def breaks(self, which: int, fault: Fault) -> None:
        self.lives[which].store.fault = fault

    @rule(which=which)
    def mended(self, which: int) -> None:
        self.lives[which].store.fault = "none"

    @rule(which=which)
    def all_settles(self, which: int) -> None:
        life = self.lives[which]
        life.store.fault = "none"

        async def settled() -> None:
            while life.ledger.owed or life.ledger.trouble:
                await asyncio.sleep(0.001)

        self.run(settled())
        self.check(life)

    @rule(which=which, strict=st.booleans())
    def crash(self, which: int, strict: bool) -> None:
        """The process is gone, its locks with it; another takes its place."""
        life = self.lives[which]
        sure = not life.ledger.owed
        assert life.ledger._executor is not None
        life.ledger._executor.shutdown(wait=True)
        life.ledger._executor = None
        life.store._disconnect()
        life.store._writers._lock.release()
        self.loop.run_until_complete(asyncio.sleep(0))
        for name in life.running:
            self.inherit(name, [INTERRUPTED], sure or life.strict)
        if not sure:
            self.possible.update(life.refused)
        for name, outcome in life.outcomes.items():
            self.inherit(name, [outcome] if sure else [outcome, INTERRUPTED], sure or life.strict)
        self.lives[which] = self.born(strict)

    def inherit(self, name: str, outcomes: list[Any], sure: bool) -> None:
        if sure:
            self.due[name] = outcomes
        else:
            self.possible.add(name)

    @precondition(lambda self: all(life.store.fault == "none" for life in self.lives))
    @rule(which=which, strict=st.booleans())
    def leave(self, which: int, strict: bool) -> None:
        """An orderly end: what was noted is written, what still ran is closed by the next start."""
        life = self.lives[which]
        self.run(life.ledger.aclose())
        for name in life.running:
            self.due[name] = [INTERRUPTED]
        for name, outcome in life.outcomes.items():
            self.due[name] = [outcome]
        self.lives[which] = self.born(strict)

    @invariant()
    def nobody_owes_more_than_the_spill_and_what_ran(self) -> None:
        for life in getattr(self, "lives", []):
            assert life.ledger.owed <= 8 + 4 + len(life.outcomes) + len(life.running)

    def check(self, life: Life) -> None:
        found = rows(self.path)
        for name in life.running:
            assert found[name].outcome is None
        for name, outcome in life.outcomes.items():
            assert found[name].outcome == outcome
        for name, outcomes in self.due.items():
            assert found[name].outcome in outcomes
        known = {*self.due, *self.possible}
        for one in self.lives:
            known |= {*one.running, *one.outcomes, *(one.refused if one.ledger.owed else ())}
        assert set(found) <= known

    def teardown(self) -> None:
        for which, life in enumerate(getattr(self, "lives", [])):
            if life.ledger._executor is not None:
                self.all_settles(which)
                self.run(life.ledger.aclose())
        self.loop.close()
        shutil.rmtree(self.folder)


Machine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnyOrder = Machine.TestCase
