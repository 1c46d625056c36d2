"""F18's heart: rolling deploys of two nodes behind nginx, on one Redis, under a constant number of streams."""

from __future__ import annotations

import asyncio
import sys

import msgspec
from tests.cluster.deploys import Figures, deploys
from tests.cluster.house import cluster

GRACE = 15.0
"""Seconds that the nodes get; the answers take a quarter of it."""

MODEL = "ant/sim:tokens=20,rate=6,seed={seed}"
"""Three to four seconds, and no two answers alike."""


async def rolling(times: int = 20, streams: int = 200) -> Figures:
    """Deploy ``times`` times, alternating, under ``streams`` streams at once; the figures name every violation."""
    # Everything is looked at once more when all is over: it must be kept for that long.
    async with cluster(GRACE, TAILRACE__LIMITS__TTL="3600") as house:
        return await deploys(house, times=times, streams=streams, grace=GRACE, model=MODEL)


if __name__ == "__main__":
    found = asyncio.run(rolling(*map(int, sys.argv[1:])))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found._asdict()), indent=2).decode() + "\n")
