"""Events to the chunks of a streamed GenerateContentResponse.

The dialect's clients allow nothing between chunks but blank lines: no ``event`` or ``id`` line, no comment, no
terminal marker. Every chunk has a part, if only an empty text: Python's SDK takes an answer with a chunk that has
none out of its chat history. ``finishReason`` is written at the end and nowhere else, so that no cut in the middle
can look like one; the last chunk also has the usage.

Left out, as this dialect has no word for them: redacted thinking, other providers' own tools, media and citations,
what was written to a cache, pings, and what is opaque to it. A tool call whose arguments are no JSON object goes
beside the candidates, where only a relay looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.base import Received, Reply
from tailrace.dialects.gemini.blocks import call_part, is_citation, own_part, text_part
from tailrace.dialects.gemini.failures import error_body
from tailrace.dialects.gemini.names import NAME, stop_word
from tailrace.dialects.gemini.usage import write_usage
from tailrace.dialects.gemini.wire import JSON_ERRORS, decode_any, on_one_line, to_json
from tailrace.dialects.marks import write_label
from tailrace.events import (
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
    UsageLabel,
    UsageReport,
)
from tailrace.sse import ServerSentEvent

_PLAIN = frozenset({TextDelta, ThinkingDelta})
"""Events after which nothing has to be remembered: nearly all."""

_EMPTY = b'{"text":""}'


class _Open:
    """A block that is open on this side; what must come whole is collected until it stops."""

    __slots__ = ("head", "pieces", "signature", "start", "tail")

    def __init__(self, start: BlockStart) -> None:
        self.start = start
        self.pieces: list[str] = []
        self.signature: str | None = None
        self.head, self.tail = _around(start.choice)


class GeminiEncoder:
    """Encodes one answer, event by event, or event by event as the provider wrote them (`verbatim`)."""

    __slots__ = (
        "_blocked",
        "_cut",
        "_ended",
        "_finishes",
        "_label",
        "_open",
        "_refused",
        "_reply",
        "_tail",
        "_usage",
        "_usage_said",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._tail = _ids(reply.id, reply.model)
        self._open: dict[int, _Open] = {}
        self._finishes: dict[int, Finish] = {}
        self._refused: set[int] = set()
        self._cut: set[int] = set()
        self._blocked = False
        self._usage = Usage()
        self._label: UsageLabel = "exact"
        self._usage_said = True
        self._ended = False

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; an empty list where the dialect has no word for it."""
        rule = self._RULES.get(type(event))
        return rule(self, event) if rule is not None and not self._ended else []

    def verbatim(self, received: Received) -> list[bytes]:
        """Return the provider's chunk as it came, on one line; whichever form the provider wrote it in.

        Left out: signs of life, and the names and numbers of events, none of which every client survives. An error
        in a form that JavaScript's SDK takes for a chunk is written in one that it does not.
        """
        raw, events = received
        if len(events) == 1 and type(events[0]) in _PLAIN and isinstance(raw, ServerSentEvent):
            return [b"data: %b\n\n" % on_one_line(raw.data)]
        for event in events:
            match event:
                case MessageStart(id=name, model=model):
                    self._tail = _ids(name or self._reply.id, model or self._reply.model)
                case UsageReport():
                    self._usage, self._label = self._usage.merged(event.usage), event.label
                case Finish():
                    self._finishes[event.choice] = event
                case Error() if not _noticed(raw if isinstance(raw, bytes) else raw.data):
                    return self.encode(event)
                case Error() | MessageEnd():
                    self._ended = True
                case _:
                    pass
        if isinstance(raw, bytes) or (len(events) == 1 and isinstance(events[0], Ping)):
            return []
        return [b"data: %b\n\n" % on_one_line(raw.data)]

    # ---- rules, one for each event ------------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        self._tail = _ids(event.id or self._reply.id, event.model or self._reply.model)
        return []

    def _block_start(self, event: BlockStart) -> list[bytes]:
        self._open[event.index] = _Open(event)
        if event.kind == "refusal":
            self._refused.add(event.choice)
        return []

    def _text(self, event: TextDelta) -> list[bytes]:
        block = self._open.get(event.index)
        return [] if block is None else [self._chunk(block, b'{"text":%b}' % to_json(event.text))]

    def _thinking(self, event: ThinkingDelta) -> list[bytes]:
        block = self._open.get(event.index)
        return [] if block is None else [self._chunk(block, b'{"text":%b,"thought":true}' % to_json(event.text))]

    def _signature(self, event: SignatureDelta) -> list[bytes]:
        block = self._open.get(event.index)
        if block is None:
            return []
        kind = block.start.kind
        if kind in {"text", "thinking"}:
            return [self._chunk(block, to_json(text_part("", event.signature, thought=kind == "thinking")))]
        block.signature = event.signature
        return []

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        block = self._open.get(event.index)
        if block is not None:
            block.pieces.append(event.json)
        return []

    def _citation(self, event: CitationDelta) -> list[bytes]:
        block = self._open.get(event.index)
        if block is None or not is_citation(event.citation):
            return []
        rest = b',"citationMetadata":%b' % to_json({"citationSources": [event.citation]})
        return [self._chunk(block, _EMPTY, rest)]

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        block = self._open.pop(event.index, None)
        if block is None or block.start.kind in {"text", "thinking", "refusal"}:
            return []
        start = block.start
        if start.kind == "tool_call":
            return self._call(block)
        part = own_part(start.data, start.dialect, block.signature)
        return [] if part is None else [self._chunk(block, to_json(part))]

    def _call(self, block: _Open) -> list[bytes]:
        start, arguments = block.start, "".join(block.pieces)
        # Clients answer a call by its id, so one whose provider gave none gets one.
        identity = start.id or f"call_{self._reply.id}_{start.index}"
        part = call_part(identity, start.name or "", arguments, block.signature)
        if part is not None:
            return [self._chunk(block, part)]
        self._cut.add(start.choice)
        cut = {"id": identity, "name": start.name or "", "json": arguments, "choice": start.choice}
        return [self._chunk(block, _EMPTY, marks={"cut_call": cut})]

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._usage = self._usage.merged(event.usage)
        self._label = event.label
        self._usage_said = False
        return []

    def _finish(self, event: Finish) -> list[bytes]:
        self._finishes[event.choice] = event
        return []

    def _end(self, _event: MessageEnd) -> list[bytes]:
        self._ended = True
        candidates: list[dict[str, Any]] = []
        marks: dict[str, Any] = write_label(self._label)
        for choice, finish in sorted(self._finishes.items()):
            word = stop_word(finish, refused=choice in self._refused, cut=choice in self._cut)
            content = {"parts": [{"text": ""}], "role": "model"}
            candidates.append({"content": content, "finishReason": word, "index": choice})
            if finish.sequence is not None and not choice:
                marks["stop_sequence"] = finish.sequence
        body: dict[str, Any] = {} if self._blocked else {"candidates": candidates}
        if self._usage != Usage():
            body["usageMetadata"] = write_usage(self._usage)
        if marks:
            body["tailrace"] = marks
        return [b"data: %b\n\n" % _joined(body, self._tail)]

    def _error(self, event: Error) -> list[bytes]:
        self._ended = True
        frames: list[bytes] = []
        if not self._usage_said:
            body = {"usageMetadata": write_usage(self._usage)}
            if marks := write_label(self._label):
                body["tailrace"] = marks
            frames.append(b"data: %b\n\n" % _joined(body, self._tail))
        return [*frames, b"data: %b\n\n" % to_json(error_body(event))]

    def _opaque(self, event: Opaque) -> list[bytes]:
        if event.dialect != NAME or not isinstance(event.data, dict):
            return []
        body = dict(event.data)
        if isinstance(candidates := body.get("candidates"), list):
            empty = {"content": {"parts": [{"text": ""}], "role": "model"}}
            body["candidates"] = [{**empty, **c} if isinstance(c, dict) else c for c in candidates]
        feedback = body.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            # The reason why there is no answer: the last chunk must not give another.
            self._blocked = True
        known = self._blocked or "candidates" in body
        return [b"data: %b\n\n" % (_joined(body, self._news()) if known else to_json(body))]

    # ---- pieces -------------------------------------------------------------------------------------------------

    def _chunk(self, block: _Open, part: bytes, rest: bytes = b"", marks: dict[str, Any] | None = None) -> bytes:
        """Return a chunk with one part, and with the usage if there is news of it."""
        tail = self._tail if self._usage_said and marks is None else self._news(marks)
        return b"%b%b%b%b}]%b" % (block.head, part, block.tail, rest, tail)

    def _news(self, marks: dict[str, Any] | None = None) -> bytes:
        """Return the end of a chunk with ``marks``, and with the usage where it has not been said yet."""
        tail, said = self._tail, marks or {}
        if not self._usage_said:
            self._usage_said = True
            said = {**said, **write_label(self._label)}
            tail = b',"usageMetadata":%b%b' % (to_json(write_usage(self._usage)), tail)
        return b',"tailrace":%b%b' % (to_json(said), tail) if said else tail

    _RULES: ClassVar[dict[type[Event], Callable[[GeminiEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _thinking,
        SignatureDelta: _signature,
        ToolInputDelta: _tool_input,
        CitationDelta: _citation,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _finish,
        MessageEnd: _end,
        Error: _error,
        Opaque: _opaque,
    }


def _around(choice: int) -> tuple[bytes, bytes]:
    """Return what stands on the wire before and after a part of a candidate."""
    return b'data: {"candidates":[{"content":{"parts":[', b'],"role":"model"},"index":%d' % choice


def _ids(name: str, model: str) -> bytes:
    """Return the end of every chunk of an answer, from after its candidates."""
    return b',"modelVersion":%b,"responseId":%b}\n\n' % (to_json(model), to_json(name))


def _joined(body: dict[str, Any], tail: bytes) -> bytes:
    """Return ``body`` as JSON, ending with the fields of ``tail``."""
    text = to_json(body)[:-1]
    end = tail.removesuffix(b"\n\n")
    return text + (end if body else end.removeprefix(b","))


def _noticed(data: bytes) -> bool:
    """Whether the official clients see that this is an error: its code must be a number that can be a status."""
    try:
        value = decode_any(data)
    except JSON_ERRORS:
        return False
    error = value.get("error") if isinstance(value, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599
