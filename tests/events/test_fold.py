"""What events add up to."""

from __future__ import annotations

import pytest

from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    Fold,
    LogprobsDelta,
    Message,
    MessageEnd,
    MessageStart,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tailrace.events import fold as fold_function

START = MessageStart("msg_1", "clever-1")

WHOLE: list[Event] = [
    START,
    UsageReport(Usage(input_tokens=10, cache_read_tokens=4)),
    BlockStart(0, "thinking"),
    ThinkingDelta(0, "let me "),
    ThinkingDelta(0, "see"),
    SignatureDelta(0, "old"),
    SignatureDelta(0, "sig=="),
    BlockStop(0),
    BlockStart(1, "redacted_thinking", data="xyz"),
    BlockStop(1),
    BlockStart(2, "text"),
    TextDelta(2, "Hel"),
    TextDelta(2, "lo"),
    CitationDelta(2, {"url": "https://example.org"}),
    LogprobsDelta(2, ({"token": "Hel", "logprob": -0.5},)),
    BlockStop(2),
    BlockStart(3, "tool_call", "call_1", "weather"),
    ToolInputDelta(3, '{"city": "Z'),
    ToolInputDelta(3, 'ürich"}'),
    BlockStop(3),
    BlockStart(4, "tool_call", "call_2", "now"),
    BlockStop(4),
    BlockStart(5, "server_tool_call", "srv", "search"),
    ToolInputDelta(5, "{}"),
    BlockStop(5),
    BlockStart(6, "server_tool_result", "srv", data=[1]),
    BlockStop(6),
    BlockStart(7, "opaque", data={"type": "new"}),
    BlockDelta(7, {"more": 1}),
    BlockStop(7),
    BlockStart(8, "refusal"),
    TextDelta(8, "no"),
    BlockStop(8),
    BlockStart(9, "text", choice=1),
    TextDelta(9, "other"),
    BlockStop(9),
    Finish("tool_use"),
    Finish("max_tokens", choice=1),
    UsageReport(Usage(output_tokens=7)),
    MessageEnd(),
]


def test_everything_adds_up() -> None:
    assert fold(WHOLE) == Message(
        "msg_1",
        "clever-1",
        (
            ThinkingBlock("let me see", "sig=="),
            RedactedThinkingBlock("xyz"),
            TextBlock("Hello", ({"url": "https://example.org"},), logprobs=({"token": "Hel", "logprob": -0.5},)),
            ToolCall("call_1", "weather", '{"city": "Zürich"}', {"city": "Zürich"}),
            ToolCall("call_2", "now", "", {}),
            ToolCall("srv", "search", "{}", {}, server=True),
            OtherBlock("server_tool_result", [1], id="srv"),
            OtherBlock("opaque", {"start": {"type": "new"}, "deltas": [{"more": 1}]}),
            RefusalBlock("no"),
            TextBlock("other", choice=1),
        ),
        "tool_use",
        None,
        Usage(10, 7, 4),
        "exact",
        {1: "max_tokens"},
    )


def test_the_short_ways_to_the_first_choice() -> None:
    message = fold(WHOLE)
    assert (message.text, message.thinking) == ("Hello", "let me see")
    assert [call.id for call in message.tool_calls] == ["call_1", "call_2"]


@pytest.mark.parametrize("count", range(len(WHOLE) + 1))
def test_every_prefix_is_a_message_and_text_only_grows(count: int) -> None:
    state = Fold()
    seen = ""
    for event in WHOLE[:count]:
        state.add(event)
        text = state.message().text
        assert text.startswith(seen)
        seen = text
    assert state.ended == (count == len(WHOLE))


@pytest.mark.parametrize(
    ("fragments", "stopped", "expected"),
    [
        (['{"a": 1}'], True, ({"a": 1}, True)),
        (['{"a": 1}'], False, (None, False)),
        (['{"a": 1'], True, (None, False)),
        (['{"a": 1 "b"'], True, (None, False)),
        (["[" * 100_000], True, (None, False)),
        (['{"n": 10'], True, (None, False)),
        ([], True, ({}, True)),
        ([], False, (None, False)),
    ],
)
def test_a_call_is_complete_only_when_its_json_is(
    fragments: list[str], stopped: bool, expected: tuple[object, bool]
) -> None:
    events: list[Event] = [START, BlockStart(0, "tool_call", "c", "f")]
    events += [ToolInputDelta(0, fragment) for fragment in fragments]
    if stopped:
        events.append(BlockStop(0))
    call = fold(events).tool_calls[0]
    assert (call.input, call.complete) == expected
    assert call.json == "".join(fragments)


def test_a_message_taken_earlier_does_not_change() -> None:
    state = Fold()
    for event in WHOLE[:12]:
        state.add(event)
    early = state.message()
    for event in WHOLE[12:]:
        state.add(event)
    assert early.text == "Hel"


def test_an_error_ends_the_message_and_keeps_what_came() -> None:
    state = Fold()
    row: list[Event] = [START, BlockStart(0, "text"), TextDelta(0, "half"), Error("upstream", "gone")]
    for event in row:
        state.add(event)
    assert state.ended
    assert state.error == Error("upstream", "gone")
    assert (state.message().text, state.message().stop_reason) == ("half", None)


def test_an_illegal_event_changes_nothing() -> None:
    state = Fold()
    state.add(START)
    with pytest.raises(RemoteProtocolError):
        state.add(TextDelta(0, "a"))
    assert state.message() == Message("msg_1", "clever-1")


def test_the_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys.modules[fold_function.__module__], "MAX_TEXT", 10)
    state = Fold()
    row: list[Event] = [START, BlockStart(0, "text"), TextDelta(0, "0123456789")]
    for event in row:
        state.add(event)
    with pytest.raises(LimitExceeded) as caught:
        state.add(TextDelta(0, "x"))
    assert caught.value.limit == 10


def test_later_usage_overwrites_only_what_it_says() -> None:
    assert Usage(1, 2, 3, None, 5).merged(Usage(None, 9, None, 4, None)) == Usage(1, 9, 3, 4, 5)
