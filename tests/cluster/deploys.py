"""Deploys under load: one node after the other is ended and started again while clients read through the balancer."""

from __future__ import annotations

import asyncio
import random
import time
from typing import NamedTuple

from tests.cluster.house import House
from tests.cluster.load import Frame, Reading, kept, read, watch

PROMPT = 1.0
"""Seconds past the grace in which a node promises to be gone."""


class Figures(NamedTuple):
    """What came of it. Cells are deploys, readers, and the count of the provider's calls; each passes or does not."""

    cells: int
    passed: int
    violations: list[str]
    deploys: int
    streams: int
    readers: int
    frames: int
    resumptions: int
    refused: int
    replayed: int
    slowest_exit: float
    seconds: float


async def deploys(
    house: House, *, times: int, streams: int, grace: float, model: str, watched: float = 0.25, busy: float = 0.0
) -> Figures:
    """Deploy ``times`` times, alternating, while ``streams`` clients each read one answer after the other.

    ``model`` has ``{seed}`` in it. A ``watched`` part of the streams has a second reader, who comes when they have
    begun. ``busy`` are seconds that a machine with other work is given on top of the promise.
    """
    started = time.monotonic()
    over = asyncio.Event()
    readings: list[Reading] = []
    watchers: list[asyncio.Task[Reading]] = []
    chance = random.Random(18)
    count = 0

    def begun(reading: Reading) -> None:
        if chance.random() < watched:
            watchers.append(asyncio.create_task(watch(house.http, house.url, reading.stream)))

    async def client() -> None:
        nonlocal count
        while not over.is_set():
            count += 1
            readings.append(await read(house.http, house.url, model.format(seed=count), begun))

    clients = [asyncio.create_task(client()) for _ in range(streams)]
    await house.sim.until(lambda sim: sim.stats()["open"] >= streams)
    violations: list[str] = []
    failed = 0
    slowest = 0.0
    for number in range(times):
        node = house.nodes[number % 2]
        # A node that has just come up has no streams yet, and nobody reads there what the other one writes.
        while min([await house.live(one) for one in house.nodes]) < streams // 3:
            await asyncio.sleep(0.1)
        code, seconds = await node.end()
        slowest = max(slowest, seconds)
        if code != 0 or seconds > grace + PROMPT + busy:
            failed += 1
            violations.append(f"deploy {number + 1}: exit code {code} after {seconds:.2f} s")
        await node.start()
    over.set()
    await asyncio.gather(*clients)
    readings += await asyncio.gather(*watchers)
    logs = await _logs(house, {reading.stream for reading in readings if reading.stream})
    for reading in readings:
        broken = reading.violations(logs.get(reading.stream, []))
        failed += bool(broken)
        violations += broken
    calls = house.sim.stats()["requests"]
    if calls != len(logs):
        failed += 1
        violations.append(f"{calls} calls of the provider for {len(logs)} streams")
    cells = times + len(readings) + 1
    return Figures(
        cells=cells,
        passed=cells - failed,
        violations=violations,
        deploys=times,
        streams=len(logs),
        readers=len(readings),
        frames=sum(len(reading.frames) for reading in readings),
        resumptions=sum(max(reading.connections - 1, 0) for reading in readings),
        refused=sum(reading.refused for reading in readings),
        replayed=sum(reading.replayed for reading in readings),
        slowest_exit=slowest,
        seconds=time.monotonic() - started,
    )


async def _logs(house: House, streams: set[str]) -> dict[str, list[Frame]]:
    """Return what is kept of each stream, as a node tells it to somebody who asks for the first time."""
    found: dict[str, list[Frame]] = {}
    left = list(streams)

    async def fetch() -> None:
        while left:
            stream = left.pop()
            found[stream] = await kept(house.http, house.nodes[0].url, stream)

    await asyncio.gather(*(fetch() for _ in range(16)))
    return found
