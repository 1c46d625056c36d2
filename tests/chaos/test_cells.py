"""A short sample of the faults; `make chaos` runs all of their cells."""

from __future__ import annotations

import pytest

from chaos import card
from chaos.card import Fault, Run
from chaos.checker import Violation
from chaos.faults import FAULTS

pytestmark = pytest.mark.anyio

SLOW: frozenset[str] = frozenset()
"""Faults whose smallest sample takes too long for every test run; their parts have tests of their own."""


@pytest.mark.parametrize("number", [number for number in FAULTS if number not in SLOW])
async def test_a_sample_of_a_fault_passes(number: str) -> None:
    this = await card.run(FAULTS[number], sample=True)
    assert this.misses == []
    assert this.passed > 0


async def test_what_hangs_breaks_or_is_violated_is_a_miss() -> None:
    async def cells(this: Run) -> None:
        async def broken() -> list[Violation]:
            raise LookupError("no stream")

        async def hanging() -> list[Violation]:
            await never.wait()
            return []

        async def violated() -> list[Violation]:
            return [Violation("I1", "a gap")]

        async def fine() -> list[Violation]:
            return []

        import asyncio

        never = asyncio.Event()
        for name, judged in {"broken": broken, "violated": violated, "fine": fine}.items():
            await this.one(name, judged())
        await this.one("hanging", hanging(), seconds=0.01)
        raise RuntimeError("and the rest")

    this = await card.run(Fault("F0", "a fault", "nothing", cells))
    assert this.passed == 1
    assert [miss.partition(":")[0] for miss in this.misses] == [
        "broken",
        "violated",
        "hanging",
        "F0 could not be run to its end",
    ]


async def test_a_fault_without_cells_has_not_passed() -> None:
    async def cells(_this: Run) -> None:
        return

    assert (await card.run(Fault("F0", "a fault", "nothing", cells))).misses
