"""What a run looks like on the wire, and that its client's verifier could never object."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import DIALECTS, Received, Reply
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    Message,
    MessageEnd,
    MessageStart,
    Opaque,
    OtherBlock,
    Ping,
    RedactedThinkingBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    Usage,
    UsageReport,
)
from tailrace.sse import ServerSentEvent
from tests.dialects.front_end_cases import REPLY, decode, encode, foreign, payloads, sse, vectors

NAME = "ag_ui"
DIALECT = DIALECTS[NAME]

START = MessageStart("m", "tide-2")
CUT = Error("truncated", "cut", "truncated", True)
STOP = Error("cancelled", "stopped", "cancelled")


def told(*events: Event, reply: Reply = REPLY) -> list[Any]:
    """Return the wire events that say ``events``."""
    return list(payloads(encode(NAME, events, reply)))


def types(*events: Event) -> list[str]:
    """Return their types, without the start of the run."""
    return [event["type"] for event in told(*events) if event["type"] != "RUN_STARTED"]


def test_a_run_has_the_names_that_the_client_gave() -> None:
    reply = Reply(id="r", model="m", created=1, echo={"thread": "t1", "run": "r1", "parent": "p1"})
    first, last = told(START, Finish("end_turn"), MessageEnd(), reply=reply)
    assert (first["threadId"], first["runId"], first["parentRunId"]) == ("t1", "r1", "p1")
    assert first["protocolVersion"] == "1.0"
    assert (last["threadId"], last["runId"], last["outcome"]) == ("t1", "r1", {"type": "success"})
    assert "parentRunId" not in told(START)[0]


def test_a_text_stays_open_until_something_else_begins() -> None:
    two: list[Event] = [
        BlockStart(0, "text"),
        TextDelta(0, "a"),
        BlockStop(0),
        BlockStart(1, "refusal"),
        TextDelta(1, "b"),
    ]
    assert types(START, *two, BlockStop(1)) == ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_CONTENT"]
    assert types(START, *two, BlockStop(1), BlockStart(2, "tool_call", "i", "f"))[-2:] == [
        "TEXT_MESSAGE_END",
        "TOOL_CALL_START",
    ]
    late: list[Event] = [BlockStart(2, "tool_call", "i", "f"), BlockStop(2), TextDelta(1, "c"), BlockStop(1)]
    assert types(START, *two, *late, Finish("end_turn"), MessageEnd())[-4:] == [
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]


def test_an_empty_text_is_none() -> None:
    assert types(START, BlockStart(0, "text"), TextDelta(0, ""), BlockStop(0), Finish("end_turn"), MessageEnd()) == [
        "RUN_FINISHED"
    ]


def test_texts_and_calls_are_one_message_until_a_result_stands_between() -> None:
    events = told(
        START,
        *(BlockStart(0, "text"), TextDelta(0, "a"), BlockStop(0)),
        *(BlockStart(1, "tool_call", "i", "f"), BlockStop(1)),
        *(BlockStart(2, "server_tool_call", "s", "g"), BlockStop(2)),
        *(BlockStart(3, "server_tool_result", "s", data={"x": 1}, dialect="anthropic"), BlockStop(3)),
        *(BlockStart(4, "text"), TextDelta(4, "b"), BlockStop(4)),
        Finish("tool_use"),
        MessageEnd(),
    )
    parents = [
        event.get("messageId", event.get("parentMessageId")) for event in events if event["type"].endswith("START")
    ]
    assert parents == ["reply-1", "reply-1", "reply-1", "reply-1-m2"]
    (result,) = [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
    assert (result["toolCallId"], result["content"]) == ("s", '{"x":1}')
    assert events[-1]["outcome"] == {"type": "success", "pendingToolCallIds": ["i"]}


def test_a_call_without_an_id_gets_one_and_one_without_arguments_has_none() -> None:
    _, start, args, end = told(START, BlockStart(0, "tool_call", None, "f"), BlockStop(0))
    assert start["toolCallId"] == args["toolCallId"] == end["toolCallId"] == "call_reply-1_0"
    assert args["delta"] == "{}"


@pytest.mark.parametrize("text", ['{"a":', "no JSON", "[" * 100_000])
def test_a_call_that_is_not_whole_is_answered_at_once_so_that_nobody_runs_it(text: str) -> None:
    call: list[Event] = [BlockStart(0, "tool_call", "i", "f"), ToolInputDelta(0, text), BlockStop(0)]
    *_, end, result, finished = told(START, *call, Finish("max_tokens"), MessageEnd())
    assert (end["type"], result["type"], result["toolCallId"]) == ("TOOL_CALL_END", "TOOL_CALL_RESULT", "i")
    assert "pendingToolCallIds" not in finished["outcome"]


def test_signatures_are_values_for_the_client_to_keep() -> None:
    events = told(
        START,
        *(BlockStart(0, "thinking"), ThinkingDelta(0, "a"), SignatureDelta(0, "s1"), BlockStop(0)),
        *(BlockStart(1, "text"), TextDelta(1, "b"), SignatureDelta(1, "s2"), BlockStop(1)),
        *(BlockStart(2, "tool_call", "i", "f"), SignatureDelta(2, "s3"), BlockStop(2)),
        *(BlockStart(3, "redacted_thinking", data="x", dialect="anthropic"), BlockStop(3)),
    )
    kept = [(e["subtype"], e["entityId"], e["encryptedValue"]) for e in events if "encryptedValue" in e]
    assert kept == [
        ("message", "reply-1-0", "s1"),
        ("message", "reply-1", "s2"),
        ("tool-call", "i", "s3"),
        ("message", "reply-1-3", '{"redacted_thinking":"x"}'),
    ]


def test_what_only_another_dialect_can_write_is_raw() -> None:
    events = told(
        Opaque("gemini", {"a": 1}, "x"),
        START,
        BlockStart(0, "media", data={"b": 2}, dialect="gemini"),
        BlockDelta(0, {"c": 3}, "gemini"),
        BlockStop(0),
        BlockStart(1, "opaque"),
    )
    assert events[0]["type"] == "RUN_STARTED"
    assert events[1:] == [
        {"type": "RAW", "event": value, "source": "gemini"} for value in ({"a": 1}, {"b": 2}, {"c": 3})
    ]


def test_what_it_has_no_word_for_is_left_out() -> None:
    other: list[Event] = [
        BlockStart(0, "text", choice=1),
        TextDelta(0, "x"),
        CitationDelta(0, {}),
        SignatureDelta(0, "s"),
    ]
    assert types(START, *other, BlockStop(0), Finish("end_turn", choice=1), Ping()) == []


# ---- endings that are none ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "end"), [(CUT, "RUN_ERROR"), (STOP, "RUN_FINISHED")])
def test_what_is_open_is_closed(error: Error, end: str) -> None:
    events: list[Event] = [
        START,
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "a"),
        BlockStart(1, "text"),
        TextDelta(1, "b"),
    ]
    assert types(*events, error, MessageEnd())[-4:] == [
        "TEXT_MESSAGE_END",
        "REASONING_MESSAGE_END",
        "REASONING_END",
        end,
    ]


@pytest.mark.parametrize("error", [CUT, STOP])
def test_but_never_a_call(error: Error) -> None:
    events: list[Event] = [START, BlockStart(0, "tool_call", "i", "f"), ToolInputDelta(0, "{}"), error]
    assert types(*events) == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "RUN_ERROR"]


def test_a_stop_before_the_run_began_cannot_finish_it() -> None:
    assert types(STOP) == ["RUN_ERROR"]


def test_figures_and_ending_stand_beside_the_error() -> None:
    *_, last = told(
        START, UsageReport(Usage(3, 1), "estimated"), Error("overloaded", "later", retryable=True, code="full")
    )
    assert (last["message"], last["code"]) == ("later", "full")
    assert last["usage"] == [{"model": "tide-2", "inputTokens": 3, "outputTokens": 1, "totalTokens": 4}]
    assert last["metadata"]["tailrace"] == {
        "message": "later",
        "kind": "overloaded",
        "ending": "failed",
        "retryable": True,
        "code": "full",
        "usage_label": "estimated",
    }


def test_what_came_is_passed_on_as_it_came() -> None:
    run = {"threadId": "t", "runId": "r"}
    stream = sse({"type": "RUN_STARTED", **run}, {"type": "LATER", "x": 1}, {"type": "RUN_FINISHED", **run})
    encoder = DIALECT.encoder(REPLY)
    assert b"".join(frame for one in decode(NAME, stream)[0] for frame in encoder.verbatim(one)) == stream
    assert encoder.encode(CUT) == []
    again = DIALECT.encoder(REPLY)
    assert again.verbatim(Received(ServerSentEvent(b'{\n"a":1}', "x"), ())) == [b'data: { "a":1}\n\n']
    assert b"RUN_ERROR" in b"".join(again.encode(STOP)), "nothing is known of what is open there"


# ---- the verifier ---------------------------------------------------------------------------------------------


def verify(events: list[Any]) -> None:
    """Check the order of a run as the client's verifier does, in a reading of our own tests."""
    open_: set[tuple[str, str]] = set()
    for position, event in enumerate(events):
        kind = event["type"]
        assert (position == 0) == (kind == "RUN_STARTED") or (position == 0 and kind == "RUN_ERROR")
        assert None not in event.values()
        entity, _, what = kind.rpartition("_")
        key = (entity, str(event.get("messageId", event.get("toolCallId"))))
        if kind.startswith(("TEXT_MESSAGE", "REASONING_MESSAGE", "TOOL_CALL", "REASONING_")):
            if what == "START":
                assert key not in open_, event
                open_.add(key)
            elif what in {"CONTENT", "ARGS"}:
                assert key in open_, event
            elif what == "END":
                open_.remove(key)
        if kind == "RUN_FINISHED":
            assert not open_
        if kind in {"RUN_FINISHED", "RUN_ERROR"}:
            assert position == len(events) - 1


@pytest.mark.parametrize("vector", [*vectors(NAME), *foreign()], ids=lambda vector: vector.name)
def test_no_answer_and_no_cut_of_it_breaks_the_protocols_order(vector: Any) -> None:
    verify([e for e in told(*vector.events) if e["type"] not in {"CUSTOM", "RAW"}])
    for length in range(len(vector.events)):
        if type(vector.events[length - 1]) not in {MessageEnd, Error} or not length:
            for error in (CUT, STOP):
                verify([e for e in told(*vector.events[:length], error) if e["type"] not in {"CUSTOM", "RAW"}])


# ---- in one piece ---------------------------------------------------------------------------------------------


def test_a_whole_answer_is_the_messages_that_a_stream_adds_up_to() -> None:
    blocks = (
        ThinkingBlock("hm", "sig"),
        RedactedThinkingBlock("x"),
        TextBlock("High "),
        TextBlock("another", choice=1),
        TextBlock("water."),
        ToolCall("a", "f", "{}", {}, signature="gem"),
        ToolCall("b", "f", '{"x', None, complete=False),
        ToolCall("s", "search", "", {}, server=True),
        OtherBlock("server_tool_result", {"found": 1}, id="s", dialect="anthropic"),
        OtherBlock("media", {}, dialect="gemini"),
    )
    body = DIALECT.message_body(Message("m", "tide-2", blocks, "tool_use", None, Usage(9, 4), "exact"), REPLY)
    assert [(m["role"], m.get("content")) for m in body["messages"]] == [
        ("reasoning", "hm"),
        ("reasoning", ""),
        ("assistant", "High water."),
        ("tool", "the model's arguments for this tool are not whole JSON; it was not run"),
        ("tool", '{"found":1}'),
    ]
    assert [call["id"] for call in body["messages"][2]["toolCalls"]] == ["a", "b", "s"]
    assert body["outcome"] == {"type": "success", "pendingToolCallIds": ["a"]}
    assert body["usage"] == [{"model": "tide-2", "inputTokens": 9, "outputTokens": 4, "totalTokens": 13}]
    assert body["metadata"]["tailrace"]["stop_reason"] == "tool_use"
    assert (body["threadId"], body["runId"]) == ("reply-1", "reply-1")
