"""Every vector of AG-UI: what it says, in any split, to us and to an independent reading."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.events import Message, OtherBlock, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolCall, fold
from tests.dialects import front_end_cases as cases
from tests.dialects.front_end_cases import Vector, by_name, content, encode, events_of

NAME = "ag_ui"
VECTORS = cases.vectors(NAME)

CHANGED = {
    "beside-the-answer": "an answer without a model gets the relay's",
    "cancelled": "the same; and the open text is closed",
    "chunks": "the same; and no arguments are written as {}",
    "error": "the same; and the open text is closed",
    "interrupt": "the same; and what the run waits for is left out, as it finishes once",
    "numbered": "an answer without a model gets the relay's",
    "own-tools": "an answer without a model gets the relay's",
    "text-again": "the same; and two texts of one message are one",
    "text-bare": "the same; and an empty piece is none",
    "tool-calls": "an answer without a model gets the relay's",
    "usage-of-several": "an answer without a model gets the relay's",
}
"""Vectors that an encoder and a decoder do not give back event by event, and what changes."""

each = pytest.mark.parametrize("vector", VECTORS, ids=by_name)


@each
def test_a_vector_says_its_events_in_any_split(vector: Vector) -> None:
    cases.says_its_events_in_any_split(NAME, vector)


@each
def test_its_order_is_legal_and_it_ends_once(vector: Vector) -> None:
    cases.is_legal_and_ends_once(vector)


@each
def test_no_prefix_is_complete(vector: Vector) -> None:
    cases.has_no_complete_prefix(NAME, vector)


@each
def test_what_follows_the_end_is_not_read(vector: Vector) -> None:
    cases.is_not_read_past_its_end(NAME, vector)


# ---- an independent reading -----------------------------------------------------------------------------------


def history(stream: bytes) -> dict[str, Any]:
    """Put the agent's messages together as its client does, in a reading of our own tests."""
    found: dict[str, Any] = {"text": "", "reasoning": [], "calls": {}, "results": []}
    foreign: set[str] = set()
    for line in stream.split(b"\n"):
        if not line.startswith(b"data: "):
            continue
        event = json.loads(line[6:])
        kind = event["type"]
        name = event.get("messageId", "")
        if event.get("role") == "user":
            foreign.add(name)
        if name in foreign:
            continue
        if kind == "TEXT_MESSAGE_CONTENT" or kind == "TEXT_MESSAGE_CHUNK":
            found["text"] += event["delta"]
        elif kind == "REASONING_MESSAGE_START" or (kind == "REASONING_MESSAGE_CHUNK" and name):
            found["reasoning"].append(event.get("delta", ""))
        elif kind == "REASONING_MESSAGE_CONTENT" or kind == "REASONING_MESSAGE_CHUNK":
            found["reasoning"][-1] += event["delta"]
        elif kind in {"TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_CHUNK"}:
            call = found["calls"].setdefault(event["toolCallId"], [event.get("toolCallName"), ""])
            call[1] += event.get("delta", "")
        elif kind == "TOOL_CALL_RESULT" and not event.get("metadata", {}).get("tailrace", {}).get("error"):
            found["results"].append(event["toolCallId"])
    return found


def ours(message: Message) -> dict[str, Any]:
    """Return our ``message`` in the same form."""
    thoughts = [b for b in message.blocks if isinstance(b, ThinkingBlock | RedactedThinkingBlock)]
    return {
        "text": "".join(b.text for b in message.blocks if isinstance(b, TextBlock)),
        "reasoning": [b.text if isinstance(b, ThinkingBlock) else "" for b in thoughts],
        "calls": {b.id: [b.name, b.json] for b in message.blocks if isinstance(b, ToolCall)},
        "results": [b.id for b in message.blocks if isinstance(b, OtherBlock)],
    }


@each
def test_an_independent_reading_finds_the_same(vector: Vector) -> None:
    assert ours(fold(vector.events)) == history(vector.stream)


# ---- there and back -------------------------------------------------------------------------------------------


@each
def test_content_survives_encoder_and_decoder(vector: Vector) -> None:
    assert content(events_of(NAME, encode(NAME, vector.events))) == content(vector.events)


@each
def test_encoder_and_decoder_give_back_every_event_but_for_the_listed_changes(vector: Vector) -> None:
    once = events_of(NAME, encode(NAME, vector.events))
    assert (once == list(vector.events)) == (vector.name not in CHANGED)
    assert events_of(NAME, encode(NAME, once)) == once, "a second way changes nothing more"


@pytest.mark.parametrize("vector", cases.foreign(), ids=by_name)
def test_what_any_provider_says_is_told(vector: Vector) -> None:
    cases.told_of(NAME, vector)
