"""The decoder where providers misbehave."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.gemini import GEMINI
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import Error, Event, Order, TextDelta, ToolInputDelta, fold
from tests.dialects.gemini_cases import NO_QUIRKS, array, chunk, decode, encode, events_of, sse

TEXT = {"text": "Ebb."}


def call(**fields: Any) -> dict[str, Any]:
    return chunk({"functionCall": fields})


def raw_call(args: str) -> bytes:
    return b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":%b}}]}}]}' % args.encode()


DEEP = "[" * 100_000
BEGUN = call(name="f", willContinue=True)


def step(path: str, **fields: Any) -> dict[str, Any]:
    return call(partialArgs=[{"jsonPath": path, "stringValue": "x", **fields}], willContinue=True)


HOSTILE: dict[str, tuple[list[Any], str]] = {
    "not json": ([b"{"], "not a gemini chunk"),
    "openai's end": ([b"[DONE]"], "not a gemini chunk"),
    "not utf-8": ([b'{"responseId":"\xff"}'], "not a gemini chunk"),
    "half a surrogate pair": ([b'{"candidates":[{"content":{"parts":[{"text":"\\ud83d"}]}}]}'], "not a gemini chunk"),
    "too deep": ([b'{"weather":' + DEEP.encode()], "not a gemini chunk"),
    "too deep in a part": ([b'{"candidates":[{"content":{"parts":[{"x":' + DEEP.encode()], "not a gemini chunk"),
    "too deep in what is carried": ([b'{"candidates":[{"groundingMetadata":' + DEEP.encode()], "not a gemini chunk"),
    "too deep and closed": (
        [b'{"candidates":[{"content":{"parts":[{"x":%b%b}]}}]}' % (b"[" * 100_000, b"]" * 100_000)],
        "gemini",
    ),
    "an array": ([b"[]"], "Expected `object`, got `array`"),
    "a string": ([b'"text"'], "Expected `object`, got `str`"),
    "null": ([b"null"], "Expected `object`, got `null`"),
    "candidates of another type": ([{"candidates": {}}], "Expected `array | null`"),
    "a candidate of another type": ([{"candidates": [7]}], "Expected `object`, got `int`"),
    "index of another type": ([{"candidates": [{"index": "0"}]}], "Expected `int | null`"),
    "a negative index": ([{"candidates": [{"index": -1}]}], "candidate -1, of at most 128"),
    "an index too large": ([{"candidates": [{"index": 128}]}], "candidate 128, of at most 128"),
    "content of another type": ([{"candidates": [{"content": "x"}]}], "Expected `object | null`"),
    "parts of another type": ([{"candidates": [{"content": {"parts": "x"}}]}], "Expected `array | null`"),
    "a part of another type": ([chunk(7)], "not a gemini chunk: Expected `object`"),  # type: ignore[arg-type]
    "text of another type": ([chunk({"text": 7})], "not a gemini chunk: Expected `str | null`"),
    "thought of another type": ([chunk({"text": "", "thought": "yes"})], "Expected `bool | null`"),
    "signature of another type": ([chunk({"thoughtSignature": 5})], "Expected `str | null`"),
    "reason of another type": ([chunk(TEXT, finishReason=1)], "Expected `str | null`"),
    "tokens of another type": ([{"usageMetadata": {"promptTokenCount": "7"}}], "Expected `int | null`"),
    "fewer tokens than none": ([{"usageMetadata": {"candidatesTokenCount": -1}}], "Expected `int` >= 0"),
    "usage of another type": ([{"usageMetadata": 3}], "Expected `object | null`"),
    "id of another type": ([{"responseId": 3}], "Expected `str | null`"),
    "citations of another type": ([chunk(TEXT, citationMetadata={"citations": ["x"]})], "Expected `object`"),
    "feedback of another type": ([{"promptFeedback": "no"}], "Expected `object | null`"),
    "a call of another type": ([chunk({"functionCall": "f"})], "Expected `object | null`"),
    "a call without a name": ([call(args={})], "a gemini function call without a name"),
    "an empty call": ([call()], "a gemini function call without a name"),
    "arguments that are an array": ([raw_call("[]")], "are not a JSON object"),
    "arguments that are a text": ([raw_call('"{}"')], "are not a JSON object"),
    "arguments that are not utf-8": ([raw_call("{}").replace(b"{}", b'{"a":"\xff"}')], "are not a JSON object"),
    "a call inside another": ([BEGUN, call(name="g", args={})], "a gemini function call begins inside another"),
    "a path that is none": ([BEGUN, step("a.b")], "'a.b' is not the path of an argument"),
    "an empty path": ([BEGUN, step("")], "is not the path of an argument"),
    "the path of everything": ([BEGUN, step("$")], "is not the path of an argument"),
    "a path with a filter": ([BEGUN, step("$.a[?(@.b)]")], "is not the path of an argument"),
    "a path with a slice": ([BEGUN, step("$.a[0:2]")], "is not the path of an argument"),
    "a path of many steps": ([BEGUN, step("$" + ".a" * 65)], "is not the path of an argument"),
    "an index that leaves a gap": ([BEGUN, step("$.a[1]")], "no place in the arguments so far"),
    "a huge index": ([BEGUN, step("$.a[999999999]")], "no place in the arguments so far"),
    "an index of the whole": ([BEGUN, step("$[0]")], "no place in the arguments so far"),
    "a name in a string": ([BEGUN, step("$.a"), step("$.a.b")], "no place in the arguments so far"),
    "an index in a string": ([BEGUN, step("$.a"), step("$.a[0]")], "no place in the arguments so far"),
    "a name in an array": ([BEGUN, step("$.a[0]"), step("$.a.b")], "no place in the arguments so far"),
    "a path of another type": ([BEGUN, call(partialArgs=[{"jsonPath": 7}])], "Expected `str`"),
    "too many blocks": ([chunk(*[{"inlineData": {}}] * 10_001)], "more than 10000 blocks"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_rule_allows_is_refused_in_a_clear_sentence(name: str) -> None:
    chunks, sentence = HOSTILE[name]
    decoder, order = GEMINI.decoder(NO_QUIRKS), Order()
    for value in chunks[:-1]:
        decoder.feed(sse(value))
    with pytest.raises(RemoteProtocolError) as caught:  # noqa: PT012
        for received in decoder.feed(sse(chunks[-1])):
            # Whoever takes the events counts the blocks.
            for event in received.events:
                order.advance(event)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 300
    assert not decoder.ended


@pytest.mark.parametrize("form", [sse, array], ids=["sse", "array"])
def test_what_came_before_a_fault_in_the_same_bytes_is_not_lost(form: Any) -> None:
    stream = form(chunk({"text": "kept"}), {"candidates": 7}, chunk({"text": "lost"}, finish="STOP"))
    for size in (1, 7, len(stream)):
        decoder, events = GEMINI.decoder(NO_QUIRKS), list[Event]()
        with pytest.raises(RemoteProtocolError, match="not a gemini chunk"):  # noqa: PT012
            for i in range(0, len(stream), size):
                events += [event for received in decoder.feed(stream[i : i + size]) for event in received.events]
            decoder.feed(b"")
        assert fold(events).text == "kept"
        assert not decoder.ended
        with pytest.raises(RemoteProtocolError):
            decoder.close()


def test_bytes_after_the_end_are_ignored_and_closing_is_idempotent() -> None:
    for stream in (array(chunk(TEXT, finish="STOP")), sse({"error": {"code": 500}})):
        decoder = GEMINI.decoder(NO_QUIRKS)
        decoder.feed(stream)
        assert decoder.ended
        assert decoder.feed(b"data: {\n\n") == []
        assert decoder.close() == []
        assert decoder.ended


def test_the_formats_key_words_are_only_words_inside_text() -> None:
    text = '\n{"error": {}}\n\ndata: [DONE]\n\n]}"\\'
    for form in (sse, array):
        events = events_of([form(chunk({"text": text}, finish="STOP"))])
        assert TextDelta(0, text) in events
        assert not any(isinstance(event, Error) for event in events)


def test_an_error_can_never_say_that_the_answer_is_complete() -> None:
    error = {"error": {"code": 500, "message": "x"}, "tailrace": {"ending": "completed"}}
    events = events_of([sse(chunk(TEXT, finish="STOP"), error)])
    assert isinstance(events[-1], Error)
    assert events[-1].ending == "failed"


def test_a_streamed_call_may_not_hold_more_than_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.dialects.gemini.partial_args.MAX_ARGUMENTS", 1_000)
    decoder = GEMINI.decoder(NO_QUIRKS)
    decoder.feed(sse(BEGUN))
    with pytest.raises(LimitExceeded, match="more than 1000 characters of arguments"):  # noqa: PT012
        for _ in range(50):
            decoder.feed(sse(step("$.a", willContinue=True)))


def test_a_long_streamed_string_takes_linear_time() -> None:
    pieces = [step("$.text", willContinue=True)] * 20_000
    events = events_of([sse(BEGUN, *pieces, call(), chunk(finish="STOP"))])
    (delta,) = [event for event in events if isinstance(event, ToolInputDelta)]
    assert json.loads(delta.json) == {"text": "x" * 20_000}


def test_a_call_that_never_ended_keeps_its_answer_from_being_complete() -> None:
    events, ended = decode([sse(BEGUN, step("$.a"))])
    assert not ended
    assert not fold(event for received in events for event in received.events).tool_calls[0].complete


def test_a_call_after_a_reason_must_end_too() -> None:
    assert not decode([sse(chunk(TEXT, finish="STOP"), BEGUN)])[1]
    assert decode([sse(chunk(TEXT, finish="STOP"), BEGUN, call())])[1]


def test_ids_are_not_shared_by_candidates() -> None:
    parts = {"content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"}
    answer = {"candidates": [{**parts, "index": 0}, {**parts, "index": 1}], "responseId": "r"}
    ids = [block.id for block in fold(events_of([sse(answer)])).blocks]  # type: ignore[union-attr]
    assert ids == ["call_r_0", "call_r_1"]


_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4) | st.sampled_from(["$.a", "$.b[0]", "STOP"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "thought", "thoughtSignature", "functionCall", "name", "args", "id", "error", "code", "json"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
_parts: st.SearchStrategy[Any] = st.one_of(
    st.just(TEXT),
    st.just({"text": "Hm.", "thought": True}),
    st.just({"text": "", "thoughtSignature": "c2ln"}),
    st.just({"functionCall": {"name": "f", "args": {"a": 1}}}),
    st.just({"functionCall": {"name": "f", "willContinue": True}}),
    st.just({"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}], "willContinue": True}}),
    st.just({"functionCall": {}}),
    st.just({"inlineData": {"mimeType": "image/png", "data": ""}}),
    st.just({"executableCode": {"code": "1"}, "thoughtSignature": "c2ln"}),
    st.just({"novel": 1}),
    st.dictionaries(st.sampled_from(["text", "functionCall", "toolCall", "thought"]), _values, max_size=2),
)
_chunks: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        lambda parts, reason, index: chunk(*parts, finish=reason, index=index),
        st.lists(_parts, max_size=3),
        st.sampled_from([None, "STOP", "SAFETY", "NOVEL"]),
        st.integers(0, 1),
    ),
    st.builds(lambda value: {"usageMetadata": {"promptTokenCount": 1}, "tailrace": value}, _values),
    st.builds(lambda value: {"promptFeedback": {"blockReason": value}}, _values),
    st.builds(lambda value: {**chunk(TEXT), "tailrace": {"cut_call": value, "stop_sequence": value}}, _values),
    st.builds(lambda value: {"error": value, "tailrace": value}, _values),
    st.dictionaries(st.sampled_from(["candidates", "weather", "usageMetadata"]), _values, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_chunks, max_size=10), st.sampled_from([sse, array]))
def test_whatever_comes_the_order_is_legal_or_the_fault_is_theirs(chunks: list[Any], form: Any) -> None:
    decoder, order, events = GEMINI.decoder(NO_QUIRKS), Order(), list[Event]()
    try:
        events += [event for received in decoder.feed(form(*chunks)) for event in received.events]
        events += [event for received in decoder.feed(b"") for event in received.events]
        events += [event for received in decoder.close() for event in received.events]
    except RemoteProtocolError:
        assert not decoder.ended
    for event in events:
        order.advance(event)
    assert decoder.ended == (order.state == "ended")
    # What was decoded can be encoded, and that is a legal stream again.
    again = Order()
    for event in events_of([encode(events)]):
        again.advance(event)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"data: ", b"\n\n", b"\r\n", b"[", b"]", b"{}", b'{"a":"\\', b","]),
        max_size=12,
    )
)
def test_whatever_bytes_come_only_our_own_errors_are_raised(pieces: list[bytes]) -> None:
    decoder = GEMINI.decoder(NO_QUIRKS)
    try:
        for piece in pieces:
            decoder.feed(piece)
        decoder.close()
    except RemoteProtocolError:
        pass
    assert not decoder.ended
