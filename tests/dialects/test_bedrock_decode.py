"""What the decoder refuses, forgives, and makes of each kind of frame."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import Quirks, Received
from tailrace.dialects.bedrock import BEDROCK
from tailrace.dialects.bedrock.encode import event_frame
from tailrace.dialects.bedrock.frames import encode_frame
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockStart,
    Error,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Order,
    TextDelta,
    UsageReport,
)
from tests.dialects.bedrock_cases import METADATA, START, STOP, delta, events_of, stream, vectors

DEEP = b"[" * 100_000 + b"]" * 100_000


def block_start(start: Any, index: Any = 0) -> tuple[str, Any]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def block_stop(index: Any = 0) -> tuple[str, Any]:
    return "contentBlockStop", {"contentBlockIndex": index}


def raw(name: str, payload: bytes) -> bytes:
    return encode_frame({":event-type": name, ":message-type": "event"}, payload)


CALL = block_start({"toolUse": {"toolUseId": "a", "name": "f"}}, 1)

HOSTILE: dict[str, bytes] = {
    "a payload that is not JSON": raw("contentBlockDelta", b'{"contentBlockIndex":'),
    "a payload that is not UTF-8": raw("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"\xff"}}'),
    "no payload": raw("contentBlockDelta", b""),
    "a payload that is a list": raw("messageStop", b"[]"),
    "a payload that is too deep": raw("tideTable", DEEP),
    "a delta that is too deep": raw("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"x":' + DEEP + b"}}"),
    "a start that is too deep": raw("contentBlockStart", b'{"contentBlockIndex":0,"start":{"x":' + DEEP + b"}}"),
    "an unknown event that is not JSON": raw("tideTable", b"}{"),
    "an index that is text": stream(("contentBlockDelta", {"contentBlockIndex": "0", "delta": {"text": "x"}})),
    "no index": stream(("contentBlockDelta", {"delta": {"text": "x"}})),
    "no delta": stream(("contentBlockDelta", {"contentBlockIndex": 0})),
    "text that is a number": stream(delta(text=7)),
    "input that is an object": stream(CALL, delta(1, toolUse={"input": {}})),
    "input of no call": stream(delta(5, toolUse={"input": "{}"})),
    "input for text": stream(delta(0, toolUse={"input": "{}"})),
    "text for a call": stream(CALL, delta(1, text="x")),
    "thinking for text": stream(delta(0, reasoningContent={"text": "x"})),
    "a citation for a call": stream(CALL, delta(1, citation={"title": "x"})),
    "a call without id": stream(block_start({"toolUse": {"name": "f"}}, 1)),
    "a call without name": stream(block_start({"toolUse": {"toolUseId": "a"}}, 1)),
    "a block that opens twice": stream(CALL, CALL),
    "a start that is text": stream(block_start("x", 1)),
    "no reason": stream(("messageStop", {})),
    "a reason that is a number": stream(("messageStop", {"stopReason": 1})),
    "the end before the reason": stream(METADATA),
    "the end with an open call": stream(CALL, STOP, METADATA),
    "a second beginning": stream(START),
    "usage that is text": stream(STOP, ("metadata", {"usage": "21"})),
    "a chunk without bytes": raw("chunk", b"{}"),
    "a chunk that is not base64": stream(("chunk", {"bytes": "äöü"})),
    "a chunk that is not JSON": stream(("chunk", {"bytes": base64.b64encode(b"}{").decode()})),
    "a chunk that is not UTF-8": stream(("chunk", {"bytes": base64.b64encode(b'{"x":"\xff"}').decode()})),
    "a chunk that is a list": stream(("chunk", {"bytes": base64.b64encode(b"[]").decode()})),
    "a chunk that is too deep": stream(("chunk", {"bytes": base64.b64encode(b'{"x":' + DEEP + b"}").decode()})),
    "no event type": encode_frame({":message-type": "event"}, b"{}"),
    "no message type": encode_frame({":event-type": "messageStop"}, b"{}"),
    "an unknown message type": encode_frame({":message-type": "tide", ":event-type": "messageStop"}, b"{}"),
    "lines of JSON": b'{"message":{"content":"Ebb"},"done":false}\n',
    "server-sent events": b'event: message_start\ndata: {"type":"message_start"}\n\n',
}

OPENING = stream(START, delta(text="Ebb"))


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_no_rule_allows_is_refused_and_what_came_before_is_kept(data: bytes) -> None:
    decoder = BEDROCK.decoder(Quirks())
    received = decoder.feed(OPENING + data + stream(STOP, METADATA))
    events = [event for got in received for event in got.events]
    assert [type(event) for event in events[:3]] == [MessageStart, BlockStart, TextDelta]
    assert not any(isinstance(event, MessageEnd) for event in events)
    for more in (b"", stream(STOP)):
        with pytest.raises(RemoteProtocolError):
            decoder.feed(more)
    with pytest.raises(RemoteProtocolError):
        decoder.close()
    assert not decoder.ended


BEFORE_THE_BEGINNING = {
    "a delta": stream(delta(text="x")),
    "a block": stream(CALL),
    "the end of a block": stream(block_stop()),
    "a reason": stream(STOP),
    "the end": stream(METADATA),
}


@pytest.mark.parametrize("data", BEFORE_THE_BEGINNING.values(), ids=BEFORE_THE_BEGINNING.keys())
def test_nothing_comes_before_the_beginning(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        BEDROCK.decoder(Quirks()).feed(data)


def test_an_answer_that_closes_without_an_end_is_none() -> None:
    decoder = BEDROCK.decoder(Quirks())
    decoder.feed(OPENING)
    assert decoder.close() == []
    assert not decoder.ended


def test_a_reason_beside_an_open_block_is_no_end() -> None:
    decoder = BEDROCK.decoder(Quirks())
    decoder.feed(OPENING + stream(STOP))
    assert decoder.close() == []
    assert not decoder.ended


FORGIVEN: dict[str, tuple[str, Any]] = {
    "a piece of nothing": delta(text=""),
    "the end of what never opened": block_stop(9),
    "fields of another time": delta(text="", mood={"x": 1}),
}


@pytest.mark.parametrize("forgiven", FORGIVEN.values(), ids=FORGIVEN.keys())
def test_what_says_nothing_changes_nothing(forgiven: tuple[str, Any]) -> None:
    rest = stream(delta(text=" flow"), block_stop(), STOP, METADATA)
    assert events_of([OPENING + stream(forgiven) + rest]) == events_of([OPENING + rest])


def test_a_role_is_not_needed() -> None:
    assert events_of([stream(("messageStart", {}))]) == [MessageStart("", "")]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "end_turn"),
        ("tool_use", "tool_use"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("content_filtered", "refusal"),
        ("guardrail_intervened", "refusal"),
        ("model_context_window_exceeded", "context_window"),
        ("malformed_model_output", "other"),
        ("malformed_tool_use", "other"),
    ],
)
def test_every_reason_is_understood_or_kept(word: str, reason: str) -> None:
    assert events_of([stream(START, ("messageStop", {"stopReason": word}))])[1] == Finish(
        reason,  # type: ignore[arg-type]
        native=word,
    )


@pytest.mark.parametrize("fields", [None, "END", {}, {"stop_sequence": 7}, {"other": "END"}])
def test_a_stop_sequence_is_one_only_where_it_is_said(fields: Any) -> None:
    said = {"stopReason": "stop_sequence", "additionalModelResponseFields": fields}
    finish = events_of([stream(START, ("messageStop", said))])[1]
    assert finish == Finish("stop_sequence", native="stop_sequence")


# ---- exceptions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "retryable"),
    [
        ("throttlingException", "rate_limit", True),
        ("ThrottlingException", "rate_limit", True),
        ("validationException", "invalid_request", False),
        ("modelStreamErrorException", "upstream", True),
        ("internalServerException", "upstream", True),
        ("serviceUnavailableException", "overloaded", True),
        ("modelTimeoutException", "timeout", True),
        ("accessDeniedException", "permission", False),
        ("somethingNewException", "upstream", True),
    ],
)
def test_every_exception_has_a_kind(name: str, kind: str, retryable: bool) -> None:
    frame = encode_frame({":message-type": "exception", ":exception-type": name}, b'{"message":"words"}')
    (error,) = events_of([frame])
    assert isinstance(error, Error)
    assert (error.kind, error.message, error.retryable, error.code) == (kind, "words", retryable, name)


@pytest.mark.parametrize("payload", [b"", b"words", b"[]", b'{"message":7}', b'{"Message":""}', DEEP, b"\xff"])
def test_an_exception_is_one_whatever_its_payload(payload: bytes) -> None:
    frame = encode_frame({":message-type": "exception", ":exception-type": "throttlingException"}, payload)
    decoder = BEDROCK.decoder(Quirks())
    events = [event for got in decoder.feed(OPENING + frame) for event in got.events]
    assert isinstance(events[-1], Error)
    assert events[-1].kind == "rate_limit"
    assert decoder.ended


def test_an_error_frame_has_its_words_in_its_headers() -> None:
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "boom"}
    (error,) = events_of([encode_frame(headers, b"")])
    assert isinstance(error, Error)
    assert (error.kind, error.message, error.code) == ("upstream", "boom", "InternalFailure")


@pytest.mark.parametrize(
    ("status", "body", "kind", "message", "retryable"),
    [
        (400, b'{"message":"The provided model identifier is invalid."}', "invalid_request",
         "The provided model identifier is invalid.", False),
        (403, b'{"Message":"No access."}', "permission", "No access.", False),
        (404, b'{"message":"No such model."}', "not_found", "No such model.", False),
        (424, b'{"message":"The model failed.","originalStatusCode":500}', "upstream", "The model failed.", True),
        (429, b"{}", "rate_limit", "the provider answered with status 429", True),
        (500, b"<html>", "upstream", "the provider answered with status 500", True),
        (503, b"[1]", "overloaded", "the provider answered with status 503", True),
    ],
)  # fmt: skip
def test_the_services_refusals_are_read(status: int, body: bytes, kind: str, message: str, retryable: bool) -> None:
    error = BEDROCK.read_error(status, body)
    assert (error.kind, error.message, error.http_status, error.retryable) == (kind, message, status, retryable)


# ---- what other makers say ------------------------------------------------------------------------------------


def chunk(value: Any) -> bytes:
    return event_frame("chunk", {"bytes": base64.b64encode(json.dumps(value, indent=1).encode()).decode()})


def test_a_makers_error_in_a_chunk_ends_the_answer() -> None:
    decoder = BEDROCK.decoder(Quirks())
    events = [
        event
        for got in decoder.feed(chunk({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}))
        for event in got.events
    ]
    assert [type(event) for event in events] == [Error]
    assert decoder.ended


def test_a_makers_stream_without_its_marker_is_no_answer() -> None:
    first = {"type": "message_start", "message": {"id": "m", "model": "x", "usage": {"input_tokens": 1}}}
    decoder = BEDROCK.decoder(Quirks())
    decoder.feed(chunk(first))
    assert decoder.close() == []
    assert not decoder.ended
    decoder = BEDROCK.decoder(Quirks())
    decoder.feed(chunk({"choices": [{"delta": {"content": "x"}}]}))
    assert decoder.close() == []
    assert not decoder.ended


def test_an_exception_beside_chunks_ends_the_answer() -> None:
    frame = encode_frame({":message-type": "exception", ":exception-type": "modelTimeoutException"}, b"{}")
    *_, last = events_of([chunk({"choices": [{"delta": {"content": "x"}}]}) + frame])
    assert isinstance(last, Error)
    assert last.kind == "timeout"


def test_chunks_of_an_unknown_maker_are_carried() -> None:
    assert events_of([chunk({"outputText": "x"})]) == [Opaque("bedrock", {"outputText": "x"}, "chunk")]


# ---- anything -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "chunk",
    "x",
]
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "contentBlockIndex": st.integers(0, 2) | JSON,
        "delta": st.dictionaries(
            st.sampled_from(["text", "toolUse", "reasoningContent", "citation", "image"]), JSON, max_size=1
        ),
        "start": st.dictionaries(st.sampled_from(["toolUse", "toolResult", "image", "x"]), JSON, max_size=1),
        "stopReason": JSON,
        "usage": JSON,
        "tailrace": JSON,
        "bytes": JSON.map(lambda value: base64.b64encode(json.dumps(value).encode()).decode()) | JSON,
    },
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), FIELDS | JSON), max_size=6))
@settings(max_examples=250, deadline=None)
def test_any_json_where_an_event_should_be_is_read_or_refused(said: list[tuple[str, Any]]) -> None:
    order, decoder = Order(), BEDROCK.decoder(Quirks())
    received: list[Received] = []
    try:
        for name, value in [START, *said]:
            received += decoder.feed(event_frame(name, value))
        received += decoder.close()
    except RemoteProtocolError:
        pass
    for one in received:
        for event in one.events:
            order.advance(event)


@given(st.binary(max_size=100), st.sampled_from(vectors()), st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_in_the_middle_never_do_more_than_raise_our_error(junk: bytes, vector: Any, data: st.DataObject) -> None:
    whole: bytes = vector.stream
    place = data.draw(st.integers(0, len(whole)))
    order, decoder = Order(), BEDROCK.decoder(Quirks())
    received: list[Received] = []
    try:
        for piece in (whole[:place], junk, whole[place:]):
            received += decoder.feed(piece)
        received += decoder.close()
    except RemoteProtocolError:
        pass
    for one in received:
        for event in one.events:
            order.advance(event)


def test_figures_that_are_none_are_not_known() -> None:
    said = {"inputTokens": -1, "outputTokens": 0.5, "cacheReadInputTokens": 3}
    (report,) = [
        e for e in events_of([stream(START, STOP, ("metadata", {"usage": said}))]) if isinstance(e, UsageReport)
    ]
    assert report.usage.values == (None, None, 3, None, None)
