"""What AG-UI's events may not say: refused as the client's verifier refuses it, and what came before is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import DIALECTS, Quirks
from tailrace.dialects.ag_ui.blocks import MAX_FOREIGN
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import Error, Event, Finish, Opaque, Order, UsageReport
from tailrace.sse import MAX_LINE
from tests.dialects.front_end_cases import decode, events_of, sse, vectors

NAME = "ag_ui"
VECTORS = vectors(NAME)

START = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
END = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}
TEXT = {"type": "TEXT_MESSAGE_START", "messageId": "x"}
THOUGHT = {"type": "REASONING_MESSAGE_START", "messageId": "x", "role": "reasoning"}
CALL = {"type": "TOOL_CALL_START", "toolCallId": "a", "toolCallName": "f"}
REDACTED = {"type": "REASONING_START", "messageId": "x", "metadata": {"tailrace": {"redacted": "secret"}}}

HOSTILE: dict[str, list[Any]] = {
    "not JSON": [b"data: {\n\n"],
    "the marker of other dialects": [b"data: [DONE]\n\n"],
    "empty data": [b"data:\n\n"],
    "not UTF-8": [b'data: {"type":"RUN_ERROR","message":"\xff"}\n\n'],
    "deep": [b"data: " + b"[" * 100_000 + b"\n\n"],
    "a list": [[]],
    "no type": [{"messageId": "x"}],
    "a type that is no text": [{"type": 5}],
    "a run in a run": [START],
    "content without a start": [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": "x"}],
    "an end without a start": [{"type": "TEXT_MESSAGE_END", "messageId": "x"}],
    "a start that stands twice": [TEXT, TEXT],
    "content that is no text": [TEXT, {"type": "TEXT_MESSAGE_CONTENT", "messageId": "x", "delta": 5}],
    "a message without an id": [{"type": "TEXT_MESSAGE_START"}],
    "reasoning without a start": [TEXT, {"type": "REASONING_MESSAGE_CONTENT", "messageId": "x", "delta": "x"}],
    "content of what nobody can read": [
        REDACTED,
        THOUGHT,
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "x", "delta": "x"},
    ],
    "arguments without a call": [{"type": "TOOL_CALL_ARGS", "toolCallId": "a", "delta": "{"}],
    "a call that stands twice": [CALL, CALL],
    "a call without a name": [{"type": "TOOL_CALL_START", "toolCallId": "a"}],
    "a chunk that goes on with nothing": [{"type": "TEXT_MESSAGE_CHUNK", "delta": "x"}],
    "a chunk of a call without a name": [{"type": "TOOL_CALL_CHUNK", "toolCallId": "a"}],
    "an end in the middle of a text": [TEXT, END],
    "an end in the middle of a call": [CALL, END],
    "more strangers than there are": [
        {"type": "TEXT_MESSAGE_START", "messageId": str(i), "role": "user"} for i in range(MAX_FOREIGN + 1)
    ],
}


@pytest.mark.parametrize("events", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_no_rule_allows_is_refused_and_what_came_before_is_kept(events: list[Any]) -> None:
    good = sse(START, {"type": "TEXT_MESSAGE_START", "messageId": "9"})
    decoder = DIALECTS[NAME].decoder(Quirks())
    assert len(decoder.feed(good + sse(*events))) >= 2
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"")
    with pytest.raises(RemoteProtocolError):
        decoder.close()


def test_nothing_comes_before_the_run_but_an_error() -> None:
    for event in (TEXT, END, {"type": "CUSTOM", "name": "x", "value": 1}, {"type": "LATER"}):
        with pytest.raises(RemoteProtocolError):
            decode(NAME, sse(event))
    assert isinstance(events_of(NAME, sse({"type": "RUN_ERROR", "message": "x"}))[0], Error)


def test_a_line_past_the_limit_is_refused() -> None:
    decoder = DIALECTS[NAME].decoder(Quirks())
    with pytest.raises(LimitExceeded):
        decoder.feed(b"x" * (MAX_LINE + 1))


@pytest.mark.parametrize("kind", ["MESSAGES_SNAPSHOT", "SUBAGENT_STARTED", "ACTIVITY_DELTA", "A_LATER_ONE"])
def test_an_event_that_says_nothing_here_is_carried(kind: str) -> None:
    event = {"type": kind, "anything": [1]}
    assert events_of(NAME, sse(START, event))[1:] == [Opaque(NAME, event, kind)]


@pytest.mark.parametrize("usage", [5, [], [5], [{"inputTokens": "1", "outputTokens": -1}], [{"model": "m"}]])
def test_usage_of_any_form_is_read_or_passed_over(usage: Any) -> None:
    reports = [e for e in events_of(NAME, sse(START, {**END, "usage": usage})) if isinstance(e, UsageReport)]
    assert all(report.usage.output_tokens is None and report.label == "unknown" for report in reports)


@pytest.mark.parametrize(
    ("code", "kind", "ending", "retryable"),
    [
        ("rate_limit", "rate_limit", "failed", True),
        ("invalid_request", "invalid_request", "failed", False),
        ("E42", "upstream", "failed", True),
        (None, "upstream", "failed", True),
        ("abort", "cancelled", "cancelled", False),
        ("cancelled", "cancelled", "cancelled", False),
    ],
)
def test_an_agents_own_code_tells_what_it_can(code: Any, kind: str, ending: str, retryable: bool) -> None:
    (error,) = events_of(NAME, sse({"type": "RUN_ERROR", "message": "words", "code": code}))
    assert isinstance(error, Error)
    assert (error.kind, error.ending, error.retryable, error.message) == (kind, ending, retryable, "words")


@pytest.mark.parametrize("marks", [5, [], {"ending": "completed", "kind": "no such"}, {"ending": 5}])
def test_an_ending_of_any_form_never_makes_a_success(marks: Any) -> None:
    (error,) = events_of(NAME, sse({"type": "RUN_ERROR", "message": "words", "metadata": {"tailrace": marks}}))
    assert (error.message, error.ending) == ("words", "failed")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "end_turn"),
        ({"outcome": {"type": "success", "pendingToolCallIds": []}}, "end_turn"),
        ({"outcome": {"type": "success", "pendingToolCallIds": ["a"]}}, "tool_use"),
        ({"outcome": {"type": "later"}, "metadata": {"tailrace": {"stop_reason": "refusal"}}}, "refusal"),
        ({"metadata": {"tailrace": {"stop_reason": "no such"}}}, "end_turn"),
    ],
)
def test_why_a_run_ended(event: dict[str, Any], reason: str) -> None:
    finish = events_of(NAME, sse(START, {**END, **event}))[-2]
    assert isinstance(finish, Finish)
    assert finish.reason == reason


# ---- anything at all ------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KINDS = sorted({event["type"] for v in VECTORS for line in v.stream.split(b"\n") if line.startswith(b'data: {"type')
                for event in [json.loads(line[6:])]})  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "messageId": st.sampled_from(["x", "y"]),
        "toolCallId": st.sampled_from(["a", "b"]),
        "toolCallName": st.just("f"),
        "entityId": st.sampled_from(["x", "a"]),
        "encryptedValue": st.text(max_size=3),
        "subtype": st.sampled_from(["message", "tool-call"]),
        "role": st.sampled_from(["assistant", "user", "reasoning"]),
        "delta": st.text(max_size=3) | JSON,
        "outcome": st.sampled_from([{"type": "success"}, {"type": "cancelled"}, {"type": "interrupt"}]) | JSON,
        "usage": JSON,
        "metadata": st.sampled_from([{"tailrace": {"redacted": 1}}, {"tailrace": {"server": True}}]) | JSON,
        "value": JSON,
        "name": st.sampled_from(["tailrace.citation", "x"]),
    },
)


@given(st.lists(EVENTS, max_size=12), st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_any_events_give_a_legal_order_or_are_refused(events: list[Any], cut: int) -> None:
    stream = sse(START, *events)
    order, found = Order(), list[Event]()
    try:
        for one in decode(NAME, *(stream[i : i + cut] for i in range(0, len(stream), cut)))[0]:
            found += one.events
    except RemoteProtocolError:
        pass
    for event in found:
        order.advance(event)


@given(st.binary(max_size=300), st.sampled_from(VECTORS), st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_in_the_middle_never_do_more_than_raise_our_error(junk: bytes, vector: Any, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(vector.stream)))
    order = Order()
    try:
        for one in decode(NAME, vector.stream[:place], junk, vector.stream[place:])[0]:
            for event in one.events:
                order.advance(event)
    except RemoteProtocolError:
        pass
