"""Documents nobody thought of, in any split: what holds at every prefix, and against `json.loads`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tailrace.errors import JSONError, TruncatedJSON
from tailrace.partial_json import Event, KeyRepeated, Parser, replay
from tests.partial_json.documents import TEXTS, UNIQUE, damaged, splits
from tests.partial_json.reading import fragments, merged, read, same, strict_loads

many = settings(max_examples=100, deadline=None, derandomize=True)


def extends(later: Any, earlier: Any) -> bool:
    """Whether nothing that ``earlier`` shows is taken back in ``later``: only the last value of each may have grown."""
    if type(later) is not type(earlier):
        return False
    if isinstance(earlier, str):
        return later.startswith(earlier)  # type: ignore[no-any-return]
    if isinstance(earlier, list):
        *closed, last = earlier or [None]
        return same(later[: len(closed)], closed) and (not earlier or extends(later[len(closed)], last))
    if isinstance(earlier, dict):
        keys = list(earlier)
        return (
            keys == list(later)[: len(keys)]
            and all(same(later[key], earlier[key]) for key in keys[:-1])
            and (not keys or extends(later[keys[-1]], earlier[keys[-1]]))
        )
    return same(later, earlier)


@many
@given(splits())
@example(['"\\ud83d', "\\u", 'de00"'])
@example(['{"a":1,"a":', "2}"])
def test_any_split_reads_what_json_loads_reads(split: list[str]) -> None:
    parser = Parser()
    read(parser, split)
    assert same(parser.close(), strict_loads("".join(split)))
    assert parser.state == "complete"


@many
@given(UNIQUE, st.integers(1, 5))
def test_no_prefix_raises_and_nothing_shown_is_taken_back(text: str, size: int) -> None:
    parser = Parser()
    shown: Any = None
    begun = False
    for fragment in fragments(text, size):
        events = parser.feed(fragment)
        assert not any(isinstance(event, KeyRepeated) for event in events)
        value = copy.deepcopy(parser.value)
        assert not begun or extends(value, shown)
        begun = begun or bool(events)
        shown = value
    assert same(parser.close(), strict_loads(text))


@many
@given(splits())
def test_the_events_so_far_replay_to_the_value_so_far(split: list[str]) -> None:
    parser = Parser()
    events: list[Event] = []
    for fragment in split:
        events += parser.feed(fragment)
        assert same(replay(events), parser.value)


@many
@given(splits())
def test_the_split_decides_nothing_but_how_growth_is_cut(split: list[str]) -> None:
    text = "".join(split)
    whole = merged(Parser().feed(text))
    assert same(merged(read(Parser(), split)), whole)
    assert same(merged(read(Parser(), text)), whole)


@many
@given(splits())
def test_snapshots_stay_what_they_were(split: list[str]) -> None:
    parser = Parser()
    kept: list[tuple[Any, Any]] = []
    for fragment in split:
        parser.feed(fragment)
        kept.append((parser.snapshot(), copy.deepcopy(parser.value)))
    assert all(same(snapshot, then) for snapshot, then in kept)


@many
@given(TEXTS)
def test_a_complete_document_is_truncated_at_every_prefix(text: str) -> None:
    bare_number = text.strip()[0] in "-0123456789"
    for cut in range(len(text.rstrip())):
        parser = Parser()
        parser.feed(text[:cut])
        if bare_number and text[:cut].strip()[-1:].isdigit():
            assert same(parser.close(), strict_loads(text[:cut]))
            continue
        with pytest.raises(TruncatedJSON) as cut_short:
            parser.close()
        assert cut_short.value.position == cut
        assert parser.state == "truncated"


def verdict(text: str, size: int) -> tuple[str, Any]:
    parser = Parser()
    try:
        read(parser, fragments(text, size))
        return "value", repr(parser.close())
    except JSONError as error:
        return type(error).__name__, (error.position, str(error))


@many
@given(damaged())
def test_damage_is_found_where_json_loads_finds_any_and_at_the_same_place_in_any_split(text: str) -> None:
    try:
        expected = repr(strict_loads(text))
    except ValueError:
        expected = None
    whole = verdict(text, 1 << 30)
    assert whole[1] == expected if whole[0] == "value" else expected is None
    assert verdict(text, 1) == verdict(text, 3) == whole


@many
@given(damaged())
def test_a_dead_document_dies_at_the_first_character_that_rules_it_out(text: str) -> None:
    """Everything before the position is still open to some continuation; with the character there, nothing is."""
    kind, detail = verdict(text, 1 << 30)
    if kind == "InvalidJSON":
        position = detail[0]
        Parser().feed(text[:position])
        assert verdict(text[: position + 1], 1)[0] == "InvalidJSON"
