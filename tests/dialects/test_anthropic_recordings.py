"""Recorded answers and requests of the real API, where they lie beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import Order, fold
from tests.conftest import data_folder
from tests.dialects.anthropic_cases import (
    REPLY,
    Recording,
    bare,
    decode,
    encode,
    events_of,
    recordings,
    sdk_message,
    without_superseded_usage,
)

FOLDER = data_folder("TAILRACE_RECORDINGS", "recordings")
CASES = recordings()
every_recording = pytest.mark.parametrize("recording", CASES, ids=[recording.name for recording in CASES])


def files(ending: str) -> list[Path]:
    return [] if FOLDER is None else sorted((FOLDER / "anthropic").glob(f"*{ending}"))


@pytest.mark.skipif(FOLDER is None, reason="no recordings here")
def test_all_recordings_are_found() -> None:
    assert len(CASES) >= 30
    assert files(".request.json")
    assert files(".error.json")


@every_recording
def test_every_split_gives_the_same_legal_events(recording: Recording) -> None:
    whole = events_of([recording.stream])
    size = max(1, len(recording.stream) // 997)
    assert whole == events_of(recording.stream[i : i + size] for i in range(0, len(recording.stream), size))
    order = Order()
    for event in whole:
        order.advance(event)
    assert order.state == "ended"


@every_recording
def test_it_adds_up_to_what_the_official_sdk_reads(recording: Recording) -> None:
    theirs = bare(sdk_message(recording.stream))
    ours = bare(ANTHROPIC.message_body(fold(events_of([recording.stream])), REPLY))
    if any(block["type"] == "fallback" for block in theirs["content"]):
        # The SDK renames the model in the middle; here the message keeps the name it began with.
        theirs["model"] = ours["model"]
    for name in ("id", "model", "content", "stop_reason", "stop_sequence"):
        assert theirs.get(name) == ours.get(name), name
    for name in ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"):
        assert theirs["usage"].get(name) == ours["usage"].get(name), name


@every_recording
def test_encoding_and_decoding_again_changes_nothing(recording: Recording) -> None:
    events = events_of([recording.stream])
    again = events_of([encode(events)])
    if b'"content_block_start"' not in recording.stream:
        # The stop reason stood in the opening; now it has a message_delta, which repeats the usage.
        assert again.pop(-3) == again[0]
    assert again == without_superseded_usage(events)


@every_recording
def test_verbatim_keeps_every_byte_of_the_data(recording: Recording) -> None:
    encoder = ANTHROPIC.encoder(REPLY)
    batch, ended = decode([recording.stream])
    assert ended
    assert b"".join(frame for received in batch for frame in encoder.verbatim(received)) == recording.stream


@every_recording
def test_no_event_but_the_last_ends_it(recording: Recording) -> None:
    blocks = recording.stream.removesuffix(b"\n\n").split(b"\n\n")
    *_, last = blocks
    _, ended = decode([recording.stream.removesuffix(last + b"\n\n")])
    assert not ended
    _, ended = decode([recording.stream[:-1]])
    assert not ended


@pytest.mark.parametrize("path", files(".request.json"), ids=lambda path: path.name)
def test_a_recorded_request_survives_parse_and_build(path: Path) -> None:
    body = json.loads(path.read_bytes())
    built, ignored = ANTHROPIC.build(ANTHROPIC.parse(body))
    assert set(ignored) <= {"cache_control", "tools.eager_input_streaming", "tools.defer_loading"}
    assert normal(built) == normal(body)


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """Return ``body`` with its shorthands written out and without hints, whose loss is reported."""

    def without_hints(value: Any) -> Any:
        if isinstance(value, list):
            return [without_hints(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        hints = {"cache_control", "eager_input_streaming", "defer_loading"}
        return {name: without_hints(inner) for name, inner in value.items() if name not in hints}

    def blocks(value: Any) -> Any:
        return [{"type": "text", "text": value}] if isinstance(value, str) else value

    found: dict[str, Any] = without_hints(body)
    if "system" in found:
        found["system"] = blocks(found["system"])
    for message in found["messages"]:
        message["content"] = blocks(message["content"])
        for block in message["content"]:
            if block["type"] == "tool_result":
                block["content"] = blocks(block["content"])
                if not block.get("is_error"):
                    block.pop("is_error", None)
    if "output_format" in found:
        found["output_config"] = {"format": found.pop("output_format")}
    found["tools"] = sorted(found.get("tools", []), key=lambda tool: json.dumps(tool, sort_keys=True))
    for tool in found["tools"]:
        if tool.get("type") == "custom":
            del tool["type"]
    return found


@pytest.mark.parametrize("path", files(".error.json"), ids=lambda path: path.name)
def test_a_recorded_error_is_read_and_written_again(path: Path) -> None:
    body = path.read_bytes()
    said = json.loads(body)["error"]
    manifest = {
        entry["file"]: entry
        for entry in map(json.loads, (path.parent.parent / "manifest.jsonl").read_bytes().splitlines())
    }
    status = manifest[f"anthropic/{path.name}"]["status"]
    error = ANTHROPIC.read_error(status, body)
    assert (error.message, error.code, error.http_status) == (said["message"], said["type"], status)
    assert ANTHROPIC.error_body(error)["error"] == said
