"""Not a fault of the outside: bugs planted in a copy of the code, which the other cells must find."""

from __future__ import annotations

from chaos.card import Fault, Run
from chaos.checker import Violation
from chaos.plants import PLANTS, Plant, caught


async def run(this: Run) -> None:
    async def judged(plant: Plant) -> list[Violation]:
        return [Violation(plant.promise, reason) for reason in await caught(plant)]

    await this.each(PLANTS[:1] if this.sample else PLANTS, lambda plant: plant.name, judged, width=1, seconds=400)


FAULT = Fault("F0", "planted bugs: is the proof worth anything?", "each is found", run)
