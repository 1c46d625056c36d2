"""Events to the frames of ConverseStream, as the service writes them: what the simulator speaks.

The indexes on the wire stay 0, 1, 2 …; blocks of text and of reasoning open with their first delta. Left out, as this
dialect has no word for them: further choices, media and deltas that are another dialect's own, citations of another
dialect, signatures on anything but thinking, pings. A refusal is text, with the stop reason ``content_filtered``.

`Finish` and usage are held until the end, since a provider's error must not follow a reason to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.base import Received, Reply
from tailrace.dialects.bedrock.converse import SERVER_CALL, write_redacted
from tailrace.dialects.bedrock.failures import error_body
from tailrace.dialects.bedrock.frames import encode_frame
from tailrace.dialects.bedrock.names import EXCEPTION_WORDS, NAME, STREAMED, stop_word
from tailrace.dialects.bedrock.wire import to_json, write_usage
from tailrace.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Opaque,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageLabel,
    UsageReport,
)

_IMPLICIT = frozenset({"text", "refusal", "thinking"})
"""Kinds of block that open with their first delta."""

_CALLS: dict[str, dict[str, str]] = {"tool_call": {}, "server_tool_call": {"type": SERVER_CALL}}
"""Kinds of call, and what their opening says beyond id and name."""


class BedrockEncoder:
    """Encodes one answer."""

    __slots__ = ("_ended", "_finish", "_label", "_next", "_open", "_reply", "_usage")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._open: dict[int, tuple[int, BlockKind]] = {}  # by the events' index; what is left out is not here
        self._next = 0
        self._finish = Finish("end_turn")
        self._usage = Usage()
        self._label: UsageLabel | None = None
        self._ended = False

    def encode(self, event: Event) -> list[bytes]:
        """Return the frames that say ``event``; an empty list where the dialect has no word for it."""
        rule = self._RULES.get(type(event))
        return rule(self, event) if rule is not None and not self._ended else []

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came; where closing was the end, the last event that the service left out."""
        raw = received.raw
        return [raw] if isinstance(raw, bytes) and raw else [self._metadata()]

    # ---- rules, one for each event ----------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        # The service itself names neither the answer nor the model.
        said = {"id": event.id, "model": event.model}
        marks = {"tailrace": said} if event.id or event.model else {}
        return [event_frame("messageStart", {"role": "assistant", **marks})]

    def _block_start(self, event: BlockStart) -> list[bytes]:
        ours = event.dialect == NAME
        kind = event.kind
        opening: dict[str, Any] | None = None
        if event.choice:
            return []
        if kind in _CALLS:
            spare = f"tooluse_{self._reply.id}_{event.index}"
            opening = {"toolUse": {"toolUseId": event.id or spare, "name": event.name or "", **_CALLS[kind]}}
        elif kind == "redacted_thinking":
            return self._redacted(event)
        elif ours and isinstance(event.data, dict):
            opening = _own(event)
        if opening is None and kind not in _IMPLICIT:
            return []
        index = self._place(event)
        return [event_frame("contentBlockStart", {"contentBlockIndex": index, "start": opening})] if opening else []

    def _redacted(self, event: BlockStart) -> list[bytes]:
        content = write_redacted(event.data)
        if content is None:
            return []
        self._place(event)
        return self._delta(event.index, {"reasoningContent": {"redactedContent": content}})

    def _place(self, event: BlockStart) -> int:
        self._open[event.index] = (self._next, event.kind)
        self._next += 1
        return self._next - 1

    def _text(self, event: TextDelta) -> list[bytes]:
        return self._delta(event.index, {"text": event.text})

    def _thinking(self, event: ThinkingDelta) -> list[bytes]:
        return self._delta(event.index, {"reasoningContent": {"text": event.text}})

    def _signature(self, event: SignatureDelta) -> list[bytes]:
        if self._open.get(event.index, (0, None))[1] != "thinking":
            return []
        return self._delta(event.index, {"reasoningContent": {"signature": event.signature}})

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        return self._delta(event.index, {"toolUse": {"input": event.json}})

    def _citation(self, event: CitationDelta) -> list[bytes]:
        return self._delta(event.index, {"citation": event.citation}) if is_citation(event.citation) else []

    def _block_delta(self, event: BlockDelta) -> list[bytes]:
        return self._delta(event.index, event.data) if event.dialect == NAME else []

    def _delta(self, index: int, delta: Any) -> list[bytes]:
        place = self._open.get(index)
        if place is None:
            return []
        return [event_frame("contentBlockDelta", {"contentBlockIndex": place[0], "delta": delta})]

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        place = self._open.pop(event.index, None)
        return [] if place is None else [event_frame("contentBlockStop", {"contentBlockIndex": place[0]})]

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._usage, self._label = self._usage.merged(event.usage), event.label
        return []

    def _hold_finish(self, event: Finish) -> list[bytes]:
        if not event.choice:
            self._finish = event
        return []

    def _end(self, _event: MessageEnd) -> list[bytes]:
        self._ended = True
        finish = self._finish
        stop: dict[str, Any] = {"stopReason": stop_word(finish)}
        if finish.sequence is not None:
            stop["additionalModelResponseFields"] = {"stop_sequence": finish.sequence}
        return [event_frame("messageStop", stop), self._metadata()]

    def _metadata(self) -> bytes:
        return event_frame("metadata", {**self._figures(), "metrics": {}})

    def _figures(self) -> dict[str, Any]:
        figures, marks = write_usage(self._usage, self._label or "exact")
        return {"usage": figures, **({"tailrace": marks} if marks else {})}

    def _error(self, event: Error) -> list[bytes]:
        self._ended = True
        name = event.code if event.code in STREAMED else EXCEPTION_WORDS.get(event.kind, "internalServerException")
        figures, body = {} if self._label is None else self._figures(), error_body(event)
        said = {**figures, **body, "tailrace": {**figures.get("tailrace", {}), **body["tailrace"]}}
        return [_frame("exception", ":exception-type", str(name), said)]

    def _opaque(self, event: Opaque) -> list[bytes]:
        if event.dialect != NAME or not event.name or event.name == "chunk":
            return []
        return [event_frame(event.name, event.data)]

    _RULES: ClassVar[dict[type[Event], Callable[[BedrockEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _thinking,
        SignatureDelta: _signature,
        ToolInputDelta: _tool_input,
        CitationDelta: _citation,
        BlockDelta: _block_delta,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _hold_finish,
        MessageEnd: _end,
        Error: _error,
        Opaque: _opaque,
    }


def event_frame(name: str, value: Any) -> bytes:
    """Return the frame of the event ``name``."""
    return _frame("event", ":event-type", name, value)


def _frame(kind: str, header: str, name: str, value: Any) -> bytes:
    headers = {header: name, ":content-type": "application/json", ":message-type": kind}
    return encode_frame(headers, to_json(value))


def _own(event: BlockStart) -> dict[str, Any]:
    """Return the opening of a block that only this dialect has."""
    field = {"server_tool_result": "toolResult", "media": "image"}.get(event.kind)
    return event.data if field is None else {field: event.data}


def is_citation(citation: dict[str, Any]) -> bool:
    """Whether ``citation`` is one of this dialect: the others' have a type."""
    return "type" not in citation and ("location" in citation or "sourceContent" in citation)
