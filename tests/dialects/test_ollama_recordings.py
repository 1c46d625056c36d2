"""Real answers: nothing is lost on the way in, nothing on the way through. Runs where the recordings are."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

from tailrace.events import Fold, MessageEnd, Ping
from tests.dialects.ollama_cases import decode, encode, events_of, message_of, reading, recordings, sdk_reading

RECORDINGS = recordings()

each = pytest.mark.parametrize("stream", [stream for _, stream in RECORDINGS], ids=[name for name, _ in RECORDINGS])


def test_the_recordings_are_there_where_they_must_be() -> None:
    if not RECORDINGS:
        assert not (os.environ.get("CI") == "true" and os.environ.get("TAILRACE_RECORDINGS"))
        pytest.skip("no recordings")
    assert len(RECORDINGS) >= 5


@each
def test_it_decodes_in_legal_order_and_ends_at_its_last_line(stream: bytes) -> None:
    state = Fold()
    for event in events_of([stream]):
        state.add(event)
    assert state.ended
    assert not decode([stream[: stream.rstrip().rindex(b"\n") + 1]])[1]


@each
def test_any_split_of_the_bytes_says_the_same(stream: bytes) -> None:
    whole = events_of([stream])
    assert events_of([stream[i : i + 1] for i in range(len(stream))]) == whole
    for seed in range(5):
        chosen = random.Random(seed)
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(50))
        assert events_of([stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]) == whole


def said_by(stream: bytes) -> dict[str, Any]:
    """Add up ``stream`` by the plainest of readings."""
    rows = [json.loads(row) for row in stream.split(b"\n") if row.strip()]
    messages = [row.get("message", row) for row in rows]
    return {
        "text": "".join(m.get("content") or m.get("response") or "" for m in messages),
        "thinking": "".join(m.get("thinking") or "" for m in messages),
        "calls": [
            (c["function"]["name"], c["function"]["arguments"]) for m in messages for c in m.get("tool_calls", ())
        ],
        "counts": (rows[-1].get("prompt_eval_count"), rows[-1].get("eval_count")),
        "model": rows[0]["model"],
    }


@each
def test_no_text_no_call_and_no_count_is_lost(stream: bytes) -> None:
    message = message_of(stream)
    ours = reading(message)._asdict()
    expected = said_by(stream)
    assert message.model == expected.pop("model")
    assert {name: ours[name] for name in expected} == expected


@each
def test_the_official_sdk_reads_the_same_from_the_provider_and_from_us(stream: bytes) -> None:
    truth = reading(message_of(stream))
    if b'"message"' in stream:
        assert sdk_reading(stream) == truth
    assert sdk_reading(encode(events_of([stream]))) == truth


@each
def test_every_event_survives_encoder_and_decoder(stream: bytes) -> None:
    events = [event for event in events_of([stream]) if not isinstance(event, Ping)]
    assert isinstance(events[-1], MessageEnd)
    assert events_of([encode(events)]) == events
