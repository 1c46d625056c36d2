"""What real servers answered: read in any split, added up like the provider's own last event, passed on whole."""

from __future__ import annotations

import random
from typing import Any

import openai
import pytest

from tailrace.dialects import DIALECTS
from tailrace.dialects.openai_responses import OPENAI_RESPONSES
from tailrace.events import Error, MessageStart, fold
from tests.dialects.openai_responses_cases import (
    QUIRKS,
    REPLY,
    Recording,
    decode,
    encode,
    events_of,
    payloads,
    recordings,
    sdk_response,
    summary,
    verbatim,
)

RECORDINGS = recordings()
TRIMMED = {"openai-responses/ai-openai-shell-container-1.payloads.ndjson"}
"""Recordings of which somebody has thrown deltas away: they do not add up to what the last event says."""

LAST = ("response.completed", "response.incomplete", "response.failed")

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="the recordings are not here")
every_recording = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)


def failed(recording: Recording) -> bool:
    return isinstance(events_of([recording.stream])[-1], Error)


def provider_says(recording: Recording) -> dict[str, Any]:
    """Return the response of the provider's own last event."""
    written = payloads(verbatim(recording.stream))
    assert written[-1]["type"] in LAST
    found: dict[str, Any] = written[-1]["response"]
    return found


@every_recording
def test_it_is_read_to_its_end_whatever_the_split(recording: Recording) -> None:
    whole = events_of([recording.stream])
    assert decode([recording.stream])[1]
    chosen = random.Random(recording.name)
    stream = recording.stream
    for _ in range(4):
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(chosen.randrange(1, 40)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert events_of(pieces) == whole
    if len(stream) < 20_000:
        assert events_of([stream[i : i + 1] for i in range(len(stream))]) == whole


@every_recording
def test_no_part_of_it_is_complete(recording: Recording) -> None:
    stream = recording.stream
    chosen = random.Random(recording.name)
    complete = min(place for place in _ends_of_events(stream) if decode([stream[:place]])[1])
    assert not any(decode([stream[: chosen.randrange(complete)]])[1] for _ in range(40))
    # What follows the end is a router's marker, or what OpenAI says after an error.
    assert stream[complete:].strip() in {b"", b"data: [DONE]"} or failed(recording)


def _ends_of_events(stream: bytes) -> list[int]:
    """Return where the last events of ``stream`` end: only there can it be complete."""
    ends: list[int] = []
    place = len(stream)
    while len(ends) < 3:
        ends.append(place)
        place = stream.rindex(b"\n\n", 0, place - 2) + 2
    return ends


@every_recording
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_the_fold_is_what_the_provider_and_the_official_sdk_say(recording: Recording) -> None:
    written = verbatim(recording.stream)
    if failed(recording):
        with pytest.raises(openai.APIError):
            sdk_response(written)
        return
    provider = provider_says(recording)
    body = OPENAI_RESPONSES.message_body(fold(events_of([recording.stream])), REPLY)
    assert body["status"] == provider["status"]
    if recording.name not in TRIMMED:
        assert summary(body) == summary(provider)
    assert summary(sdk_response(written)) == summary(provider)


@every_recording
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_an_encoder_and_a_decoder_give_back_every_event(recording: Recording) -> None:
    events = events_of([recording.stream])
    first = events[0]
    assert isinstance(first, MessageStart)
    again = events_of([encode(events)])
    if failed(recording):
        assert [type(event) for event in again] == [type(event) for event in events]
        return
    if not first.id.startswith("resp_"):
        # A router's own id, of which nobody knows whether others can guess it.
        first = MessageStart("resp_reply", first.model)
    assert again == [first, *events[1:]]
    if recording.name not in TRIMMED:
        assert summary(sdk_response(encode(events))) == summary(provider_says(recording))


@every_recording
def test_passed_on_it_is_what_came(recording: Recording) -> None:
    ours = payloads(verbatim(recording.stream))
    came = [received for received in decode([recording.stream])[0] if received.raw != b"[DONE]"]
    assert len(ours) == len(came)
    assert [event["sequence_number"] for event in ours] == list(range(len(ours)))


@every_recording
@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
def test_it_can_be_told_to_the_clients_of_other_dialects(recording: Recording, door: str) -> None:
    encoder = DIALECTS[door].encoder(REPLY)
    events = events_of([recording.stream])
    stream = b"".join(frame for event in events for frame in encoder.encode(event))
    message, told = fold(events), DIALECTS[door].decoder(QUIRKS).feed(stream)
    heard = fold(event for received in told for event in received.events)
    assert heard.text.startswith(message.text)
    assert heard.thinking == message.thinking
    assert [(c.id, c.name, c.input) for c in heard.tool_calls] == [(c.id, c.name, c.input) for c in message.tool_calls]
    if not failed(recording):
        assert heard.stop_reason == message.stop_reason
        assert heard.usage.output_tokens == message.usage.output_tokens
