"""A streamed chat completion to events.

The wire has no blocks: a chunk says what each choice grows by, and a new kind of content ends the one before it.
Rules, in the order of their worth:

1. The answer is complete when ``[DONE]`` is the *whole* data of an event, or at the end of input after every choice
   has given its finish reason where the server is known to leave the marker out (`Quirks.eof_ends`).
2. Text, thinking and refusal end when other content of the same choice begins. A tool call ends then too if its
   arguments are a complete JSON object (parsed once, at that moment); else it stays open until the choice finishes,
   because some servers do interleave calls.
3. What is missing or null says nothing; what is repeated (role, a call's id and name, a finish reason) says nothing
   new. Empty content neither opens nor closes anything: servers send it in every chunk.
4. Content after a finish reason is content: one router gives the reason with every tool call.

Source of the forms: OpenAI's description of the chat completion chunk; where a server is named, its own answers.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.base import Quirks, Received
from tailrace.dialects.openai_chat.calls import Call, Calls
from tailrace.dialects.openai_chat.chunks import (
    CallFragment,
    Choice,
    Chunk,
    Delta,
    UsageFigures,
    decode_any,
    decode_chunk,
)
from tailrace.dialects.openai_chat.failures import read_label, stream_error
from tailrace.dialects.openai_chat.reasons import FROM_WIRE
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
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
)
from tailrace.sse import Decoder, ServerSentEvent

MAX_CHOICES = 128
"""Most choices of one answer: the largest ``n`` that OpenAI takes."""

_DONE = b"[DONE]"
_CHUNK_FIELDS = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "obfuscation"}
)


class _ChoiceState:
    """What is open in one choice. ``kind`` and ``block`` are of the content that grows now, None between two."""

    __slots__ = ("block", "calls", "finish", "kind", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.kind: BlockKind | None = None
        self.block = -1
        self.calls = Calls()
        self.finish: Finish | None = None


class ChatDecoder:
    """Decodes one answer.

    What was complete before a fault is never lost: a `feed` that has something returns it, and the next call raises.
    """

    __slots__ = ("_choices", "_failure", "_next", "_quirks", "_sse", "_started", "ended")

    ended: bool

    def __init__(self, quirks: Quirks) -> None:
        self.ended = False
        self._quirks = quirks
        self._sse = Decoder()
        self._choices: dict[int, _ChoiceState] = {}
        self._started = False
        self._next = 0
        self._failure: str | None = None

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""
        return [] if self.ended else self._feed(data)

    def _feed(self, data: bytes) -> list[Received]:
        self._raise_failure()
        received: list[Received] = []
        for event in self._sse.feed(data):
            try:
                received.append(Received(event, tuple(self._read(event))))
            except RemoteProtocolError as error:
                self._failure = str(error)
                if not received:
                    raise
                break
            if self.ended:
                break
        return received

    def close(self) -> list[Received]:
        """Say that the input has ended; with `Quirks.eof_ends` that completes an answer with all its reasons."""
        if self.ended:
            return []
        self._raise_failure()
        self._sse.close()
        if not self._quirks.eof_ends or not self._choices:
            return []
        if any(state.finish is None or state.kind or state.calls.open for state in self._choices.values()):
            return []
        self.ended = True
        return [Received(ServerSentEvent(_DONE), (MessageEnd(),))]

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RemoteProtocolError(self._failure)

    # ---- one event of the wire --------------------------------------------------------------------------------

    def _read(self, event: ServerSentEvent) -> list[Event]:
        data = event.data
        if len(data) < 16:
            short = data.strip()
            if short == _DONE:
                return self._done()
            if not short or short == b"{}":
                return [Ping()]
        try:
            chunk = decode_chunk(data)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise RemoteProtocolError(f"not a chat completion chunk: {error}") from error
        out: list[Event] = []
        choices = chunk.choices
        if choices is None:
            self._foreign(event, chunk, out)
            return out
        for choice in choices:
            self._choice(choice, chunk, out)
        self._usage(chunk, out)
        if chunk.error:
            self._error(data, out)
        elif not choices and not out:
            self._nothing(data, out)
        return out

    def _choice(self, choice: Choice, chunk: Chunk, out: list[Event]) -> None:
        if not self._started:
            self._started = True
            out.append(MessageStart(chunk.id or "", chunk.model or ""))
        number = choice.index or 0
        state = self._choices.get(number)
        if state is None:
            state = self._new_choice(number)
        delta = choice.delta
        if delta is not None:
            self._delta(state, delta, out)
        if choice.finish_reason:
            self._finish(state, choice, out)

    def _new_choice(self, number: int) -> _ChoiceState:
        if not 0 <= number < MAX_CHOICES:
            raise RemoteProtocolError(f"choice {number}, of at most {MAX_CHOICES}")
        state = self._choices[number] = _ChoiceState(number)
        return state

    def _foreign(self, event: ServerSentEvent, chunk: Chunk, out: list[Event]) -> None:
        """Take an object that is no chunk: an error in one of its forms, usage alone, or something unknown."""
        value = decode_any(event.data)
        if chunk.error or event.type == "error" or value.get("object") == "error":
            self._error(event.data, out)
            return
        self._usage(chunk, out)
        if not out:
            out.append(Opaque("openai_chat", value, value.get("object") if _named(value) else None))

    def _nothing(self, data: bytes, out: list[Event]) -> None:
        """Take a chunk without choices and usage: a sign of life, or news in fields of the provider's own (Azure)."""
        value = decode_any(data)
        known = _CHUNK_FIELDS.issuperset(name for name, field in value.items() if field is not None)
        out.append(Ping() if known else Opaque("openai_chat", value))

    def _error(self, data: bytes, out: list[Event]) -> None:
        out.append(stream_error(decode_any(data)))
        self.ended = True

    def _done(self) -> list[Event]:
        """Complete the answer. A choice without a reason has none that this vocabulary could name."""
        if not self._started:
            raise RemoteProtocolError("[DONE] before any choice")
        out: list[Event] = []
        for state in self._choices.values():
            self._close_all(state, out)
            if state.finish is None:
                out.append(Finish("other", choice=state.number))
        out.append(MessageEnd())
        self.ended = True
        return out

    # ---- content ----------------------------------------------------------------------------------------------

    def _delta(self, state: _ChoiceState, delta: Delta, out: list[Event]) -> None:
        if delta.reasoning_content or delta.reasoning:
            self._thinking(state, delta.reasoning_content or delta.reasoning or "", out)
        content = delta.content
        if content:
            if type(content) is str:
                if state.kind != "text":
                    self._open(state, "text", out)
                out.append(TextDelta(state.block, content))
            else:
                self._parts(state, content, out)  # type: ignore[arg-type]
        if delta.refusal:
            self._open(state, "refusal", out)
            out.append(TextDelta(state.block, delta.refusal))
        if delta.tool_calls:
            for fragment in delta.tool_calls:
                self._call(state, fragment, out)
        if delta.function_call or delta.reasoning_details or delta.annotations or delta.audio:
            self._rest(state, delta, out)

    def _rest(self, state: _ChoiceState, delta: Delta, out: list[Event]) -> None:
        """Take the rare fields."""
        if delta.function_call is not None:
            self._call(state, CallFragment(index=-1, function=delta.function_call), out)
        if delta.reasoning_details:
            self._details(state, delta, out)
        for annotation in delta.annotations or ():
            self._open(state, "text", out)
            out.append(CitationDelta(state.block, annotation))
        if delta.audio:
            self._open(state, "media", out, name="audio")
            out.append(BlockDelta(state.block, delta.audio))

    def _text(self, state: _ChoiceState, text: str, out: list[Event]) -> None:
        self._open(state, "text", out)
        out.append(TextDelta(state.block, text))

    def _thinking(self, state: _ChoiceState, text: str, out: list[Event]) -> None:
        self._open(state, "thinking", out)
        out.append(ThinkingDelta(state.block, text))

    def _parts(self, state: _ChoiceState, parts: list[dict[str, Any]], out: list[Event]) -> None:
        """Take content in parts (Mistral): text, thinking (itself in parts), and others that are carried."""
        for part in parts:
            kind = part.get("type")
            if kind == "text" and isinstance(text := part.get("text"), str):
                if text:
                    self._text(state, text, out)
            elif kind == "thinking" and isinstance(inner := part.get("thinking"), list):
                for piece in inner:
                    text = piece.get("text") if isinstance(piece, dict) else None
                    if isinstance(text, str) and text:
                        self._thinking(state, text, out)
            else:
                out.append(Opaque("openai_chat", part, kind if isinstance(kind, str) else None))

    def _details(self, state: _ChoiceState, delta: Delta, out: list[Event]) -> None:
        """Take OpenRouter's reasoning details: the text (also in ``reasoning``), its signature, what is encrypted."""
        for detail in delta.reasoning_details or ():
            text = detail.get("text") or detail.get("summary")
            signature = detail.get("signature")
            if isinstance(text, str):
                if not (delta.reasoning_content or delta.reasoning):
                    self._thinking(state, text, out)
            elif not signature:
                out.append(Opaque("openai_chat", detail, "reasoning_details"))
            if isinstance(signature, str) and signature:
                self._open(state, "thinking", out)
                out.append(SignatureDelta(state.block, signature))

    def _open(self, state: _ChoiceState, kind: BlockKind, out: list[Event], *, name: str | None = None) -> None:
        """See that a block of ``kind`` grows in this choice."""
        if state.kind == kind:
            return
        self._close(state, out)
        out.extend(BlockStop(call.block) for call in state.calls.take_complete())
        state.kind = kind
        state.block = self._next
        self._next += 1
        out.append(BlockStart(state.block, kind, None, name, state.number))

    def _close(self, state: _ChoiceState, out: list[Event]) -> None:
        if state.kind is not None:
            out.append(BlockStop(state.block))
            state.kind = None

    def _close_all(self, state: _ChoiceState, out: list[Event]) -> None:
        self._close(state, out)
        for call in state.calls.take_all():
            if call.block < 0:
                self._start_call(state, call, out)
            out.append(BlockStop(call.block))

    # ---- tool calls -------------------------------------------------------------------------------------------

    def _call(self, state: _ChoiceState, fragment: CallFragment, out: list[Event]) -> None:
        if fragment.custom is not None and fragment.function is None:
            out.append(Opaque("openai_chat", msgspec.to_builtins(fragment), "custom_tool_call"))
            return
        function = fragment.function
        name = function.name if function is not None else None
        text = _arguments(function.arguments) if function is not None else ""
        call = state.calls.find(fragment.index, fragment.id, name)
        if call is None:
            self._close(state, out)
            out.extend(BlockStop(complete.block) for complete in state.calls.take_complete())
            call = state.calls.add(fragment.index, fragment.id, name)
        elif call.closed:
            if text.strip():
                raise RemoteProtocolError(f"more arguments for the tool call {call.id!r}, which is complete")
            return
        call.learn(fragment.id, name)
        if call.block < 0:
            call.hold(text)
            if call.name:
                self._start_call(state, call, out)
        elif text:
            call.hold(text)
            out.append(ToolInputDelta(call.block, text))

    def _start_call(self, state: _ChoiceState, call: Call, out: list[Event]) -> None:
        """Open the call's block, with the arguments that came before its name."""
        call.block = self._next
        self._next += 1
        out.append(BlockStart(call.block, "tool_call", call.id, call.name, state.number))
        if text := call.text:
            out.append(ToolInputDelta(call.block, text))

    # ---- the end ----------------------------------------------------------------------------------------------

    def _finish(self, state: _ChoiceState, choice: Choice, out: list[Event]) -> None:
        called = state.calls.count > 0
        self._close_all(state, out)
        native = choice.finish_reason
        reason: StopReason = FROM_WIRE.get(native or "", "other")
        sequence: str | None = None
        for stopped_at in (choice.stop_reason, choice.matched_stop):
            if reason == "end_turn" and isinstance(stopped_at, str):
                reason, sequence = "stop_sequence", stopped_at
        if reason == "end_turn" and called:
            # OpenAI says "stop" when the request forced the call; what the model stopped for is the call.
            reason = "tool_use"
        finish = Finish(reason, sequence, state.number, native)
        if finish != state.finish:
            state.finish = finish
            out.append(finish)

    def _usage(self, chunk: Chunk, out: list[Event]) -> None:
        figures = chunk.usage
        label = None
        if figures is None:
            if chunk.x_groq is not None and chunk.x_groq.usage is not None:
                figures = chunk.x_groq.usage
            elif chunk.tailrace is None or (label := read_label(chunk.tailrace)) is None:
                return
        elif chunk.tailrace is not None:
            label = read_label(chunk.tailrace)
        out.append(UsageReport(_usage(figures) if figures is not None else Usage(), label or "exact"))


def _usage(figures: UsageFigures) -> Usage:
    """Return the figures in the vocabulary's meaning.

    xAI counts reasoning beside ``completion_tokens``, all others in it; the total tells the two apart.
    """
    prompt, output, parts = figures.prompt_tokens, figures.completion_tokens, figures.prompt_tokens_details
    cached = parts.cached_tokens if parts is not None else None
    if cached is None:
        cached = figures.cached_tokens if figures.cached_tokens is not None else figures.prompt_cache_hit_tokens
    written = parts.cache_write_tokens if parts is not None else None
    completion = figures.completion_tokens_details
    reasoning = completion.reasoning_tokens if completion is not None else None
    if prompt is not None and output is not None and reasoning and figures.total_tokens == prompt + output + reasoning:
        output += reasoning
    return Usage(prompt, output, cached, written, reasoning)


def _arguments(value: str | dict[str, Any] | None) -> str:
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return value or ""


def _named(value: dict[str, Any]) -> bool:
    return isinstance(value.get("object"), str)
