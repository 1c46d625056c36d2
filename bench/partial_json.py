"""What it costs to hold the value of a JSON document while it is being written, beside others in the same run.

    .venv/bin/python bench/partial_json.py [--sizes 1000 10000] [--fragment 4] [--rounds 12] [--json results.json]

Each document is fed in small fragments, and after every fragment its value is there to be used. A rival that only
knows whole texts parses everything so far again. Costs are CPU time, the best of several rounds in which all
candidates take turns: what is reported are ratios within the run, because absolute figures are the machine's.

Sampled (marked ``~``): re-parsing a document of more than 20,000 characters is measured at 24 lengths, one in the
middle of each twenty-fourth of the fragments, and added up.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import documents
import ijson
import jiter
import pydantic_core

from tailrace.partial_json import Parser

SAMPLED_ABOVE = 20_000
SAMPLES = 24
QUICK = 0.1  # seconds
DOCUMENTS = {"A nested report": documents.nested, "B one long string": documents.long_string}


class Cost(NamedTuple):
    """CPU seconds for a whole document, and whether they were added up from samples."""

    seconds: float
    sampled: bool = False


Candidate = Callable[[str, int], Cost]
"""Takes a document and the size of fragments, reads it once."""


def fragments(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def timed(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of ``work``: the best of three in a row where it is quick, so that caches are warm."""
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        work()
        best = min(best, time.thread_time() - began)
        if best > QUICK:
            break
    return best


def tailrace_events(text: str, size: int) -> Cost:
    split = fragments(text, size)

    def work() -> None:
        parser = Parser()
        for fragment in split:
            parser.feed(fragment)
        parser.close()

    return Cost(timed(work))


def tailrace_live(text: str, size: int) -> Cost:
    split = fragments(text, size)

    def work() -> None:
        parser = Parser()
        for fragment in split:
            parser.feed(fragment)
            parser.value  # noqa: B018  as whoever shows it would read it
        parser.close()

    return Cost(timed(work))


def tailrace_snapshot(text: str, size: int) -> Cost:
    split = fragments(text, size)

    def work() -> None:
        parser = Parser()
        kept = None
        for fragment in split:
            parser.feed(fragment)
            kept = parser.snapshot()
        assert kept == parser.close()

    return Cost(timed(work))


def tailrace_whole(text: str, _: int) -> Cost:
    return tailrace_events(text, len(text))


def reparse(parse: Callable[[bytes], Any]) -> Candidate:
    def candidate(text: str, size: int) -> Cost:
        split = [fragment.encode() for fragment in fragments(text, size)]

        def stream() -> None:
            buffer = b""
            for fragment in split:
                buffer += fragment
                parse(buffer)

        if len(text) <= SAMPLED_ABOVE:
            return Cost(timed(stream))
        stride = len(split) / SAMPLES
        ends = [int((sample + 0.5) * stride) for sample in range(SAMPLES)]
        # Each length three times in a row, as a stream would parse nearly the same text again and again.
        return Cost(sum(timed(partial(step, b"".join(split[:end]), split[end])) for end in ends) * stride, sampled=True)

    def step(buffer: bytes, fragment: bytes) -> None:
        parse(buffer + fragment)

    return candidate


def by_jiter(data: bytes) -> Any:
    return jiter.from_json(data, partial_mode="trailing-strings")


def by_pydantic_core(data: bytes) -> Any:
    return pydantic_core.from_json(data, allow_partial="trailing-strings")


def by_ijson(text: str, size: int) -> Cost:
    split = [fragment.encode() for fragment in fragments(text, size)]

    def work() -> None:
        events = ijson.sendable_list()
        push = ijson.parse_coro(events)
        for fragment in split:
            push.send(fragment)
            del events[:]
        push.close()

    return Cost(timed(work))


def by_jsonriver(text: str, size: int) -> Cost:
    import jsonriver  # type: ignore[import-not-found]

    split = fragments(text, size)

    async def source() -> AsyncIterator[str]:
        for fragment in split:
            yield fragment

    async def read() -> None:
        async for _ in jsonriver.parse(source()):
            pass

    return Cost(timed(lambda: asyncio.run(read())))


OURS: dict[str, Candidate] = {
    "tailrace, events": tailrace_events,
    "tailrace, events and live value": tailrace_live,
    "tailrace, events and snapshot": tailrace_snapshot,
    "tailrace, the whole in one feed": tailrace_whole,
}
LIVE = "tailrace, events and live value"
REPARSING: dict[str, Candidate] = {
    "jiter, parsed again": reparse(by_jiter),
    "pydantic_core, parsed again": reparse(by_pydantic_core),
}
RIVALS: dict[str, Candidate] = {**REPARSING, "ijson push (no open strings)": by_ijson}
SLOW_ABOVE = {"ijson push (no open strings)": 200_000, "jsonriver": 200_000, "tailrace, events and snapshot": 200_000}
"""Largest document that a candidate is given: beyond, one pass takes a minute or more."""


def candidates(size: int) -> dict[str, Candidate]:
    all_: dict[str, Candidate] = {**OURS, **RIVALS}
    if version("jsonriver"):
        all_["jsonriver"] = by_jsonriver
    return {name: work for name, work in all_.items() if size <= SLOW_ABOVE.get(name, size)}


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def measure(text: str, fragment: int, rounds: int) -> dict[str, Cost]:
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, candidate in candidates(len(text)).items():
            cost = candidate(text, fragment)
            if name not in best or cost.seconds < best[name].seconds:
                best[name] = cost
    return best


def plain_fragment(rounds: int) -> dict[str, float]:
    """Seconds for one four-character fragment inside a string: the events, and the events with the live value."""
    result = {}
    for name, candidate in (("events", tailrace_events), ("live", tailrace_live)):
        text = '["' + "text" * 5000 + '"]'
        result[name] = min(candidate(text, 4).seconds for _ in range(rounds)) / (len(text) / 4)
    return result


def against(row: dict[str, Cost]) -> dict[str, float]:
    """How many times the CPU of ours, with the live value, each of the others takes."""
    ours = row[LIVE].seconds
    ratios = {name: cost.seconds / ours for name, cost in row.items() if name not in OURS}
    ratios["the faster of those that parse again"] = min(row[name].seconds for name in REPARSING) / ours
    return ratios


def report(results: dict[str, dict[int, dict[str, Cost]]], lengths: dict[tuple[str, int], int]) -> None:
    for title, rows in results.items():
        sizes = list(rows)
        print(f"\n{title}: ns per character, ~ sampled")
        print(f"{'':34}" + "".join(f"{size:>13,}" for size in sizes) + "     growth")
        for name in {name: None for row in rows.values() for name in row}:
            costs = {size: rows[size][name] for size in sizes if name in rows[size]}
            per = {size: cost.seconds / lengths[title, size] * 1e9 for size, cost in costs.items()}
            cells = [f"{'~' if costs[s].sampled else ''}{per[s]:,.0f}" if s in costs else "-" for s in sizes]
            base, last = 10_000 if 10_000 in per else min(per), max(per)
            growth = f"{per[last] / per[base]:.2f}" if last > base else "-"
            print(f"{name:34}" + "".join(f"{cell:>13}" for cell in cells) + f"{growth:>11}")
        print("times the CPU of tailrace with events and live value:")
        ratios = {size: against(rows[size]) for size in sizes}
        for name in {name: None for row in ratios.values() for name in row}:
            cells = [f"{ratios[s][name]:,.1f} x" if name in ratios[s] else "-" for s in sizes]
            print(f"  {name:32}" + "".join(f"{cell:>13}" for cell in cells))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    arguments.add_argument("--fragment", type=int, default=4, help="characters per fragment")
    arguments.add_argument(
        "--rounds", type=int, default=12, help="rounds for the small documents; large ones get fewer"
    )
    arguments.add_argument("--json", type=Path, help="write the results there too")
    options = arguments.parse_args()

    packages = {name: version(name) for name in ("tailrace", "jiter", "pydantic_core", "ijson", "jsonriver")}
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, {sys.platform}; ",
        end="",
    )
    print(", ".join(f"{name} {found}" for name, found in packages.items() if found))
    if not packages["jsonriver"]:
        print("jsonriver is not installed, so it is left out")
    print(f"fragments of {options.fragment} characters")

    lengths: dict[tuple[str, int], int] = {}
    results: dict[str, dict[int, dict[str, Cost]]] = {}
    for title, make in DOCUMENTS.items():
        for size in options.sizes:
            text = make(size)
            lengths[title, size] = len(text)
            rounds = max(2, min(options.rounds * 4, options.rounds * 20_000 // size))
            results.setdefault(title, {})[size] = measure(text, options.fragment, rounds)
    report(results, lengths)
    plain = plain_fragment(options.rounds * 4)
    print(f"\none plain fragment in a string: {plain['events'] * 1e6:.2f} µs, {plain['live'] * 1e6:.2f} µs with value")
    if options.json:
        rows = [
            {"document": title, "size": size, "characters": lengths[title, size], "candidate": name, **cost._asdict()}
            for title, sizes in results.items()
            for size, row in sizes.items()
            for name, cost in row.items()
        ]
        about = {"python": platform.python_version(), "machine": platform.machine(), "packages": packages}
        about |= {"fragment": options.fragment, "plain_fragment_seconds": plain}
        options.json.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
