"""What is passed on as it came, and what of the relay's own may follow it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tailrace.dialects import Quirks, Received
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.events import (
    Error,
    MessageEnd,
    MessageStart,
    Ping,
    TextDelta,
    Usage,
    UsageReport,
)
from tailrace.sse import Decoder, ServerSentEvent
from tests.dialects.openai_chat_cases import REPLY, Vector, chunk, sse, vectors

START = MessageStart("c1", "m1")
SILENT = msgspec.structs.replace(REPLY, include_usage=False)
USAGE = UsageReport(Usage(21, 9, 16, None, 4))
CANCELLED = Error("cancelled", "the answer was stopped", ending="cancelled")


def passed(stream: bytes, reply: Any = REPLY) -> list[bytes]:
    """Return what the encoder passes on of ``stream``."""
    encoder = OPENAI_CHAT.encoder(reply)
    return [frame for received in OPENAI_CHAT.decoder(Quirks()).feed(stream) for frame in encoder.verbatim(received)]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector.name)
def test_the_providers_data_is_passed_on_unchanged(vector: Vector) -> None:
    received = OPENAI_CHAT.decoder(Quirks()).feed(vector.stream)
    encoder = OPENAI_CHAT.encoder(REPLY)
    for one in received:
        (kinds, written) = ([type(event) for event in one.events], encoder.verbatim(one))
        assert isinstance(one.raw, ServerSentEvent)
        if kinds == [Ping]:
            assert written == []
        elif kinds != [Error] or b'"error":' in one.raw.data:
            (again,) = Decoder().feed(written[0])
            assert again.data == one.raw.data.replace(b"\n", b" ")
            assert again.type == "message"


def test_a_usage_chunk_is_dropped_for_who_did_not_ask_but_not_other_chunks_with_usage() -> None:
    finish = {**chunk({}, "stop"), "usage": {"prompt_tokens": 1}}
    stream = sse(
        chunk({"content": "x"}), finish, {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    )
    assert len(passed(stream)) == 4
    assert passed(stream, SILENT) == [f for f in passed(stream) if b'"completion_tokens"' not in f]


def test_an_error_that_the_official_clients_would_miss_is_written_so_that_they_see_it() -> None:
    stream = sse(chunk({"content": "x"}), {"object": "error", "message": "engine is dead", "code": 500}, done=False)
    last = json.loads(passed(stream)[-1].removeprefix(b"data: "))
    assert last["error"]["message"] == "engine is dead"


def test_a_relays_own_end_follows_what_was_passed_on() -> None:
    encoder = OPENAI_CHAT.encoder(REPLY)
    stream = sse({**chunk({"content": "x"}), "created": 123}, {"object": "notice"}, done=False)
    for received in OPENAI_CHAT.decoder(Quirks()).feed(stream):
        encoder.verbatim(received)
    written = [*encoder.encode(UsageReport(Usage(None, 2), "estimated")), *encoder.encode(CANCELLED)]
    usage, error = (json.loads(frame.removeprefix(b"data: ")) for frame in written)
    assert (usage["id"], usage["model"], usage["created"]) == ("c1", "m1", 123)
    assert usage["usage"]["completion_tokens"] == 2
    assert error["tailrace"]["ending"] == "cancelled"
    assert encoder.encode(CANCELLED) == encoder.encode(MessageEnd()) == []


def test_usage_in_every_chunk_still_says_who_answers() -> None:
    encoder = OPENAI_CHAT.encoder(REPLY)
    stream = sse({**chunk({"content": "x"}), "usage": {"prompt_tokens": 1}}, done=False)
    for received in OPENAI_CHAT.decoder(Quirks()).feed(stream):
        encoder.verbatim(received)
    encoder.encode(UsageReport(Usage(1, 1)))
    assert b'"id":"c1"' in encoder.encode(CANCELLED)[0]


@pytest.mark.parametrize("last", [b"[DONE]", b'{"error":{"message":"x"}}'])
def test_nothing_follows_an_end_that_was_passed_on(last: bytes) -> None:
    encoder = OPENAI_CHAT.encoder(REPLY)
    for received in OPENAI_CHAT.decoder(Quirks()).feed(
        sse(chunk({"content": "x"}), b"data: %b\n\n" % last, done=False)
    ):
        encoder.verbatim(received)
    assert encoder.encode(CANCELLED) == encoder.encode(MessageEnd()) == []


def test_what_another_framing_brought_is_passed_on_in_ours() -> None:
    assert OPENAI_CHAT.encoder(REPLY).verbatim(Received(b'{"choices":[]}', (TextDelta(0, "x"),))) == [
        b'data: {"choices":[]}\n\n'
    ]
