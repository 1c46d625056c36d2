"""What the decoder refuses, bounds and forgives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.openai_responses import OPENAI_RESPONSES
from tailrace.dialects.openai_responses.decode import MAX_ITEMS
from tailrace.errors import RemoteProtocolError
from tailrace.events import Finish, MessageEnd, MessageStart, Opaque, SignatureDelta, TextDelta, Usage, UsageReport
from tests.dialects.openai_responses_cases import COMPLETED, CREATED, QUIRKS, REPLY, added, decode, events_of, sse

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}
REASONING = {"id": "rs_1", "type": "reasoning", "summary": []}
TEXT = {"type": "output_text", "text": "", "annotations": []}
OPENING = sse(CREATED, added(MESSAGE), {"type": "response.content_part.added", "output_index": 0, "part": TEXT})


def event(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "output_index": 0, **fields}).encode()


HOSTILE: dict[str, bytes] = {
    "not JSON": b'{"type": "response.output_text.delta", ',
    "not UTF-8": b'{"type":"response.output_text.delta","delta":"\xff"}',
    "half a character": b'{"type":"response.output_text.delta","delta":"\\ud83c"}',
    "a string": b'"the tide is high at six"',
    "an array": b'[{"type":"response.created"}]',
    "no type": b'{"delta":"Ebb","output_index":0}',
    "a type that is a number": b'{"type":7,"delta":"Ebb"}',
    "a type with a line end": b'{"type":"response.x\\ndata: y"}',
    "an empty type": b'{"type":""}',
    "a place that is a string": event("response.output_text.delta", output_index="0", delta="Ebb"),
    "a place that is no number": b'{"type":"response.output_text.delta","output_index":NaN,"delta":"Ebb"}',
    "a delta that is a number": event("response.output_text.delta", delta=7),
    "a delta that is missing": event("response.output_text.delta"),
    "text for another item": event("response.output_text.delta", output_index=1, delta="Ebb"),
    "text for another part": event("response.output_text.delta", content_index=1, delta="Ebb"),
    "a refusal in a text": event("response.refusal.delta", delta="No"),
    "arguments in a message": event("response.function_call_arguments.delta", delta="{}"),
    "thoughts in a message": event("response.reasoning_summary_text.delta", delta="Hm"),
    "an item twice": json.dumps(added(MESSAGE)).encode(),
    "an item that is a string": json.dumps(added("message")).encode(),
    "an item without a type": json.dumps(added({"id": "x"}, 1)).encode(),
    "a call without a name": json.dumps(added({"type": "function_call", "call_id": "c"}, 1)).encode(),
    "a call whose name is a number": json.dumps(added({**CALL, "name": 1}, 1)).encode(),
    "a part twice": event("response.content_part.added", part=TEXT),
    "a part without a type": event("response.content_part.added", content_index=1, part={}),
    "a part that ends without a beginning": event("response.content_part.done", content_index=1, part=TEXT),
    "a part whose text is a number": event("response.content_part.done", part={**TEXT, "text": 7}),
    "an annotation that is a string": event("response.output_text.annotation.added", annotation="see"),
    "an annotation that is missing": event("response.output_text.annotation.added"),
    "an item that ends as another": event("response.output_item.done", item=CALL),
    "an item that ends without a beginning": event("response.output_item.done", output_index=5),
    "a second beginning": json.dumps(CREATED).encode(),
    "an end without a response": event("response.completed"),
    "a response that is a string": event("response.completed", response="resp_1"),
    "output that is an object": event("response.completed", response={"output": {}}),
    "usage that is a string": event("response.completed", response={"usage": "21 tokens"}),
    "an error with broken text where nobody looks": b'{"type":"error","message":"No.","detail":"\xff"}',
    "too deep": b'{"type":"response.x","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_broken_data_is_refused_and_what_came_before_is_kept(data: bytes) -> None:
    decoder = OPENAI_RESPONSES.decoder(QUIRKS)
    good = decoder.feed(OPENING + sse({"type": "response.output_text.delta", "output_index": 0, "delta": "Ebb"}))
    assert good[-1].events == (TextDelta(0, "Ebb"),)
    more = {"type": "response.output_text.delta", "output_index": 0, "delta": " tide"}
    received = decoder.feed(sse(more, data, COMPLETED))
    assert [item.events for item in received] == [(TextDelta(0, " tide"),)]
    for again in (b"", sse(COMPLETED)):
        with pytest.raises(RemoteProtocolError):
            decoder.feed(again)
    with pytest.raises(RemoteProtocolError):
        decoder.close()
    assert not decoder.ended


@pytest.mark.parametrize(
    "data",
    [
        event("response.output_item.added", item=CALL),
        event("response.output_item.done", item=REASONING),
        event("response.output_text.delta", delta="Ebb"),
        event("response.incomplete"),
    ],
)
def test_nothing_but_its_beginning_may_come_first(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        events_of([sse(data)])


def test_text_after_the_end_of_its_part_is_refused() -> None:
    done = {"type": "response.content_part.done", "output_index": 0, "part": TEXT}
    with pytest.raises(RemoteProtocolError, match="done"):
        events_of([OPENING + sse(done), sse({"type": "response.output_text.delta", "output_index": 0, "delta": "x"})])


def test_items_have_a_cap_even_those_without_a_block() -> None:
    decoder = OPENAI_RESPONSES.decoder(QUIRKS)
    decoder.feed(sse(CREATED, *(added(MESSAGE, number) for number in range(MAX_ITEMS))))
    with pytest.raises(RemoteProtocolError, match=str(MAX_ITEMS)):
        decoder.feed(sse(added(MESSAGE, MAX_ITEMS)))


@pytest.mark.parametrize("data", [b"[DONE]", b"", b" ", b" [DONE]\t"])
def test_a_marker_says_nothing_and_ends_nothing(data: bytes) -> None:
    received, ended = decode([sse(CREATED) + b"data: %b\n\n" % data])
    assert not ended
    assert [item.events for item in received] == [(MessageStart("resp_1", "m1"),), ()]
    encoder = OPENAI_RESPONSES.encoder(REPLY)
    assert [len(encoder.verbatim(item)) for item in received] == [1, 0]


FORGIVEN: dict[str, dict[str, Any]] = {
    "null everywhere": {**CREATED, "type": "response.in_progress", "output_index": None, "item": None, "part": None},
    "a response without an id": {"type": "response.in_progress", "response": {}},
    "an item that is not known yet": added(None, 3),
    "fields of other types in an event that is not read": {"type": "response.x", "output_index": "q", "item": []},
    "an annotation of a thing unknown": {"type": "response.metadata", "annotation": [1]},
}


@pytest.mark.parametrize("value", FORGIVEN.values(), ids=FORGIVEN.keys())
def test_what_says_nothing_or_is_unknown_breaks_nothing(value: dict[str, Any]) -> None:
    plain = events_of([OPENING, sse(COMPLETED)])
    again = [found for found in events_of([OPENING + sse(value), sse(COMPLETED)]) if not isinstance(found, Opaque)]
    assert again == plain


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ({"reason": "max_output_tokens"}, Finish("max_tokens", native="max_output_tokens")),
        ({"reason": "content_filter"}, Finish("refusal", native="content_filter")),
        ({"reason": "steered"}, Finish("other", native="steered")),
        ({}, Finish("other", native="incomplete")),
        (None, Finish("other", native="incomplete")),
    ],
)
def test_every_reason_is_understood_or_kept(reason: Any, expected: Finish) -> None:
    last = {"type": "response.incomplete", "response": {"incomplete_details": reason}}
    assert events_of([sse(CREATED, last)])[-2:] == [expected, MessageEnd()]


@pytest.mark.parametrize(
    ("tailrace", "reason"),
    [
        ({"stop_reason": "pause"}, "pause"),
        ({"stop_reason": "completed"}, "end_turn"),
        ({"stop_reason": ["pause"]}, "end_turn"),
        ([], "end_turn"),
        ("pause", "end_turn"),
    ],
)
def test_a_relays_marks_count_when_they_are_words_of_the_vocabulary(tailrace: Any, reason: str) -> None:
    last = {"type": "response.completed", "response": {"tailrace": tailrace}}
    (finish,) = (found for found in events_of([sse(CREATED, last)]) if isinstance(found, Finish))
    assert finish.reason == reason


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 3.0, "output_tokens": 4}, Usage(3, 4)),
        ({"input_tokens": -1, "output_tokens": 2.5}, Usage()),
        ({"input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}}, Usage(None, None, 2, 1)),
        ({"output_tokens_details": {"reasoning_tokens": 9}}, Usage(None, None, None, None, 9)),
        ({"input_tokens_details": None}, Usage()),
    ],
)
def test_counts_that_are_none_are_not_known(usage: Any, expected: Usage) -> None:
    last = {"type": "response.completed", "response": {"usage": usage}}
    assert [found for found in events_of([sse(CREATED, last)]) if isinstance(found, UsageReport)] == [
        UsageReport(expected)
    ]


def test_an_error_can_never_be_marked_a_success() -> None:
    error = {"type": "error", "message": "No.", "tailrace": {"ending": "completed", "usage": "none", "kind": 7}}
    (found,) = events_of([sse(error)])
    assert (type(found).__name__, getattr(found, "ending", None)) == ("Error", "failed")


def test_a_cipher_names_its_dialect_and_survives_an_id_with_a_colon() -> None:
    for identity, kept in (("rs_1", "rs_1"), ("urn:rs:1", ""), (7, "")):
        item = {"type": "reasoning", "id": identity, "encrypted_content": "a:b"}
        done = {"type": "response.output_item.done", "output_index": 0, "item": item}
        (found,) = (e for e in events_of([sse(CREATED, done)]) if isinstance(e, SignatureDelta))
        assert found.signature == f"openai_responses:{kept}:a:b"


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "id", "text"]), inner),
    max_leaves=4,
)
_KINDS = [
    "response.created", "response.output_item.added", "response.output_item.done", "response.content_part.added",
    "response.content_part.done", "response.output_text.delta", "response.output_text.done", "response.refusal.delta",
    "response.output_text.annotation.added", "response.function_call_arguments.delta", "response.completed",
    "response.reasoning_summary_part.added", "response.reasoning_text.delta", "response.failed", "error", "keepalive",
    "response.unheard_of",
]  # fmt: skip
_FIELDS = ["output_index", "content_index", "delta", "text", "item", "part", "annotation", "response", "error"]
_ITEMS = st.sampled_from([MESSAGE, CALL, REASONING, {"type": "web_search_call"}])
_EVENTS = st.builds(
    lambda kind, fields, item: {"item": item, "part": TEXT, "delta": "x", "response": {}, **fields, "type": kind},
    st.sampled_from(_KINDS),
    st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=2),
    _ITEMS,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_EVENTS, max_size=12))
def test_whatever_comes_is_a_legal_order_or_a_protocol_error(values: list[dict[str, Any]]) -> None:
    stream = sse(CREATED, *values)

    def outcome(pieces: list[bytes]) -> tuple[list[Any], bool, str]:
        decoder, found = OPENAI_RESPONSES.decoder(QUIRKS), []
        try:
            for piece in pieces:
                found += [event for received in decoder.feed(piece) for event in received.events]
            decoder.close()
        except RemoteProtocolError as error:
            return found, decoder.ended, str(error)
        return found, decoder.ended, ""

    assert outcome([stream]) == outcome([stream[i : i + 7] for i in range(0, len(stream), 7)])
