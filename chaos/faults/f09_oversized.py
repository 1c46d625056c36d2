"""F9: events of 1 MB and 64 MB, lines without end, a million tiny pieces, JSON 10⁵ deep or of 10⁵ fields.

What fits is carried unharmed; past a cap the answer ends as failed, the relay lives, and its memory stays bounded.
Work is linear: twice the input costs at most 2.3 times as much.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from chaos import raw
from chaos.asking import asked
from chaos.card import Fault, Run
from chaos.checker import Violation, memory
from chaos.house import OWN, PROVIDERS
from chaos.nodes import Node, node, settings
from chaos.provider import Provider, Script, provided
from chaos.truth import truth
from chaos.wire import content, frames, verdict
from tailrace.dialects import DIALECTS, Quirks
from tailrace.errors import RemoteProtocolError
from tailrace.events import TextDelta
from tailrace.simulator import frames_of, parse, script
from tailrace.sse import Decoder

MB = 1024 * 1024

LINEAR = 2.3
"""Most that twice the input may cost."""

COPIES = 6
"""How often one event may stand in memory at once: the parser's buffer, the read that filled it, text, JSON, the frame
of the client's dialect, and the write that has not gone yet."""

SPARE = 24 * MB
"""What an interpreter may grow by for other reasons (its allocator's arenas, lazily imported modules)."""


class Monster(NamedTuple):
    """A hostile answer: its name, what stands between a good beginning and a good end, and whether that is legal."""

    name: str
    middle: Script
    legal: bool = False


def _line(size: int, end: bytes = b"\n\n") -> Script:
    def pieces() -> Iterator[bytes]:
        yield b"data: "
        for _ in range(size // (64 * 1024)):
            yield b"x" * (64 * 1024)
        yield end

    return pieces


def _json(text: bytes) -> Script:
    return lambda: [b"data: ", *(text[at : at + 65536] for at in range(0, len(text), 65536)), b"\n\n"]


DEEP = 100_000

MONSTERS = (
    Monster("a line of 64 MB", _line(64 * MB)),
    Monster("a line without an end", _line(64 * MB, b"")),
    Monster("a comment of 64 MB", lambda: [b":", *_line(64 * MB)()]),
    Monster("64 MB in small lines of one event", lambda: (b"data: " + b"x" * 8000 + b"\n" for _ in range(8192))),
    Monster("JSON 100,000 lists deep", _json(b"[" * DEEP + b"]" * DEEP)),
    Monster("JSON 100,000 objects deep", _json(b'{"a":' * DEEP + b"1" + b"}" * DEEP)),
    Monster("JSON that never closes", _json(b'{"type":"message_delta","delta":' * DEEP)),
    Monster("100,000 fields", _json(json.dumps({f"f{n}": n for n in range(DEEP)}).encode()), legal=True),
    Monster("100,000 empty events", lambda: (b"\n\n" * 1000 for _ in range(100)), legal=True),
    Monster("100,000 field lines", lambda: (b"x: y\n" * 1000 for _ in range(100)), legal=True),
    Monster("a field name of 1 MB", lambda: [b"x" * MB, b": y\n\n"], legal=True),
    Monster("an id of 1 MB", lambda: [b"id: " + b"1" * MB + b"\n\n"], legal=True),
)


async def run(this: Run) -> None:
    _linear(this)
    for name in this.pick(["ant", "oai", "res", "gem", "oll"], 1):
        await _one_relay(this, name)


async def _one_relay(this: Run, name: str) -> None:
    """Every monster at one relay and in one dialect: the one before must not have hurt it."""
    dialect = PROVIDERS[name][0]
    whole = frames_of(parse("sim:tokens=6"), dialect)
    async with provided(lambda: whole) as (provider, url), node(settings(url)) as relay:
        for monster in this.pick(list(MONSTERS), 2):

            def hostile(middle: Script = monster.middle) -> Iterable[bytes | float]:
                yield from whole[:4]
                yield from middle()
                yield from whole[4:]

            provider.script = lambda: whole
            await _ask(relay, name)  # everything is imported, every pool is warm
            provider.script = hostile
            await this.one(f"{dialect}: {monster.name}", _judged(this, relay, name, monster))
        for size in (MB,) if this.sample else (MB, 12 * MB):
            await this.one(f"{dialect}: one event of {size // MB} MB", _carried(provider, relay, name, size))
        await this.one(f"{dialect}: pieces of one byte", _tiny_pieces(provider, relay, name, this.sample))


async def _judged(this: Run, relay: Node, name: str, monster: Monster) -> list[Violation]:
    dialect = PROVIDERS[name][0]
    relay.forget_peak()
    base = relay.resident()
    answer = await _ask(relay, name)
    peak = relay.resident("VmHWM")
    found = memory(base, peak, 1, COPIES * 16 * MB + SPARE)
    grown = max(round((peak - base) / MB), int(this.figures.get("most MB above base", 0)))
    this.figures["most MB above base"] = grown
    alive = await raw.fetch(relay.url, "GET", "/health/live")
    if alive.status != 200:
        found.append(Violation("I2", f"the relay is not well: {alive.status}"))
    said = [frame.data for frame in frames(answer.body, dialect)]
    ends = [v for v in (verdict(data, dialect) for data in said) if v]
    if answer.status == 200 and len(ends) != 1:
        found.append(Violation("I2", f"{ends} in the answer"))
    if not monster.legal and ends == ["done"]:
        found.append(Violation("I2", "called complete"))
    ending = content(said, dialect).ending
    if ends == ["error"] and ending not in {"failed", "truncated"}:
        found.append(Violation("I2", f"ended as {ending}"))
    return found


async def _ask(relay: Node, name: str) -> raw.Body:
    path, body = asked(PROVIDERS[name][0], f"{name}/sim:tokens=6")
    return await raw.fetch(relay.url, "POST", path, body)


# --- what fits --------------------------------------------------------------------------------------------------


async def _carried(provider: Provider, relay: Node, name: str, size: int) -> list[Violation]:
    """One event of ``size`` bytes arrives as it was sent."""
    text = "word " * (size // 5)
    dialect = PROVIDERS[name][0]
    whole = frames_of(parse("sim:tokens=6"), dialect)
    first = next(step.event.text for step in script(parse("sim:tokens=6")) if isinstance(step.event, TextDelta))
    place = next(number for number, frame in enumerate(whole) if json.dumps(first).encode() in frame)
    whole[place] = whole[place].replace(json.dumps(first).encode(), json.dumps(text).encode())
    provider.script = lambda: whole
    answer = await _ask(relay, name)
    got = content([frame.data for frame in frames(answer.body, dialect)], dialect).text
    return [] if got.startswith(text) else [Violation("I3", f"{len(got)} of {len(text)} characters")]


async def _tiny_pieces(provider: Provider, relay: Node, name: str, sample: bool) -> list[Violation]:
    """A long answer, byte by byte: as many pieces as bytes, and the text is whole."""
    dialect = PROVIDERS[name][0]
    scenario = parse(f"sim:tokens={50 if sample else 500}")
    whole = b"".join(frames_of(scenario, dialect))
    provider.script = lambda: [whole[at : at + 1] for at in range(len(whole))]
    answer = await _ask(relay, name)
    said = [frame.data for frame in frames(answer.body, dialect)]
    if not said or verdict(said[-1], dialect) != "done":
        return [Violation("I2", f"not complete: {answer.status}")]
    got = content(said, dialect).text
    return [] if got == truth(scenario, dialect).text else [Violation("I3", f"{len(got)} characters")]


# --- time -------------------------------------------------------------------------------------------------------


def _linear(this: Run) -> None:
    scale = 8 if this.sample else 1
    million = 1_000_000 // scale
    kinds = {
        "a line in pieces of 1 KB": lambda n: [b"data: "] + [b"x" * 1024] * (n * 4 // scale) + [b"\n\n"],
        "tiny pieces": lambda n: [b"x"] * (n * million // 8),
        "small lines of one event": lambda n: [b"data: x\n" * 64] * (n * 160 // scale) + [b"\n"],
        "small events": lambda n: [b"data: x\n\n" * 64] * (n * 160 // scale),
    }
    for name, make in kinds.items():
        ratio = _ratio(lambda n, make=make: _sse(make(n)))  # type: ignore[misc]
        this.figures[f"time(2n)/time(n), {name}"] = round(ratio, 2)
        this.cell(f"linear in {name}", [] if ratio <= LINEAR else [f"{ratio:.2f} times"])
    for dialect in OWN:
        body = {n: b"".join(frames_of(parse(f"sim:tokens={n * 500}"), dialect)) for n in (1, 2)}
        ratio = _ratio(lambda n, body=body, dialect=dialect: _decode(dialect, body[n]))  # type: ignore[misc]
        this.figures[f"time(2n)/time(n), {dialect}"] = round(ratio, 2)
        this.cell(f"{dialect}: linear in its events, byte by byte", [] if ratio <= LINEAR else [f"{ratio:.2f} times"])


def _ratio(work: Callable[[int], None]) -> float:
    """Return how much longer ``work(2)`` takes than ``work(1)`` in CPU time.

    The least of a few rounds: a machine's hiccups make one round worse, and nothing makes quadratic work linear.
    """
    ratios: list[float] = []
    while len(ratios) < 5 and not (len(ratios) > 1 and min(ratios) <= LINEAR):
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(3):
            for n, taken in times.items():
                start = time.process_time()
                work(n)
                taken.append(time.process_time() - start)
        ratios.append(min(times[2]) / max(min(times[1]), 1e-9))
    return min(ratios)


def _sse(pieces: list[bytes]) -> None:
    decoder = Decoder()
    for piece in pieces:
        decoder.feed(piece)


def _decode(dialect: str, data: bytes) -> None:
    decoder = DIALECTS[dialect].decoder(Quirks())
    for at in range(len(data)):
        try:
            decoder.feed(data[at : at + 1])
        except RemoteProtocolError:
            return


FAULT = Fault("F9", "oversized lines, events, JSON; tiny pieces", "no crash, memory below the caps, time linear", run)
