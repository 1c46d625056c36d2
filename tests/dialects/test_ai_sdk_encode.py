"""What the AI SDK's stream looks like on the wire, and what is left open when an answer does not end well."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.dialects import DIALECTS, Received, Reply
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    Message,
    MessageEnd,
    MessageStart,
    Opaque,
    OtherBlock,
    Ping,
    RedactedThinkingBlock,
    RefusalBlock,
    SignatureDelta,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    Usage,
    UsageReport,
)
from tailrace.sse import ServerSentEvent
from tests.dialects.front_end_cases import REPLY, decode, encode, payloads, sse

NAME = "ai_sdk"
DIALECT = DIALECTS[NAME]

START = MessageStart("m", "tide-2")
CUT = Error("truncated", "cut", "truncated", True)


def chunks(*events: Event, reply: Reply = REPLY) -> list[Any]:
    """Return the chunks that say ``events``, without those of every answer."""
    every = {"start", "start-step"}
    return [chunk for chunk in payloads(encode(NAME, events, reply)) if chunk["type"] not in every]


def test_an_answer_is_one_step_of_one_message_and_ends_with_the_marker() -> None:
    stream = encode(NAME, [START, Finish("end_turn"), UsageReport(Usage(3, 4)), MessageEnd()])
    assert [chunk["type"] for chunk in payloads(stream)] == ["start", "start-step", "finish-step", "finish"]
    assert stream.endswith(b"\n\ndata: [DONE]\n\n")
    assert stream.count(b"\n\n") == 5
    assert b"\n " not in stream
    assert b"event:" not in stream


@pytest.mark.parametrize(("echo", "name"), [({}, "reply-1"), ({"message": "old", "chat": "c"}, "old")])
def test_the_message_is_the_relays_or_the_one_that_goes_on(echo: dict[str, str], name: str) -> None:
    reply = Reply(id="reply-1", model="model-1", created=1, echo=echo)
    for start in (START, MessageStart("", "")):
        first, *_ = payloads(encode(NAME, [start], reply))
        assert first["messageId"] == name
        assert first["messageMetadata"] == {"model": start.model or "model-1"}


def test_text_is_told_piece_by_piece_and_nothing_of_nothing() -> None:
    events: list[Event] = [START, BlockStart(0, "text"), TextDelta(0, 'a "b"\n\u2028'), TextDelta(0, ""), BlockStop(0)]
    assert chunks(*events) == [
        {"type": "text-start", "id": "0"},
        {"type": "text-delta", "id": "0", "delta": 'a "b"\n\u2028'},
        {"type": "text-end", "id": "0"},
    ]


def test_numbers_in_a_tools_input_stay_as_they_were_written() -> None:
    written = '{\n"a": 12345678901234567890, "b": 1e2,\r\n"c": "\\n"}'
    stream = encode(NAME, [START, BlockStart(0, "tool_call", "i", "f"), ToolInputDelta(0, written), BlockStop(0)])
    assert b'"input":{ "a": 12345678901234567890, "b": 1e2,  "c": "\\n"}}\n\n' in stream


@pytest.mark.parametrize("text", ['{"a":', "no JSON", "[" * 100_000, '{"a": 1} x'])
def test_a_call_that_is_not_whole_is_told_as_a_mistake(text: str) -> None:
    *_, last = chunks(START, BlockStart(0, "tool_call", "i", "f"), ToolInputDelta(0, text), BlockStop(0))
    assert (last["type"], last["input"]) == ("tool-input-error", text)


def test_a_call_without_an_id_gets_one_and_one_without_arguments_has_none() -> None:
    first, last = chunks(START, BlockStart(0, "tool_call", None, "f"), BlockStop(0))
    assert first["toolCallId"] == last["toolCallId"] == "call_reply-1_0"
    assert last["input"] == {}


def test_a_result_is_only_told_where_its_call_was() -> None:
    result = BlockStart(0, "server_tool_result", id="srv", data={"x": 1}, dialect="anthropic")
    assert chunks(START, result, BlockStop(0)) == []
    call: list[Event] = [BlockStart(0, "server_tool_call", "srv", "search"), BlockStop(0)]
    told = chunks(START, *call, BlockStart(1, "server_tool_result", id="srv", data={"x": 1}, dialect="anthropic"))[-1]
    assert (told["output"], told["providerExecuted"]) == ({"x": 1}, True)
    without = BlockStart(1, "server_tool_result", data={"x": 2}, dialect="gemini")
    assert chunks(START, *call, without)[-1]["toolCallId"] == "srv"


@pytest.mark.parametrize(
    ("citation", "kind", "fields"),
    [
        ({"type": "web_search_result_location", "url": "u", "title": "T"}, "source-url", {"url": "u", "title": "T"}),
        ({"type": "url_citation", "url_citation": {"url": "u"}}, "source-url", {"url": "u"}),
        ({"type": "url_citation", "url": "u", "title": "T"}, "source-url", {"url": "u", "title": "T"}),
        (
            {"type": "page_location", "document_title": "D"},
            "source-document",
            {"title": "D", "mediaType": "application/pdf"},
        ),
        ({"type": "later"}, "source-document", {"title": "document", "mediaType": "application/octet-stream"}),
    ],
)
def test_a_citation_is_a_source(citation: dict[str, Any], kind: str, fields: dict[str, str]) -> None:
    told = chunks(START, BlockStart(0, "text"), CitationDelta(0, citation), CitationDelta(0, citation))
    first, second = told[1:]
    assert first["type"] == kind
    assert fields.items() <= first.items()
    assert first["sourceId"] != second["sourceId"]
    assert first["providerMetadata"] == {"tailrace": {"citation": citation}}


@pytest.mark.parametrize(
    ("data", "url"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, "data:image/png;base64,AAAA"),
        ({"fileData": {"mimeType": "image/png", "fileUri": "https://x/y"}}, "https://x/y"),
    ],
)
def test_a_file_that_the_model_made_has_an_address(data: Any, url: str) -> None:
    (told,) = chunks(START, BlockStart(0, "media", data=data, dialect="gemini"), BlockStop(0))
    assert told == {"type": "file", "url": url, "mediaType": "image/png"}


def test_what_it_has_no_word_for_is_left_out() -> None:
    assert (
        chunks(
            START,
            BlockStart(0, "media", data={"audio": 1}, dialect="openai_chat"),
            BlockDelta(0, {"audio": 2}, "openai_chat"),
            BlockStop(0),
            BlockStart(1, "opaque", data={"type": "x"}, dialect="anthropic"),
            BlockStart(2, "text", choice=1),
            TextDelta(2, "another answer"),
            BlockStart(3, "tool_call", "i", "f", choice=1),
            ToolInputDelta(3, "{}"),
            BlockStop(3),
            Finish("tool_use", choice=1),
            Opaque("anthropic", {}, "x"),
            Ping(),
        )
        == []
    )


# ---- endings that are none ------------------------------------------------------------------------------------


def test_an_error_leaves_open_what_is_not_whole() -> None:
    told = chunks(
        START,
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "a"),
        BlockStart(1, "tool_call", "i", "f"),
        ToolInputDelta(1, "{}"),
        UsageReport(Usage(3, 1), "estimated"),
        CUT,
        MessageEnd(),
    )
    assert [chunk["type"] for chunk in told[-3:]] == ["message-metadata", "data-tailrace", "error"]
    assert not {"text-end", "reasoning-end", "tool-input-available", "finish"} & {chunk["type"] for chunk in told}
    figures, ending, error = told[-3:]
    assert figures["messageMetadata"]["usageLabel"] == "estimated"
    assert ending == {
        "type": "data-tailrace",
        "data": {"message": "cut", "kind": "truncated", "ending": "truncated", "retryable": True},
        "transient": True,
    }
    assert error == {"type": "error", "errorText": "cut"}


def test_a_stop_is_no_error_and_no_success() -> None:
    told = chunks(START, BlockStart(0, "text"), TextDelta(0, "a"), Error("cancelled", "stopped", "cancelled"))
    assert told[-2:] == [{"type": "abort", "reason": "stopped"}, {"type": "finish", "finishReason": "interrupted"}]
    assert b"[DONE]" not in encode(NAME, [START, Error("cancelled", "stopped", "cancelled")])


@pytest.mark.parametrize("error", [CUT, Error("overloaded", "later", "failed", True, "full", 529, 2.0)])
def test_an_error_comes_back(error: Error) -> None:
    (back,) = decode(NAME, encode(NAME, [error]))[0][-1].events
    assert (back.kind, back.ending, back.code, back.retry_after) == (  # type: ignore[union-attr]
        error.kind,
        error.ending,
        error.code,
        error.retry_after,
    )


def test_what_came_is_passed_on_as_it_came() -> None:
    stream = sse({"type": "start"}, {"type": "later", "x": 1}, {"type": "text-start", "id": "0"}) + b"data: [DONE]\n\n"
    encoder = DIALECT.encoder(REPLY)
    assert b"".join(frame for one in decode(NAME, stream)[0] for frame in encoder.verbatim(one)) == stream
    assert encoder.encode(CUT) == []
    assert DIALECT.encoder(REPLY).verbatim(Received(ServerSentEvent(b'{\n"a":1}', "x"), ())) == [b'data: { "a":1}\n\n']


# ---- in one piece ---------------------------------------------------------------------------------------------


def test_a_whole_answer_is_the_message_that_a_stream_adds_up_to() -> None:
    blocks = (
        ThinkingBlock("hm", "sig"),
        RedactedThinkingBlock("x"),
        TextBlock("High ", ({"type": "char_location", "document_title": "D"},)),
        TextBlock("another", choice=1),
        RefusalBlock("no"),
        ToolCall("a", "f", "{}", {}, signature="gem"),
        ToolCall("b", "f", '{"x', None, complete=False),
        ToolCall("s", "search", "{}", {}, server=True, data={"type": "mcp"}, dialect="anthropic"),
        OtherBlock("server_tool_result", {"found": 1}, id="s", dialect="anthropic"),
        OtherBlock("server_tool_result", {"found": 2}, id="nobody", dialect="anthropic"),
        OtherBlock("media", {"inlineData": {"mimeType": "image/png", "data": "AA=="}}, dialect="gemini"),
        OtherBlock("opaque", {}, dialect="anthropic"),
    )
    message = Message("m", "tide-2", blocks, "tool_use", None, Usage(9, 4, 2, None, 1), "exact")
    body = DIALECT.message_body(message, REPLY)
    assert (body["id"], body["role"]) == ("reply-1", "assistant")
    assert body["metadata"] == {
        "model": "tide-2",
        "usage": {
            "inputTokens": 9,
            "inputTokenDetails": {"noCacheTokens": 7, "cacheReadTokens": 2},
            "outputTokens": 4,
            "outputTokenDetails": {"textTokens": 3, "reasoningTokens": 1},
            "totalTokens": 13,
        },
        "usageLabel": "exact",
        "stopReason": "tool_use",
    }
    assert [part["type"] for part in body["parts"]] == [
        "step-start", "reasoning", "reasoning", "text", "source-document", "text", "tool-f", "tool-f", "tool-search",
        "file",
    ]  # fmt: skip
    calls = [part for part in body["parts"] if part["type"].startswith("tool-")]
    assert [part["state"] for part in calls] == ["input-available", "output-error", "output-available"]
    assert calls[2]["output"] == {"found": 1}
    assert DIALECT.message_body(Message(), REPLY)["metadata"]["stopReason"] == "other"


def test_signatures_ride_where_the_client_keeps_them() -> None:
    told = chunks(
        START,
        *(BlockStart(0, "thinking"), SignatureDelta(0, "s1"), BlockStop(0)),
        *(BlockStart(1, "tool_call", "i", "f"), SignatureDelta(1, "s2"), BlockStop(1)),
        *(BlockStart(2, "text"), SignatureDelta(2, "s3"), BlockStop(2)),
    )
    kept = {c["type"]: c["providerMetadata"]["tailrace"]["signature"] for c in told if "providerMetadata" in c}
    assert kept == {"reasoning-end": "s1", "tool-input-available": "s2", "text-end": "s3"}
