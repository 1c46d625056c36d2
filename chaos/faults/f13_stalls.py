"""F13: the provider falls silent: before it is connected, before its head, before the first token, in the middle, or
while it only sends pings. Each timer fires within a tenth of its time, as ``timed_out``, and the client saw heartbeats.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from typing import NamedTuple

from msgspec import structs

from chaos.card import Fault, Run
from chaos.checker import Violation, check
from chaos.house import OWN, PATIENT, PROVIDERS, House, house, providers, reader, route, seed
from chaos.provider import provided
from chaos.truth import truth
from chaos.wire import heartbeats
from tailrace.engine import Deadlines, Limits, Policy, ProviderSpec, Retry, RouteSpec
from tailrace.engine.deadlines import Expired, Watch
from tailrace.simulator import frames_of, parse

EXACT = 0.10
"""How much of its time a timer may be early or late."""

BUSY = 0.25
"""Seconds it may be late besides, and by as much as this process's own loop was late meanwhile: it runs the relay, the
provider and the client, on a machine that does other things."""


ONCE = Retry(attempts=1)
"""A second attempt would wait a second time."""


class Stall(NamedTuple):
    """One cell: ``fault`` of the simulator, the timer that must fire, and the share of its time after which."""

    name: str
    fault: str
    timer: str


FIRST = "before the first token"

STALLS = (
    Stall("before the head", "hang", "first_content"),
    Stall(FIRST, "stall_event@1", "first_content"),
    Stall("in the middle", "stall_event@20", "idle"),
    Stall("in the middle of an event", "stall@5000", "idle"),
    Stall("at the last event", "stall_event@40", "idle"),
)


class Lateness:
    """How late this process's event loop has been, at worst, since it was last asked for."""

    def __init__(self) -> None:
        self._worst = 0.0

    async def watch(self) -> None:
        """Look at it, for ever."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self._worst = max(self._worst, time.monotonic() - before - 0.01)

    @property
    def worst(self) -> float:
        """Seconds."""
        return self._worst


LATE = Lateness()


async def run(this: Run) -> None:
    _fake_clock(this)
    watching = asyncio.ensure_future(LATE.watch())
    try:
        await _real_clock(this)
    finally:
        watching.cancel()
    this.figures["ms that this process's loop was late, at worst"] = round(LATE.worst * 1000)


async def _real_clock(this: Run) -> None:
    for scale in (1.0,) if this.sample else (1.0, 5.0):
        await _silences(this, scale)
        await _short_stalls(this, scale)
        await _pings_only(this, scale)
        await this.one(f"no connection within {scale:g} s", _no_connection(scale))


def _limits(scale: float) -> Limits:
    return structs.replace(PATIENT, heartbeat=scale / 5, open_early_after=scale / 10)


def _policy(scale: float) -> Policy:
    return Policy(deadlines=Deadlines(connect=scale, first_content=scale, idle=scale * 0.8, total=60.0), retry=ONCE)


async def _silences(this: Run, scale: float) -> None:
    cells = this.pick([(name, stall) for name in OWN.values() for stall in STALLS], 8)
    models: dict[tuple[str, Stall], tuple[str, int]] = {}
    routes: dict[str, RouteSpec] = {}
    for name, stall in cells:
        mine = seed()
        # These two begin with content: their first token is their first event.
        fault = "stall_event@0" if stall.name == FIRST and name in {"gem", "oll"} else stall.fault
        models[name, stall] = f"sim:tokens=40,seed={mine},fault={fault}", mine
        routes |= route(f"{name}-{mine}", f"{name}/{models[name, stall][0]}", _policy(scale))
    async with house(limits=_limits(scale), routes=routes) as home:
        await this.each(
            cells,
            lambda cell: f"{PROVIDERS[cell[0]][0]}, {cell[1].name}, {scale:g} s",
            lambda cell: _stalled(home, *cell, *models[cell], scale),
            width=10,
        )


async def _stalled(home: House, name: str, stall: Stall, model: str, mine: int, scale: float) -> list[Violation]:
    dialect = PROVIDERS[name][0]
    limits, deadlines = _limits(scale), _policy(scale).deadlines
    async with await home.begin(f"{name}-{mine}", dialect) as exchange:
        await home.sim.until(lambda _: bool(home.asked(mine)))
        start = time.monotonic()
        answer = await exchange.to_the_end()
        if stall.timer == "idle":
            # What is said before the first content is held back: the first bytes bring all that came before the stall.
            start = exchange.arrivals[0]
        seconds = exchange.arrivals[-1] - start
    due = getattr(deadlines, stall.timer)
    found = _in_time(seconds, due)
    beats = heartbeats(answer.body, dialect)
    least = int((due - limits.open_early_after) / limits.heartbeat * 0.7)
    if beats < least:
        found.append(Violation("I2", f"{beats} heartbeats in {seconds:.2f} s, at least {least} expected"))
    records = home.asked(mine)
    told = truth(parse(model), dialect, records[-1].bytes_sent)
    stream = await home.evidence(
        answer.headers.get("tailrace-stream-id", ""),
        [reader("the client", (0, answer), dialect=dialect)],
        seeded=mine,
        truth=told,
        cause="timed_out",
    )
    async with asyncio.timeout(5):
        await records[-1].closed.wait()
    if records[-1].state != "closed_by_client":
        found.append(Violation("I5", f"the provider's connection ended as {records[-1].state}"))
    return found + check([stream])


def _in_time(seconds: float, due: float) -> list[Violation]:
    if due * (1 - EXACT) - LATE.worst <= seconds <= due * (1 + EXACT) + BUSY + LATE.worst:
        return []
    return [Violation("I2", f"ended after {seconds:.2f} s, due after {due:g} s")]


async def _short_stalls(this: Run, scale: float) -> None:
    """A silence shorter than its timer ends nothing."""
    deadlines = Deadlines(first_content=scale, idle=scale, total=60.0)
    faults = [f"stall_event@{at}:{scale / 2:g}" for at in (1, 20, 43)] + [f"slow_headers:{scale / 2:g}"]
    mine = [seed() for _ in faults]
    routes: dict[str, RouteSpec] = {}
    for number, fault in zip(mine, faults, strict=True):
        routes |= route(
            f"r{number}", f"ant/sim:tokens=40,seed={number},fault={fault}", Policy(deadlines=deadlines, retry=ONCE)
        )

    async with house(routes=routes) as home:

        async def judged(number: int) -> list[Violation]:
            answer = await home.answer(f"r{number}")
            told = truth(parse(f"sim:tokens=40,seed={number}"), "anthropic")
            readers = [reader("the client", (0, answer))]
            return check(
                [await home.evidence(answer.headers["tailrace-stream-id"], readers, seeded=number, truth=told)]
            )

        named = dict(zip(mine, faults, strict=True))
        await this.each(mine, lambda number: f"{named[number]} of {scale:g} s", judged)


async def _pings_only(this: Run, scale: float) -> None:
    """Pings and comments are no content: the timer fires all the same."""
    pings = {"ant": b'event: ping\ndata: {"type": "ping"}\n\n', "oai": b": still thinking\n\n", "res": b": ping\n\n"}
    limits = _limits(scale)
    for begun in (1, 10):
        for name, ping in pings.items():
            dialect = PROVIDERS[name][0]
            whole = frames_of(parse("sim:tokens=40"), dialect)[:begun]
            script = [*whole, *(piece for _ in range(400) for piece in (scale / 20, ping))]

            async def judged(
                script: list[bytes | float] = script, name: str = name, dialect: str = dialect
            ) -> list[Violation]:
                deadlines = Deadlines(first_content=scale, idle=scale, total=60.0)
                async with provided(lambda: script) as (provider, url):
                    specs = providers(url)
                    routes = route("silent", f"{name}/any", Policy(deadlines=deadlines, retry=ONCE))
                    async with house(limits=limits, routes=routes, replaced=specs) as home:
                        start = time.monotonic()
                        answer = await home.answer("silent", dialect)
                        found = _in_time(time.monotonic() - start, scale)
                        async with asyncio.timeout(5):
                            await provider.gone.wait()
                        readers = [reader("the client", (0, answer), dialect=dialect)]
                        stream = answer.headers.get("tailrace-stream-id", "")
                        return found + check([await home.evidence(stream, readers, cause="timed_out")])

            await this.one(f"{dialect}, only pings after event {begun}, {scale:g} s", judged())


async def _no_connection(scale: float) -> list[Violation]:
    """A listener whose queue is full: the kernel drops what asks for more, as a dead host's network would."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        await asyncio.sleep(0.1)
        spec = ProviderSpec(name="deaf", dialect="anthropic", base_url=f"http://127.0.0.1:{address[1]}")
        try:
            async with house(
                limits=_limits(scale), routes=route("m", "deaf/m", _policy(scale)), replaced={"deaf": spec}
            ) as home:
                start = time.monotonic()
                answer = await home.answer("m")
                found = _in_time(time.monotonic() - start, scale)
                stream = answer.headers.get("tailrace-stream-id", "")
                readers = [reader("the client", (0, answer))] if answer.status == 200 else []
                return found + check([await home.evidence(stream, readers, cause="timed_out")])
        finally:
            for filler in fillers:
                filler.close()


def _fake_clock(this: Run) -> None:
    """The timers of an answer that has begun against a reading of them by hand, with random scripts of content."""
    for number in range(100 if this.sample else 1000):
        rng = random.Random(this.rng.random())
        limits = Deadlines(
            idle=rng.choice((None, rng.uniform(1, 10))),
            total=rng.choice((None, rng.uniform(5, 60))),
        )
        this.cell(f"fake clock, script {number}", [f"I2: {said}" for said in _played(limits, rng)])


def _played(limits: Deadlines, rng: random.Random) -> list[str]:
    now = since = 0.0
    begun = False
    watch = Watch(limits, now)
    for _ in range(30):
        gap = limits.idle if begun else None
        due = [limit for limit in (limits.total, since + gap if gap is not None else None) if limit is not None]
        said = watch.check(now)
        if due and now >= min(due):
            return [] if isinstance(said, Expired) else [f"{said} at {now}, due at {min(due)}"]
        if isinstance(said, Expired):
            return [f"{said} at {now}, due at {due}"]
        if due and (said is None or abs(now + said - min(due)) > 1e-9):
            return [f"asks again in {said} at {now}, due at {min(due)}"]
        now += rng.uniform(0, 6)
        if not due or (now < min(due) and rng.random() < 0.6):
            watch.content(now)
            since, begun = now, True
    return []


FAULT = Fault("F13", "upstream stalls", "each timer within 10 %, heartbeats all along", run)
