"""Events to the chunks of a streamed chat completion.

Every chunk of an answer has the same ``id``, ``created`` and ``model``; ``role`` comes once per choice, a call's
``index``, ``id``, ``type`` and ``name`` once per call, the finish reason once per choice, usage in a last chunk of
its own, and then ``[DONE]``, which means "complete" and is therefore never written after an error. The accumulators
of the official clients add strings up by name and fail on gaps: they need exactly this form.

Thinking is written as ``reasoning_content``, DeepSeek's field: of the two in use it is the one that most front ends
and all the compatible client libraries read.

Left out, as this dialect has no word for them: signatures, redacted thinking, the provider's own tools and their
results, citations other than its own, pings, and what is opaque.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tailrace.dialects.base import Received, Reply
from tailrace.dialects.openai_chat.chunks import JSON_ERRORS, decode_any, to_json
from tailrace.dialects.openai_chat.failures import error_body
from tailrace.dialects.openai_chat.names import NAME, annotation, stop_word
from tailrace.dialects.openai_chat.usage import write_marks, write_usage
from tailrace.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    LogprobsDelta,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageLabel,
    UsageReport,
)
from tailrace.sse import encode

_DONE = b"data: [DONE]\n\n"

_FIELDS: dict[str, bytes] = {"text": b"content", "refusal": b"refusal", "thinking": b"reasoning_content"}
"""Kind of block → the field of ``delta`` that its text goes into."""

_LOOKED_AT = frozenset({Error, MessageEnd, Ping, UsageReport, Opaque})
"""What a chunk may end with that is not simply passed on, or does not say who answers."""


class _Frame:
    """The bytes around a delta's text: the rest of the chunk is the same for all of a block's deltas."""

    __slots__ = ("after", "before", "choice", "kind", "written")

    def __init__(self, kind: BlockKind, choice: int, before: bytes, after: bytes) -> None:
        self.kind = kind
        self.choice = choice
        self.before = before
        self.after = after
        self.written = False

    def fill(self, text: str) -> list[bytes]:
        """Return the wire event for ``text``."""
        self.written = True
        return [b"%b%b%b" % (self.before, to_json(text), self.after)]


class ChatEncoder:
    """Encodes one answer for one client."""

    __slots__ = ("_ended", "_frames", "_head", "_label", "_last_seen", "_reply", "_roles", "_tools", "_usage")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._head = _head(reply.id, reply.created, reply.model)
        self._frames: dict[int, _Frame] = {}
        self._roles: set[int] = set()
        self._tools: dict[int, int] = {}
        self._usage: Usage | None = None
        self._label: UsageLabel = "unknown"
        self._last_seen: bytes | None = None
        self._ended = False

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; an empty list where the dialect has no word for it."""
        rule = self._RULES.get(type(event))
        return rule(self, event) if rule is not None else []

    def verbatim(self, received: Received) -> list[bytes]:
        """Return the provider's data as it came, on one line and without an event name.

        Left out: usage that the client did not ask for (we always do), and signs of life without content, of which
        some break the official clients. An error in a form that they do not notice is written in one that they do.
        """
        raw, events = received
        data = raw if isinstance(raw, bytes) else raw.data
        if events and type(events[-1]) in _LOOKED_AT:
            return self._looked_at(data, events)
        self._last_seen = data
        return [_line(data)]

    def _looked_at(self, data: bytes, events: tuple[Event, ...]) -> list[bytes]:
        match events[-1]:
            case Error() as error:
                if not _noticed(data):
                    return self._error(error)
                self._ended = True
            case MessageEnd():
                self._ended = True
            case Ping() if len(events) == 1:
                return []
            case UsageReport():
                self._last_seen = data
                if len(events) == 1 and not self._reply.include_usage:
                    return []
            case _:
                pass
        return [_line(data)]

    # ---- rules, one for each event ----------------------------------------------------------------------------

    def _start(self, event: MessageStart) -> list[bytes]:
        reply = self._reply
        self._head = _head(event.id or reply.id, reply.created, event.model or reply.model)
        return self._role(0)

    def _block_start(self, event: BlockStart) -> list[bytes]:
        choice, kind = event.choice, event.kind
        if kind == "tool_call":
            return self._call_start(event)
        if kind == "media" and event.dialect == NAME:
            field = b"audio"
        elif kind in _FIELDS:
            field = _FIELDS[kind]
        else:
            return []
        self._frames[event.index] = self._frame(kind, choice, b'{"%b":' % field, b"}")
        return self._role(choice)

    def _call_start(self, event: BlockStart) -> list[bytes]:
        choice = event.choice
        number = self._tools.get(choice, 0)
        self._tools[choice] = number + 1
        call = {
            "index": number,
            # Clients answer a call by its id, so one whose provider gave none gets one.
            "id": event.id or f"call_{self._reply.id}_{event.index}",
            "type": "function",
            "function": {"name": event.name or "", "arguments": ""},
        }
        before = b'{"tool_calls":[{"index":%d,"function":{"arguments":' % number
        self._frames[event.index] = self._frame("tool_call", choice, before, b"}}]}")
        return [*self._role(choice), self._chunk(choice, to_json({"tool_calls": [call]}))]

    def _text(self, event: TextDelta | ThinkingDelta) -> list[bytes]:
        frame = self._frames.get(event.index)
        return frame.fill(event.text) if frame is not None else []

    def _tool_input(self, event: ToolInputDelta) -> list[bytes]:
        frame = self._frames.get(event.index)
        return frame.fill(event.json) if frame is not None and event.json else []

    def _citation(self, event: CitationDelta) -> list[bytes]:
        frame = self._frames.get(event.index)
        found = annotation(event.citation)
        if frame is None or found is None:
            return []
        return [self._chunk(frame.choice, to_json({"annotations": [found]}))]

    def _logprobs(self, event: LogprobsDelta) -> list[bytes]:
        frame = self._frames.get(event.index)
        if frame is None:
            return []
        tokens = to_json({"refusal" if frame.kind == "refusal" else "content": event.tokens})
        return [
            b'data: %b[{"index":%d,"delta":{},"logprobs":%b,"finish_reason":null}]}\n\n'
            % (self._head, frame.choice, tokens)
        ]

    def _block_delta(self, event: BlockDelta) -> list[bytes]:
        frame = self._frames.get(event.index)
        if frame is None or frame.kind != "media" or event.dialect != NAME:
            return []
        return [self._chunk(frame.choice, to_json({"audio": event.data}))]

    def _block_stop(self, event: BlockStop) -> list[bytes]:
        frame = self._frames.pop(event.index, None)
        if frame is None or frame.kind != "tool_call" or frame.written:
            return []
        # No fragment at all means no arguments; clients parse what they have, and "" is not JSON.
        return frame.fill("{}")

    def _usage_report(self, event: UsageReport) -> list[bytes]:
        self._usage = (self._usage or Usage()).merged(event.usage)
        self._label = event.label
        return []

    def _finish(self, event: Finish) -> list[bytes]:
        # vLLM's field for the stop string that was met; clients that do not know it skip it.
        extra = b"" if event.sequence is None else b',"stop_reason":%b' % to_json(event.sequence)
        return [*self._role(event.choice), self._chunk(event.choice, b"{}", to_json(stop_word(event)) + extra)]

    def _end(self, _event: MessageEnd) -> list[bytes]:
        if self._ended:
            return []
        self._ended = True
        return [*self._usage_chunk(), _DONE]

    def _error(self, event: Error) -> list[bytes]:
        if self._ended:
            return []
        self._ended = True
        return [*self._usage_chunk(), encode(to_json(error_body(event)))]

    # ---- pieces -----------------------------------------------------------------------------------------------

    def _role(self, choice: int) -> list[bytes]:
        if choice in self._roles:
            return []
        self._roles.add(choice)
        # Null, as OpenAI sends before tool calls: "" would turn the content of an answer without text into "".
        return [self._chunk(choice, b'{"role":"assistant","content":null}')]

    def _frame(self, kind: BlockKind, choice: int, before: bytes, after: bytes) -> _Frame:
        before = b'data: %b[{"index":%d,"delta":%b' % (self._head, choice, before)
        return _Frame(kind, choice, before, b'%b,"finish_reason":null}]}\n\n' % after)

    def _chunk(self, choice: int, delta: bytes, reason: bytes = b"null") -> bytes:
        return b'data: %b[{"index":%d,"delta":%b,"finish_reason":%b}]}\n\n' % (self._head, choice, delta, reason)

    def _usage_chunk(self) -> list[bytes]:
        if self._usage is None or not self._reply.include_usage:
            return []
        if self._last_seen is not None:
            self._adopt(self._last_seen)
        figures, placeholders = write_usage(self._usage)
        rest = {"usage": figures, **write_marks(self._label, placeholders)}
        return [b"data: %b[],%b\n\n" % (self._head, to_json(rest)[1:])]

    def _adopt(self, data: bytes) -> None:
        """Take id, time and model from a chunk that was passed on as it came."""
        try:
            seen = decode_any(data)
        except JSON_ERRORS:
            return
        if isinstance(seen, dict):
            reply = self._reply
            name, created, model = seen.get("id"), seen.get("created"), seen.get("model")
            self._head = _head(
                name if isinstance(name, str) and name else reply.id,
                created if isinstance(created, int) and created else reply.created,
                model if isinstance(model, str) and model else reply.model,
            )

    _RULES: ClassVar[dict[type[Event], Callable[[ChatEncoder, Any], list[bytes]]]] = {
        MessageStart: _start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _text,
        ToolInputDelta: _tool_input,
        CitationDelta: _citation,
        LogprobsDelta: _logprobs,
        BlockDelta: _block_delta,
        BlockStop: _block_stop,
        UsageReport: _usage_report,
        Finish: _finish,
        MessageEnd: _end,
        Error: _error,
    }


def _head(name: str, created: int, model: str) -> bytes:
    return b'{"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":' % (
        to_json(name),
        created,
        to_json(model),
    )


def _line(data: bytes) -> bytes:
    # Outside of a JSON string a line feed is white space, and inside one it is not allowed.
    return b"data: %b\n\n" % (data.replace(b"\n", b" ") if b"\n" in data else data)


def _noticed(data: bytes) -> bool:
    """Whether the official clients see that this is an error: they look for a filled ``error`` field."""
    try:
        value = decode_any(data)
    except JSON_ERRORS:
        return False
    return isinstance(value, dict) and bool(value.get("error"))
