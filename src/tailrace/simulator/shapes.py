"""What an answer can hold: one small generator for each shape, in a table.

Each yields the blocks of the answer and the reason why it stops; `tailrace.simulator.script` puts the beginning, the
usage and the end around them. Exactly ``scenario.tokens`` content deltas are yielded where the shape allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import TypeAlias

import msgspec

from tailrace.events import (
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Event,
    Finish,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from tailrace.simulator.scenario import Scenario
from tailrace.simulator.words import fragments, phrase, pieces, sentences, tricky

Shape: TypeAlias = Callable[[Random, Scenario], Iterator[Event]]

LONG_LINE = 16 * 1024
"""Characters of one delta of ``long_lines``: more than the 8 KiB in which careless readers look for a line's end."""


def _texts(index: int, texts: Iterable[str], kind: BlockKind = "text") -> Iterator[Event]:
    """Yield a block of ``texts``; none at all where there is no text, as no provider opens a block for nothing."""
    begun = False
    for text in texts:
        if not begun:
            yield BlockStart(index, kind)
            begun = True
        yield TextDelta(index, text)
    if begun:
        yield BlockStop(index)


def _thought(rng: Random, index: int, count: int) -> Iterator[Event]:
    yield BlockStart(index, "thinking")
    for text in sentences(rng, count):
        yield ThinkingDelta(index, text)
    yield SignatureDelta(index, "".join(f"{int(rng.random() * 256):02x}" for _ in range(32)))
    yield BlockStop(index)


def _call(rng: Random, index: int, name: str, count: int) -> Iterator[Event]:
    yield BlockStart(index, "tool_call", id=f"call_sim_{int(rng.random() * 16**8):08x}", name=name)
    if count:
        # A fragment is about four characters, as a tokenizer would cut it.
        arguments = {
            "place": phrase(rng, 3),
            "note": phrase(rng, count),
            "days": 3,
            "units": ["°C", "mm"],
            "exact": True,
        }
        for fragment in fragments(rng, _json(arguments), count):
            yield ToolInputDelta(index, fragment)
    yield BlockStop(index)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _text(rng: Random, scenario: Scenario) -> Iterator[Event]:
    yield from _texts(0, sentences(rng, scenario.tokens))
    yield Finish("end_turn")


def _max_tokens(rng: Random, scenario: Scenario) -> Iterator[Event]:
    source = pieces(rng)
    yield from _texts(0, (next(source) for _ in range(scenario.tokens)))
    yield Finish("max_tokens")


def _refusal(rng: Random, scenario: Scenario) -> Iterator[Event]:
    yield from _texts(0, sentences(rng, scenario.tokens), "refusal")
    yield Finish("refusal")


def _unicode(rng: Random, scenario: Scenario) -> Iterator[Event]:
    yield from _texts(0, tricky(rng, scenario.tokens))
    yield Finish("end_turn")


def _long_lines(rng: Random, scenario: Scenario) -> Iterator[Event]:
    line = phrase(rng, LONG_LINE // 4)[:LONG_LINE]
    yield from _texts(0, (line for _ in range(scenario.tokens)))
    yield Finish("end_turn")


def _thinking(rng: Random, scenario: Scenario) -> Iterator[Event]:
    said = scenario.tokens // 2
    if thought := scenario.tokens - said:
        yield from _thought(rng, 0, thought)
    yield from _texts(1, sentences(rng, said))
    yield Finish("end_turn")


def _tool(rng: Random, scenario: Scenario) -> Iterator[Event]:
    said = scenario.tokens // 3
    yield from _texts(0, sentences(rng, said))
    yield from _call(rng, min(said, 1), scenario.tool, scenario.tokens - said)
    yield Finish("tool_use")


def _tools(rng: Random, scenario: Scenario) -> Iterator[Event]:
    first = scenario.tokens // 2
    yield from _call(rng, 0, scenario.tool, first)
    yield from _call(rng, 1, scenario.tool, scenario.tokens - first)
    # A call without arguments: on Anthropic's wire it has no delta at all, and its input is {}.
    yield from _call(rng, 2, "get_time", 0)
    yield Finish("tool_use")


def _citations(rng: Random, scenario: Scenario) -> Iterator[Event]:
    # The deltas alternate: four pieces of text, then the citation that supports them.
    source = pieces(rng)
    said: list[str] = []
    for number in range(1, scenario.tokens + 1):
        if number == 1:
            yield BlockStart(0, "text")
        if number % 5:
            said.append(next(source))
            yield TextDelta(0, said[-1])
        else:
            yield CitationDelta(0, _citation("".join(said), number))
            said.clear()
    if scenario.tokens:
        yield BlockStop(0)
    yield Finish("end_turn")


def _citation(text: str, number: int) -> dict[str, object]:
    """Return a citation as Anthropic writes it (``char_location``)."""
    return {
        "type": "char_location",
        "cited_text": text,
        "document_index": 0,
        "document_title": "The simulated river",
        "start_char_index": number * 100,
        "end_char_index": number * 100 + len(text),
        "file_id": None,
    }


def _document(rng: Random, scenario: Scenario) -> Iterator[Event]:
    rows = [
        {"name": phrase(rng, 4), "depth": int(rng.random() * 100), "open": rng.random() < 0.5, "note": None}
        for _ in range(scenario.tokens // 10 + 1)
    ]
    text = _json({"title": phrase(rng, 4), "rows": rows})
    yield from _texts(0, fragments(rng, text, scenario.tokens) if scenario.tokens else ())
    yield Finish("end_turn")


def _markdown(rng: Random, scenario: Scenario) -> Iterator[Event]:
    yield from _texts(0, _markdown_pieces(rng, scenario.tokens))
    yield Finish("end_turn")


def _markdown_pieces(rng: Random, count: int) -> Iterator[str]:
    """Yield ``count`` pieces of a page that never ends: heading, prose, list, code, table, formula."""
    left = count
    while left:
        page = (
            f"## {phrase(rng, 4)}\n\n{phrase(rng, 30)} **{phrase(rng, 2)}** and `code`.\n\n"
            f"- {phrase(rng, 5)}\n- {phrase(rng, 5)}\n\n```python\nfor stone in river:\n    print(stone)\n```\n\n"
            f"| where | depth |\n| --- | ---: |\n| weir | {int(rng.random() * 100)} |\n\n$v = \\sqrt{{2gh}}$\n\n"
        )
        for text in fragments(rng, page, len(page) // 4):
            yield text
            left -= 1
            if not left:
                return


SHAPES: dict[str, Shape] = {
    "text": _text,
    "markdown": _markdown,
    "thinking": _thinking,
    "tool": _tool,
    "tools": _tools,
    "json": _document,
    "citations": _citations,
    "refusal": _refusal,
    "max_tokens": _max_tokens,
    "unicode": _unicode,
    "long_lines": _long_lines,
}
"""``shape → its generator``."""
