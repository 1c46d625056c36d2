"""F18: relays are replaced one after the other, as a deploy does it, under two hundred streams."""

from __future__ import annotations

from chaos.card import Fault, Run
from chaos.deploys import rolling

TIMES, STREAMS = 20, 200


async def run(this: Run) -> None:
    found = await rolling(*((1, 10) if this.sample else (TIMES, STREAMS)))
    for number, violation in enumerate(found.violations, 1):
        this.cell(f"violation {number}", [violation])
    for number in range(found.cells - len(found.violations)):
        this.cell(f"cell {number}", [] if number < found.passed else ["unknown: it did not pass"])
    this.figures |= {
        "deploys": found.deploys,
        "streams": found.streams,
        "frames": found.frames,
        "resumptions": found.resumptions,
        "s to leave, most": round(found.slowest_exit, 1),
    }


FAULT = Fault("F18", "rolling deploys under load", "no event lost or repeated; out within the grace", run)
