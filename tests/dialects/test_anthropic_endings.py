"""How an encoded answer ends badly, and who can tell."""

from __future__ import annotations

import anthropic
import pytest

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import (
    BlockStart,
    BlockStop,
    Error,
    ErrorKind,
    Event,
    MessageEnd,
    MessageStart,
    TextDelta,
    Usage,
    UsageReport,
    fold,
)
from tests.dialects.anthropic_cases import (
    REPLY,
    decode,
    encode,
    events_of,
    payloads,
    sdk_client,
    sdk_message,
    vectors,
)

START = MessageStart("msg_1", "m")

ERRORS = [
    Error("cancelled", "the answer was stopped", ending="cancelled"),
    Error("timeout", "silent for 60 s", ending="timed_out", retryable=True, code="idle"),
    Error("truncated", "the provider closed", ending="truncated", retryable=True),
    Error("interrupted", "the relay is shutting down", ending="interrupted", retryable=True),
    Error("protocol", "not JSON"),
    Error("rate_limit", "slow down", retryable=True, status=429, retry_after=2.5),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.kind)
@pytest.mark.parametrize("way", ["encoded", "verbatim"])
def test_a_bad_end_in_the_middle_reaches_every_reader(error: Error, way: str) -> None:
    vector = next(vector for vector in vectors() if vector.name == "thinking")
    encoder = ANTHROPIC.encoder(REPLY)
    batch, _ = decode([vector.stream])
    cut = next(i for i, received in enumerate(batch) if received.events == (TextDelta(2, "Yes, 7"),)) + 1
    frames: list[bytes] = []
    for received in batch[:cut]:
        if way == "verbatim":
            frames += encoder.verbatim(received)
        else:
            frames += [frame for event in received.events for frame in encoder.encode(event)]
    frames += encoder.encode(UsageReport(Usage(40, 30), "estimated"))
    frames += encoder.encode(error)
    stream = b"".join(frames)

    closing, change, failure = payloads(stream)[-3:]
    assert closing == {"type": "content_block_stop", "index": 2}
    assert change["delta"] == {"stop_reason": None, "stop_sequence": None}
    assert change["usage"]["output_tokens"] == 30
    assert change["tailrace"] == {"usage_label": "estimated"}
    assert failure["tailrace"]["ending"] == error.ending

    *before, report, ours = events_of([stream])
    assert fold(before).text == "Yes, 7"
    assert report == UsageReport(Usage(40, 30), "estimated")
    assert isinstance(ours, Error)
    for field in ("kind", "message", "ending", "retryable", "code", "status", "retry_after"):
        assert getattr(ours, field) == getattr(error, field), field

    with pytest.raises(anthropic.APIStatusError, match=error.message):
        sdk_message(stream)
    for size in (1, 50):
        text = ""
        with (  # noqa: PT012 - what was read before the error is what is tested
            sdk_client(stream, size) as client,
            pytest.raises(anthropic.APIStatusError),
            client.messages.stream(model="m", max_tokens=1, messages=[]) as found,
        ):
            for piece in found.text_stream:
                text += piece
        assert text == "Yes, 7"
        # What the SDK has when it raises does not read as an answer that is complete.
        assert found.current_message_snapshot.stop_reason is None


def test_nothing_is_closed_while_a_call_is_open() -> None:
    """Closed, it would be a whole call: one without fragments has the input ``{}``, and clients run it."""
    call = BlockStart(1, "tool_call", "t", "delete_all")
    assert kinds_of([START, BlockStart(0, "text"), BlockStop(0), call, ERRORS[0]])[-2:] == [
        "content_block_start",
        "error",
    ]
    assert "content_block_stop" not in kinds_of([START, BlockStart(0, "text"), call, ERRORS[0]])
    assert "content_block_stop" in kinds_of([START, BlockStart(0, "server_tool_call", "s", "web_search"), ERRORS[0]])


def kinds_of(events: list[Event]) -> list[str]:
    return [payload["type"] for payload in payloads(encode(events))]


def test_an_error_before_anything_is_only_an_error() -> None:
    stream = encode([UsageReport(Usage(1, 0)), Error("overloaded", "busy")])
    assert payloads(stream) == [
        {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "busy"},
            "tailrace": {"ending": "failed", "retryable": False, "kind": "overloaded"},
        }
    ]


def test_every_kind_of_error_has_a_word_and_comes_back() -> None:
    for kind in ErrorKind.__args__:  # type: ignore[attr-defined]
        (again,) = events_of([encode([Error(kind, "x")])])
        assert isinstance(again, Error)
        assert again.kind == kind


def test_a_stop_after_verbatim_content_says_only_what_is_new() -> None:
    """An end that follows a stop reason sent verbatim needs only its marker; newer usage is said first."""
    vector = next(vector for vector in vectors() if vector.name == "text")
    batch, _ = decode([vector.stream])
    for usage, kinds in ((None, ["message_stop"]), (UsageReport(Usage(1, 2)), ["message_delta", "message_stop"])):
        encoder = ANTHROPIC.encoder(REPLY)
        for received in batch[:-1]:
            encoder.verbatim(received)
        frames = encoder.encode(usage) if usage else []
        frames += encoder.encode(MessageEnd())
        assert [payload["type"] for payload in payloads(b"".join(frames))] == kinds
        if usage:
            assert payloads(frames[0])[0]["delta"]["stop_reason"] == "end_turn"
