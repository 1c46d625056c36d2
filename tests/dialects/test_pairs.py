"""Anthropic ⇄ Chat Completions: an answer of one read by a client of the other, whole and in pieces."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tailrace.dialects import DIALECTS
from tailrace.events import (
    Error,
    Event,
    Finish,
    Message,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    fold,
)
from tests.dialects import anthropic_cases, openai_chat_cases

ANTHROPIC, CHAT = DIALECTS["anthropic"], DIALECTS["openai_chat"]

FROM_ANTHROPIC = anthropic_cases.vectors()
FROM_CHAT = openai_chat_cases.vectors()

REASONS_IN_CHAT = {"pause": "max_tokens", "context_window": "max_tokens"}
"""Reasons that Chat Completions has no word for, and how they come back: as an answer that is not finished."""

each_anthropic = pytest.mark.parametrize(
    "events", [v.events for v in FROM_ANTHROPIC], ids=[v.name for v in FROM_ANTHROPIC]
)
each_chat = pytest.mark.parametrize("events", [v.events for v in FROM_CHAT], ids=[v.name for v in FROM_CHAT])


def said(message: Message) -> dict[str, Any]:
    """Return what both dialects can say of ``message``: one choice, without signatures and the provider's own tools."""
    blocks = [block for block in message.blocks if block.choice == 0]
    calls = [block for block in blocks if isinstance(block, ToolCall) and not block.server]
    return {
        "text": "".join(block.text for block in blocks if isinstance(block, TextBlock | RefusalBlock)),
        "thinking": "".join(block.text for block in blocks if isinstance(block, ThinkingBlock)),
        "calls": [(call.name, call.input, call.complete) for call in calls],
    }


def failure(events: list[Event] | tuple[Event, ...]) -> Error | None:
    """Return the error that ``events`` end with, without the provider's own object."""
    last = events[-1]
    return msgspec.structs.replace(last, data=None) if isinstance(last, Error) else None


# ---- streams --------------------------------------------------------------------------------------------------


@each_anthropic
def test_an_anthropic_answer_reaches_a_chat_client(events: tuple[Event, ...]) -> None:
    there = openai_chat_cases.events_of([openai_chat_cases.encode(events)])
    before, after = fold(events), fold(there)
    assert said(after) == said(before)
    assert after.stop_reason == REASONS_IN_CHAT.get(str(before.stop_reason), before.stop_reason)
    assert after.stop_sequence == before.stop_sequence
    assert (after.usage, after.usage_label) == (before.usage, before.usage_label)
    assert failure(there) == failure(events)


@each_chat
def test_a_chat_answer_reaches_an_anthropic_client(events: tuple[Event, ...]) -> None:
    there = anthropic_cases.events_of([anthropic_cases.encode(events)])
    before, after = fold(events), fold(there)
    assert said(after) == said(before)
    assert failure(there) == failure(events)
    if type(events[-1]).__name__ != "MessageEnd":
        # A reason without an end is no end: this dialect says both at once.
        assert after.stop_reason is None
        return
    refused = any(isinstance(block, RefusalBlock) for block in before.blocks)
    assert after.stop_reason == ("refusal" if refused else before.stop_reason)
    assert after.stop_sequence == before.stop_sequence
    assert (after.usage, after.usage_label) == (before.usage, before.usage_label)


@each_anthropic
def test_the_official_openai_sdk_reads_an_anthropic_answer(events: tuple[Event, ...]) -> None:
    if not any(isinstance(event, Finish) for event in events):
        return
    stream = openai_chat_cases.encode(events)
    (choice,) = openai_chat_cases.sdk_choices(openai_chat_cases.sdk_completion(stream)).values()
    message = fold(events)
    assert (choice["content"], choice["thinking"]) == (message.text, message.thinking)
    assert choice["calls"] == [(call.id, call.name, call.json or "{}") for call in message.tool_calls]


@each_chat
def test_the_official_anthropic_sdk_reads_a_chat_answer(events: tuple[Event, ...]) -> None:
    expected = said(fold(events))
    if type(events[-1]).__name__ != "MessageEnd" or not all(complete for _, _, complete in expected["calls"]):
        return
    message = anthropic_cases.sdk_message(anthropic_cases.encode(events))
    blocks = message["content"]
    assert "".join(b["text"] for b in blocks if b["type"] == "text") == expected["text"]
    assert "".join(b["thinking"] for b in blocks if b["type"] == "thinking") == expected["thinking"]
    assert [(b["name"], b["input"], True) for b in blocks if b["type"] == "tool_use"] == expected["calls"]
    assert all(b["id"] for b in blocks if b["type"] == "tool_use")
    assert message["stop_reason"]


# ---- whole answers --------------------------------------------------------------------------------------------


@each_anthropic
def test_a_whole_anthropic_answer_in_chat_form_says_what_the_stream_says(events: tuple[Event, ...]) -> None:
    message = fold(events)
    body = CHAT.message_body(message, openai_chat_cases.REPLY)["choices"][0]
    streamed = fold(openai_chat_cases.events_of([openai_chat_cases.encode(events)]))
    assert (body["message"]["content"] or "") == said(streamed)["text"]
    assert body["message"].get("reasoning_content", "") == said(streamed)["thinking"]
    calls = body["message"].get("tool_calls", ())
    assert [call["function"]["name"] for call in calls] == [name for name, _, _ in said(streamed)["calls"]]


@each_chat
def test_a_whole_chat_answer_in_anthropic_form_says_what_the_stream_says(events: tuple[Event, ...]) -> None:
    message = fold(events)
    body = ANTHROPIC.message_body(message, anthropic_cases.REPLY)
    streamed = said(fold(anthropic_cases.events_of([anthropic_cases.encode(events)])))
    assert "".join(b["text"] for b in body["content"] if b["type"] == "text") == streamed["text"]
    assert "".join(b["thinking"] for b in body["content"] if b["type"] == "thinking") == streamed["thinking"]
    assert [b["name"] for b in body["content"] if b["type"] == "tool_use"] == [name for name, _, _ in streamed["calls"]]


# ---- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["anthropic", "openai_chat", "plain"])
@pytest.mark.parametrize("second", ["anthropic", "openai_chat", "plain"])
@pytest.mark.parametrize(
    "kind", ["rate_limit", "overloaded", "authentication", "invalid_request", "truncated", "internal"]
)
def test_an_error_body_keeps_its_meaning_over_two_relays(first: str, second: str, kind: Any) -> None:
    error = Error(kind, "words", "failed", kind == "rate_limit", None, None, 3.0)
    for name in (first, second):
        dialect = DIALECTS[name]
        error = dialect.read_error(error.http_status, json.dumps(dialect.error_body(error)).encode())
    assert (error.kind, error.message, error.ending, error.retryable) == (kind, "words", "failed", kind == "rate_limit")
    assert error.retry_after == 3.0
