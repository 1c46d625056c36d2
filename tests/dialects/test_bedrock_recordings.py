"""Real answers of the service: nothing is lost on the way in, nothing on the way through."""

from __future__ import annotations

import base64
import json
import os
import random
from typing import Any

import pytest

from tailrace.events import Error, Fold, MessageEnd, Opaque, TextBlock
from tests.dialects.bedrock_cases import (
    Recording,
    botocore_frames,
    botocore_reading,
    decode,
    encode,
    events_of,
    message_of,
    reading,
    recordings,
)

RECORDINGS = recordings()
UNREADABLE = "openllmetry-guardrail-invoke-stream.bin"
"""The one whose maker's events nobody here reads."""


def by_name(recording: Recording) -> str:
    return recording.name


READABLE = [recording for recording in RECORDINGS if recording.name != UNREADABLE]
CONVERSED = [r for r in READABLE if b"messageStart" in r.stream]

each = pytest.mark.parametrize("recording", RECORDINGS, ids=by_name)
each_readable = pytest.mark.parametrize("recording", READABLE, ids=by_name)
each_conversed = pytest.mark.parametrize("recording", CONVERSED, ids=by_name)


def test_the_recordings_are_there_where_they_must_be() -> None:
    if not RECORDINGS:
        assert not (os.environ.get("CI") == "true" and os.environ.get("TAILRACE_RECORDINGS"))
        pytest.skip("no recordings")
    assert len(RECORDINGS) >= 13
    assert len(CONVERSED) >= 7


@each
def test_it_decodes_in_legal_order_and_ends_as_its_maker_does(recording: Recording) -> None:
    state = Fold()
    for event in events_of([recording.stream]):
        state.add(event)
    assert state.ended == (recording.name != UNREADABLE)
    assert state.error is None


@each
def test_any_split_of_the_bytes_says_the_same(recording: Recording) -> None:
    stream = recording.stream
    whole = events_of([stream])
    for seed in range(4):
        chosen = random.Random(seed)
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(50))
        assert events_of([stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]) == whole
    if len(stream) < 20_000:
        assert events_of([stream[i : i + 1] for i in range(len(stream))]) == whole


@each_readable
def test_no_prefix_before_the_reason_is_complete(recording: Recording) -> None:
    stream, end = recording.stream, 0
    reasons = (b'"stopReason"', b'"stop_reason":"', b'"finish_reason":"')
    for payload in payloads(stream):
        end += int.from_bytes(stream[end : end + 4])
        if any(reason in payload for reason in reasons):
            return
        assert not decode([stream[:end]])[1]
        assert not decode([stream[: end - 1]])[1]
    pytest.fail("no reason to stop")


def payloads(stream: bytes) -> list[bytes]:
    """Return what each frame says, a maker's chunk unwrapped: a reading of our own tests."""
    found = []
    for frame in botocore_frames(stream):
        value = json.loads(frame["payload"])
        found.append(base64.b64decode(value["bytes"]) if "bytes" in value else frame["payload"].encode())
    return found


@each_conversed
def test_botocore_reads_the_same_from_the_service_and_from_us(recording: Recording) -> None:
    ours = reading(message_of(recording.stream))
    assert botocore_reading(recording.stream) == ours
    assert botocore_reading(encode(events_of([recording.stream]))) == ours


@each_readable
def test_no_text_and_no_call_is_lost(recording: Recording) -> None:
    """By the plainest of readings, whoever's events these are."""
    texts: list[str] = []
    calls = 0
    for payload in payloads(recording.stream):
        value: Any = json.loads(payload)
        value = value.get("contentBlockDelta") or value.get("contentBlockStart") or value
        if isinstance(value.get("delta"), dict):
            texts.append(value["delta"].get("text") or "")
        texts += [choice["delta"].get("content") or "" for choice in value.get("choices", ())]
        calls += "toolUse" in value.get("start", {}) or value.get("content_block", {}).get("type") == "tool_use"
        calls += sum(len(choice["delta"].get("tool_calls", ())) for choice in value.get("choices", ()))
    message = message_of(recording.stream)
    assert "".join(block.text for block in message.blocks if isinstance(block, TextBlock)) == "".join(texts)
    assert len(message.tool_calls) == calls
    assert all(call.complete and call.id and call.name for call in message.tool_calls)


@each
def test_what_it_says_survives_encoder_and_decoder(recording: Recording) -> None:
    events = events_of([recording.stream])
    once = events_of([encode(events)])
    if recording.wire == "bedrock-converse" and recording.name != UNREADABLE:
        assert once == events
    elif recording.name == UNREADABLE:
        assert all(isinstance(event, Opaque) for event in events)
    else:
        before, after = message_of(recording.stream), message_of(encode(events))
        assert after.blocks == before.blocks
        assert (after.id, after.model, after.usage, after.stop_reason) == (
            before.id,
            before.model,
            before.usage,
            before.stop_reason,
        )
    assert not any(isinstance(event, Error) for event in once)
    assert isinstance(once[-1] if once else MessageEnd(), MessageEnd)
