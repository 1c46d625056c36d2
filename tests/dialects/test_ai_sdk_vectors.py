"""Every vector of the AI SDK's stream: what it says, in any split, to us and to an independent reading."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.events import Message, MessageStart, OtherBlock, TextBlock, ThinkingBlock, ToolCall, fold
from tests.dialects import front_end_cases as cases
from tests.dialects.front_end_cases import REPLY, Vector, by_name, content, encode, events_of

NAME = "ai_sdk"
VECTORS = cases.vectors(NAME)

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


def shown(stream: bytes) -> list[dict[str, Any]]:
    """Put the message's parts together as the SDK's client does, in a reading of our own tests."""
    parts: list[dict[str, Any]] = []
    open_: dict[tuple[str, str], dict[str, Any]] = {}
    for line in stream.split(b"\n"):
        data = line.removeprefix(b"data: ")
        if data == line or data == b"[DONE]":
            continue
        chunk = json.loads(data)
        kind, _, what = chunk["type"].partition("-")
        if kind in {"text", "reasoning"}:
            key = (kind, chunk["id"])
            if what == "start":
                open_[key] = {"type": kind, "text": ""}
                parts.append(open_[key])
            elif what == "delta":
                open_[key]["text"] += chunk["delta"]
        elif what.startswith(("input", "output")):
            call = next((p for p in parts if p.get("id") == chunk["toolCallId"]), None)
            if call is None:
                call = {"type": "tool", "id": chunk["toolCallId"], "name": chunk["toolName"]}
                parts.append(call)
            if what == "input-available":
                call["input"] = chunk["input"]
            elif what == "output-available":
                call["output"] = chunk["output"]
        elif kind == "file":
            parts.append({"type": "file", "url": chunk["url"]})
    return parts


def ours(message: Message) -> list[dict[str, Any]]:
    """Return our ``message`` in the same form."""
    parts: list[dict[str, Any]] = []
    for block in message.blocks:
        match block:
            case TextBlock(text=text):
                parts.append({"type": "text", "text": text})
            case ThinkingBlock(text=text):
                parts.append({"type": "reasoning", "text": text})
            case ToolCall():
                call = {"type": "tool", "id": block.id, "name": block.name}
                parts.append({**call, "input": block.input} if block.complete else call)
            case OtherBlock(kind="server_tool_result", data=data, dialect=dialect):
                next(p for p in parts if p.get("id") == block.id)["output"] = (
                    data["output"] if dialect == NAME else data
                )
            case OtherBlock(data=data):
                parts.append({"type": "file", "url": data["url"]})
            case _:
                parts.append({"type": "reasoning", "text": ""})
    return parts


@each
def test_an_independent_reading_finds_the_same(vector: Vector) -> None:
    assert ours(fold(vector.events)) == shown(vector.stream)


# ---- there and back -------------------------------------------------------------------------------------------


@each
def test_content_survives_encoder_and_decoder(vector: Vector) -> None:
    assert content(events_of(NAME, encode(NAME, vector.events))) == content(vector.events)


@each
def test_encoder_and_decoder_give_back_every_event_but_for_the_names_of_the_message(vector: Vector) -> None:
    once = events_of(NAME, encode(NAME, vector.events))
    again = [event for event in once if not isinstance(event, MessageStart)]
    assert again == [event for event in vector.events if not isinstance(event, MessageStart)]
    for before, after in zip(vector.events, once, strict=True):
        if isinstance(before, MessageStart):
            assert after == MessageStart(REPLY.id, before.model or REPLY.model)


@pytest.mark.parametrize("vector", cases.foreign(), ids=by_name)
def test_what_any_provider_says_is_told(vector: Vector) -> None:
    cases.told_of(NAME, vector)
