"""What each value says, in which order, and how events are named and replayed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tailrace.partial_json import Began, Completed, Event, Grew, KeyRepeated, Parser, Path, pointer, replay
from tests.partial_json.reading import fragments, merged, read, same

CASES: list[tuple[str, list[Event]]] = [
    ("true", [Completed((), True)]),
    ("null ", [Completed((), None)]),
    ("12 ", [Completed((), 12)]),
    ("-1.5e1\n", [Completed((), -15.0)]),
    ('""', [Began((), "string"), Completed((), "")]),
    ('"Al"', [Began((), "string"), Grew((), "Al"), Completed((), "Al")]),
    ("{}", [Began((), "object"), Completed((), {})]),
    ("[ ]", [Began((), "array"), Completed((), [])]),
    (
        '{"user": {"name": "Al"}, "n": [1, true]}',
        [
            Began((), "object"),
            Began(("user",), "object"),
            Began(("user", "name"), "string"),
            Grew(("user", "name"), "Al"),
            Completed(("user", "name"), "Al"),
            Completed(("user",), {"name": "Al"}),
            Began(("n",), "array"),
            Completed(("n", 0), 1),
            Completed(("n", 1), True),
            Completed(("n",), [1, True]),
            Completed((), {"user": {"name": "Al"}, "n": [1, True]}),
        ],
    ),
    (
        '[[], [[""]], {"": 0}]',
        [
            Began((), "array"),
            Began((0,), "array"),
            Completed((0,), []),
            Began((1,), "array"),
            Began((1, 0), "array"),
            Began((1, 0, 0), "string"),
            Completed((1, 0, 0), ""),
            Completed((1, 0), [""]),
            Completed((1,), [[""]]),
            Began((2,), "object"),
            Completed((2, ""), 0),
            Completed((2,), {"": 0}),
            Completed((), [[], [[""]], {"": 0}]),
        ],
    ),
    (
        '{"a": "x", "\\u0061": [2]}',
        [
            Began((), "object"),
            Began(("a",), "string"),
            Grew(("a",), "x"),
            Completed(("a",), "x"),
            KeyRepeated(("a",)),
            Began(("a",), "array"),
            Completed(("a", 0), 2),
            Completed(("a",), [2]),
            Completed((), {"a": [2]}),
        ],
    ),
]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(("text", "events"), CASES, ids=[text for text, _ in CASES])
def test_events_of_a_document(text: str, events: list[Event], size: int) -> None:
    assert same(merged(read(Parser(), fragments(text, size))), events)


def test_a_string_grows_by_what_each_fragment_brings() -> None:
    parser = Parser()
    brought = [parser.feed(fragment) for fragment in ['{"te', 'xt":"Hel', "lo, ", "", "wor", 'ld"', "}"]]
    path = ("text",)
    assert brought == [
        [Began((), "object")],
        [Began(path, "string"), Grew(path, "Hel")],
        [Grew(path, "lo, ")],
        [],
        [Grew(path, "wor")],
        [Grew(path, "ld"), Completed(path, "Hello, world")],
        [Completed((), {"text": "Hello, world"})],
    ]


def test_a_repeated_key_keeps_its_place_and_its_first_value_until_the_next_begins() -> None:
    parser = Parser()
    parser.feed('{"a": 1, "b": 2, "a"')
    assert same(parser.value, {"a": 1, "b": 2})
    parser.feed(': "x')
    assert same(parser.value, {"a": "x", "b": 2})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), ""),
        (("user", "name"), "/user/name"),
        (("items", 0, ""), "/items/0/"),
        (("a/b", "m~n", "~1"), "/a~1b/m~0n/~01"),
    ],
)
def test_paths_as_json_pointers(path: Path, expected: str) -> None:
    assert pointer(path) == expected


def test_a_replay_shares_nothing_with_the_parser() -> None:
    parser = Parser()
    events = parser.feed('{"a": [1, {"b": "c"}]}')
    copied = replay(events)
    copied["a"][1]["b"] = "changed"
    copied["a"].append(2)
    assert parser.close() == {"a": [1, {"b": "c"}]}


def test_a_replay_needs_no_values_of_strings_and_containers() -> None:
    document = '{"a": ["x", {"b": ""}], "n": [null, 1.5]}'
    sent: list[Event] = []
    for event in Parser().feed(document):
        whole = isinstance(event, Completed) and isinstance(event.value, str | list | dict)
        if not whole:
            sent.append(event)
    assert replay(sent) == {"a": ["x", {"b": ""}], "n": [None, 1.5]}


def test_a_replay_of_nothing_is_nothing() -> None:
    assert replay([]) is None


@pytest.mark.parametrize(
    ("event", "form"),
    [
        (Began(("a", 0), "array"), {"type": "began", "path": ["a", 0], "kind": "array"}),
        (Grew(("a",), "é"), {"type": "grew", "path": ["a"], "text": "é"}),
        (Completed((), {"a": 1}), {"type": "completed", "path": [], "value": {"a": 1}}),
        (KeyRepeated(("a",)), {"type": "key_repeated", "path": ["a"]}),
    ],
)
def test_events_have_a_json_form(event: Event, form: dict[str, Any]) -> None:
    encoded = msgspec.json.encode(event)
    assert msgspec.json.decode(encoded) == form
    assert msgspec.json.decode(encoded, type=Event) == event
