"""What the tests of the parser share: reading in fragments, and what two readings have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tailrace.partial_json import Event, Grew, Parser


def fragments(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def read(parser: Parser, split: Iterable[str]) -> list[Event]:
    return [event for fragment in split for event in parser.feed(fragment)]


def parsed(text: str, size: int = 1 << 30) -> Any:
    parser = Parser()
    read(parser, fragments(text, size))
    return parser.close()


def merged(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` with neighbouring growth of one string made one: what does not depend on the split."""
    result: list[Event] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, Grew) and isinstance(last, Grew):
            assert event.path == last.path
            result[-1] = Grew(last.path, last.text + event.text)
        else:
            result.append(event)
    return result


def same(one: Any, other: Any) -> bool:
    """Equal, with 1, 1.0 and true told apart and keys in the same order."""
    return repr(one) == repr(other)


def refuse(constant: str) -> Any:
    raise ValueError(constant)


def strict_loads(text: str) -> Any:
    """`json.loads` without the three constants that JSON does not have."""
    return json.loads(text, parse_constant=refuse)
