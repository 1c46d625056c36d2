"""The scorecard: cells, what came of them, and its two forms, for people and for the README.

A *cell* is one thing that goes wrong in one way; it has passed when nothing was violated. One that hung, broke or could
not be judged has failed: unknown is not passed.
"""

from __future__ import annotations

import asyncio
import json
import platform
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from chaos.checker import Violation

T = TypeVar("T")

NAMED = 200
"""Most misses of one fault that are named; more than that is one bug, not two hundred."""

CELL = 60.0
"""Seconds after which a cell is taken to hang, unless it says otherwise."""

Judged: TypeAlias = Awaitable[list[Violation]]


class Fault(NamedTuple):
    """One line of the scorecard: its number, what goes wrong, what must hold, and what runs its cells."""

    number: str
    title: str
    target: str
    run: Callable[[Run], Awaitable[None]]


class Run:
    """One fault being run: where its cells report.

    ``sample`` asks for a few seconds' worth of the same kinds of cells. ``rng`` is the fault's own, from the seed.
    ``figures`` are what it measured.
    """

    def __init__(self, fault: Fault, *, sample: bool, seed: int) -> None:
        self.fault = fault
        self.sample = sample
        self.seed = seed
        self.rng = random.Random(f"{fault.number} {seed}")
        self.passed = 0
        self.misses: list[str] = []
        self.figures: dict[str, float | int | str] = {}
        self.seconds = 0.0

    def cell(self, name: str, violations: Iterable[Violation | str]) -> None:
        """Take note of what was found in the cell ``name``."""
        found = [str(violation) for violation in violations]
        if found:
            self.misses.append(f"{name}: {'; '.join(found[:3])}")
        else:
            self.passed += 1

    def pick(self, items: list[T], count: int) -> list[T]:
        """Return all of ``items``, or in a sample ``count`` of them, in their order."""
        if not self.sample or count >= len(items):
            return items
        chosen = sorted(self.rng.sample(range(len(items)), count))
        return [items[index] for index in chosen]

    async def one(self, name: str, judged: Judged, seconds: float = CELL) -> None:
        """Run one cell; an exception or ``seconds`` without an end is a miss."""
        try:
            async with asyncio.timeout(seconds):
                violations: list[Violation | str] = [*await judged]
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = "no end" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
            violations = [f"unknown: {what} ({Path(place.filename).name}:{place.lineno})"]
        self.cell(name, violations)

    async def each(
        self,
        items: Iterable[T],
        named: Callable[[T], str],
        judge: Callable[[T], Judged],
        *,
        width: int = 16,
        seconds: float = CELL,
    ) -> None:
        """Run a cell for each of ``items``, ``width`` of them at a time."""
        pending = iter(items)

        async def worker() -> None:
            for item in pending:
                await self.one(named(item), judge(item), seconds)

        await asyncio.gather(*(worker() for _ in range(width)))

    def result(self) -> dict[str, Any]:
        """Return the fault's entry in the scorecard."""
        return {
            "title": self.fault.title,
            "target": self.fault.target,
            "passed": self.passed,
            "all": self.passed + len(self.misses),
            "misses": self.misses[:NAMED],
            "seconds": round(self.seconds, 1),
            "figures": self.figures,
            "sample": self.sample,
            "seed": self.seed,
        }


async def run(fault: Fault, *, sample: bool = False, seed: int = 1) -> Run:
    """Run one fault's cells; one that cannot be run at all is one miss."""
    this = Run(fault, sample=sample, seed=seed)
    start = time.monotonic()
    try:
        await fault.run(this)
    except Exception as error:
        this.cell(f"{fault.number} could not be run to its end", [f"{type(error).__name__}: {error}"])
        traceback.print_exc()
    if not this.passed and not this.misses:
        this.cell(f"{fault.number} has cells", ["there are none"])
    this.seconds = time.monotonic() - start
    return this


def written(path: Path, runs: Iterable[Run]) -> None:
    """Put ``runs`` into the scorecard at ``path``, leaving what other runs wrote there."""
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    faults = card.get("faults", {}) | {this.fault.number: this.result() for this in runs}
    card["machine"] = f"{platform.system()}, {platform.machine()}, CPython {platform.python_version()}"
    card["faults"] = {number: faults[number] for number in sorted(faults, key=lambda number: int(number[1:]))}
    path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def shown(this: Run) -> str:
    """Return a fault's lines for people."""
    total = this.passed + len(this.misses)
    figures = ", ".join(f"{name} {value}" for name, value in this.figures.items())
    head = f"{this.fault.number:>4}  {this.passed:>6} / {total:<6} {this.seconds:6.1f} s  {this.fault.title}"
    lines = [head + (f"  [{figures}]" if figures else "")]
    lines += [f"        missed: {miss}" for miss in this.misses[:20]]
    if len(this.misses) > 20:
        lines.append(f"        … and {len(this.misses) - 20} more")
    return "\n".join(lines)
