"""What is written for events of any provider: in a stream, and whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.dialects.gemini import GEMINI
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tailrace.simulator import SHAPES, bytes_of, expected, parse
from tests.dialects.gemini_cases import REPLY, candidates, encode, events_of, payloads, sdk_candidates, sdk_chunks

START, END = MessageStart("id", "model"), MessageEnd()


def answered(*events: Event, finish: Finish | None = None) -> list[Event]:
    return [START, *events, finish or Finish("end_turn"), END]


def block(kind: Any, *deltas: Event, index: int = 0, **fields: Any) -> list[Event]:
    return [BlockStart(index, kind, **fields), *deltas, BlockStop(index)]


def parts_of(stream: bytes) -> list[dict[str, Any]]:
    found = []
    for said in payloads(stream):
        for candidate in said.get("candidates", ()):
            found += [part for part in candidate["content"]["parts"] if part != {"text": ""}]
    return found


def test_a_chunk_is_one_line_of_data_and_a_blank_one() -> None:
    stream = encode(answered(*block("text", TextDelta(0, "a\nb\r\u2028\x85"))))
    frames = stream.split(b"\n\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: {") and b"\n" not in frame and b"\r" not in frame for frame in frames)
    first, last = payloads(stream)
    assert first == {
        "candidates": [{"content": {"parts": [{"text": "a\nb\r\u2028\x85"}], "role": "model"}, "index": 0}],
        "modelVersion": "model",
        "responseId": "id",
    }
    assert last["candidates"] == [
        {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}
    ]


def test_names_that_the_provider_did_not_give() -> None:
    (said,) = payloads(encode([MessageStart("", ""), Finish("end_turn"), END]))
    assert (said["responseId"], said["modelVersion"]) == (REPLY.id, REPLY.model)


CALLS: list[tuple[str, dict[str, Any] | None]] = [
    ("", {}),
    ("{}", {}),
    ('{"a": 1.0,\n "b": [true]}', {"a": 1.0, "b": [True]}),
    ('{"a":', None),
    ("[1]", None),
    ('"x"', None),
    ("null", None),
]


@pytest.mark.parametrize(("text", "args"), CALLS)
def test_a_call_is_written_when_it_is_whole_and_an_object(text: str, args: dict[str, Any] | None) -> None:
    events = answered(
        *block("tool_call", *([ToolInputDelta(0, text)] if text else []), id="c", name="f"), finish=Finish("tool_use")
    )
    stream = encode(events)
    reason = list(payloads(stream))[-1]["candidates"][0]["finishReason"]
    body = GEMINI.message_body(fold(events), REPLY)
    (whole,) = body["candidates"]
    if args is None:
        assert parts_of(stream) == []
        assert reason == whole["finishReason"] == "MALFORMED_FUNCTION_CALL"
        assert whole["content"]["parts"] == [{"text": ""}]
        # A relay still reads what came of it.
        (call,) = fold(events_of([stream])).tool_calls
        assert (call.id, call.name, call.json) == ("c", "f", text)
    else:
        part = {"functionCall": {"id": "c", "name": "f", "args": args}}
        assert parts_of(stream) == whole["content"]["parts"] == [part]
        assert reason == whole["finishReason"] == "STOP"


def test_a_call_without_an_id_gets_one() -> None:
    events = answered(*block("tool_call", name="f"))
    (part,) = parts_of(encode(events))
    assert part["functionCall"]["id"] == "call_reply_0"
    assert GEMINI.message_body(fold(events), REPLY)["candidates"][0]["content"]["parts"] == [part]


def test_a_call_that_is_open_at_an_error_is_not_written() -> None:
    opened: list[Event] = [START, BlockStart(0, "tool_call", id="c", name="f"), ToolInputDelta(0, "{}")]
    assert parts_of(encode([*opened, Error("upstream", "x")])) == []


def test_signatures_stand_on_their_parts() -> None:
    events = answered(
        *block("thinking", ThinkingDelta(0, "Hm"), SignatureDelta(0, "c2ln")),
        *block("text", TextDelta(1, "Six"), SignatureDelta(1, "not base64!"), index=1),
        *block("tool_call", SignatureDelta(2, "c2ln"), index=2, id="c", name="f"),
    )
    sealed = "dGFpbHJhY2U6bm90IGJhc2U2NCE="
    call = {"functionCall": {"id": "c", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    assert parts_of(encode(events)) == [
        {"text": "Hm", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Six"},
        {"text": "", "thoughtSignature": sealed},
        call,
    ]
    assert GEMINI.message_body(fold(events), REPLY)["candidates"][0]["content"]["parts"] == [
        {"text": "Hm", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Six", "thoughtSignature": sealed},
        call,
    ]


LEFT_OUT: list[list[Event]] = [
    block("redacted_thinking", data="d", dialect="anthropic"),
    block("server_tool_call", ToolInputDelta(0, "{}"), id="s", name="web_search", data={"a": 1}, dialect="anthropic"),
    block("server_tool_result", data={"a": 1}, dialect="anthropic"),
    block("media", BlockDelta(0, {"data": "AA=="}, "openai_chat"), dialect="openai_chat"),
    block("opaque", data={"a": 1}, dialect="anthropic"),
    [Opaque("openai_chat", {"a": 1})],
    [Ping()],
    block("text", CitationDelta(0, {"type": "char_location"})),
    block("text", BlockDelta(0, {"a": 1}, "anthropic")),
]


@pytest.mark.parametrize("events", LEFT_OUT)
def test_what_the_dialect_has_no_word_for_is_left_out(events: list[Event]) -> None:
    stream = encode(answered(*events))
    assert len(list(payloads(stream))) == 1
    (candidate,) = GEMINI.message_body(fold(answered(*events)), REPLY)["candidates"]
    assert candidate["content"]["parts"] == [{"text": ""}]
    assert "citationMetadata" not in candidate


def test_a_refusal_is_text_and_a_reason() -> None:
    events = answered(*block("refusal", TextDelta(0, "No.")))
    *_, last = payloads(encode(events))
    (whole,) = GEMINI.message_body(fold(events), REPLY)["candidates"]
    assert parts_of(encode(events)) == whole["content"]["parts"] == [{"text": "No."}]
    assert last["candidates"][0]["finishReason"] == whole["finishReason"] == "SAFETY"


REASONS = [
    (Finish("end_turn", native="stop"), "STOP"),
    (Finish("tool_use", native="tool_calls"), "STOP"),
    (Finish("stop_sequence", "END"), "STOP"),
    (Finish("max_tokens", native="length"), "MAX_TOKENS"),
    (Finish("context_window"), "MAX_TOKENS"),
    (Finish("pause", native="pause_turn"), "MAX_TOKENS"),
    (Finish("refusal", native="content_filter"), "SAFETY"),
    (Finish("refusal", native="SPII"), "SPII"),
    (Finish("other", native="sparkle"), "OTHER"),
    (Finish("other", native="LANGUAGE"), "LANGUAGE"),
    (Finish("pause", native="CONTINUATION"), "CONTINUATION"),
    (Finish("end_turn", native="MAX_TOKENS"), "STOP"),
]


@pytest.mark.parametrize(("finish", "word"), REASONS)
def test_reasons(finish: Finish, word: str) -> None:
    (said,) = payloads(encode(answered(finish=finish)))
    assert said["candidates"][0]["finishReason"] == word
    body = GEMINI.message_body(fold(answered(finish=finish)), REPLY)
    assert body["candidates"][0]["finishReason"] == word
    if finish.sequence is not None:
        assert said["tailrace"] == {"stop_sequence": finish.sequence}
        assert body["tailrace"]["stop_sequence"] == finish.sequence


def test_usage_is_written_with_the_next_chunk_and_again_with_the_last() -> None:
    events = [
        UsageReport(Usage(9, 1)),
        *answered(*block("text", TextDelta(0, "a"), TextDelta(0, "b"))),
    ]
    events.insert(-1, UsageReport(Usage(9, 7, 3, 2, 4)))
    first, second, last = payloads(encode(events))
    assert first["usageMetadata"] == {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10}
    assert "usageMetadata" not in second
    whole = {
        "promptTokenCount": 9,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 3,
        "totalTokenCount": 16,
    }
    assert last["usageMetadata"] == GEMINI.message_body(fold(events), REPLY)["usageMetadata"] == whole


def test_usage_that_is_not_known_is_not_invented() -> None:
    (said,) = payloads(encode([START, UsageReport(Usage(), "unknown"), Finish("end_turn"), END]))
    assert "usageMetadata" not in said
    assert said["tailrace"] == {"usage_label": "unknown"}


def test_several_choices() -> None:
    events = [
        START,
        *block("text", TextDelta(0, "One")),
        *block("text", TextDelta(1, "Un"), index=1, choice=1),
        Finish("end_turn"),
        Finish("max_tokens", choice=1),
        END,
    ]
    stream = encode(events)
    wanted = {0: {"text": "One", "thinking": "", "calls": []}, 1: {"text": "Un", "thinking": "", "calls": []}}
    assert sdk_candidates(sdk_chunks(stream)) == wanted
    body = GEMINI.message_body(fold(events), REPLY)
    assert [c["finishReason"] for c in body["candidates"]] == ["STOP", "MAX_TOKENS"]
    assert [c["content"]["parts"] for c in body["candidates"]] == [[{"text": "One"}], [{"text": "Un"}]]


def test_citations_of_this_dialect() -> None:
    source = {"uri": "https://x.test", "endIndex": 3}
    events = answered(*block("text", TextDelta(0, "Ebb"), CitationDelta(0, source)))
    assert CitationDelta(0, source) in events_of([encode(events)])
    (candidate,) = GEMINI.message_body(fold(events), REPLY)["candidates"]
    assert candidate["citationMetadata"] == {"citationSources": [source]}


def test_a_lone_surrogate_goes_on_as_an_escape() -> None:
    stream = encode(answered(*block("text", TextDelta(0, "a\ud83d"))))
    assert json.loads(stream.split(b"\n\n")[0].removeprefix(b"data: "))["candidates"]
    assert b"\\ud83d" in stream


@pytest.mark.parametrize("shape", SHAPES)
def test_the_simulator_speaks_it(shape: str) -> None:
    scenario = parse(f"sim-{shape}:tokens=12" if shape != "text" else "sim:tokens=12")
    stream = bytes_of(scenario, "gemini")
    message, truth = fold(events_of([stream])), expected(scenario)
    assert candidates(message) == candidates(truth)
    assert sdk_candidates(sdk_chunks(stream)) == candidates(truth)
    assert (message.stop_reason, message.usage) == (truth.stop_reason, truth.usage)
