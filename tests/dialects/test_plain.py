"""The plain feed, both ways."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

import pytest

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.plain import PLAIN
from tailrace.errors import BadRequest, RemoteProtocolError
from tailrace.events import (
    BlockStart,
    BlockStop,
    Error,
    Event,
    Finish,
    Fold,
    Message,
    MessageEnd,
    MessageStart,
    Ping,
    RefusalBlock,
    Request,
    TextBlock,
    TextDelta,
    TextPart,
    ThinkingBlock,
    ThinkingDelta,
    Turn,
    Usage,
    UsageReport,
    decode_event,
)
from tailrace.sse import ServerSentEvent
from tests.conftest import ROOT

REPLY = Reply(id="reply", model="model", created=1_800_000_000)


class Vector(NamedTuple):
    """One answer as it came, and what it says."""

    name: str
    stream: bytes
    events: list[Event]


VECTORS = [
    Vector(
        folder.name,
        (folder / "upstream.sse").read_bytes(),
        [decode_event(line) for line in (folder / "events.jsonl").read_bytes().split(b"\n") if line],
    )
    for folder in sorted((ROOT / "spec" / "dialects" / "plain").iterdir())
    if folder.is_dir()
]
each = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)


def decode(*chunks: bytes) -> tuple[list[Event], bool]:
    decoder = PLAIN.decoder(Quirks())
    received = [one for piece in chunks for one in decoder.feed(piece)] + decoder.close()
    return [event for one in received for event in one.events], decoder.ended


def encode(*events: Event) -> bytes:
    encoder = PLAIN.encoder(REPLY)
    return b"".join(frame for event in events for frame in encoder.encode(event))


# ---- answers --------------------------------------------------------------------------------------------------


@each
def test_a_vector_says_its_events_in_any_split(vector: Vector) -> None:
    stream = vector.stream
    assert decode(stream) == decode(*(stream[i : i + 1] for i in range(len(stream))))
    assert decode(stream)[0] == vector.events
    for seed in range(8):
        cuts = sorted(random.Random(seed).choices(range(len(stream) + 1), k=6))
        assert decode(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)))[0] == vector.events


@each
def test_its_order_is_legal_and_no_prefix_is_complete(vector: Vector) -> None:
    state = Fold()
    for event in vector.events:
        state.add(event)
    last = type(vector.events[-1])
    assert state.ended == (last in {MessageEnd, Error}) == (vector.name != "cut")
    ends = [decode(vector.stream[:length])[1] for length in range(len(vector.stream) + 1)]
    assert ends.index(True) == len(ends) - 1 if state.ended else not any(ends)


@each
def test_encoder_and_decoder_give_it_back(vector: Vector) -> None:
    assert decode(encode(*vector.events))[0] == [e for e in vector.events if e != TextDelta(0, "")]


def test_each_piece_of_text_is_one_json_string() -> None:
    stream = encode(
        MessageStart("m", "m"),
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "hidden"),
        BlockStop(0),
        BlockStart(1, "text"),
        TextDelta(1, 'a "b"\n\r\u2028c'),
        TextDelta(1, ""),
        BlockStart(2, "text", choice=1),
        TextDelta(2, "another answer"),
        BlockStart(3, "refusal"),
        TextDelta(3, "[DONE]"),
        Ping(),
        UsageReport(Usage(1, 2)),
        Finish("end_turn"),
        MessageEnd(),
    )
    assert stream == 'data: "a \\"b\\"\\n\\r\u2028c"\n\ndata: "[DONE]"\n\ndata: [DONE]\n\n'.encode()


def test_an_error_is_an_event_of_its_own_and_no_marker_follows() -> None:
    error = Error("overloaded", "later", "interrupted", True, "full", None, 2.0, {"param": "model"})
    stream = encode(BlockStart(0, "text"), TextDelta(0, "High"), error)
    *_, last = stream.split(b"\n\n")[:-1]
    assert last.startswith(b"event: error\ndata: {")
    assert b"[DONE]" not in stream
    assert decode(stream)[0][-1] == error


def test_what_came_is_passed_on_as_it_came() -> None:
    decoder, encoder = PLAIN.decoder(Quirks()), PLAIN.encoder(REPLY)
    stream = b'data: "a"\n\ndata: "b"\n\nevent: error\ndata: {"message":"x"}\n\n'
    assert b"".join(frame for one in decoder.feed(stream) for frame in encoder.verbatim(one)) == stream
    assert encoder.verbatim(Received(b'"a"', ())) == [b'data: "a"\n\n']
    assert encoder.verbatim(Received(ServerSentEvent(b'"a"', "note"), ())) == [b'data: "a"\n\n']


@pytest.mark.parametrize("data", [b"5", b"{}", b"null", b'"a', b"DONE", b'"\xff"', b'"\\ud83c"'])
def test_data_that_is_no_text_is_refused_and_what_came_before_is_kept(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(b"data: %b\n\n" % data)
    decoder = PLAIN.decoder(Quirks())
    assert len(decoder.feed(b'data: "a"\n\ndata: %b\n\ndata: "b"\n\n' % data)) == 1
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"")
    with pytest.raises(RemoteProtocolError):
        decoder.close()


def test_nothing_is_read_after_the_end() -> None:
    decoder = PLAIN.decoder(Quirks())
    assert len(decoder.feed(b"data: [DONE]\n\ndata: }{\n\n")) == 1
    assert decoder.feed(b"data: }{\n\n") == decoder.close() == []


# ---- requests and bodies --------------------------------------------------------------------------------------


def test_a_prompt_is_a_conversation_of_one_turn() -> None:
    body = {"model": "m", "prompt": "When?", "system": "Be brief.", "max_tokens": 5, "temperature": 0.5}
    assert PLAIN.parse(body) == Request(
        model="m",
        turns=(Turn("user", (TextPart("When?"),)),),
        system=(TextPart("Be brief."),),
        max_tokens=5,
        temperature=0.5,
        stream=True,
    )


def test_messages_are_turns() -> None:
    messages = [{"role": role, "content": role} for role in ("user", "assistant", "system", "user")]
    request = PLAIN.parse({"model": "m", "messages": messages, "stream": False})
    assert [(turn.role, turn.parts) for turn in request.turns] == [
        (role, (TextPart(role),)) for role in ("user", "assistant", "system", "user")
    ]
    assert not request.stream


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "x", "messages": [{"role": "user", "content": "x"}]}, "prompt"),
        ({"prompt": "x", "model": None}, "model"),
        ({"prompt": "x", "top_p": 1}, "top_p"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "x", "temperature": "hot"}, "temperature"),
        ({"prompt": "x", "stream": "no"}, "stream"),
        ({"messages": "x"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "x", "name": "ann"}]}, "messages.0.name"),
    ],
)
def test_a_wrong_or_unknown_field_is_refused_by_its_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        PLAIN.parse({"model": "m", **body})
    assert caught.value.param == param


def test_no_provider_can_be_asked_in_this_dialect() -> None:
    for call in (lambda: PLAIN.build(Request(model="m", turns=())), lambda: PLAIN.forward({}, "m")):
        with pytest.raises(BadRequest):
            call()


def test_a_whole_answer_says_what_a_stream_says() -> None:
    blocks = (ThinkingBlock("hidden"), TextBlock("High "), TextBlock("x", choice=1), RefusalBlock("water."))
    message = Message("m1", "m", blocks, "end_turn", usage=Usage(3, None), usage_label="estimated")
    assert PLAIN.message_body(message, REPLY) == {
        "id": "m1",
        "model": "m",
        "text": "High water.",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": None, "label": "estimated"},
    }
    assert PLAIN.message_body(Message(), REPLY)["id"] == REPLY.id


@pytest.mark.parametrize("kind", ["rate_limit", "truncated", "cancelled", "internal"])
def test_an_error_body_comes_back_the_same(kind: Any) -> None:
    error = Error(kind, "words", "truncated", True, "word", 503, 2.0, {"param": "model"})
    assert PLAIN.read_error(503, json.dumps(PLAIN.error_body(error)).encode()) == error


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message":5}', b"[" * 100_000])
def test_an_error_body_of_another_kind_is_an_error_all_the_same(body: bytes) -> None:
    error = PLAIN.read_error(502, body)
    assert (error.kind, error.status, error.message) == ("upstream", 502, "the relay answered with status 502")


def test_the_way_to_a_relay() -> None:
    assert PLAIN.endpoint("m") == "/stream"
    assert PLAIN.headers("key", {})["authorization"] == "Bearer key"
    assert "authorization" not in PLAIN.headers(None, {"authorization": "Bearer client"})
