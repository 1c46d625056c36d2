"""What the simulator says in this dialect, read by botocore; what has no word here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.dialects import Quirks
from tailrace.dialects.bedrock import BEDROCK
from tailrace.events import (
    ERROR_STATUS,
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tailrace.simulator import expected, frames_of, parse
from tailrace.simulator.shapes import SHAPES
from tests.dialects.bedrock_cases import (
    REPLY,
    STOP,
    botocore_events,
    botocore_reading,
    encode,
    events_of,
    message_of,
    reading,
    stream,
)
from tests.dialects.bedrock_cases import START as OPENING

START = MessageStart("", "")
END: list[Event] = [Finish("end_turn"), MessageEnd()]

LEFT_OUT: dict[str, list[Event]] = {
    "a second choice": [BlockStart(0, "text", choice=1), TextDelta(0, "x"), BlockStop(0)],
    "media of another dialect": [
        BlockStart(0, "media", data={}, dialect="openai_chat"),
        BlockDelta(0, {}, "openai_chat"),
        BlockStop(0),
    ],
    "an unknown block of another dialect": [BlockStart(0, "opaque", data={}, dialect="anthropic"), BlockStop(0)],
    "a result of another dialect": [
        BlockStart(0, "server_tool_result", "a", data={}, dialect="anthropic"),
        BlockStop(0),
    ],
    "a cipher that is no text": [BlockStart(0, "redacted_thinking", data=7), BlockStop(0)],
    "what is opaque": [Opaque("anthropic", {}, "x"), Opaque("bedrock", {}), Opaque("bedrock", {}, "chunk")],
    "a ping": [Ping()],
}


@pytest.mark.parametrize("events", LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_what_has_no_word_is_left_out_with_all_that_belongs_to_it(events: list[Event]) -> None:
    assert encode([START, *events, *END]) == encode([START, *END])


def test_citations_and_signatures_of_other_places_are_left_out() -> None:
    events: list[Event] = [START, BlockStart(0, "text"), TextDelta(0, "x")]
    more: list[Event] = [CitationDelta(0, {"type": "char_location", "location": {}}), SignatureDelta(0, "s")]
    assert encode([*events, *more]) == encode(events)


def test_places_on_the_wire_stay_without_gaps() -> None:
    left_out: list[Event] = [BlockStart(0, "opaque", data={}, dialect="anthropic"), BlockStop(0)]
    events: list[Event] = [START, *left_out, BlockStart(1, "text"), TextDelta(1, "x"), BlockStop(1), *END]
    indexes = [
        said["contentBlockIndex"]
        for event in botocore_events(encode(events))
        for said in event.values()
        if "contentBlockIndex" in said
    ]
    assert indexes == [0, 0]


def test_a_call_without_id_gets_one() -> None:
    events: list[Event] = [START, BlockStart(0, "tool_call", None, "f"), BlockStop(0), *END]
    assert [call[0] for call in botocore_reading(encode(events)).calls] == ["tooluse_reply_0"]


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("end_turn"), "end_turn"),
        (Finish("refusal"), "content_filtered"),
        (Finish("refusal", native="guardrail_intervened"), "guardrail_intervened"),
        (Finish("pause"), "max_tokens"),
        (Finish("context_window"), "model_context_window_exceeded"),
        (Finish("other", native="malformed_tool_use"), "malformed_tool_use"),
        (Finish("other"), "end_turn"),
        (Finish("tool_use", native="tool_calls"), "tool_use"),
    ],
)
def test_every_reason_has_a_word(finish: Finish, word: str) -> None:
    assert botocore_reading(encode([START, finish, MessageEnd()])).reason == word
    body = BEDROCK.message_body(fold([START, finish, MessageEnd()]), REPLY)
    assert body["stopReason"] == word


@pytest.mark.parametrize("usage", [Usage(), Usage(3), Usage(None, 4), Usage(1067, 9, 1000, 50)])
@pytest.mark.parametrize("label", ["exact", "estimated", "unknown"])
def test_figures_that_nobody_knows_are_marked(usage: Usage, label: Any) -> None:
    message = message_of(encode([START, UsageReport(usage, label), *END]))
    assert message.usage == usage
    assert message.usage_label == (label if usage != Usage() or label != "exact" else "unknown")


@pytest.mark.parametrize("kind", ERROR_STATUS)
def test_an_exception_is_never_an_end_and_keeps_what_a_relay_knows(kind: Any) -> None:
    error = Error(kind, "words", "truncated", True, code="c", status=503, retry_after=2.5, data={"param": "p"})
    written = encode([START, BlockStart(0, "text"), UsageReport(Usage(3, 1), "estimated"), error])
    with pytest.raises(ValueError, match="words"):
        list(botocore_events(written))
    *_, report, last = events_of([written])
    assert (report, last) == (UsageReport(Usage(3, 1), "estimated"), error)
    assert BEDROCK.read_error(503, json.dumps(BEDROCK.error_body(error)).encode()) == error


@pytest.mark.parametrize("last", [MessageEnd(), Error("upstream", "x")])
def test_nothing_follows_the_end(last: Event) -> None:
    events: list[Event] = [START, Finish("end_turn"), last]
    for more in (Error("cancelled", "y"), MessageEnd(), Opaque("bedrock", {}, "x")):
        assert encode([*events, more]) == encode(events)


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"long_lines"}))
def test_botocore_reads_the_simulator(shape: str) -> None:
    truth = expected(parse(f"sim-{shape}"))
    theirs = botocore_reading(b"".join(frames_of(parse(f"sim-{shape}"), "bedrock")))
    ours = reading(truth)
    assert theirs[:4] == ours[:4]
    assert theirs.counts == ours.counts


def test_an_end_by_closing_is_passed_on_as_the_last_event() -> None:
    decoder, encoder = BEDROCK.decoder(Quirks()), BEDROCK.encoder(REPLY)
    received = decoder.feed(stream(OPENING, STOP)) + decoder.close()
    written = [encoder.verbatim(one) for one in received]
    assert b"".join(written[0] + written[1]) == stream(OPENING, STOP)
    assert [next(iter(event)) for event in botocore_events(b"".join(written[2]))] == ["metadata"]


def test_a_whole_answer_says_the_same() -> None:
    events: list[Event] = [
        MessageStart("a", "m"),
        *(BlockStart(0, "thinking"), ThinkingDelta(0, "Hm."), SignatureDelta(0, "s"), BlockStop(0)),
        *(BlockStart(1, "redacted_thinking", data="EtkE"), BlockStop(1)),
        *(BlockStart(2, "text"), TextDelta(2, "At six."), BlockStop(2)),
        *(BlockStart(3, "tool_call", "c", "f"), ToolInputDelta(3, '{"a":1}'), BlockStop(3)),
        *(BlockStart(4, "tool_call", None, "g"), ToolInputDelta(4, '{"a'), BlockStop(4)),
        *(BlockStart(5, "server_tool_result", "x", data={}, dialect="bedrock"), BlockStop(5)),
        *(BlockStart(6, "refusal"), BlockStop(6)),
        UsageReport(Usage(3, 4)),
        Finish("max_tokens"),
        MessageEnd(),
    ]
    body = BEDROCK.message_body(fold(events), REPLY)
    assert body["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "RXRrRQ=="}},
        {"text": "At six."},
        {"toolUse": {"toolUseId": "c", "name": "f", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "tooluse_reply_4", "name": "g", "input": {}, "tailrace": {"complete": False}}},
    ]
    assert body["usage"] == {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    assert body["stopReason"] == "max_tokens"
