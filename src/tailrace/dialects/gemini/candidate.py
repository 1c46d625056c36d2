"""One candidate of an answer: its parts to blocks.

The wire has no blocks: a chunk says by which parts each candidate grows. Rules:

1. Consecutive texts of one kind (``thought`` or not) are one block. A signature completes the block that it stands
   on, as it must go back on the same part: what follows is a new one. An empty text says nothing but its signature.
2. A call is whole in one part, or begins with ``willContinue`` and ends with one that has no such mark. One that has
   not ended when the candidate finishes is left without its last brace: nobody may take it for a whole one.
3. Every chunk may have a finish reason; the last one counts, and content after it is content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from tailrace.dialects.gemini.names import NAME, STOP_REASONS, UNSPECIFIED
from tailrace.dialects.gemini.partial_args import Arguments
from tailrace.dialects.gemini.wire import (
    CARRIED,
    Candidate,
    FunctionCall,
    Part,
    an_object,
    decode_any,
    to_json,
)
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Event,
    Finish,
    Opaque,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)


class Whole:
    """A chunk as it came; it is read once, however many of its parts are asked for."""

    __slots__ = ("_data", "_value")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value: Any = None

    def part(self, place: int, number: int) -> dict[str, Any]:
        """Return a part of the candidate at ``place``, with everything that it has."""
        if self._value is None:
            self._value = decode_any(self._data)
        part: dict[str, Any] = self._value["candidates"][place]["content"]["parts"][number]
        return part


class _Pending:
    """A call whose arguments are still coming."""

    __slots__ = ("arguments", "block")

    def __init__(self, block: int) -> None:
        self.block = block
        self.arguments = Arguments()


class CandidateState:
    """What has come of one candidate. Blocks take their numbers from ``indexes``, calls without an id theirs from
    ``new_id``; all candidates share both.
    """

    __slots__ = ("_block", "_called", "_indexes", "_kind", "_new_id", "_pending", "_signed", "finish", "number")

    def __init__(self, number: int, indexes: Iterator[int], new_id: Callable[[], str]) -> None:
        self.number = number
        self.finish: Finish | None = None
        self._indexes = indexes
        self._new_id = new_id
        self._kind: BlockKind | None = None  # of the text that grows now; None between two
        self._block = -1
        self._signed = False
        self._called = False
        self._pending: _Pending | None = None

    @property
    def complete(self) -> bool:
        """Whether a finish reason has come, and no call is unfinished after it."""
        return self.finish is not None and self._pending is None

    def take(self, candidate: Candidate, whole: Whole, place: int, sequence: str | None, out: list[Event]) -> None:
        """Add to ``out`` what a chunk says of this candidate; raise `RemoteProtocolError` for what cannot be placed.

        ``place`` in ``whole`` is where to look up what was not read; ``sequence`` is the stop sequence that was met,
        which only a relay knows.
        """
        if candidate.content is not None:
            for number, part in enumerate(candidate.content.parts or ()):
                text = part.text
                if text and part.thought_signature is None and part.function_call is None:
                    self._say(text, "thinking" if part.thought else "text", out)
                else:
                    self._part(part, partial(whole.part, place, number), out)
        if candidate.citation_metadata is not None:
            metadata = candidate.citation_metadata
            for citation in metadata.citation_sources or metadata.citations or ():
                self._citation(citation, out)
        self._carry(candidate, out)
        native = candidate.finish_reason
        if native and native not in UNSPECIFIED:
            self._finish(native, sequence, out)

    def close(self, out: list[Event]) -> None:
        """End what is open."""
        if self._kind is not None:
            out.append(BlockStop(self._block))
            self._kind = None

    # ---- text ---------------------------------------------------------------------------------------------------

    def _part(self, part: Part, look_up: Callable[[], dict[str, Any]], out: list[Event]) -> None:
        text, signature = part.text, part.thought_signature
        if part.function_call is not None:
            self._call(part.function_call, signature, out)
            return
        held = {} if text is not None else look_up()
        if not held.keys() <= {"text", "thought", "thoughtSignature", "functionCall"}:
            self._other(held, signature, out)
            return
        kind: BlockKind = "thinking" if part.thought else "text"
        if text:
            self._say(text, kind, out)
        if signature:
            self._open(kind, out)
            out.append(SignatureDelta(self._block, signature))
            self._signed = True

    def _say(self, text: str, kind: BlockKind, out: list[Event]) -> None:
        if self._kind != kind or self._signed:
            self._open(kind, out)
        out.append(TextDelta(self._block, text) if kind == "text" else ThinkingDelta(self._block, text))

    def _open(self, kind: BlockKind, out: list[Event]) -> None:
        """See that a block of ``kind`` grows."""
        if self._kind == kind and not self._signed:
            return
        self.close(out)
        self._kind = kind
        self._signed = False
        self._block = next(self._indexes)
        out.append(BlockStart(self._block, kind, choice=self.number))

    def _citation(self, citation: dict[str, Any], out: list[Event]) -> None:
        if self._kind == "text":
            out.append(CitationDelta(self._block, citation))
        else:
            self._opaque({"citationMetadata": {"citationSources": [citation]}}, out)

    # ---- calls --------------------------------------------------------------------------------------------------

    def _call(self, call: FunctionCall, signature: str | None, out: list[Event]) -> None:
        pending = self._pending
        if pending is None:
            pending = self._begin(call, out)
        elif call.name:
            raise RemoteProtocolError("a gemini function call begins inside another")
        if signature:
            out.append(SignatureDelta(pending.block, signature))
        for piece in call.partial_args or ():
            pending.arguments.add(piece)
        self._pending = pending
        if call.will_continue:
            return
        self._pending = None
        text = pending.arguments.text()
        if text == "{}":
            text = _whole(call.args)
        if text != "{}":
            out.append(ToolInputDelta(pending.block, text))
        out.append(BlockStop(pending.block))

    def _begin(self, call: FunctionCall, out: list[Event]) -> _Pending:
        if not call.name:
            raise RemoteProtocolError("a gemini function call without a name")
        self.close(out)
        self._called = True
        block = next(self._indexes)
        out.append(BlockStart(block, "tool_call", call.id or self._new_id(), call.name, self.number))
        return _Pending(block)

    def cut_call(self, value: dict[str, Any], out: list[Event]) -> None:
        """Take a call whose arguments are no JSON object: only a relay can say one, beside the candidates."""
        name, identity, text = value.get("name"), value.get("id"), value.get("json")
        if not (isinstance(name, str) and name and isinstance(text, str) and text):
            return
        self.close(out)
        self._called = True
        block = next(self._indexes)
        identity = identity if isinstance(identity, str) and identity else self._new_id()
        out += [BlockStart(block, "tool_call", identity, name, self.number), ToolInputDelta(block, text)]
        out.append(BlockStop(block))

    # ---- what is rare -------------------------------------------------------------------------------------------

    def _other(self, part: dict[str, Any], signature: str | None, out: list[Event]) -> None:
        """Take a part of another kind, whole: a file, a step of a tool that the provider runs, or something new."""
        field = next((name for name in _KINDS if isinstance(part.get(name), dict)), None)
        kind: BlockKind = _KINDS[field] if field else "opaque"
        held = part[field] if field else {}
        self.close(out)
        block = next(self._indexes)
        call = kind == "server_tool_call"
        if call:
            # Its signature has an event of its own.
            part = {name: value for name, value in part.items() if name != "thoughtSignature"}
        identity, name = held.get("id"), held.get("toolType")
        out.append(
            BlockStart(
                block,
                kind,
                identity if isinstance(identity, str) and identity else None,
                name if isinstance(name, str) else _NAMES.get(field or ""),
                self.number,
                part,
                NAME,
            )
        )
        if call:
            given = held.get("args") if field == "toolCall" else {k: v for k, v in held.items() if k != "id"}
            if isinstance(given, dict) and given:
                out.append(ToolInputDelta(block, to_json(given).decode()))
            if signature:
                out.append(SignatureDelta(block, signature))
        out.append(BlockStop(block))

    def _carry(self, candidate: Candidate, out: list[Event]) -> None:
        found = {wire: value for name, wire in CARRIED if (value := getattr(candidate, name))}
        if found:
            self._opaque(found, out)

    def _opaque(self, found: dict[str, Any], out: list[Event]) -> None:
        out.append(Opaque(NAME, {"candidates": [{"index": self.number, **found}]}, next(iter(found))))

    def _finish(self, native: str, sequence: str | None, out: list[Event]) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            out += [ToolInputDelta(pending.block, pending.arguments.text()[:-1]), BlockStop(pending.block)]
        reason: StopReason = STOP_REASONS.get(native, "other")
        if reason == "end_turn" and sequence is not None:
            reason = "stop_sequence"
        elif reason == "end_turn" and self._called:
            # The dialect says STOP whatever the model stopped for.
            reason = "tool_use"
        finish = Finish(reason, sequence if reason == "stop_sequence" else None, self.number, native)
        if finish != self.finish:
            self.finish = finish
            out.append(finish)


_KINDS: dict[str, BlockKind] = {
    "inlineData": "media",
    "fileData": "media",
    "executableCode": "server_tool_call",
    "toolCall": "server_tool_call",
    "codeExecutionResult": "server_tool_result",
    "toolResponse": "server_tool_result",
}
"""Field that tells what a part holds → kind of block."""

_NAMES = {"executableCode": "code_execution", "codeExecutionResult": "code_execution"}
"""The same → name of the tool, where the part does not say it."""


def _whole(args: msgspec.Raw) -> str:
    data = bytes(args)
    if not data or data == b"null":
        return "{}"
    text = an_object(data)
    if text is None:
        raise RemoteProtocolError("the args of a gemini function call are not a JSON object")
    return text
