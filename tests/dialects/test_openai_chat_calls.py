"""Which call a fragment belongs to, whatever the server leaves out or repeats."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import Quirks
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.dialects.openai_chat.calls import MAX_ARGUMENTS, MAX_CALLS, MAX_TRIES
from tailrace.errors import LimitExceeded, RemoteProtocolError
from tailrace.events import (
    BlockStop,
)
from tests.dialects.openai_chat_cases import call, chunk, events_of, message_of, sse

OPENING = b'data: {"id":"c1","model":"m1","choices":[{"delta":{"content":"Ebb"}}]}\n\n'


def calls_of(*chunks: dict[str, Any]) -> list[tuple[str, str, str]]:
    message = message_of(sse(*chunks, chunk({}, "tool_calls")))
    return [(block.id, block.name, block.json) for block in message.tool_calls]


def test_a_call_without_index_goes_on_by_its_id_or_as_the_last_one() -> None:
    assert calls_of(
        call(None, '{"a":', id="x", name="f"),
        call(None, '{"b":', id="y", name="g"),
        call(None, "1}", id="x"),
        call(None, "2}", id="y"),
        call(None, " "),
    ) == [("x", "f", '{"a":1}'), ("y", "g", '{"b":2} ')]


def test_a_new_name_without_index_or_id_begins_a_call_when_the_last_one_is_complete() -> None:
    assert calls_of(call(None, '{"a":1}', name="f"), call(None, '{"b":2}', name="g")) == [
        ("", "f", '{"a":1}'),
        ("", "g", '{"b":2}'),
    ]
    assert calls_of(call(None, '{"a":', name="f"), call(None, "1}", name="f")) == [("", "f", '{"a":1}')]


def test_a_call_that_never_gets_a_name_is_opened_at_the_end() -> None:
    assert calls_of(call(0, '{"a":1}', id="x")) == [("x", "", '{"a":1}')]


def test_arguments_after_a_complete_call_are_refused_unless_they_are_space() -> None:
    first = [call(0, '{"a":1}', id="x", name="f"), call(1, "{}", id="y", name="g")]
    assert calls_of(*first, call(0, " \n")) == [("x", "f", '{"a":1}'), ("y", "g", "{}")]
    with pytest.raises(RemoteProtocolError, match="complete"):
        calls_of(*first, call(0, "}"))


def test_a_placeholder_before_the_arguments_does_not_end_the_call() -> None:
    assert calls_of(call(0, "", id="x", name="f"), call(0, " "), call(0, '{"a":1}')) == [("x", "f", ' {"a":1}')]


def test_arguments_are_parsed_once_at_the_next_content_and_not_at_every_fragment() -> None:
    events = events_of([sse(call(0, '{"a":1', id="x", name="f"), call(1, "{}", id="y", name="g"), call(0, "}"))])
    assert [e.index for e in events if isinstance(e, BlockStop)] == [0, 1]


def test_a_hostile_provider_cannot_make_us_parse_for_ever() -> None:
    chunks = [call(0, '{"a":"', id="x0", name="f")]
    chunks += [call(0, "}", id=f"x{i + 1}", name="f") for i in range(MAX_TRIES * 3)]
    (found,) = calls_of(*chunks)
    assert found == ("x0", "f", '{"a":"' + "}" * (MAX_TRIES * 3))


def test_arguments_and_calls_have_caps() -> None:
    decoder = OPENAI_CHAT.decoder(Quirks())
    decoder.feed(sse(call(0, "[", id="x", name="f"), done=False))
    piece = sse(call(0, "9" * (MAX_ARGUMENTS // 4)), done=False)
    for _ in range(3):
        decoder.feed(piece)
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(piece)
    assert caught.value.limit == MAX_ARGUMENTS
    many = [{"index": i, "id": f"i{i}", "function": {"name": "f", "arguments": ""}} for i in range(MAX_CALLS + 1)]
    with pytest.raises(RemoteProtocolError, match=str(MAX_CALLS)):
        events_of([sse(chunk({"tool_calls": many}))])
