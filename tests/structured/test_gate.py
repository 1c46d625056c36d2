"""The gate: what passes may be run, what may not run never passes, and everything else passes as it came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.errors import BadRequest
from tailrace.events import (
    BlockStart,
    BlockStop,
    Error,
    Event,
    Finish,
    Fold,
    MessageEnd,
    MessageStart,
    Ping,
    SignatureDelta,
    TextDelta,
    ToolInputDelta,
    fold,
)
from tailrace.structured import MAX_HELD, ToolGate
from tests.partial_json.reading import fragments

LOOK = {"type": "object", "properties": {"up": {"type": "boolean"}}, "required": ["up"]}
START: Event = MessageStart("m", "model")
END: list[Event] = [Finish("tool_use"), MessageEnd()]


def call(*pieces: str, index: int = 0, name: str = "look", kind: Any = "tool_call") -> list[Event]:
    deltas: list[Event] = [ToolInputDelta(index, piece) for piece in pieces]
    return [BlockStart(index, kind, f"t{index}", name), *deltas, BlockStop(index)]


def passed(events: list[Event], schemas: dict[str, Any] | None = None) -> list[list[Event]]:
    gate = ToolGate({"look": LOOK} if schemas is None else schemas)
    return [gate.take(event) for event in events]


def flat(groups: list[list[Event]]) -> list[Event]:
    return [event for group in groups for event in group]


def test_a_call_passes_with_its_end_as_one_delta() -> None:
    events = [START, *call('{"up"', ": tr", "ue}"), *END]
    groups = passed(events)
    assert groups[1:6] == [[events[1]], [], [], [], [ToolInputDelta(0, '{"up": true}'), BlockStop(0)]]
    assert fold(flat(groups)) == fold(events)


def test_the_words_of_the_arguments_are_not_changed() -> None:
    text = ' {"up" :\ttrue, "n": 1e0, "s": "\\u00e9"} '
    assert ToolInputDelta(0, text) in flat(passed([START, *call(*text)]))


def test_text_and_pings_pass_while_a_call_is_held() -> None:
    between: list[Event] = [Ping(), BlockStart(1, "text"), TextDelta(1, "so"), SignatureDelta(0, "s"), BlockStop(1)]
    begun, ended = call('{"up": true}')[:2], BlockStop(0)
    groups = passed([START, *begun, *between, ended])
    assert flat(groups[3:8]) == between
    assert groups[8] == [ToolInputDelta(0, '{"up": true}'), ended]


def test_calls_that_grow_at_once_are_held_apart() -> None:
    one, two = call('{"up"', ": true}"), call('{"up"', ": false}", index=1)
    events = [START, one[0], two[0], one[1], two[1], one[2], two[2], two[3], one[3], *END]
    assert fold(flat(passed(events))) == fold(events)


def test_no_arguments_are_an_empty_object() -> None:
    assert flat(passed(call(name="now"))) == call(name="now")
    assert flat(passed(call("", "", name="now"))) == call(name="now")
    assert isinstance(flat(passed(call()))[-1], Error)


def test_of_a_tool_without_a_schema_the_arguments_need_only_be_json() -> None:
    assert flat(passed(call("[1, ", "2]", name="other"))) == call("[1, 2]", name="other")
    assert isinstance(flat(passed(call("[1, ", name="other")))[-1], Error)


def test_calls_that_the_provider_runs_pass_as_they_come() -> None:
    events = call("{", "not json", kind="server_tool_call")
    assert passed(events) == [[event] for event in events]


BAD = [
    ('{"up": tru', "", "breaks off"),
    ('{"up": 1}', "/up", "boolean"),
    ('{"down": 1}', "", "required"),
    ("{up: true}", "", "not JSON"),
    ('{"up": true} {}', "", "not JSON"),
    ('{"up": false, "up": true}', "", "again"),
]


@pytest.mark.parametrize(("text", "path", "reason"), BAD)
@pytest.mark.parametrize("size", [1, 100])
def test_a_call_that_may_not_run_ends_the_answer(text: str, path: str, reason: str, size: int) -> None:
    events = [START, *call(*fragments(text, size)), *call('{"up": true}', index=1), *END]
    out = flat(passed(events))
    error = out[-1]
    assert isinstance(error, Error)
    assert out[:-1] == [START, BlockStart(0, "tool_call", "t0", "look")]
    assert (error.kind, error.ending, error.code) == ("protocol", "failed", "invalid_tool_call")
    assert "'look'" in error.message
    assert path in error.message
    assert reason in error.message
    message = fold(out)
    assert [block.complete for block in message.tool_calls] == [False]


def test_a_call_is_refused_as_soon_as_it_cannot_become_valid() -> None:
    groups = passed([START, *call('{"up": 1,', ' "more"', ": 2}")])
    assert isinstance(groups[2][-1], Error)
    assert groups[3:] == [[], [], []]


def test_an_error_in_the_middle_of_a_call_drops_what_is_held() -> None:
    error = Error("overloaded", "later")
    groups = passed([START, *call('{"up": true}')[:2], error])
    assert flat(groups) == [START, BlockStart(0, "tool_call", "t0", "look"), error]


def test_what_is_held_is_bounded() -> None:
    gate = ToolGate({})
    piece = '"' + "x" * (MAX_HELD // 4) + '"'
    for index in range(4):
        gate.take(BlockStart(index, "tool_call", f"t{index}", "other"))
    passed = [gate.take(ToolInputDelta(index, piece)) for index in range(4)]
    assert passed[:3] == [[], [], []]
    assert isinstance(passed[3][0], Error)
    assert str(MAX_HELD) in passed[3][0].message
    assert gate.failed


def test_room_that_a_call_took_is_free_again_after_it() -> None:
    gate = ToolGate({})
    piece = '"' + "x" * (MAX_HELD // 2) + '"'
    for index in range(4):
        for event in call(piece, index=index, name="other"):
            gate.take(event)
    assert not gate.failed


def test_a_schema_that_is_none_is_refused_before_the_answer() -> None:
    with pytest.raises(BadRequest, match="JSON Schema"):
        ToolGate({"look": {"type": "objct"}})


VALID = ['{"up": true}', '{"up": false, "why": "\\ud83d\\ude00"}', "{}", "[]", "1", '{"up": null}', "{", ""]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(VALID), st.integers(1, 9)), max_size=4), st.randoms(use_true_random=False))
def test_what_passes_is_legal_and_every_call_that_ends_is_valid(texts: list[tuple[str, int]], rng: Any) -> None:
    rows = [call(*fragments(text, size), index=index)[1:] for index, (text, size) in enumerate(texts)]
    events: list[Event] = [START, *(BlockStart(index, "tool_call", f"t{index}", "look") for index in range(len(rows)))]
    while rows:
        row = rng.choice(rows)
        events.append(row.pop(0))
        rows = [one for one in rows if one]
    state = Fold()
    for event in flat(passed([*events, *END])):
        state.add(event)
    assert state.ended
    calls = state.message().tool_calls
    if state.error is None:
        assert state.message() == fold([*events, *END])
    assert all(isinstance(one.input["up"], bool) for one in calls if one.complete)
    assert (state.error is None) == all("true" in text or "false" in text for text, _ in texts)
