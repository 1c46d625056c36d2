"""F22: coming back with every kind of cursor, to every kind of stream, in memory and on Redis: defined answers."""

from __future__ import annotations

import asyncio
import json
from typing import NamedTuple

from msgspec import structs

from chaos import raw
from chaos.card import Fault, Run
from chaos.checker import Reader, Violation, check
from chaos.fleet import street
from chaos.house import PATIENT, House, connection, house, seed
from chaos.raw import Body
from chaos.truth import truth
from chaos.wire import frames
from tailrace.engine import Secret
from tailrace.server import ServerSpec
from tailrace.simulator import parse

TOKENS = 40

GARBAGE = (
    "abc", "-1", "1.5", "1e3", "0x10", "+1", "²", "٣", "1 2", "1,2", "NaN", "null", "'", "../../etc", "9" * 16,
    "9" * 400, "1\t", "id:1", "0;DROP", "%31", "\U0001f44d", "--", "1-0", "18446744073709551616",
)  # fmt: skip
"""Not numbers of events, whatever else they are; some pass `str.isdigit`."""

ANNA, BERT = "sk-chaos-anna-1", "sk-chaos-bert-2"


class Case(NamedTuple):
    """One cell: how the cursor is given, what it is, and the answer there must be."""

    where: str
    cursor: str
    status: int
    code: str = ""


FINISHED = (
    *(Case("header", str(after), 200) for after in (0, 1, 20, 44)),
    *(Case("query", str(after), 200) for after in (0, 1, 20, 44)),
    Case("none", "", 200),
    Case("header", "45", 204),
    Case("query", "45", 204),
    Case("header", "46", 410, "cursor_reset"),
    Case("query", "999999999999999", 410, "cursor_reset"),
    Case("header", "", 200),
    Case("header", "007", 200),
    *(Case("header", text, 400) for text in GARBAGE),
    *(Case("query", text, 400) for text in GARBAGE),
)
LIVE = (
    *(Case(where, str(after), 200) for where in ("header", "query") for after in range(21)),
    Case("header", "21", 410, "cursor_reset"),
    Case("header", "1000", 410, "cursor_reset"),
    *(Case("header", text, 400) for text in GARBAGE[:6]),
)


async def run(this: Run) -> None:
    spec = ServerSpec(port=0, shutdown_grace=0.0, keys=(Secret(ANNA), Secret(BERT)))
    async with house(spec=spec) as home:
        await _table(this, "in memory", home, home)
        await _nobodys(this, "in memory", home, home)
    async with street(spec=spec) as pair:
        await _table(this, "on Redis, at another node", pair.one, pair.two)
        await _nobodys(this, "on Redis, at another node", pair.one, pair.two)
    if this.sample:
        return  # what follows has to wait
    short = structs.replace(PATIENT, ttl=1.0)
    async with house(limits=short, spec=spec) as home:
        await this.one("in memory, after its time to live", _expired(home, home))
    async with street(limits=short, spec=spec) as pair:
        await this.one("on Redis, after its time to live", _expired(pair.one, pair.two))


def _given(stream: str, case: Case) -> tuple[str, dict[str, str]]:
    path, headers = f"/streams/{stream}", {"authorization": f"Bearer {ANNA}"}
    if case.where == "query":
        path += "?after=" + "".join(f"%{byte:02x}" for byte in case.cursor.encode())
    if case.where == "header":
        headers["last-event-id"] = case.cursor.encode().decode("latin-1")
    return path, headers


async def _table(this: Run, where: str, home: House, other: House) -> None:
    mine = seed()
    whole = await home.answer(f"ant/sim:tokens={TOKENS},seed={mine}", authorization=f"Bearer {ANNA}")
    stream = whole.headers["tailrace-stream-id"]
    for case in this.pick(list(FINISHED), 20):
        await this.one(
            f"{where}, finished, {case.where} {case.cursor[:20]!r}", _answered(home, other, stream, case, mine)
        )

    async def live(case: Case) -> list[Violation]:
        """The provider stands still after 20 events until the cursor has been looked at, then the stream is stopped."""
        number = seed()
        exchange = await home.begin(
            f"ant/sim:tokens={TOKENS},seed={number},fault=stall_event@20", authorization=f"Bearer {ANNA}"
        )
        async with exchange:
            head = await exchange.until(b"\n\n", 20)
            name = head.headers["tailrace-stream-id"]
            path, headers = _given(name, case)
            second = await raw.request(other.url, "GET", path, headers=headers)
            async with second:
                await second.head()
                if case.status == 200 and int(case.cursor or 0) < 20:
                    await second.until(b"\n\n")
                await raw.fetch(home.url, "POST", f"/streams/{name}/stop", headers={"authorization": f"Bearer {ANNA}"})
                body = await second.to_the_end()
            await exchange.to_the_end()
        return await _judged(home, name, case, body, number, "cancelled")

    await this.each(this.pick(list(LIVE), 8), lambda case: f"{where}, live, {case.where} {case.cursor[:20]!r}", live)


async def _answered(home: House, other: House, stream: str, case: Case, mine: int) -> list[Violation]:
    path, headers = _given(stream, case)
    body = await raw.fetch(other.url, "GET", path, headers=headers)
    return await _judged(home, stream, case, body, mine, None)


async def _judged(home: House, stream: str, case: Case, body: Body, mine: int, cause: str | None) -> list[Violation]:
    if body.status != case.status:
        return [Violation("I1", f"answered {body.status}, not {case.status}: {body.body[:80]!r}")]
    if case.code and case.code.encode() not in body.body:
        return [Violation("I1", f"no {case.code} in {body.body[:120]!r}")]
    if body.status >= 400:
        return [] if isinstance(json.loads(body.body), dict) else [Violation("I1", "no JSON")]
    after = int(case.cursor or 0)
    evidence = await home.evidence(stream, [], seeded=mine, cause=cause)
    if cause is None:
        evidence.truth = truth(parse(f"sim:tokens={TOKENS},seed={mine}"), "anthropic")
    found = check([evidence])
    got = [frame.data for frame in frames(body.body, "anthropic", after)]
    if got != evidence.log[after:]:
        found.append(Violation("I1", f"{len(got)} events after {after} of {len(evidence.log)}"))
    return found


async def _nobodys(this: Run, where: str, home: House, other: House) -> None:
    """Unknown and foreign streams look the same, with whatever cursor, at every door of theirs."""
    mine = seed()
    whole = await home.answer(f"ant/sim:tokens=5,seed={mine}", authorization=f"Bearer {ANNA}")
    theirs = whole.headers["tailrace-stream-id"]
    unknown = await raw.fetch(other.url, "GET", "/streams/nobody", headers={"authorization": f"Bearer {BERT}"})
    names = {"unknown": "x" * 43, "foreign": theirs, "foreign, cut short": theirs[:-1], "odd": "..%2f..%2fetc"}
    doors = (("GET", ""), ("GET", "/message"), ("GET", "/fields"), ("POST", "/stop"))
    for name, stream in names.items():
        for method, door in doors:
            for cursor in ("0", "3", "99"):
                headers = {"authorization": f"Bearer {BERT}", "last-event-id": cursor}
                body = await raw.fetch(other.url, method, f"/streams/{stream}{door}", headers=headers)
                same = body.status == 404 and (body.body == unknown.body or name == "odd")
                leak = [] if same else [Violation("I8", f"{body.status}: {body.body[:100]!r}")]
                this.cell(f"{where}, {name} stream, {method} {door or '/'}, cursor {cursor}", leak)
    reader = Reader("its owner", [connection(whole, "anthropic")])
    await this.one(f"{where}, the owner's answer is whole", _checked(home, theirs, reader))


async def _checked(home: House, stream: str, reader: Reader) -> list[Violation]:
    return check([await home.evidence(stream, [reader])])


async def _expired(home: House, other: House) -> list[Violation]:
    whole = await home.answer(f"ant/sim:tokens=5,seed={seed()}", authorization=f"Bearer {ANNA}")
    stream = whole.headers["tailrace-stream-id"]
    headers = {"authorization": f"Bearer {ANNA}", "last-event-id": "3"}
    # Longer than the time to live and the interval of sweeping; asking meanwhile would keep a copy at the other node.
    await asyncio.sleep(8)
    answers = [await raw.fetch(one.url, "GET", f"/streams/{stream}", headers=headers) for one in (other, home)]
    return [Violation("I1", f"answered {answer.status}") for answer in answers if answer.status != 404]


FAULT = Fault("F22", "coming back with any cursor to any stream", "each has its defined answer", run)
