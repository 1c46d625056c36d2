"""F10: malformed streams, in every split of their bytes: what is read is what the whole input says.

The cases of web-platform-tests are no part of this project; they are read from ``TAILRACE_CONFORMANCE`` or the folder
``shared/conformance`` beside it. Where they are missing the scorecard says so with a miss.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from chaos.card import Fault, Run
from chaos.checker import Reader, Violation, check
from chaos.house import OWN, PROVIDERS, House, connection, house, seed
from chaos.truth import truth
from tailrace.dialects import DIALECTS, Quirks
from tailrace.events import Fold
from tailrace.simulator import Scenario, bytes_of, frames_of, parse
from tailrace.sse import Decoder

SHORT = 80
"""Bytes up to which every pair of places is a split too; more would be millions."""

BAD = (b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x91", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\x80\xbf")
"""Bytes that are not UTF-8: never legal, cut short, surrogates, overlong, past the last, lone continuations."""

LINES = (
    "id: 1\nevent: a\ndata: one\ndata: zwei\n\n: words\n"
    "data: \U0001f44d\U0001f3fd\n\nretry: 20\nid\ndata\n\ndata: end\n\n"
)
"""Every field there is, as one text with LF; with other line ends it says the same."""


async def run(this: Run) -> None:
    _web_platform(this)
    _line_ends(this)
    _not_utf8(this)
    _dialects(this)
    async with house() as home:
        events = len(frames_of(parse("sim:tokens=40"), "anthropic"))
        cells = [
            (name, kind, at)
            for name in OWN.values()
            for kind in KINDS
            for at in (range(1, events) if kind in PLACED else (0,))
            if name != "oll" or kind in ANYWHERE  # its lines know no comments and no byte-order mark
        ]
        await this.each(
            this.pick(cells, 12), lambda cell: f"{cell[0]}, {cell[1]} at event {cell[2]}", lambda c: _spoilt(home, *c)
        )


PLACED = ("junk", "badutf8")
"""Spoil one event; the others are about the whole answer."""

ANYWHERE = ("junk", "badutf8", "crlf,fault=split")
KINDS = (*ANYWHERE, "bom,fault=comments")


def splits(data: bytes) -> Iterator[tuple[int, ...]]:
    """Yield every place to cut ``data``, and every pair of places where it is short; and every place at once."""
    places = range(len(data) + 1)
    yield from ((place,) for place in places)
    if len(data) <= SHORT:
        yield from combinations(places, 2)
    yield tuple(places)


def cut(data: bytes, at: tuple[int, ...]) -> list[bytes]:
    """Return ``data`` cut at those places."""
    edges = (0, *at, len(data))
    return [data[start:stop] for start, stop in pairwise(edges)]


def decoded(pieces: list[bytes], last_event_id: str = "") -> list[tuple[str, str, str]]:
    """Return the events (type, data, last id) that the pieces make."""
    decoder = Decoder(last_event_id=last_event_id)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return [(event.type, event.text, event.id) for event in events]


def _every_split(this: Run, name: str, data: bytes, expected: list[tuple[str, str, str]], last_id: str = "") -> None:
    for at in this.pick(list(splits(data)), 25):
        got = decoded(cut(data, at), last_id)
        where = at if len(at) < 3 else "every byte"
        this.cell(f"{name}, cut at {where}", [] if got == expected else [f"{got} instead of {expected}"])


# --- web-platform-tests -----------------------------------------------------------------------------------------


def _web_platform(this: Run) -> None:
    folder = Path(os.environ.get("TAILRACE_CONFORMANCE") or Path(__file__).parents[3] / "shared" / "conformance")
    path = folder / "wpt-eventsource.jsonl"
    if not path.is_file():
        if not this.sample:
            this.cell("the cases of web-platform-tests", ["they are not here: set TAILRACE_CONFORMANCE"])
        return
    cases: list[dict[str, Any]] = [json.loads(line) for line in path.read_bytes().splitlines()]
    this.figures["web-platform-tests"] = len(cases)
    for case in this.pick([case for case in cases if not case.get("fail")], 10):
        last_id = ""
        for number, part in enumerate([case, *case.get("reconnect", [])]):
            if part.get("fail"):
                continue
            expected = [(event["type"], event["data"], event["lastEventId"]) for event in part["expected"]]
            _every_split(this, f"{case['name']}, connection {number + 1}", part["input"].encode(), expected, last_id)
            decoder = Decoder(last_event_id=last_id)
            decoder.feed(part["input"].encode())
            last_id = decoder.last_event_id


# --- bytes ------------------------------------------------------------------------------------------------------


def _line_ends(this: Run) -> None:
    expected = decoded([LINES.encode()])
    for name, end in (("LF", "\n"), ("CR LF", "\r\n"), ("CR", "\r")):
        data = LINES.replace("\n", end).encode()
        _every_split(this, f"{name} line ends", data, expected)
        _every_split(this, f"{name} line ends behind a BOM", b"\xef\xbb\xbf" + data, expected)


def _not_utf8(this: Run) -> None:
    for bad in BAD:
        data = b"data: a" + bad + b"z\n\ndata: " + bad + b"\n\n"
        expected = [
            ("message", (b"a" + bad + b"z").decode("utf-8", "replace"), ""),
            ("message", bad.decode("utf-8", "replace"), ""),
        ]
        _every_split(this, f"not UTF-8: {bad.hex(' ')}", data, expected)


def _dialects(this: Run) -> None:
    """Tricky text in each dialect, cut at every byte: the same message as in one piece."""
    scenario = parse("sim-unicode:tokens=60,seed=3")
    for dialect, _ in PROVIDERS.values():
        data = bytes_of(scenario, dialect)
        expected = _folded(dialect, [data])
        for at in this.pick(list(range(len(data) + 1)), 40):
            got = _folded(dialect, [data[:at], data[at:]])
            this.cell(f"{dialect}, cut at byte {at}", [] if got == expected else ["another message"])
        got = _folded(dialect, [data[at : at + 1] for at in range(len(data))])
        this.cell(f"{dialect}, byte by byte", [] if got == expected else ["another message"])
        this.cell(f"{dialect}, its text", _same(expected[0], scenario, dialect))


def _same(text: str, scenario: Scenario, dialect: str) -> list[Violation]:
    told = truth(scenario, dialect)
    return [] if text == told.text else [Violation("I3", f"{len(text)} of {len(told.text)} characters of text")]


def _folded(dialect: str, pieces: list[bytes]) -> tuple[str, str]:
    decoder, fold = DIALECTS[dialect].decoder(Quirks()), Fold()
    for piece in pieces:
        for received in decoder.feed(piece):
            for event in received.events:
                fold.add(event)
    for received in decoder.close():
        for event in received.events:
            fold.add(event)
    return fold.message().text, repr(fold.message())


# --- through the relay ------------------------------------------------------------------------------------------


async def _spoilt(home: House, name: str, kind: str, at: int) -> list[Violation]:
    """One event of an answer is spoilt: those before it are kept, and the end is honest."""
    mine = seed()
    model = f"sim:tokens=40,seed={mine},fault={kind}" + (f"@{at}" if kind in PLACED else "")
    dialect = PROVIDERS[name][0]
    answer = await home.answer(f"{name}/{model}", dialect)
    told = truth(parse(model), dialect)
    stream = await home.evidence(answer.headers.get("tailrace-stream-id", ""), [], seeded=mine, truth=told)
    stream.attempts = None
    if answer.status == 200:
        stream.readers = [Reader("the client", [connection(answer, dialect)])]
    if kind == "badutf8":
        # U+FFFD stands where the byte stood, wherever that was: all else is as it was said.
        stream.log = [data.replace(b"\xff", b"").replace("\ufffd".encode(), b"") for data in stream.log]
        stream.readers = []
    if kind in PLACED and stream.ending != "completed":
        # Half of a last line without its end is a cut answer, too.
        stream.cause = "truncated" if stream.ending == "truncated" and dialect == "ollama" else "failed"
        stream.truth = told._replace(either=True)  # it was not cut: the relay had heard enough
    return check([stream])


FAULT = Fault("F10", "malformed SSE and JSON, UTF-8 and line ends split anywhere", "decoded as the whole input is", run)
