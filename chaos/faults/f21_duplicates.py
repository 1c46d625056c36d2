"""F21: the same request many times: fifty at once with one ``Idempotency-Key``, and again after an answer was lost.

One request at the provider, one row in the ledger, one stream that everybody reads; another body is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chaos import raw
from chaos.asking import ASKING, asked
from chaos.card import Fault, Run
from chaos.checker import Reader, Violation, check
from chaos.fleet import street
from chaos.house import OWN, House, connection, house, seed
from chaos.raw import Body, How
from chaos.truth import truth
from tailrace.simulator import parse

WIDE = 50
MODELS = ("", ",rate=400", ",ttft=0.2", ",fault=slow_headers:0.2")
"""What the race runs against: an instant answer, a slow one, a late first token, a late head."""


async def run(this: Run) -> None:
    async with house() as home:
        for dialect in this.pick(list(ASKING), 2):
            for more in this.pick(list(MODELS), 2):
                await this.one(f"{dialect}, {WIDE} at once{more or ', instant'}", _raced(this, [home], dialect, more))
        await this.one("the body differs: 422", _conflict(home))
        await this.one("other keys: other streams", _others(home))
        hows: list[How] = ["rst", "fin"]
        lost = [(how, at) for how in hows for at in this.pick([0, 1, 100, 300, 320, 400, 1000, 3000], 2)]
        await this.each(lost, lambda c: f"the answer is lost ({c[0]} at byte {c[1]})", lambda c: _lost(home, home, *c))
        await this.one("a request that failed is begun anew", _begun_anew(home))
    async with street() as pair:
        for more in this.pick(list(MODELS), 2):
            racing = _raced(this, [pair.one, pair.two], "anthropic", more)
            await this.one(f"two nodes, {WIDE} at once{more or ', instant'}", racing)
        await this.each(
            lost,
            lambda c: f"lost, asked again elsewhere ({c[0]} at byte {c[1]})",
            lambda c: _lost(pair.one, pair.two, *c),
        )


async def _post(home: House, model: str, dialect: str, key: str) -> Body:
    path, body = asked(dialect, model)
    return await raw.fetch(home.url, "POST", path, body, {"idempotency-key": key})


async def _raced(this: Run, homes: Sequence[House], dialect: str, more: str) -> list[Violation]:
    mine = seed()
    model = f"sim:tokens=40,seed={mine}{more}"
    provider = OWN.get(dialect, "ant")
    target = f"{provider}/{model}"
    order = [homes[number % len(homes)] for number in range(WIDE)]
    this.rng.shuffle(order)
    answers = await asyncio.gather(*(_post(home, target, dialect, f"race-{mine}") for home in order))
    return await _one_stream(homes[0], answers, dialect, provider, model, mine)


async def _one_stream(
    home: House, answers: Sequence[Body], dialect: str, provider: str, model: str, mine: int
) -> list[Violation]:
    """Check that all ``answers`` are one stream that cost one request."""
    names = {answer.headers.get("tailrace-stream-id") for answer in answers}
    statuses = {answer.status for answer in answers}
    if len(names) != 1 or statuses != {200}:
        return [Violation("I4", f"{len(names)} streams, statuses {statuses}")]
    spoken = home.relay.router.providers[provider].dialect
    readers = [Reader(f"reader {n}", [connection(answer, dialect)]) for n, answer in enumerate(answers, 1)]
    evidence = await home.evidence(names.pop() or "", readers, seeded=mine, truth=truth(parse(model), spoken))
    found = check([evidence])
    if evidence.attempts != 1:
        found.append(Violation("I4", f"{evidence.attempts} requests at the provider"))
    return found


async def _conflict(home: House) -> list[Violation]:
    mine = seed()
    first = await _post(home, f"ant/sim:tokens=5,seed={mine}", "anthropic", f"conflict-{mine}")
    again = await _post(home, f"ant/sim:tokens=6,seed={mine}", "anthropic", f"conflict-{mine}")
    fine = (first.status, again.status, len(home.asked(mine))) == (200, 422, 1)
    return [] if fine else [Violation("I4", f"{first.status}, {again.status}, {len(home.asked(mine))} requests")]


async def _others(home: House) -> list[Violation]:
    mine = seed()
    target = f"ant/sim:tokens=5,seed={mine}"
    answers = await asyncio.gather(*(_post(home, target, "anthropic", f"other-{mine}-{n}") for n in range(10)))
    names = {answer.headers.get("tailrace-stream-id") for answer in answers}
    fine = len(names) == 10 == len(home.asked(mine))
    return [] if fine else [Violation("I8", f"{len(names)} streams, {len(home.asked(mine))} requests for ten keys")]


async def _lost(home: House, elsewhere: House, how: How, at: int) -> list[Violation]:
    """The first answer is lost at byte ``at``; the same request is made again, perhaps at another node."""
    mine = seed()
    model = f"sim:tokens=40,seed={mine},rate=800"
    exchange = await home.begin(f"ant/{model}", idempotency_key=f"lost-{mine}")
    async with exchange:
        await home.sim.until(lambda _: bool(home.asked(mine)))
        await exchange.take(at)
        exchange.leave(how)
        again = await _post(elsewhere, f"ant/{model}", "anthropic", f"lost-{mine}")
    return await _one_stream(home, [again], "anthropic", "ant", model, mine)


async def _begun_anew(home: House) -> list[Violation]:
    """A key whose request failed before it was worth anything is free: the next request is a new one."""
    mine = seed()
    target = f"ant/sim:tokens=5,seed={mine},fault=status@400"
    first, again = [await _post(home, target, "anthropic", f"anew-{mine}") for _ in range(2)]
    count = len(home.asked(mine))
    fine = first.status == again.status == 400 and count == 2
    return [] if fine else [Violation("I4", f"{first.status}, {again.status}, {count} requests")]


FAULT = Fault("F21", "the same request again and again", "one request at the provider, one row, one stream", run)
