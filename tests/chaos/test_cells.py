"""A short sample of the faults; `make chaos` runs all of their cells."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaos import card
from chaos.card import Fault, Run
from chaos.checker import Violation
from chaos.faults import FAULTS, LONG
from chaos.plants import PLANTS, Plant, caught, planted
from tests.redis_servers import needs_redis

pytestmark = pytest.mark.anyio

HERE = ("F1", "F2", "F10", "F13")
ON_REDIS = ("F3", "F4", "F20", "F21", "F22", "F26")
"""The others are tables of tests that are run anyway, or take too long for every run even as a sample (F0, F6, F7, F8,
F9, F18)."""


@pytest.mark.parametrize(
    "number", [*HERE, *(pytest.param(number, marks=(needs_redis, pytest.mark.system)) for number in ON_REDIS)]
)
@pytest.mark.timeout(300)  # the soak's sample is a minute long, and then waits for what it began
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


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_bug_still_has_its_place(plant: Plant, tmp_path: Path) -> None:
    planted(plant, tmp_path)
    assert plant.fault in FAULTS
    assert plant.new not in plant.old


async def test_a_planted_bug_is_found() -> None:
    """One of them; `make chaos` plants all."""
    plant = next(plant for plant in PLANTS if plant.promise == "I4")
    assert await caught(plant) == []


async def test_a_plant_that_is_no_bug_is_not_found() -> None:
    plant = PLANTS[0]._replace(new=PLANTS[0].old + "            # nothing\n")
    assert await caught(plant) == ["not found by the sample of F1"]


def test_every_fault_of_the_scorecard_is_there() -> None:
    missing = {f"F{number}" for number in range(27)} - set(FAULTS)
    assert missing == NOT_YET
    assert set(FAULTS) >= LONG


NOT_YET = {"F25"}
"""Faults without cells."""


async def test_a_fault_without_cells_has_not_passed() -> None:
    async def cells(_this: Run) -> None:
        return

    assert (await card.run(Fault("F0", "a fault", "nothing", cells))).misses
