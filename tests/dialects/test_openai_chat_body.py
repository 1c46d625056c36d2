"""A whole answer, for a client that does not stream."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.events import (
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    Usage,
)
from tests.dialects.openai_chat_cases import REPLY, choices, message_of, sdk_choices, sdk_client, vectors

COMPLETE = [vector for vector in vectors() if vector.last == "MessageEnd"]


def test_everything_a_message_can_say() -> None:
    citation = {"type": "url_citation", "url_citation": {"url": "https://example.org"}}
    message = Message(
        "c1",
        "m1",
        (
            ThinkingBlock("Let me see.", "sig"),
            RedactedThinkingBlock("x"),
            TextBlock("High ", ({"type": "char_location"}, citation)),
            ToolCall("s1", "web_search", "{}", {}, server=True),
            OtherBlock("server_tool_result", {}),
            TextBlock("water."),
            RefusalBlock("Not that."),
            ToolCall("a", "read", '{"a":1}', {"a": 1}),
            ToolCall("", "list", "", {}),
            TextBlock("Second.", choice=1),
        ),
        "tool_use",
        usage=Usage(21, 9),
        usage_label="exact",
        stop_reasons={1: "max_tokens"},
    )
    assert OPENAI_CHAT.message_body(message, REPLY) == {
        "id": "c1",
        "object": "chat.completion",
        "created": REPLY.created,
        "model": "m1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "High water.",
                    "refusal": "Not that.",
                    "reasoning_content": "Let me see.",
                    "annotations": [citation],
                    "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "read", "arguments": '{"a":1}'}},
                        {
                            "id": f"call_{REPLY.id}_1",
                            "type": "function",
                            "function": {"name": "list", "arguments": "{}"},
                        },
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            },
            {
                "index": 1,
                "message": {"role": "assistant", "content": "Second.", "refusal": None},
                "logprobs": None,
                "finish_reason": "length",
            },
        ],
        "usage": {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30},
    }


def test_an_answer_that_says_nothing_still_has_a_choice() -> None:
    body = OPENAI_CHAT.message_body(Message(), REPLY)
    assert (body["id"], body["model"], body["usage"]) == (REPLY.id, REPLY.model, None)
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "refusal": None},
            "logprobs": None,
            "finish_reason": None,
        }
    ]
    assert body["tailrace"] == {"usage_label": "unknown"}


def test_figures_that_are_not_exact_say_so() -> None:
    body = OPENAI_CHAT.message_body(Message(usage=Usage(None, 3), usage_label="estimated"), REPLY)
    assert body["usage"] == {"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 3}
    assert body["tailrace"] == {"usage_label": "estimated", "placeholders": ["prompt_tokens"]}


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return ``body`` as the official SDK reads it."""
    client = sdk_client(httpx2.Response(200, json=body))
    return client.chat.completions.create(model="m", messages=[]).to_dict(mode="json")


@pytest.mark.parametrize("vector", COMPLETE, ids=lambda vector: vector.name)
def test_the_official_sdk_reads_the_same_message_as_from_the_stream(vector: Any) -> None:
    message = message_of(vector.stream)
    body = OPENAI_CHAT.message_body(message, REPLY)
    msgspec.json.encode(body)
    expected = choices(message)
    for choice in expected.values():
        choice["calls"] = [(i or f"call_{REPLY.id}_0", name, text or "{}") for i, name, text in choice["calls"]]
    assert sdk_choices(completion(body)) == expected
