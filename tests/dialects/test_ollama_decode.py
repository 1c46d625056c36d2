"""What the decoder refuses, bounds and forgives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import Quirks, Received
from tailrace.dialects.ollama import OLLAMA
from tailrace.dialects.ollama.dates import rfc3339
from tailrace.dialects.ollama.decode import MAX_BLOCKS
from tailrace.dialects.ollama.lines import MAX_LINE
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import BlockStart, Error, Finish, MessageEnd, MessageStart, Opaque, Order, Ping, TextDelta
from tests.dialects.ollama_cases import events_of, line, lines, vectors

OPENING = lines(line(content="Ebb"))

HOSTILE: dict[str, bytes] = {
    "not JSON": b'{"message": {"content": ',
    "not UTF-8": b'{"message":{"content":"\xff"}}',
    "a string": b'"the tide is high at six"',
    "an array": b'[{"message":{}}]',
    "a number": b"12345678901234567890",
    "null": b"null",
    "server-sent events": b'data: {"choices":[]}',
    "a page": b"<html><body>502</body></html>",
    "a message that is text": b'{"message":"Ebb"}',
    "content that is a number": b'{"message":{"content":7}}',
    "content in parts": b'{"message":{"content":["Ebb"]}}',
    "thinking that is an object": b'{"message":{"thinking":{}}}',
    "done that is text": b'{"message":{},"done":"true"}',
    "a reason that is a number": b'{"message":{},"done":true,"done_reason":1}',
    "a count that is text": b'{"message":{},"done":true,"eval_count":"9"}',
    "calls that are an object": b'{"message":{"tool_calls":{}}}',
    "a call that is null": b'{"message":{"tool_calls":[null]}}',
    "a call without function": b'{"message":{"tool_calls":[{"id":"a"}]}}',
    "a call without name": b'{"message":{"tool_calls":[{"function":{"arguments":{}}}]}}',
    "arguments that are an array": b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":[]}}]}}',
    "arguments that are a number": b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":1}}]}}',
    "arguments that are not UTF-8": b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":"\xff"}}}]}}',
    "images that are numbers": b'{"message":{"images":[1]}}',
    "a response that is an object": b'{"response":{}}',
    "too deep": b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "arguments that are too deep": b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":'
    + b'{"a":' * 100_000
    + b"1"
    + b"}" * 100_000
    + b"}}]}}",
    "an error that is too deep": b'{"error":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "something unknown that is too deep": b'{"status":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_broken_line_is_refused_and_what_came_before_is_kept(data: bytes) -> None:
    decoder = OLLAMA.decoder(Quirks())
    with pytest.raises(RemoteProtocolError):
        decoder.feed(data + b"\n")
    decoder = OLLAMA.decoder(Quirks())
    received = decoder.feed(OPENING + data + b"\n" + lines(line(True, "stop")))
    assert [type(event) for got in received for event in got.events] == [MessageStart, BlockStart, TextDelta]
    for more in (b"", lines(line(True, "stop"))):
        with pytest.raises(RemoteProtocolError):
            decoder.feed(more)
    with pytest.raises(RemoteProtocolError):
        decoder.close()
    assert not decoder.ended


@pytest.mark.parametrize("end", [b"x", b"x\n", b"\n"])
def test_a_line_past_the_cap_is_refused_before_it_is_held(end: bytes) -> None:
    decoder = OLLAMA.decoder(Quirks())
    decoder.feed(OPENING)
    block = b"x" * (1 << 20)
    for _ in range(MAX_LINE // len(block)):
        decoder.feed(block)
    with pytest.raises(LimitExceeded if end != b"\n" else RemoteProtocolError):
        decoder.feed(end)
    with pytest.raises(RemoteProtocolError):
        decoder.feed(b"")


def test_a_line_below_the_cap_is_read() -> None:
    text = "x" * (MAX_LINE - 200)
    assert TextDelta(0, text) in events_of([lines(line(content=text), line(True, "stop"))])


def test_more_blocks_than_a_message_may_have_are_refused() -> None:
    stream = lines(*(line(content="a") if n % 2 else line(thinking="b") for n in range(MAX_BLOCKS + 1)))
    decoder = OLLAMA.decoder(Quirks())
    received = decoder.feed(stream)
    starts = [event for got in received for event in got.events if isinstance(event, BlockStart)]
    assert len(starts) == MAX_BLOCKS
    with pytest.raises(RemoteProtocolError, match="blocks"):
        decoder.feed(b"")


FORGIVEN: dict[str, Any] = {
    "nothing in the message": {"message": {}},
    "null everywhere": {
        "model": None,
        "message": {"content": None, "thinking": None, "tool_calls": None, "images": None},
        "done": None,
        "done_reason": None,
        "eval_count": None,
        "error": None,
        "tailrace": None,
    },
    "no calls, no images": {"message": {"tool_calls": [], "images": []}},
    "an empty error": {"message": {}, "error": ""},
    "fields of another time": {"message": {"mood": 7}, "logprobs": [{"token": "x", "logprob": -0.1}], "weight": {}},
}


@pytest.mark.parametrize("forgiven", FORGIVEN.values(), ids=FORGIVEN.keys())
def test_what_says_nothing_is_a_sign_of_life(forgiven: Any) -> None:
    parts = [line(content="Ebb"), line(content=" flow"), line(True, "stop")]
    plain = events_of([lines(*parts)])
    assert events_of([lines(parts[0], forgiven, *parts[1:])]) == [*plain[:3], Ping(), *plain[3:]]


def test_a_page_instead_of_an_answer_is_no_answer_at_its_end_either() -> None:
    assert events_of([b"<html>"]) == []


@pytest.mark.parametrize(
    ("word", "reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("load", "other"), ("unload", "other"), ("refusal", "refusal")],
)
def test_every_reason_is_understood_or_kept(word: str, reason: str) -> None:
    finish = next(e for e in events_of([lines(line(True, word, content="x"))]) if isinstance(e, Finish))
    assert (finish.reason, finish.native) == (reason, word)


def test_a_limit_in_a_call_stays_a_limit() -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    finish = next(e for e in events_of([lines(line(True, "length", tool_calls=[call]))]) if isinstance(e, Finish))
    assert finish.reason == "max_tokens"


def test_what_only_this_dialect_understands_is_carried_as_it_came() -> None:
    events = events_of([lines({"status": "pulling", "total": 7}, line(True, "stop"))])
    assert events[0] == Opaque("ollama", {"status": "pulling", "total": 7})


@given(st.binary(max_size=300), st.sampled_from(vectors()), st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_in_the_middle_never_do_more_than_raise_our_error(junk: bytes, vector: Any, data: st.DataObject) -> None:
    stream: bytes = vector.stream
    place = data.draw(st.integers(0, len(stream)))
    order, decoder = Order(), OLLAMA.decoder(Quirks())
    received: list[Received] = []
    try:
        for piece in (stream[:place], junk, stream[place:]):
            received += decoder.feed(piece)
        received += decoder.close()
    except RemoteProtocolError:
        pass
    for one in received:
        for event in one.events:
            order.advance(event)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("message", "done", "done_reason", "error", "eval_count", "tailrace", "response"), JSON),
)


@given(st.lists(FIELDS | JSON | st.builds(dict, message=FIELDS), max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_json_where_a_line_should_be_is_read_or_refused(values: list[Any]) -> None:
    order, decoder = Order(), OLLAMA.decoder(Quirks())
    received: list[Received] = []
    try:
        received += decoder.feed(lines(*values))
        received += decoder.close()
    except RemoteProtocolError:
        pass
    for one in received:
        for event in one.events:
            order.advance(event)
    last = [event for one in received for event in one.events][-1:]
    assert decoder.ended == isinstance(last[0] if last else None, MessageEnd | Error)


@given(st.integers(0, 253_402_300_799))
@settings(max_examples=500, deadline=None)
def test_a_moment_is_written_as_the_calendar_has_it(seconds: int) -> None:
    assert rfc3339(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)
