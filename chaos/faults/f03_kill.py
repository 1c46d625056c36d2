"""F3: a relay is killed, as ``kill -9`` does, before and after everything that counts, and at random moments.

Its clients come back to another relay. What they were sent is in the log; what was being written ends as interrupted
within ten seconds; every request at the provider has its row in the ledger, closed by the next relay that starts.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any, NamedTuple

from chaos.card import Fault, Run
from chaos.checker import Stream, Violation, check
from chaos.client import Client
from chaos.crashing import POINTS
from chaos.fleet import Fleet, fleet
from chaos.house import seed
from chaos.truth import truth
from tailrace.simulator import parse

LAPSE = 10.0
"""Seconds after which a dead relay's stream has ended for everybody."""

TOKENS, RATE = 40, 40.0

STREAMS = 4
"""Streams that one random kill hits, each at another place."""

WIDTH = 3
"""Relays being started and killed at a time: their start is what costs."""

CRASHING = ("-m", "chaos.crashing")


class Kill(NamedTuple):
    """One kill: at the ``number``-th call of a point, or (no point) ``seconds`` after the streams began."""

    point: str
    when: str = ""
    number: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.when} {self.point}, call {self.number}" if self.point else f"after {self.seconds:.3f} s"


class Waiting(NamedTuple):
    """A cell whose ledger rows are looked at when the next relay has started."""

    name: str
    stream: Stream
    found: list[Violation]


async def run(this: Run) -> None:
    numbers = {"stream created": (1,), "ledger row opened": (1,), "provider asked": (1,), "provider accepted": (1,)}
    last = {"log closed": (1,), "ledger row closed": (1,), "ledger written": (1, 2)}
    many = (1, 5, 20)
    named = [
        Kill(point, when, number)
        for point in POINTS
        for when in ("before", "after")
        for number in {**numbers, **last}.get(point, many)
    ]
    # In every sample: what is sent before it is stored is only ever seen here.
    kills = [*this.pick(named, 1), Kill("batch written", "before", 5)] if this.sample else named
    kills += [Kill("", seconds=this.rng.uniform(0, 1.3 * TOKENS / RATE)) for _ in range(1 if this.sample else 50)]
    lapses: list[float] = []
    async with fleet(1) as ships:
        gate = asyncio.Semaphore(WIDTH)
        waiting: list[Waiting] = []

        async def killed(kill: Kill) -> None:
            async with gate:
                waiting.extend(await _killed(this, ships, kill, lapses))

        await asyncio.gather(*(killed(kill) for kill in kills))
        await ships.start()  # the next start closes what the dead left open
        for name, stream, found in waiting:
            stream.rows = await ships.rows(stream.id) if stream.id else []
            if stream.attempts is not None and len(stream.rows) == stream.attempts + 1:
                stream.attempts += 1  # opened before the provider is asked, and then it never was
            stream.killed = True
            this.cell(name, found + check([stream]))
    this.figures["kills"] = len(kills)
    this.figures["s until a dead relay's stream has ended, most"] = round(max(lapses, default=0.0), 1)


async def _killed(this: Run, ships: Fleet, kill: Kill, lapses: list[float]) -> list[Waiting]:
    survivor = ships.nodes[0]
    crash = {"CHAOS_CRASH": f"{kill.point}|{kill.when}|{kill.number}"} if kill.point else {}
    try:
        victim = await ships.start(launcher=CRASHING if kill.point else ("-m", "tailrace"), variables=crash)
    except Exception as error:
        this.cell(str(kill), [f"unknown: the relay did not start: {error!r}"])
        return []
    mine = [seed() for _ in range(1 if kill.point else STREAMS)]
    clients = [Client([victim.url, survivor.url], f"client {number}", deadline=40) for number in mine]
    reading = [
        asyncio.ensure_future(client.read(f"ant/{_model(number)}"))
        for client, number in zip(clients, mine, strict=True)
    ]
    if not kill.point:
        await asyncio.sleep(kill.seconds)
        victim.signal(signal.SIGKILL)
    try:
        async with asyncio.timeout(20):
            await victim.died()
    except TimeoutError:
        pass  # judged below: the point was never reached
    died = time.monotonic()
    never = victim.code is None
    victim.signal(signal.SIGKILL)
    results: list[Any] = await asyncio.gather(*reading, return_exceptions=True)
    lapse = time.monotonic() - died
    waiting = []
    for client, number, result in zip(clients, mine, results, strict=True):
        name = str(kill) if kill.point else f"{kill}, stream {number}"
        if never:
            this.cell(name, ["unknown: the point was never reached"])
        elif isinstance(result, BaseException):
            this.cell(name, [f"unknown: {result!r}, answered {client.statuses[-6:]}"])
        else:
            waiting.append(await _judged(ships, client, number, result, lapse, name))
            lapses.append(lapse)
    return waiting


def _model(number: int) -> str:
    return f"sim:tokens={TOKENS},rate={RATE:g},seed={number}"


async def _judged(ships: Fleet, client: Client, number: int, result: Any, lapse: float, name: str) -> Waiting:
    survivor = ships.nodes[0]
    records = ships.asked(number)
    written = records[-1].bytes_sent if records else 0
    stream = await ships.evidence(
        survivor.url,
        client.stream,
        [result],
        seeded=number,
        truth=truth(parse(_model(number)), "anthropic", written),
    )
    if stream.ending != "completed":
        stream.cause = "interrupted"
        # Bytes on their way into the relay die with it: only what it said must be true.
        assert stream.truth is not None
        stream.truth = stream.truth._replace(either=True)
    found = []
    if lapse > LAPSE:
        found.append(Violation("I2", f"{lapse:.1f} s until its client heard the end"))
    if client.gone:
        found.append(Violation("I1", "the stream is gone"))
    return Waiting(name, stream, found)


FAULT = Fault("F3", "a relay is killed, anywhere", "every id sent can be replayed; ended elsewhere within 10 s", run)
