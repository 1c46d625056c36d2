"""F7: readers of 1 byte and of 1 KB a second, and readers that never read, beside fifty that do.

A slow reader holds its provider back, is cut after its time with its place intact, and loses nothing when it comes
back; the relay's memory stays within a cap for each; the others' gaps are what they were.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable
from typing import NamedTuple

from chaos import raw
from chaos.asking import asked
from chaos.card import Fault, Run
from chaos.checker import Connection, Reader, Violation, check, memory, neighbours, percentile
from chaos.fleet import Fleet, fleet
from chaos.house import connection, last, seed
from chaos.truth import truth
from tailrace.simulator import parse

BIG = 8000
"""Tokens of an answer that no buffer on the way can hold: more than 1 MB."""

CAP = 512 * 1024
"""Bytes of memory for each slow reader: 64 KiB of lag, twice 64 KiB unread of its provider, 64 KiB in its connection,
and as much again for the frames' own objects."""

STALL = 10.0
"""Seconds after which a reader that takes next to nothing is cut: the fast ones are done by then, and all is weighed.
Afterwards the answers go on into their logs, which grow to what the answers are long."""

WATCHED = STALL + 2.0
"""Seconds during which the slow ones are slow: until they have been cut."""

LOOKS = 5
"""Times, half a second apart, that answers which should stand still are looked at: before their readers are cut."""


class Slow(NamedTuple):
    """How a reader reads: ``size`` bytes once a ``pause``; 0 bytes: never."""

    name: str
    size: int
    pause: float


KINDS = (Slow("1 B/s", 1, 1.0), Slow("1 KB/s", 1024, 1.0), Slow("never reads", 0, 1.0))


async def run(this: Run) -> None:
    count = 10 if this.sample else 50
    limits = {"reader_stall": STALL, "heartbeat": 1}
    async with fleet(1, memory=True, limits=limits) as ships:
        baseline, _ = await _fast(ships, count)
        for slow in this.pick(list(KINDS), 1):
            await _beside(this, ships, slow, count, baseline)


async def _fast(ships: Fleet, count: int) -> tuple[list[float], list[list[Violation]]]:
    """Read ``count`` paced answers; return the gaps between events and what was wrong with each."""
    gaps: list[float] = []

    async def one() -> list[Violation]:
        mine = seed()
        model = f"sim:tokens=200,rate=40,seed={mine}"
        path, body = asked("anthropic", f"ant/{model}")
        async with await raw.request(ships.urls[0], "POST", path, body) as exchange:
            answer = await exchange.to_the_end()
            gaps.extend(later - before for before, later in itertools.pairwise(exchange.arrivals))
        stream = await ships.evidence(
            ships.urls[0],
            answer.headers["tailrace-stream-id"],
            [Reader("a fast one", [connection(answer, "anthropic")])],
            seeded=mine,
            truth=truth(parse(model), "anthropic"),
        )
        return check([stream])

    found = await asyncio.gather(*(one() for _ in range(count)))
    return gaps, list(found)


async def _beside(this: Run, ships: Fleet, slow: Slow, count: int, baseline: list[float]) -> None:
    relay = ships.nodes[0]
    base = relay.resident()
    mine = [seed() for _ in range(count)]
    streams: list[str] = []
    reading = [asyncio.ensure_future(_read_slowly(ships, slow, number, streams.append)) for number in mine]
    await asyncio.sleep(1.0)
    relay.forget_peak()
    gaps, fast = await _fast(ships, count)
    peak = relay.resident("VmHWM")
    moved = await _going_on(ships, streams, count)
    slowest = await asyncio.gather(*reading, return_exceptions=True)
    for number, found in enumerate(fast, 1):
        this.cell(f"{slow.name}: fast reader {number}", found)
    this.cell(f"{slow.name}: memory", memory(base, peak, 2 * count, CAP))
    this.cell(f"{slow.name}: the others' gaps", neighbours(baseline, gaps, 0.1))
    this.figures[f"KB a stream, {slow.name}"] = round((peak - base) / (2 * count) / 1024)
    this.figures[f"ms p99 gap, {slow.name}"] = round(percentile(gaps, 0.99) * 1000)
    this.figures["ms p99 gap, alone"] = round(percentile(baseline, 0.99) * 1000)
    unpaused = [] if not moved else [Violation("I6", f"{moved} providers were not held back")]
    this.cell(f"{slow.name}: providers are held back", unpaused)
    for number, result in zip(mine, slowest, strict=True):
        broken = isinstance(result, BaseException)
        said = [f"unknown: {result!r}"] if broken else [str(v) for v in result]  # type: ignore[union-attr]
        this.cell(f"{slow.name}: slow reader {number}", said)


async def _going_on(ships: Fleet, streams: list[str], count: int) -> int:
    """Return how many answers still grow, or are over; the last buffers may be filling, so there are a few looks."""
    growing = count
    before: list[int | None] = [0] * count
    for _ in range(LOOKS):
        # Whoever has not been given a name by now was not answered.
        now = await _lengths(ships, list(streams))
        now += [None] * (count - len(now))
        growing = sum(one is None or one != other for one, other in zip(now, before, strict=True))
        if not growing:
            break
        before = now
        await asyncio.sleep(0.5)
    return growing


async def _lengths(ships: Fleet, streams: list[str]) -> list[int | None]:
    """Return how many bytes long each answer is by now, as the relay tells without reading on; None at its end."""
    told = [await raw.fetch(ships.urls[0], "GET", f"/streams/{stream}/message") for stream in streams]
    return [None if json.loads(answer.body)["ending"] else len(answer.body) for answer in told]


async def _read_slowly(ships: Fleet, slow: Slow, mine: int, named: Callable[[str], None]) -> list[Violation]:
    model = f"sim:tokens={BIG},seed={mine}"
    path, body = asked("anthropic", f"ant/{model}")
    url = ships.urls[0]
    async with await raw.request(url, "POST", path, body, receive_buffer=4096) as exchange:
        stream = (await exchange.head()).headers["tailrace-stream-id"]
        named(stream)
        until = time.monotonic() + WATCHED
        while time.monotonic() < until:
            await asyncio.sleep(slow.pause)
            if slow.size:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(slow.pause):
                        await exchange.take(len(exchange.raw) + slow.size)
        # By now it has been cut: what is left in the kernel's hands still counts as read.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STALL * 3):
                await exchange.to_the_end()
        first = exchange.answer
    connections = [connection(first, "anthropic")]
    after = last(first, "anthropic")
    again = await raw.fetch(url, "GET", f"/streams/{stream}", headers={"last-event-id": str(after)})
    connections.append(Connection(after, connection(again, "anthropic", after).frames, again.complete))
    told = truth(parse(model), "anthropic")
    evidence = await ships.evidence(url, stream, [Reader("a slow one", connections)], seeded=mine, truth=told)
    return check([evidence])


FAULT = Fault(
    "F7", "slow readers, and readers that never read", "cut with their place intact; the others unharmed", run
)
