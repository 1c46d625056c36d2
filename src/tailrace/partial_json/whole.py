"""Containers that lie closed in one fragment: read by the C scanner, then told as if they had been read in pieces.

Whatever is out of the ordinary (not closed, not JSON, past a cap, a repeated key that is an error) is left alone:
`Scanner` reads it step by step, and that finds the exact position and says what is wrong.
"""

from __future__ import annotations

from functools import lru_cache
from json import JSONDecoder
from typing import Any, NamedTuple

from tailrace.partial_json.events import Began, Completed, Event, Grew, KeyRepeated, Path

_MAX_DEPTH = 64
"""Nesting that the walk follows by recursion: far above any real document, far below Python's recursion limit."""


class _GivenUp(Exception):
    pass


class Limits(NamedTuple):
    """What a parser refuses, of what its constructor was told."""

    max_size: int
    max_depth: int
    max_number: int
    repeats_allowed: bool


def closed_container(
    text: str, at: int, path: Path, *, depth: int, limits: Limits, events: list[Event]
) -> tuple[Any, int] | None:
    """Read the object or array that opens at ``text[at]``: its value and the index after its closing bracket.

    Appends its events to ``events``; returns None and appends nothing when `Scanner` has to read it. ``depth``
    counts the containers that are open around it.
    """
    try:
        scanned, stop = _scanner(limits.max_number)(text, at)
    except (ValueError, StopIteration, RecursionError):
        return None
    mark = len(events)
    try:
        room = min(_MAX_DEPTH, limits.max_depth - depth)
        return _tell(scanned, path, room, limits.repeats_allowed, events), stop
    except _GivenUp:
        del events[mark:]
        return None


@lru_cache(maxsize=8)
def _scanner(max_number: int) -> Any:
    """Return the C scanner; its objects come as tuples of pairs, so that repeated keys are seen."""

    def integer(literal: str) -> int:
        if len(literal) > max_number:
            raise ValueError
        return int(literal)

    def real(literal: str) -> float:
        if len(literal) > max_number:
            raise ValueError
        return float(literal)

    decoder = JSONDecoder(object_pairs_hook=tuple, parse_int=integer, parse_float=real, parse_constant=_refuse)
    return decoder.scan_once  # type: ignore[attr-defined]


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _tell(scanned: Any, path: Path, room: int, repeats_allowed: bool, events: list[Event]) -> Any:
    """Append the events of ``scanned`` and return it with its tuples made into objects."""
    if room <= 0:
        raise _GivenUp
    say = events.append
    keyed = type(scanned) is tuple
    value: Any = {} if keyed else [None] * len(scanned)
    say(Began(path, "object" if keyed else "array"))
    for slot, item in scanned if keyed else enumerate(scanned):
        inner = (*path, slot)
        if keyed and slot in value:
            if not repeats_allowed:
                raise _GivenUp
            say(KeyRepeated(inner))
        kind = type(item)
        if kind is tuple or kind is list:
            value[slot] = _tell(item, inner, room - 1, repeats_allowed, events)
            continue
        if kind is str:
            say(Began(inner, "string"))
            if item:
                say(Grew(inner, item))
        say(Completed(inner, item))
        value[slot] = item
    say(Completed(path, value))
    return value
