"""Whole answers and errors: the bodies of HTTP answers, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    Error,
    Event,
    Finish,
    Message,
    MessageStart,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
    Usage,
    fold,
)
from tests.dialects.anthropic_cases import REPLY


def body(*blocks: Any, **fields: Any) -> dict[str, Any]:
    return ANTHROPIC.message_body(Message("msg_1", "m", blocks, "end_turn", **fields), REPLY)


def test_a_whole_answer() -> None:
    citation = {"type": "char_location", "cited_text": "c"}
    message = Message(
        "msg_1",
        "m",
        (
            ThinkingBlock("hm", "sig"),
            RedactedThinkingBlock("d"),
            TextBlock("Hi", (citation, {"type": "url_citation"})),
            ToolCall("t", "f", '{"a":1}', {"a": 1}),
            ToolCall(
                "s",
                "ask",
                "{}",
                {},
                server=True,
                data={"type": "mcp_tool_use", "server_name": "x"},
                dialect="anthropic",
            ),
            OtherBlock("server_tool_result", {"type": "mcp_tool_result", "content": []}, dialect="anthropic"),
        ),
        "tool_use",
        None,
        Usage(10, 5, 4, 3, 2),
        "exact",
    )
    assert ANTHROPIC.message_body(message, REPLY) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "Hi", "citations": [citation]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            {"type": "mcp_tool_use", "id": "s", "name": "ask", "input": {}, "server_name": "x"},
            {"type": "mcp_tool_result", "content": []},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "output_tokens": 5,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_an_empty_answer_of_nobody() -> None:
    assert ANTHROPIC.message_body(Message(), REPLY) == {
        "id": REPLY.id,
        "type": "message",
        "role": "assistant",
        "model": REPLY.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
        "tailrace": {"usage_label": "unknown", "placeholders": ["input_tokens", "output_tokens"]},
    }


def test_a_call_that_broke_off_has_no_input_and_says_so() -> None:
    (block,) = body(ToolCall("t", "f", '{"a"', None, complete=False))["content"]
    assert block == {"type": "tool_use", "id": "t", "name": "f", "input": {}, "tailrace": {"complete": False}}


@pytest.mark.parametrize(
    "block",
    [
        OtherBlock("media", {"type": "audio"}),
        OtherBlock("opaque", {"type": "web_search_call"}, dialect="openai_responses"),
        OtherBlock("opaque", {"type": "x"}),
        OtherBlock("opaque", {"start": None, "deltas": []}, dialect="anthropic"),
        RedactedThinkingBlock({"id": 1}),
        ToolCall("s", "search", "{}", {}, server=True, dialect="gemini"),
        TextBlock("second", choice=1),
    ],
)
def test_what_cannot_be_said_is_left_out(block: Any) -> None:
    assert body(block, TextBlock("Hi"))["content"] == [{"type": "text", "text": "Hi"}]


def test_a_call_without_an_id_gets_the_same_one_as_in_a_stream() -> None:
    calls = [block["id"] for block in body(OtherBlock("media", 1), ToolCall("", "f", "{}", {}))["content"]]
    assert calls == [f"toolu_{REPLY.id}_0"]


def test_a_refusal_is_text_and_a_stop_reason() -> None:
    refused = body(RefusalBlock("No."))
    assert refused["content"] == [{"type": "text", "text": "No."}]
    assert refused["stop_reason"] == "refusal"


def test_the_providers_own_stop_reason_is_kept() -> None:
    assert fold([MessageStart("a", "b"), Finish("other", native="novel")]).native_reason == "novel"
    assert body(native_reason="stop")["stop_reason"] == "end_turn"


def test_deltas_that_nobody_can_add_up_go_on_beside_their_block() -> None:
    events: list[Event] = [
        MessageStart("a", "b"),
        BlockStart(0, "opaque", data={"type": "novel"}, dialect="anthropic"),
        BlockDelta(0, {"type": "novel_delta", "x": 1}, "anthropic"),
        BlockStop(0),
    ]
    (block,) = ANTHROPIC.message_body(fold(events), REPLY)["content"]
    assert block == {"type": "novel", "tailrace": {"deltas": [{"type": "novel_delta", "x": 1}]}}


# ---- errors ---------------------------------------------------------------------------------------------------


def anthropic_error(kind: str, message: str = "m", **more: Any) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, **more}).encode()


READ = [
    (400, anthropic_error("invalid_request_error"), ("invalid_request", "m", "invalid_request_error", False)),
    (401, anthropic_error("authentication_error"), ("authentication", "m", "authentication_error", False)),
    (402, anthropic_error("billing_error"), ("billing", "m", "billing_error", False)),
    (403, anthropic_error("permission_error"), ("permission", "m", "permission_error", False)),
    (404, anthropic_error("not_found_error"), ("not_found", "m", "not_found_error", False)),
    (409, anthropic_error("conflict_error"), ("conflict", "m", "conflict_error", False)),
    (413, anthropic_error("request_too_large"), ("too_large", "m", "request_too_large", False)),
    (429, anthropic_error("rate_limit_error"), ("rate_limit", "m", "rate_limit_error", True)),
    (500, anthropic_error("api_error"), ("upstream", "m", "api_error", True)),
    (504, anthropic_error("timeout_error"), ("timeout", "m", "timeout_error", True)),
    (529, anthropic_error("overloaded_error"), ("overloaded", "m", "overloaded_error", True)),
    (529, anthropic_error("novel_error"), ("overloaded", "m", "novel_error", True)),
    (400, b'{"error":{"message":"a compatible server\'s"}}', ("invalid_request", "a compatible server's", None, False)),
    (400, b'{"error":"words"}', ("invalid_request", "words", None, False)),
    (404, b'{"type":"not_found_error","message":"bare"}', ("not_found", "bare", "not_found_error", False)),
    (502, b"<html>bad gateway</html>", ("upstream", "the provider answered with status 502", None, True)),
    (503, b"", ("overloaded", "the provider answered with status 503", None, True)),
    (418, b"[]", ("invalid_request", "the provider answered with status 418", None, False)),
    (500, b"[" * 100_000, ("upstream", "the provider answered with status 500", None, True)),
    (500, b"\xff\xfe", ("upstream", "the provider answered with status 500", None, True)),
    (500, b'{"error":{"type":7,"message":[]}}', ("upstream", "the provider answered with status 500", None, True)),
    (
        500,
        b'{"error":{"type":"api_error","message":""}}',
        ("upstream", "the provider answered with status 500", "api_error", True),
    ),
]


@pytest.mark.parametrize(("status", "answer", "expected"), READ)
def test_http_errors(status: int, answer: bytes, expected: Any) -> None:
    error = ANTHROPIC.read_error(status, answer)
    assert (error.kind, error.message, error.code, error.retryable) == expected
    assert error.http_status == status
    assert error.ending == "failed"


def test_a_long_message_is_cut_and_a_huge_body_is_not_read() -> None:
    assert len(ANTHROPIC.read_error(400, anthropic_error("api_error", "x" * 5_000)).message) == 2_000
    assert ANTHROPIC.read_error(500, b'{"x":"' + b"x" * 70_000 + b'"}').data is None


def test_what_a_relay_knows_better_is_read_back() -> None:
    error = Error("truncated", "cut", ending="truncated", retryable=True, code="c", status=502, retry_after=1.5)
    written = json.dumps(ANTHROPIC.error_body(error)).encode()
    assert ANTHROPIC.read_error(502, written) == error
    assert json.loads(written)["error"] == {"type": "api_error", "message": "cut"}


@pytest.mark.parametrize(
    "marks",
    [
        "text",
        {"ending": "completed"},
        {"ending": 7, "kind": [], "retryable": "yes", "code": 5, "status": "502", "retry_after": "soon"},
        {"kind": "novel", "status": 200, "retry_after": -1},
        {"status": True, "retry_after": 10**400},
    ],
)
def test_marks_that_are_none_change_nothing(marks: Any) -> None:
    error = ANTHROPIC.read_error(500, anthropic_error("api_error", tailrace=marks))
    assert (error.kind, error.ending, error.retryable, error.http_status) == ("upstream", "failed", True, 500)
    assert error.retry_after is None


def test_an_error_of_another_dialect_is_said_in_words_of_this_one() -> None:
    error = Error("rate_limit", "slow", code="rate_limit_exceeded", data={"type": "requests", "message": "slow"})
    assert ANTHROPIC.error_body(error)["error"] == {"type": "rate_limit_error", "message": "slow"}
    assert ANTHROPIC.error_body(Error("overloaded", "x", code="timeout_error"))["error"]["type"] == "timeout_error"
