"""Real answers: nothing is lost on the way in, nothing on the way through.

Runs where the recordings are; the vectors cover the same features without them.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from tailrace.dialects.gemini import GEMINI
from tailrace.events import (
    Error,
    Finish,
    Fold,
    Opaque,
    OtherBlock,
    TextBlock,
    ToolCall,
    fold,
)
from tests.dialects.gemini_cases import (
    NO_QUIRKS,
    REPLY,
    Recording,
    candidates,
    decode,
    encode,
    events_of,
    payloads,
    recordings,
    sdk_candidates,
    sdk_chunks,
)

RECORDINGS = recordings()
FAILED = "firebase-streaming-failure-error-mid-stream.sse"
"""The one recording that ends with an error, written as bare JSON."""

STREAMED_CALLS = "ai-google-stream-no-args-tool-call.payloads.ndjson"
"""Calls whose arguments come value by value: the official SDK does not put them together."""

each = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
each_ended = pytest.mark.parametrize(
    "recording", [r for r in RECORDINGS if r.complete and r.name != FAILED], ids=lambda recording: recording.name
)


def test_the_recordings_are_there_where_they_must_be() -> None:
    if not RECORDINGS:
        assert not (os.environ.get("CI") == "true" and os.environ.get("TAILRACE_RECORDINGS"))
        pytest.skip("no recordings")
    assert len(RECORDINGS) >= 19
    assert {r.stream.lstrip()[:1] in b"[{" for r in RECORDINGS} == {True, False}


@each
def test_it_decodes_in_legal_order_and_ends_where_its_answer_does(recording: Recording) -> None:
    state = Fold()
    for event in events_of([recording.stream]):
        state.add(event)
    assert state.ended == recording.complete
    assert (state.error is not None) == (recording.name == FAILED)


@each
def test_any_split_of_the_bytes_says_the_same(recording: Recording) -> None:
    stream = recording.stream
    whole = events_of([stream])
    for seed in range(3):
        chosen = random.Random(seed)
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(50))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert events_of(pieces) == whole
    assert events_of(stream[i : i + 1] for i in range(len(stream))) == whole


@each_ended
def test_it_never_ends_before_its_input_does(recording: Recording) -> None:
    decoder = GEMINI.decoder(NO_QUIRKS)
    unfinished = recording.stream.rstrip()[:-1]
    for i in range(0, len(unfinished), 100):
        decoder.feed(unfinished[i : i + 100])
        assert not decoder.ended
    decoder.close()
    assert not decoder.ended


def plain_reading(stream: bytes) -> dict[str, Any]:
    """Add up the first candidate by the plainest of readings."""
    said: dict[str, Any] = {"text": "", "thinking": "", "calls": 0, "signatures": 0, "media": 0, "citations": 0}
    for payload in payloads(stream):
        for candidate in payload.get("candidates", ()):
            for part in candidate.get("content", {}).get("parts", ()):
                said["thinking" if part.get("thought") else "text"] += part.get("text", "")
                said["calls"] += bool(part.get("functionCall", {}).get("name"))
                said["signatures"] += "thoughtSignature" in part
                said["media"] += "inlineData" in part
            said["citations"] += len(candidate.get("citationMetadata", {}).get("citations", ()))
            said["reason"] = candidate.get("finishReason") or said.get("reason")
    return said


@each
def test_nothing_that_was_said_is_lost(recording: Recording) -> None:
    stream = recording.stream.partition(b"\n{")[0] if recording.name == FAILED else recording.stream
    plain, events = plain_reading(stream), events_of([recording.stream])
    message = fold(events)
    assert (message.text, message.thinking, message.native_reason) == (
        plain["text"],
        plain["thinking"],
        plain.get("reason") or ("SAFETY" if "prompt-blocked" in recording.name else None),
    )
    assert len(message.tool_calls) == plain["calls"]
    assert all(call.complete and call.id and isinstance(call.input, dict) for call in message.tool_calls)
    signed = [b for b in message.blocks if not isinstance(b, OtherBlock) and getattr(b, "signature", None)]
    assert len(signed) == plain["signatures"]
    assert sum(isinstance(b, OtherBlock) and b.kind == "media" for b in message.blocks) == plain["media"]
    assert sum(len(b.citations) for b in message.blocks if isinstance(b, TextBlock)) == plain["citations"]


@each
def test_the_last_usage_is_the_one_that_counts(recording: Recording) -> None:
    if recording.name == FAILED:
        return
    last: dict[str, int] = {}
    for payload in payloads(recording.stream):
        last.update(payload.get("usageMetadata", {}))
    usage = fold(events_of([recording.stream])).usage
    if "promptTokenCount" not in last:
        assert usage.values == (None,) * 5
        return
    assert usage.output_tokens == last["candidatesTokenCount"] + last.get("thoughtsTokenCount", 0)
    assert usage.input_tokens == last["promptTokenCount"] + last.get("toolUsePromptTokenCount", 0)
    # The provider's own sum knows nothing of our rules.
    assert (usage.input_tokens or 0) + (usage.output_tokens or 0) == last["totalTokenCount"]


@each_ended
def test_the_official_sdk_reads_the_same_and_what_we_write_for_it(recording: Recording) -> None:
    ours = candidates(fold(events_of([recording.stream])))
    assert sdk_candidates(sdk_chunks(encode(events_of([recording.stream])))) in (ours, {})
    if recording.stream.lstrip()[:1] not in b"[{":
        theirs = sdk_candidates(sdk_chunks(recording.stream))
        assert (theirs in (ours, {})) == (recording.name != STREAMED_CALLS)


@each_ended
def test_re_encoded_and_passed_on_it_is_the_same_answer(recording: Recording) -> None:
    batch, _ = decode([recording.stream])
    events = [event for received in batch for event in received.events]
    again = events_of([encode(events)])
    before, after = fold(events), fold(again)
    for field in ("blocks", "usage", "usage_label", "stop_reason", "stop_reasons", "native_reason"):
        assert getattr(after, field) == getattr(before, field)
    carried = [event for event in events if isinstance(event, Opaque)]
    assert [event for event in again if isinstance(event, Opaque)] == carried
    encoder = GEMINI.encoder(REPLY)
    frames = [frame for received in batch for frame in encoder.verbatim(received)]
    assert [value for frame in frames for value in payloads(frame)] == list(payloads(recording.stream))
    assert events_of(frames) == events


def test_an_error_as_bare_json_is_not_passed_over() -> None:
    for recording in RECORDINGS:
        if recording.name == FAILED:
            events = events_of([recording.stream])
            assert isinstance(events[-1], Error)
            assert (events[-1].code, fold(events).text) == ("CANCELLED", "First Second ")
            # Its chunks had their reasons: without the last lines it would have been complete.
            assert any(isinstance(event, Finish) for event in events)


def test_arguments_that_came_value_by_value_are_whole() -> None:
    for recording in RECORDINGS:
        if recording.name == STREAMED_CALLS:
            calls = [b for b in fold(events_of([recording.stream])).blocks if isinstance(b, ToolCall)]
            assert [call.input for call in calls] == [{}, {"id": "A"}, {"id": "B"}, {"id": "C"}]
