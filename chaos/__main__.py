"""``python -m chaos [F1 F2 …] [--sample] [--seed N] [--json FILE]``: run cells, print the scorecard."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

import structlog

from chaos import card
from chaos.faults import FAULTS, LONG


async def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description="Runs the faults and prints the scorecard.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {' '.join(FAULTS)}; all of them where none is")
    parser.add_argument("--sample", action="store_true", help="a few cells of each kind, in seconds")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same cells")
    parser.add_argument("--json", type=Path, help="the scorecard to write into")
    options = parser.parse_args()
    unknown = set(options.faults) - set(FAULTS)
    if unknown:
        parser.error(f"no fault {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    passed = failed = 0
    for number in options.faults or [number for number in FAULTS if number not in LONG]:
        this = await card.run(FAULTS[number], sample=options.sample, seed=options.seed)
        print(card.shown(this), flush=True)
        passed, failed = passed + this.passed, failed + len(this.misses)
        if options.json:
            card.written(options.json, [this])
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
