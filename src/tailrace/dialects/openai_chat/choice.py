"""One choice of an answer: its deltas to blocks.

The wire has no blocks: a chunk says what each choice grows by. Rules:

1. Text, thinking and refusal end when other content of the choice begins. A tool call ends then too if its arguments
   are a complete JSON object (parsed once, at that moment); else it stays open until the choice finishes, because
   some servers do interleave calls.
2. What is missing or null says nothing; what is repeated (role, a call's id and name, a finish reason) says nothing
   new. Empty content neither opens nor closes anything: servers send it in every chunk.
3. Content after a finish reason is content: one router gives the reason with every tool call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tailrace.dialects.openai_chat.calls import Call, Calls
from tailrace.dialects.openai_chat.chunks import CallFragment, Choice, Delta, to_json
from tailrace.dialects.openai_chat.names import NAME, STOP_REASONS
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    Opaque,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)


class ChoiceState:
    """What has come of one choice. Blocks take their numbers from ``indexes``, which all choices share.

    ``kind`` and ``block`` are of the content that grows now; ``kind`` is None between two.
    """

    __slots__ = ("_calls", "_indexes", "block", "finish", "kind", "number")

    def __init__(self, number: int, indexes: Iterator[int]) -> None:
        self.number = number
        self.kind: BlockKind | None = None
        self.block = -1
        self.finish: Finish | None = None
        self._indexes = indexes
        self._calls = Calls()

    @property
    def complete(self) -> bool:
        """Whether the finish reason has come and nothing after it is open."""
        return self.finish is not None and self.kind is None and not self._calls.open

    def grow(self, delta: Delta, out: list[Event]) -> None:
        """Add to ``out`` what ``delta`` says; raise `RemoteProtocolError` for what cannot be placed."""
        thinking = delta.reasoning_content or delta.reasoning
        if thinking and type(thinking) is str:
            self._think(thinking, out)
        content = delta.content
        if content:
            if type(content) is str:
                if self.kind != "text":
                    self._open("text", out)
                out.append(TextDelta(self.block, content))
            else:
                self._parts(content, out)  # type: ignore[arg-type]  # mypy does not narrow by `type() is`
        if delta.refusal:
            self._open("refusal", out)
            out.append(TextDelta(self.block, delta.refusal))
        if delta.tool_calls:
            for fragment in delta.tool_calls:
                self._call(fragment, out)
        if delta.function_call or delta.reasoning_details or delta.annotations or delta.audio:
            self._rest(delta, out)

    def note_logprobs(self, logprobs: Any, out: list[Event]) -> None:
        """Take the log-probabilities of the text that has just grown; of nothing that is shown, they say nothing."""
        field = {"text": "content", "refusal": "refusal"}.get(self.kind or "")
        tokens = logprobs.get(field) if field and isinstance(logprobs, dict) else None
        if isinstance(tokens, list) and tokens and all(isinstance(token, dict) for token in tokens):
            out.append(LogprobsDelta(self.block, tuple(tokens)))

    def end(self, choice: Choice, out: list[Event]) -> None:
        """Take the finish reason; the same one again says nothing."""
        self.close(out)
        native = choice.finish_reason or ""
        reason: StopReason = STOP_REASONS.get(native, "other")
        sequence = _first_text(choice.stop_reason, choice.matched_stop)
        if reason == "end_turn" and sequence is not None:
            reason = "stop_sequence"
        elif reason == "end_turn" and self._calls.count:
            # OpenAI says "stop" when the request forced the call; what the model stopped for is the call.
            reason = "tool_use"
        finish = Finish(reason, sequence if reason == "stop_sequence" else None, self.number, native)
        if finish != self.finish:
            self.finish = finish
            out.append(finish)

    def close(self, out: list[Event]) -> None:
        """End everything that is open."""
        self._close_block(out)
        for call in self._calls.take_all():
            if call.block < 0:
                self._start_call(call, out)
            out.append(BlockStop(call.block))

    # ---- text, thinking and what is rare -------------------------------------------------------------------------

    def _open(self, kind: BlockKind, out: list[Event]) -> None:
        """See that a block of ``kind`` grows."""
        if self.kind == kind:
            return
        self._close_before_next(out)
        self.kind = kind
        self.block = next(self._indexes)
        if kind == "media":
            out.append(BlockStart(self.block, kind, None, "audio", self.number, None, NAME))
        else:
            out.append(BlockStart(self.block, kind, choice=self.number))

    def _close_before_next(self, out: list[Event]) -> None:
        self._close_block(out)
        out.extend(BlockStop(call.block) for call in self._calls.take_complete())

    def _close_block(self, out: list[Event]) -> None:
        if self.kind is not None:
            out.append(BlockStop(self.block))
            self.kind = None

    def _think(self, text: str, out: list[Event]) -> None:
        self._open("thinking", out)
        out.append(ThinkingDelta(self.block, text))

    def _rest(self, delta: Delta, out: list[Event]) -> None:
        if delta.function_call is not None:
            # The deprecated form has one call and no index; no server counts down to this one.
            self._call(CallFragment(index=-1, function=delta.function_call), out)
        if isinstance(delta.reasoning_details, list):
            spoken = bool(delta.reasoning_content or delta.reasoning)
            for detail in delta.reasoning_details:
                self._detail(detail, spoken, out)
        for annotation in delta.annotations or ():
            self._open("text", out)
            out.append(CitationDelta(self.block, annotation))
        if delta.audio:
            self._open("media", out)
            out.append(BlockDelta(self.block, delta.audio, NAME))

    def _parts(self, parts: list[dict[str, Any]], out: list[Event]) -> None:
        """Take content in parts (Mistral): text, thinking (itself in parts), and others, which are carried."""
        for part in parts:
            kind, text, thinking = part.get("type"), part.get("text"), part.get("thinking")
            if kind == "text" and isinstance(text, str):
                if text:
                    self._open("text", out)
                    out.append(TextDelta(self.block, text))
            elif kind == "thinking" and isinstance(thinking, list):
                for piece in thinking:
                    said = piece.get("text") if isinstance(piece, dict) else None
                    if isinstance(said, str) and said:
                        self._think(said, out)
            else:
                out.append(Opaque(NAME, part, kind if isinstance(kind, str) else None))

    def _detail(self, detail: Any, spoken: bool, out: list[Event]) -> None:
        """Take one of OpenRouter's reasoning details: text (also in ``reasoning``), its signature, or a cipher."""
        if not isinstance(detail, dict):
            return
        text = _first_text(detail.get("text"), detail.get("summary"))
        signature = _first_text(detail.get("signature"))
        if text and not spoken:
            self._think(text, out)
        if signature:
            self._open("thinking", out)
            out.append(SignatureDelta(self.block, signature))
        if "data" in detail:
            out.append(Opaque(NAME, detail, "reasoning_details"))

    # ---- tool calls ----------------------------------------------------------------------------------------------

    def _call(self, fragment: CallFragment, out: list[Event]) -> None:
        function = fragment.function
        if function is None and fragment.custom is not None:
            # A custom tool's input is free text, which no block of the vocabulary holds.
            out.append(Opaque(NAME, msgspec.to_builtins(fragment), "custom_tool_call"))
            return
        name = function.name if function is not None else None
        text = _arguments(function.arguments) if function is not None else ""
        call = self._calls.find(fragment.index, fragment.id, name)
        if call is None:
            self._close_before_next(out)
            call = self._calls.add(fragment.index, fragment.id, name)
        elif call.closed:
            if text.strip():
                raise RemoteProtocolError("more arguments for a tool call that was complete")
            return
        call.learn(fragment.id, name)
        call.hold(text)
        if call.block < 0:
            if call.name:
                self._start_call(call, out)
        elif text:
            out.append(ToolInputDelta(call.block, text))

    def _start_call(self, call: Call, out: list[Event]) -> None:
        """Open the call's block, with the arguments that came before its name."""
        call.block = next(self._indexes)
        out.append(BlockStart(call.block, "tool_call", call.id, call.name, self.number))
        if text := call.text:
            out.append(ToolInputDelta(call.block, text))


def _arguments(value: str | dict[str, Any] | None) -> str:
    return to_json(value).decode() if isinstance(value, dict) else value or ""


def _first_text(*values: Any) -> str | None:
    return next((value for value in values if isinstance(value, str) and value), None)
