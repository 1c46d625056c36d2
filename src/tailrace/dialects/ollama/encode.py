"""Events to lines of JSON.

Each line says ``model`` and ``created_at``, its message the ``role``; the last one has ``done``, why, and the token
counts. Lines are told apart by `str.splitlines` in the official Python client, and a blank one breaks it.

A tool call comes whole, in one line, when its block stops: its arguments are an object here, not text. A call whose
arguments are no complete object (the limit came first) is none that a client may run: it goes into ``tailrace``,
which clients skip. So do images: the official Python client fails on those of an answer.

Left out, as this dialect has no word for them: signatures, redacted thinking, citations, the provider's own tools and
their results, further choices, and what is opaque or another dialect's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.base import Received, Reply
from tailrace.dialects.ollama.dates import rfc3339
from tailrace.dialects.ollama.failures import error_body
from tailrace.dialects.ollama.lines import one_line
from tailrace.dialects.ollama.names import NAME, stop_word
from tailrace.dialects.ollama.wire import IMAGES, INCOMPLETE, JSON_ERRORS, decode_any, to_json, write_usage
from tailrace.errors import LimitExceeded
from tailrace.events import (
    BlockKind,
    BlockStart,
    BlockStop,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Ping,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageLabel,
    UsageReport,
)

MAX_ARGUMENTS = 16 * 1024 * 1024
"""Most characters of one call's arguments, which are held until they are whole: a line may be no longer."""

_TAIL = b'},"done":false}\n'


class _Place:
    """An open block: its kind, and the arguments so far where it is a call."""

    __slots__ = ("kind", "pieces", "size", "start")

    def __init__(self, start: BlockStart) -> None:
        self.kind: BlockKind = start.kind
        self.start = start
        self.pieces: list[str] = []
        self.size = 0


class OllamaEncoder:
    """Encodes one answer for one client."""

    __slots__ = ("_calls", "_ended", "_finish", "_head", "_label", "_open", "_prefix", "_reply", "_usage")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._open: dict[int, _Place] = {}
        self._calls = 0
        self._finish: Finish | None = None
        self._usage = Usage()
        self._label: UsageLabel = "exact"
        self._ended = False
        self._name(reply.model)

    def encode(self, event: Event) -> list[bytes]:
        """Return the lines that say ``event``; an empty list where the dialect has no word for it."""
        rule = self._RULES.get(type(event))
        return rule(self, event) if rule is not None and not self._ended else []

    def verbatim(self, received: Received) -> list[bytes]:
        """Return the provider's line as it came; an error in a form that clients cannot read, in one that they can."""
        raw, events = received
        data = raw if isinstance(raw, bytes) else raw.data
        last = events[-1] if events else None
        if isinstance(last, Error):
            if not _is_text(data):
                return self._error(last)
            self._ended = True
        elif isinstance(last, MessageEnd):
            self._ended = True
        return [one_line(data)]

    # ---- rules, one for each event ----------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        # A line of its own would say nothing: every line says who answers.
        self._name(event.model or self._reply.model)
        return []

    def _block_start(self, event: BlockStart) -> list[bytes]:
        if event.choice:
            return []
        if event.kind == "media" and event.dialect == NAME:
            return [self._line(b'""', b',"tailrace":' + to_json({IMAGES: event.data}))]
        if event.kind in {"text", "refusal", "thinking", "tool_call"}:
            self._open[event.index] = _Place(event)
        return []

    def _text(self, event: TextDelta) -> list[bytes]:
        if event.index not in self._open or not event.text:
            return []
        return [self._line(to_json(event.text))]

    def _thinking(self, event: ThinkingDelta) -> list[bytes]:
        if event.index not in self._open or not event.text:
            return []
        return [self._line(b'"","thinking":' + to_json(event.text))]

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        place = self._open.get(event.index)
        if place is not None:
            place.pieces.append(event.json)
            place.size += len(event.json)
            if place.size > MAX_ARGUMENTS:
                raise LimitExceeded(
                    f"a tool call with more than {MAX_ARGUMENTS} characters of arguments", limit=MAX_ARGUMENTS
                )
        return []

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        place = self._open.pop(event.index, None)
        if place is None or place.kind != "tool_call":
            return []
        start, text = place.start, "".join(place.pieces)
        call = {"id": start.id} if start.id else {}
        if not is_object(text):
            broken = {**call, "name": start.name or "", "arguments": text}
            return [self._line(b'""', b',"tailrace":' + to_json({INCOMPLETE: [broken]}))]
        function = {"index": self._calls, "name": start.name or ""}
        self._calls += 1
        head = to_json({**call, "function": function}).removesuffix(b"}}")
        # As the model wrote them, numbers and all; between their tokens may be line feeds.
        line = self._line(b'"","tool_calls":[%b,"arguments":%b}}]' % (head, text.encode() or b"{}"))
        return [one_line(line[:-1])]

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._usage, self._label = self._usage.merged(event.usage), event.label
        return []

    def _hold_finish(self, event: Finish) -> list[bytes]:
        if not event.choice:
            self._finish = event
        return []

    def _end(self, _event: MessageEnd) -> list[bytes]:
        self._ended = True
        counts, marks = write_usage(self._usage, self._label)
        last = {
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": stop_word(self._finish or Finish("other")),
            **counts,
            **({"tailrace": marks} if marks else {}),
        }
        return [one_line(self._head + to_json(last)[1:])]

    def _error(self, event: Error) -> list[bytes]:
        # A call that was on its way has never been written: nobody can run it.
        self._ended = True
        body = error_body(event)
        counts, marks = write_usage(self._usage, self._label)
        return [one_line(to_json({**body, **counts, "tailrace": {**body["tailrace"], **marks}}))]

    def _ping(self, _event: Ping) -> list[bytes]:
        return [self._line(b'""')]

    # ---- pieces -----------------------------------------------------------------------------------------------

    def _name(self, model: str) -> None:
        self._head = b'{"model":%b,"created_at":"%b",' % (to_json(model), rfc3339(self._reply.created).encode())
        self._prefix = self._head + b'"message":{"role":"assistant","content":'

    def _line(self, content: bytes, after: bytes = b"") -> bytes:
        line = b"%b%b%b" % (self._prefix, content, _TAIL)
        if after:
            line = line.removesuffix(b"}\n") + after + b"}\n"
        # In JSON strings the ends of lines are escapes, but for those that are not ASCII.
        return line if line.isascii() else one_line(line[:-1])

    _RULES: ClassVar[dict[type[Event], Callable[[OllamaEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _thinking,
        ToolInputDelta: _tool_input,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _hold_finish,
        MessageEnd: _end,
        Error: _error,
        Ping: _ping,
    }


def is_object(text: str) -> bool:
    """Return whether ``text`` is a whole JSON object; no text at all is one without fields (Anthropic's rule)."""
    try:
        return not text or isinstance(decode_any(text), dict)
    except JSON_ERRORS:
        return False


def _is_text(line: bytes) -> bool:
    """Return whether the error that ``line`` says is one that the official client can read."""
    value = decode_any(line)
    return isinstance(value, dict) and isinstance(value.get("error"), str)
