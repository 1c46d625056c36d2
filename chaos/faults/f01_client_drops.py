"""F1: a client drops its connection at every byte of the answer, its head too, and comes back.

Whoever has read the stream's name resumes it by the last whole event's number; whoever has not repeats the request with
its ``Idempotency-Key``. The answer's generation notices nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from chaos import raw
from chaos.asking import ASKING, asked
from chaos.card import Fault, Run
from chaos.checker import Connection, Reader, Violation, check
from chaos.house import OWN, House, connection, house, last, seed
from chaos.raw import How, parsed
from chaos.truth import truth
from chaos.wire import frames
from tailrace.simulator import parse
from tailrace.sse import Decoder

EVENTS = 40
LIVE = 2000.0
"""Tokens a second: the answer is being written while its client drops."""


class Drop(NamedTuple):
    """One cell: the dialect, the byte, the manner, and whether the answer is still being written."""

    dialect: str
    at: int
    how: How
    live: bool

    def __str__(self) -> str:
        return f"{self.dialect}, {self.how} after byte {self.at}{' of a live answer' if self.live else ''}"


async def run(this: Run) -> None:
    async with house() as home:
        whole = await _whole(home, "anthropic")
        await _twins(this, home, whole)
        everywhere = range(len(whole) + 1)
        drops = [Drop("anthropic", at, how, (at + (how == "rst")) % 2 == 1) for at in everywhere for how in HOWS]
        await this.each(this.pick(drops, 60), str, lambda drop: _drop(home, drop), width=24)
        for dialect in ASKING:
            if dialect != "anthropic":
                size = len(await _whole(home, dialect))
                some = sorted(this.rng.sample(range(size + 1), 8 if this.sample else 100))
                others = [Drop(dialect, at, how, at % 2 == 1) for at in some for how in HOWS]
                await this.each(this.pick(others, 4), str, lambda drop: _drop(home, drop), width=24)
        this.figures["bytes of the answer"] = len(whole)


HOWS: tuple[How, ...] = ("fin", "rst")


async def _whole(home: House, dialect: str) -> bytes:
    """Return a whole answer as it stands on the wire, head and chunks included."""
    exchange = await home.begin(f"{OWN.get(dialect, 'ant')}/sim:tokens={EVENTS},seed={seed()}", dialect)
    async with exchange:
        await exchange.to_the_end()
        return bytes(exchange.raw)


async def _drop(home: House, drop: Drop) -> list[Violation]:
    mine = seed()
    rate = LIVE if drop.live else 0
    model = f"sim:tokens={EVENTS},rate={rate:g},seed={mine}"
    target = f"{OWN.get(drop.dialect, 'ant')}/{model}"
    key = f"drop-{mine}"
    exchange = await home.begin(target, drop.dialect, idempotency_key=key)
    async with exchange:
        await exchange.take(drop.at)
        exchange.leave(drop.how)
        first = exchange.answer
        after = last(first, drop.dialect)
        stream = first.headers.get("tailrace-stream-id")
        if stream is None:
            path, body = asked(drop.dialect, target)
            second = await raw.fetch(home.url, "POST", path, body, {"idempotency-key": key})
            stream = second.headers.get("tailrace-stream-id", "")
            after = 0
        else:
            second = await home.follow(stream, after)
    if second.status not in {200, 204}:
        return [Violation("I1", f"coming back was answered {second.status}: {second.body[:100]!r}")]
    connections = [connection(first, drop.dialect)] if after else []
    connections.append(connection(second, drop.dialect, after))
    dialect = home.relay.router.providers[target.partition("/")[0]].dialect
    evidence = await home.evidence(
        stream, [Reader("the client", connections)], seeded=mine, truth=truth(parse(model), dialect)
    )
    untouched = [record.state for record in home.asked(mine)]
    found = check([evidence])
    if untouched != ["completed"]:
        found.append(Violation("I4", f"the provider's side: {untouched}"))
    return found


async def _twins(this: Run, home: House, whole: bytes) -> None:
    """The same in process for every byte: the parser that a client has, then the log, in pieces of any size.

    A reset may cost its reader what had come but was not read: there the parser gets some of the bytes only.
    """
    stream = parsed(whole).headers["tailrace-stream-id"]
    log = await home.log(stream)
    stored = frames(log.read(0, 1 << 40)[0], "anthropic")
    evidence = await home.evidence(stream, [])
    for at in this.pick(list(range(len(whole) + 1)), 400):
        for how in HOWS:
            read = at if how == "fin" else this.rng.randint(0, at)
            body = parsed(whole[:read]).body
            decoder = Decoder()
            place = 0
            while place < len(body):
                size = this.rng.randint(1, 400)
                decoder.feed(body[place : place + size])
                place += size
            after = int(decoder.last_event_id or 0)
            rest, _ = log.read(after, 1 << 40)
            got = [Connection(0, frames(body, "anthropic")), Connection(after, frames(rest, "anthropic", after), True)]
            evidence.readers = [Reader("the twin", got)]
            found = check([evidence])
            if after != len(frames(body, "anthropic")):
                found.append(Violation("I1", f"the parser's last id is {after}"))
            if [frame for part in got for frame in part.frames] != stored:
                found.append(Violation("I1", "the parts are not the whole"))
            this.cell(f"in process, {how} after byte {at}", found)


FAULT = Fault("F1", "client drops at every byte, then resumes", "nothing lost, generation untouched", run)
