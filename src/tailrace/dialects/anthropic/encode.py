"""Events → Anthropic's stream.

What cannot be said is left out with everything that belongs to it, and the indexes on the wire stay 0, 1, 2 …: the
SDKs take them for positions. Left out are blocks of further choices, media, blocks and deltas that are another
dialect's own, citations of another dialect, and signatures on anything but thinking.

`Finish` and usage are held until the end, since ``message_delta`` says both at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from tailrace.dialects.anthropic.blocks import is_citation, write_start
from tailrace.dialects.anthropic.failures import error_body
from tailrace.dialects.anthropic.names import NAME, stop_word
from tailrace.dialects.anthropic.usage import write_marks, write_usage
from tailrace.dialects.anthropic.wire import EVENT_TYPES, to_json
from tailrace.dialects.base import Received, Reply
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
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageLabel,
    UsageReport,
)
from tailrace.sse import encode as frame

_HEADS: dict[str, bytes] = {kind: frame(b"", event=kind).removesuffix(b"\n\n") for kind in EVENT_TYPES}
"""What stands on the wire before the data of an event, by its type."""

_TAIL = b"\n\n"
"""What stands after it."""


class _Place(NamedTuple):
    """An open block on the wire; ``head`` is what stands before each of its deltas."""

    position: int
    kind: BlockKind
    head: bytes


def _place(index: int, kind: BlockKind) -> _Place:
    head = _HEADS["content_block_delta"] + b'{"type":"content_block_delta","index":%d,"delta":' % index
    return _Place(index, kind, head)


class AnthropicEncoder:
    """Encodes one answer, event by event, or event by event as the provider wrote them (`verbatim`).

    The two may follow each other: what was sent verbatim is noted, so that a stop or an error in the middle closes
    what is open.
    """

    __slots__ = (
        "_ended",
        "_finish",
        "_finish_said",
        "_label",
        "_next",
        "_open",
        "_refused",
        "_reply",
        "_started",
        "_usage",
        "_usage_said",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._started = False
        self._ended = False
        self._next = 0
        self._open: dict[int, _Place] = {}  # by the events' index; a block that is left out is not here
        self._refused = False
        self._finish: Finish | None = None
        self._finish_said = False
        self._usage = Usage()
        self._label: UsageLabel | None = None
        self._usage_said = True

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; none after the end."""
        if self._ended:
            return []
        return self._RULES[type(event)](self, event)

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came: its ``event`` line and its data, in one line each."""
        raw = received.raw
        if isinstance(raw, bytes):
            return [wire for event in received.events for wire in self.encode(event)]
        for event in received.events:
            note = self._NOTES.get(type(event))
            if note is not None:
                note(self, event)
        # A line end in JSON stands between its tokens, where a space says the same.
        data = raw.data.replace(b"\n", b" ")
        head = _HEADS.get(raw.type)
        return [frame(data, event=raw.type) if head is None else head + data + _TAIL]

    # ---- what was sent verbatim --------------------------------------------------------------------------------

    def _note_message_start(self, _event: MessageStart) -> None:
        self._started = True

    def _note_block_start(self, event: BlockStart) -> None:
        self._open[event.index] = _place(event.index, event.kind)
        self._next = event.index + 1

    def _note_block_stop(self, event: BlockStop) -> None:
        self._open.pop(event.index, None)

    def _note_usage(self, event: UsageReport) -> None:
        self._usage, self._label = self._usage.merged(event.usage), event.label
        self._usage_said = True

    def _note_finish(self, event: Finish) -> None:
        self._finish = event
        self._finish_said = True

    def _note_end(self, _event: MessageEnd | Error) -> None:
        self._ended = True

    # ---- events ------------------------------------------------------------------------------------------------

    def _message_start(self, event: MessageStart) -> list[bytes]:
        self._started = self._usage_said = True
        usage, placeholders = write_usage(self._usage, "input_tokens", "output_tokens")
        message: dict[str, Any] = {
            "id": event.id or self._reply.id,
            "type": "message",
            "role": event.role,
            "model": event.model or self._reply.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return [_frame("message_start", message=message, **write_marks(self._label, placeholders))]

    def _block_start(self, event: BlockStart) -> list[bytes]:
        block = None if event.choice else write_start(event, f"toolu_{self._reply.id}_{self._next}")
        if block is None:
            return []
        index = self._next
        self._next += 1
        self._open[event.index] = _place(index, event.kind)
        self._refused = self._refused or event.kind == "refusal"
        return [_frame("content_block_start", index=index, content_block=block)]

    def _text(self, event: TextDelta) -> list[bytes]:
        return self._delta(event.index, b'{"type":"text_delta","text":', event.text)

    def _thinking(self, event: ThinkingDelta) -> list[bytes]:
        return self._delta(event.index, b'{"type":"thinking_delta","thinking":', event.text)

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        return self._delta(event.index, b'{"type":"input_json_delta","partial_json":', event.json)

    def _signature(self, event: SignatureDelta) -> list[bytes]:
        place = self._open.get(event.index)
        if place is None or place.kind != "thinking":
            return []
        return self._delta(event.index, b'{"type":"signature_delta","signature":', event.signature)

    def _citation(self, event: CitationDelta) -> list[bytes]:
        if not is_citation(event.citation):
            return []
        return self._delta(event.index, b'{"type":"citations_delta","citation":', event.citation)

    def _block_delta(self, event: BlockDelta) -> list[bytes]:
        return self._delta(event.index, b"", event.data, b"") if event.dialect == NAME else []

    def _delta(self, index: int, before: bytes, value: Any, after: bytes = b"}") -> list[bytes]:
        place = self._open.get(index)
        return [] if place is None else [place.head + before + to_json(value) + after + b"}" + _TAIL]

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        place = self._open.pop(event.index, None)
        return [] if place is None else [_frame("content_block_stop", index=place.position)]

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._note_usage(event)
        self._usage_said = False
        return []

    def _hold_finish(self, event: Finish) -> list[bytes]:
        if not event.choice:
            self._finish = event
        return []

    def _message_end(self, _event: MessageEnd) -> list[bytes]:
        self._ended = True
        stop = _frame("message_stop")
        if self._finish_said and self._usage_said:
            return [stop]
        finish = self._finish
        if finish is None:
            return [self._message_delta(None, None), stop]
        return [self._message_delta(stop_word(finish, refused=self._refused), finish.sequence), stop]

    def _message_delta(self, reason: str | None, sequence: str | None) -> bytes:
        usage, placeholders = write_usage(self._usage, "output_tokens")
        return _frame(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": sequence},
            usage=usage,
            **write_marks(self._label, placeholders),
        )

    def _error(self, event: Error) -> list[bytes]:
        self._ended = True
        frames: list[bytes] = []
        if all(place.kind != "tool_call" for place in self._open.values()):
            # Not so with an open call: closed, it is a whole one, with input {} where no fragment came, and clients
            # run it. Nor beside one: JavaScript's SDK takes any stop for that of the block that opened last.
            frames = [_frame("content_block_stop", index=place.position) for place in self._open.values()]
        if self._started and not self._usage_said:
            # Without a stop reason it is no success, and every SDK raises at the error that follows.
            frames.append(self._message_delta(None, None))
        return [*frames, frame(to_json(error_body(event)), event="error")]

    def _ping(self, _event: Ping) -> list[bytes]:
        return [_frame("ping")]

    def _opaque(self, event: Opaque) -> list[bytes]:
        if event.dialect != NAME or event.name is None:
            return []
        return [frame(to_json(event.data), event=event.name)]

    _RULES: ClassVar[dict[type[Event], Callable[[AnthropicEncoder, Any], list[bytes]]]] = {
        MessageStart: _message_start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _thinking,
        ToolInputDelta: _tool_input,
        SignatureDelta: _signature,
        CitationDelta: _citation,
        BlockDelta: _block_delta,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _hold_finish,
        MessageEnd: _message_end,
        Error: _error,
        Ping: _ping,
        Opaque: _opaque,
    }

    _NOTES: ClassVar[dict[type[Event], Callable[[AnthropicEncoder, Any], None]]] = {
        MessageStart: _note_message_start,
        BlockStart: _note_block_start,
        BlockStop: _note_block_stop,
        UsageReport: _note_usage,
        Finish: _note_finish,
        MessageEnd: _note_end,
        Error: _note_end,
    }


def _frame(kind: str, **fields: Any) -> bytes:
    return frame(to_json({"type": kind, **fields}), event=kind)
