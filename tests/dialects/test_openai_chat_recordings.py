"""Real answers of many servers: nothing is lost on the way in, nothing on the way through.

Runs where the recordings are; the vectors cover the same features without them.
"""

from __future__ import annotations

import os
import random
from typing import Any

import openai
import pytest

from tailrace.dialects import Quirks
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.events import Error, Fold, MessageEnd
from tests.dialects.openai_chat_cases import (
    Recording,
    choices,
    encode,
    events_of,
    message_of,
    payloads,
    recordings,
    sdk_choices,
    sdk_completion,
)

RECORDINGS = recordings()
FAILED = "req-llm-openrouter-google-gemini-2-5-flash-lite-object-streaming"
"""The one recording that ends with an error."""

SDK_CANNOT = {
    "ai-mistral-tool-call": "calls without index",
    "dd-py-mistral-v1-completions-ccfa08da": "content in parts",
    FAILED: "an error",
}
"""Recordings that the official SDK cannot add up as they came."""


def by_name(recording: Recording) -> str:
    return recording.name


def stem(recording: Recording) -> str:
    return recording.name.rsplit("/", 1)[1].split(".")[0]


ENDED = [recording for recording in RECORDINGS if stem(recording) != FAILED]
each = pytest.mark.parametrize("recording", RECORDINGS, ids=by_name)
each_ended = pytest.mark.parametrize("recording", ENDED, ids=by_name)


def test_the_recordings_are_there_where_they_must_be() -> None:
    if not RECORDINGS:
        assert not (os.environ.get("CI") == "true" and os.environ.get("TAILRACE_RECORDINGS"))
        pytest.skip("no recordings")
    assert len(RECORDINGS) > 40


@each
def test_it_decodes_in_legal_order_and_ends_as_its_server_does(recording: Recording) -> None:
    state = Fold()
    for event in events_of([recording.stream]):
        state.add(event)
    assert state.ended == (recording.marked or stem(recording) == FAILED)


@each_ended
def test_where_the_server_sends_no_marker_closing_completes_it(recording: Recording) -> None:
    assert isinstance(events_of([recording.stream], Quirks(eof_ends=True))[-1], MessageEnd)


@each
def test_any_split_of_the_bytes_says_the_same(recording: Recording) -> None:
    stream = recording.stream
    whole = events_of([stream])
    for seed in range(3):
        chosen = random.Random(seed)
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(50))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert events_of(pieces) == whole
    if len(stream) < 20_000:
        assert events_of([stream[i : i + 1] for i in range(len(stream))]) == whole


@each
def test_it_never_ends_before_its_last_event(recording: Recording) -> None:
    *events, last = [event for event in recording.stream.split(b"\n\n") if event.strip()]
    decoder = OPENAI_CHAT.decoder(Quirks())
    for event in events:
        if stem(recording) == FAILED and b'"error"' in event:
            break
        decoder.feed(event + b"\n\n")
        assert not decoder.ended
    decoder.feed(last)
    decoder.close()
    assert not decoder.ended


def plain_reading(stream: bytes) -> dict[int, dict[str, Any]]:
    """Add up the texts of ``stream`` by the plainest of readings, and count the calls that have a name."""
    found: dict[int, dict[str, Any]] = {}
    for payload in payloads(stream):
        for choice in payload.get("choices", ()):
            said = found.setdefault(choice.get("index", 0), {"content": "", "thinking": "", "refusal": "", "calls": 0})
            delta = choice.get("delta") or {}
            content = delta.get("content") or ""
            if isinstance(content, str):
                said["content"] += content
            else:
                said["thinking"] += "".join(p["text"] for part in content for p in part.get("thinking", ()))
                said["content"] += "".join(part.get("text", "") for part in content)
            said["thinking"] += delta.get("reasoning_content") or delta.get("reasoning") or ""
            said["refusal"] += delta.get("refusal") or ""
            said["calls"] += sum(
                bool((call.get("function") or {}).get("name")) for call in delta.get("tool_calls") or ()
            )
    return found


@each
def test_no_text_and_no_call_is_lost(recording: Recording) -> None:
    ours = choices(message_of(recording.stream))
    for number, said in plain_reading(recording.stream).items():
        assert {name: ours[number][name] for name in ("content", "thinking", "refusal")} == {
            name: said[name] for name in ("content", "thinking", "refusal")
        }
        assert len(ours[number]["calls"]) == said["calls"]
    message = message_of(recording.stream)
    assert all(call.complete and call.id and call.name for call in message.tool_calls)


@each
def test_the_last_usage_is_the_one_that_counts(recording: Recording) -> None:
    said = [p.get("usage") or (p.get("x_groq") or {}).get("usage") for p in payloads(recording.stream)]
    last = next((usage for usage in reversed(said) if usage), None)
    usage = message_of(recording.stream).usage
    if last is None or stem(recording) == FAILED:
        assert usage.values == (None,) * 5
        return
    assert usage.input_tokens == last["prompt_tokens"]
    assert usage.output_tokens in {last["completion_tokens"], last["total_tokens"] - last["prompt_tokens"]}
    cached = (last.get("prompt_tokens_details") or {}).get("cached_tokens", last.get("cached_tokens"))
    assert usage.cache_read_tokens == cached
    assert usage.reasoning_tokens == (last.get("completion_tokens_details") or {}).get("reasoning_tokens")


@each
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_the_official_sdk_reads_the_same_where_it_can(recording: Recording) -> None:
    ours = choices(message_of(recording.stream))
    try:
        theirs = sdk_choices(sdk_completion(recording.stream))
    except (TypeError, openai.APIError):
        assert stem(recording) in SDK_CANNOT
        return
    assert (theirs == ours) == (stem(recording) not in SDK_CANNOT)


@each_ended
def test_the_official_sdk_reads_what_we_write(recording: Recording) -> None:
    events = events_of([recording.stream], Quirks(eof_ends=True))
    message = message_of(recording.stream)
    completion = sdk_completion(encode(events))
    assert sdk_choices(completion) == choices(message)
    usage = completion.get("usage") or {}
    reported = any(type(event).__name__ == "UsageReport" for event in events)
    if reported and message.stop_reason != "max_tokens":
        # At a limit the SDK's parser stops before the usage chunk.
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == message.usage.values[:2]


@each
def test_what_it_says_survives_encoder_and_decoder(recording: Recording) -> None:
    events = events_of([recording.stream], Quirks(eof_ends=True))
    once = events_of([encode(events)])
    assert choices(message_of(encode(events))) == choices(message_of(recording.stream, Quirks(eof_ends=True)))
    assert message_of(encode(events)).usage == message_of(recording.stream).usage
    if stem(recording) != FAILED:
        # Its calls each bring a finish reason, of which a second way keeps one.
        assert events_of([encode(once)]) == once
    assert isinstance(once[-1], Error if stem(recording) == FAILED else MessageEnd)
