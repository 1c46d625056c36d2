"""What is written for events of any dialect, and for errors; what is passed on as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tailrace.dialects import DIALECTS, Received, Reply
from tailrace.dialects.openai_responses import OPENAI_RESPONSES
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    ErrorKind,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tailrace.sse import ServerSentEvent
from tests.dialects.openai_responses_cases import (
    QUIRKS,
    REPLY,
    decode,
    encode,
    events_of,
    payloads,
    sdk_response,
    sse,
    summary,
)

START = MessageStart("chatcmpl-1", "m1")
END = (Finish("end_turn"), MessageEnd())


def last(events: list[Event]) -> dict[str, Any]:
    found: dict[str, Any] = payloads(encode([START, *events]))[-1]["response"]
    return found


def said(text: str, index: int = 0) -> list[Event]:
    return [BlockStart(index, "text"), TextDelta(index, text), BlockStop(index)]


def test_a_text_has_the_order_that_every_sdk_expects() -> None:
    kinds = [event["type"].removeprefix("response.") for event in payloads(encode([START, *said("Ebb"), *END]))]
    assert kinds == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip


def test_another_dialects_id_is_not_shown_and_ours_stays_the_same() -> None:
    events = payloads(encode([START, *said("Ebb"), *END]))
    ids = {event["response"]["id"] for event in events if "response" in event}
    assert ids == {"resp_reply"}
    own = payloads(encode([MessageStart("resp_9", ""), *END]))
    assert {(event["response"]["id"], event["response"]["model"]) for event in own} == {("resp_9", REPLY.model)}


@pytest.mark.parametrize(
    ("finish", "status", "reason", "marks"),
    [
        (Finish("end_turn"), "completed", None, {}),
        (Finish("stop_sequence", "END"), "completed", None, {"stop_reason": "stop_sequence", "stop_sequence": "END"}),
        (Finish("tool_use"), "completed", None, {"stop_reason": "tool_use"}),
        (Finish("max_tokens"), "incomplete", "max_output_tokens", {}),
        (Finish("refusal"), "incomplete", "content_filter", {}),
        (Finish("pause"), "incomplete", "max_output_tokens", {"stop_reason": "pause"}),
        (Finish("context_window"), "incomplete", "max_output_tokens", {"stop_reason": "context_window"}),
        (Finish("other", native="eos"), "incomplete", "eos", {}),
        (Finish("other"), "completed", None, {"stop_reason": "other"}),
    ],
)
def test_every_stop_reason_has_a_status_and_survives(
    finish: Finish, status: str, reason: str | None, marks: dict[str, str]
) -> None:
    events = [*said("Ebb"), finish, MessageEnd()]
    response = last(events)
    assert response["status"] == status
    assert (response["incomplete_details"] or {}).get("reason") == reason
    assert response.get("tailrace", {}) == marks
    (again,) = (event for event in events_of([encode([START, *events])]) if isinstance(event, Finish))
    assert (again.reason, again.sequence) == (finish.reason, finish.sequence)
    body = OPENAI_RESPONSES.message_body(fold([START, *events]), REPLY)
    assert (body["status"], body["incomplete_details"]) == (status, response["incomplete_details"])


def test_a_refusal_with_words_of_its_own_is_completed() -> None:
    block: list[Event] = [BlockStart(0, "refusal"), TextDelta(0, "No."), BlockStop(0)]
    response = last([*block, Finish("refusal"), MessageEnd()])
    assert (response["status"], response["output"][0]["content"]) == (
        "completed",
        [{"type": "refusal", "refusal": "No."}],
    )


def test_thoughts_of_other_dialects_carry_their_signature_there_and_back() -> None:
    events: list[Event] = [
        START,
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "Hm"),
        SignatureDelta(0, "c2ln"),
        BlockStop(0),
        BlockStart(1, "redacted_thinking", data="cmVk", dialect="anthropic"),
        BlockStop(1),
        *END,
    ]
    assert [type(event) for event in events_of([encode(events)])] == [type(event) for event in events]
    output = payloads(encode(events))[-1]["response"]["output"]
    items = [{"role": "user", "content": "?"}, *output, {"role": "user", "content": "!"}]
    request = OPENAI_RESPONSES.parse({"model": "m", "input": items})
    thought, redacted = request.turns[1].parts
    assert (getattr(thought, "text", None), getattr(thought, "signature", None)) == ("Hm", "c2ln")
    assert getattr(redacted, "data", None) == "cmVk"


def test_a_call_without_arguments_or_id_gets_both() -> None:
    item = last([BlockStart(0, "tool_call", None, "now"), BlockStop(0), Finish("tool_use"), MessageEnd()])["output"][0]
    assert item["arguments"] == "{}"
    assert item["call_id"].startswith("call_")


def test_a_signed_call_carries_its_signature_there_and_back() -> None:
    events: list[Event] = [
        BlockStart(0, "tool_call", "c", "now"),
        SignatureDelta(0, "Z2Vt"),
        BlockStop(0),
        Finish("tool_use"),
        MessageEnd(),
    ]
    item = last(events)["output"][0]
    request = OPENAI_RESPONSES.parse({"model": "m", "input": [{"role": "user", "content": "?"}, item]})
    assert getattr(request.turns[1].parts[0], "signature", None) == "Z2Vt"
    # Its own provider knows no such field.
    sent = OPENAI_RESPONSES.forward({"model": "m", "input": [item]}, "m")
    assert "tailrace" not in sent["input"][0]


@pytest.mark.parametrize(
    ("citation", "written"),
    [
        ({"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}, True),
        ({"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}, True),
        ({"type": "char_location", "cited_text": "x"}, False),
        ({}, False),
    ],
)
def test_citations_of_this_family_are_annotations(citation: dict[str, Any], written: bool) -> None:
    part = last([BlockStart(0, "text"), TextDelta(0, "x"), CitationDelta(0, citation), BlockStop(0), *END])
    found = part["output"][0]["content"][0]["annotations"]
    assert [one["url"] for one in found] == (["u"] if written else [])


def test_clients_of_chat_completions_get_this_dialects_citations_in_their_form() -> None:
    chat, cited = DIALECTS["openai_chat"], {"url": "u", "title": "t", "start_index": 0, "end_index": 1}
    citation = CitationDelta(0, {"type": "url_citation", **cited})
    events: list[Event] = [START, BlockStart(0, "text"), TextDelta(0, "x"), citation, BlockStop(0), *END]
    wanted = {"type": "url_citation", "url_citation": cited}
    assert chat.message_body(fold(events), REPLY)["choices"][0]["message"]["annotations"] == [wanted]
    encoder = chat.encoder(REPLY)
    stream = b"".join(frame for event in events for frame in encoder.encode(event))
    heard = [
        e.citation for got in chat.decoder(QUIRKS).feed(stream) for e in got.events if isinstance(e, CitationDelta)
    ]
    assert heard == [wanted]


def test_what_this_dialect_has_no_word_for_leaves_no_gap() -> None:
    events: list[Event] = [
        BlockStart(0, "server_tool_call", "s", "web_search", dialect="anthropic"),
        ToolInputDelta(0, "{}"),
        BlockStop(0),
        BlockStart(1, "opaque", data={"type": "compaction"}, dialect="anthropic"),
        BlockDelta(1, {"x": 1}, "anthropic"),
        BlockStop(1),
        BlockStart(2, "text", choice=1),
        TextDelta(2, "other"),
        BlockStop(2),
        Opaque("anthropic", {"type": "x"}, "x"),
        Opaque("openai_responses", {"type": "x", "output_index": 3}, "x"),
        Opaque("openai_responses", {"type": "x"}, None),
        Ping(),
        *said("Ebb", 3),
        Finish("max_tokens", choice=1),
        *END,
    ]
    written = payloads(encode([START, *events]))
    assert {event.get("output_index", 0) for event in written} == {0}
    assert summary(sdk_response(encode([START, *events]))) == [None, ("output_text", "Ebb", [])]


@pytest.mark.parametrize(
    ("usage", "placeholders"),
    [
        (Usage(3, 4, 1, 2, 1), []),
        (Usage(3, 4), ["cached_tokens", "reasoning_tokens"]),
        (Usage(None, 4), ["input_tokens", "cached_tokens", "reasoning_tokens"]),
    ],
)
def test_usage_has_every_number_that_the_sdks_read_and_says_which_are_none(
    usage: Usage, placeholders: list[str]
) -> None:
    response = last([UsageReport(usage, "estimated"), *END])
    figures = response["usage"]
    assert figures["total_tokens"] == figures["input_tokens"] + figures["output_tokens"]
    assert isinstance(figures["input_tokens_details"]["cached_tokens"], int)
    assert isinstance(figures["output_tokens_details"]["reasoning_tokens"], int)
    assert response["tailrace"].get("placeholders", []) == placeholders
    again = [
        e for e in events_of([encode([START, UsageReport(usage, "estimated"), *END])]) if isinstance(e, UsageReport)
    ]
    assert again == [UsageReport(usage, "estimated")]
    assert last([*END])["usage"] is None


@pytest.mark.parametrize("kind", ["overloaded", "truncated", "cancelled", "timeout", "interrupted", "protocol"])
def test_an_error_closes_what_is_open_but_no_call_and_says_how_it_ended(kind: ErrorKind) -> None:
    error = Error(kind, "It broke.", ending="truncated", retryable=True)
    events: list[Event] = [
        START,
        BlockStart(0, "text"),
        TextDelta(0, "Eb"),
        BlockStart(1, "tool_call", "c", "f"),
        ToolInputDelta(1, '{"a":'),
        UsageReport(Usage(None, 2), "estimated"),
        error,
        TextDelta(0, "b"),
    ]
    written = payloads(encode(events))
    done = [event["item"] for event in written if event["type"] == "response.output_item.done"]
    assert [(item["type"], item["status"]) for item in done] == [("message", "incomplete")]
    assert not any(event["type"] == "response.function_call_arguments.done" for event in written)
    assert written[-1]["tailrace"]["usage"]["output_tokens"] == 2
    again = events_of([encode(events)])
    assert again[-2] == UsageReport(Usage(None, 2), "estimated")
    found = again[-1]
    assert isinstance(found, Error)
    assert (found.kind, found.message, found.ending, found.retryable) == (kind, "It broke.", "truncated", True)


def test_after_the_end_nothing_is_written() -> None:
    for ending in (END, (Error("internal", "x"),)):
        encoder = OPENAI_RESPONSES.encoder(REPLY)
        for event in (START, *ending):
            encoder.encode(event)
        assert [encoder.encode(event) for event in (TextDelta(0, "x"), Error("internal", "y"), MessageEnd())] == [
            [],
            [],
            [],
        ]


# ---- as it came -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"type": "keepalive", "sequence_number": 0}, 0),
        ({"type": "keepalive", "sequence_number": 7}, 7),
        ({"type": "keepalive"}, None),
        ({"type": "keepalive", "sequence_number": "0"}, "0"),
        ({"type": "keepalive", "text": '"sequence_number":0,', "sequence_number": 10}, 10),
    ],
)
def test_a_number_that_is_not_the_place_is_put_right(given: dict[str, Any], number: Any) -> None:
    raw = ServerSentEvent(json.dumps(given, separators=(",", ":")).encode(), "keepalive")
    (frame,) = OPENAI_RESPONSES.encoder(REPLY).verbatim(Received(raw, (Ping(),)))
    assert payloads(frame) == [{**given, "sequence_number": 0}]
    assert (raw.data in frame) == (number == 0 and type(number) is int)


def test_spaces_around_a_number_are_no_reason_to_write_it_anew() -> None:
    raw = ServerSentEvent(b'{ "type": "keepalive",\n "sequence_number": 0 }', "keepalive")
    (frame,) = OPENAI_RESPONSES.encoder(REPLY).verbatim(Received(raw, (Ping(),)))
    assert frame == b'event: keepalive\ndata: { "type": "keepalive",  "sequence_number": 0 }\n\n'


def test_a_stop_in_the_middle_of_a_stream_that_is_passed_on_has_the_next_number() -> None:
    encoder = OPENAI_RESPONSES.encoder(REPLY)
    started = decode([sse({"type": "response.created", "response": {"id": "resp_p"}, "sequence_number": 0})])[0]
    frames = [frame for received in started for frame in encoder.verbatim(received)]
    frames += encoder.encode(UsageReport(Usage(None, 1), "estimated"))
    frames += encoder.encode(Error("cancelled", "stopped", ending="cancelled"))
    written = payloads(b"".join(frames))
    assert [(event["type"], event["sequence_number"]) for event in written] == [("response.created", 0), ("error", 1)]


def test_verbatim_of_bytes_writes_their_events() -> None:
    encoder = OPENAI_RESPONSES.encoder(REPLY)
    events: tuple[Event, ...] = (START, Error("internal", "x"))
    assert b"".join(encoder.verbatim(Received(b"", events))) == encode(events)


# ---- whole answers --------------------------------------------------------------------------------------------


def test_a_whole_answer_is_what_a_stream_ends_with() -> None:
    events: list[Event] = [
        START,
        *said("Ebb"),
        BlockStart(1, "thinking"),
        ThinkingDelta(1, "Hm"),
        SignatureDelta(1, "s"),
        BlockStop(1),
        BlockStart(2, "tool_call", "c", "f"),
        SignatureDelta(2, "g"),
        ToolInputDelta(2, '{"a":1}'),
        BlockStop(2),
        BlockStart(3, "refusal"),
        TextDelta(3, "No"),
        BlockStop(3),
        BlockStart(4, "redacted_thinking", data="r", dialect="anthropic"),
        BlockStop(4),
        UsageReport(Usage(1, 2, 0, 0, 0)),
        Finish("tool_use"),
        MessageEnd(),
    ]
    assert OPENAI_RESPONSES.message_body(fold(events), REPLY) == payloads(encode(events))[-1]["response"]


def test_an_answer_so_far_is_in_progress_and_a_call_that_broke_off_is_not_complete() -> None:
    events: list[Event] = [START, BlockStart(0, "tool_call", "c", "f"), ToolInputDelta(0, '{"a":')]
    body = OPENAI_RESPONSES.message_body(fold(events), Reply(id="plain", model="m", created=1))
    assert (body["id"], body["status"], body["output"][0]["status"]) == ("resp_plain", "in_progress", "incomplete")


@pytest.mark.parametrize("reason", ["end_turn", "max_tokens"])
def test_further_choices_and_other_dialects_blocks_are_not_in_it(reason: StopReason) -> None:
    events: list[Event] = [
        START,
        BlockStart(0, "text", choice=1),
        TextDelta(0, "other"),
        BlockStop(0),
        BlockStart(1, "server_tool_result", data={"type": "web_search_tool_result"}, dialect="anthropic"),
        BlockStop(1),
        Finish(reason),
        MessageEnd(),
    ]
    assert OPENAI_RESPONSES.message_body(fold(events), REPLY)["output"] == []
