"""F20: a stop at any moment: before the head, after every event, after the end; twice, at once from many sides, with a
second viewer, after a resume, at another node, and while Redis is away.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import NamedTuple

from chaos import raw
from chaos.card import Fault, Run
from chaos.checker import Connection, Reader, Violation, check, percentile
from chaos.fleet import street
from chaos.house import House, connection, house, last, seed
from chaos.raw import Exchange
from chaos.truth import truth
from chaos.wire import frames
from tailrace.simulator import Record, frames_of, parse

TOKENS = 40

PREAMBLE = 2
"""Events before the first content: the relay holds them back until a provider has said something that counts."""

LOCAL, AWAY = 0.25, 1.0
"""Seconds within which 99 of 100 stops must have closed the provider's connection: at the stream's node, at another."""

HANGS = 5.0
"""Seconds after which one stop alone is a violation, on a machine that does other things."""

KINDS = ("once", "twice", "at once", "two viewers", "after a resume", "seen by the message")


class Stop(NamedTuple):
    """One cell: after how many events of the provider (-1: before its head), in which way."""

    at: int
    kind: str

    def __str__(self) -> str:
        where = "before the head" if self.at < 0 else f"after event {self.at}"
        return f"{where}, {self.kind}"


async def run(this: Run) -> None:
    events = len(frames_of(parse(f"sim:tokens={TOKENS}"), "anthropic"))
    stops = [Stop(at, kind) for at in range(-1, events + 1) for kind in KINDS]
    async with house() as home:
        taken: list[float] = []
        await this.each(this.pick(stops, 30), str, lambda stop: _stopped(home, home, stop, taken, events), width=8)
        _p99(this, "here", taken, LOCAL)
    async with street() as pair:
        far: list[float] = []
        some = [stop for stop in stops if stop.kind in {"once", "two viewers", "after a resume"}]
        await this.each(
            this.pick(some, 12),
            lambda stop: f"at another node, {stop}",
            lambda stop: _stopped(pair.one, pair.two, stop, far, events),
            width=8,
        )
        _p99(this, "at another node", far, AWAY)
        await _while_away(this, pair.one, pair.redis)


def _p99(this: Run, where: str, taken: list[float], allowed: float) -> None:
    p99 = percentile(taken, 0.99)
    this.figures[f"ms to close the provider {where}, p50"] = round(percentile(taken, 0.5) * 1000, 1)
    this.figures[f"p99 {where}"] = round(p99 * 1000, 1)
    this.cell(f"p99 of stops {where}", [] if p99 <= allowed else [Violation("I5", f"{p99 * 1000:.0f} ms")])


async def _begun(home: House, at: int, mine: int, events: int) -> tuple[Exchange, str]:
    """Begin an answer whose provider stands still after ``at`` events; return it and its stream's id."""
    fault = "hang" if at < 0 else f"stall_event@{at}" if at < events else "no_usage"
    model = (
        f"ant/sim:tokens={TOKENS},seed={mine},fault={fault}" if at < events else f"ant/sim:tokens={TOKENS},seed={mine}"
    )
    exchange = await home.begin(model, tailrace_open_early="1")
    head = await exchange.head()
    if 0 <= at < events:
        await home.sim.until(lambda _: any(record.events_sent >= at for record in home.asked(mine)))
    if at > PREAMBLE:
        await exchange.until(b"\n\n", at)
    if at >= events:
        await exchange.to_the_end()
    return exchange, head.headers["tailrace-stream-id"]


async def _stopped(home: House, other: House, stop: Stop, taken: list[float], events: int) -> list[Violation]:
    mine = seed()
    exchange, stream = await _begun(home, stop.at, mine, events)
    async with exchange:
        await home.sim.until(lambda _: bool(home.asked(mine)))
        record = home.asked(mine)[0]
        first: list[Connection] = []
        if stop.kind == "after a resume" and stop.at < events:
            exchange.leave("rst")
            after = last(exchange.answer, "anthropic")
            first = [connection(exchange.answer, "anthropic")]
            exchange = await raw.request(other.url, "GET", f"/streams/{stream}", headers={"last-event-id": str(after)})
            await exchange.head()
        viewer = asyncio.ensure_future(other.follow(stream)) if stop.kind == "two viewers" else None
        found = await _stop(other, stream, stop.kind, record, taken)
        answer = await exchange.to_the_end()
        exchange.close()
    after = first[0].frames[-1].number if first and first[0].frames else 0
    readers = [Reader("the client", [*first, connection(answer, "anthropic", after)])]
    if viewer is not None:
        readers.append(Reader("the viewer", [connection(await viewer, "anthropic")]))
    whole = stop.at >= events
    told = truth(parse(f"sim:tokens={TOKENS},seed={mine}"), "anthropic", None if whole else record.bytes_sent)
    cause = "completed" if whole else "cancelled"
    evidence = await home.evidence(stream, readers, seeded=mine, truth=told, cause=cause, stopped=[], allowed=HANGS)
    found += check([evidence])
    if not whole and len(evidence.log) < stop.at > PREAMBLE:
        found.append(Violation("I5", f"{len(evidence.log)} events kept of {stop.at}"))
    return found


async def _stop(other: House, stream: str, kind: str, record: Record, taken: list[float]) -> list[Violation]:
    """Stop in the way of ``kind``; note how long the provider's connection stayed open."""
    running = record.state == "open"
    start = time.monotonic()
    count = {"twice": 1, "at once": 5}.get(kind, 1)
    stopping = asyncio.gather(*(other.stop(stream) for _ in range(count)))
    if running:
        async with asyncio.timeout(HANGS):
            await record.closed.wait()
        taken.append(time.monotonic() - start)
    answers = await stopping
    if kind == "twice":
        answers += [await other.stop(stream), await other.stop(stream)]
    found = [Violation("I5", f"a stop was answered {a.status}") for a in answers if a.status != 200]
    if running and record.state != "closed_by_client":
        found.append(Violation("I5", f"the provider's side ended as {record.state}"))
    if kind == "seen by the message":
        told = await raw.fetch(other.url, "GET", f"/streams/{stream}/message")
        if running and json.loads(told.body).get("ending") != "cancelled":
            found.append(Violation("I5", f"the message says {told.body[:100]!r}"))
    return found


async def _while_away(this: Run, home: House, redis) -> None:  # type: ignore[no-untyped-def]
    """Redis does not answer: a stop at the stream's own node closes the provider all the same."""
    places = [1, 5, 20, 40] if this.sample else list(range(1, 44, 2))
    begun = [(at, mine, *await _begun(home, at, mine, 99)) for at in places for mine in (seed(),)]
    for _, mine, _, _ in begun:
        await home.sim.until(lambda _, mine=mine: bool(home.asked(mine)))  # type: ignore[misc]
    redis.pause()
    taken: list[float] = []
    slow: dict[str, list[Violation]] = {}

    async def stopped(stream: str, mine: int) -> None:
        slow[stream] = await _stop(home, stream, "once", home.asked(mine)[0], taken)

    try:
        await asyncio.gather(*(stopped(stream, mine) for _, mine, _, stream in begun), return_exceptions=True)
    finally:
        redis.go_on()
    _p99(this, "while Redis is away", taken, LOCAL)
    for at, mine, exchange, stream in begun:

        async def judged(mine: int = mine, exchange: Exchange = exchange, stream: str = stream) -> list[Violation]:
            async with exchange:
                answer = await exchange.to_the_end()
            told = truth(parse(f"sim:tokens={TOKENS},seed={mine}"), "anthropic", home.asked(mine)[0].bytes_sent)
            readers = [Reader("the client", [Connection(0, frames(answer.body, "anthropic"), answer.complete)])]
            evidence = await home.evidence(stream, readers, seeded=mine, truth=told, cause="cancelled")
            unheard = [Violation("I5", "the provider was not left")] if stream not in slow else slow[stream]
            return unheard + check([evidence])

        await this.one(f"while Redis is away, after event {at}", judged())


FAULT = Fault("F20", "stop at any moment, from anywhere", "provider closed p99 ≤ 250 ms here, ≤ 1 s elsewhere", run)
