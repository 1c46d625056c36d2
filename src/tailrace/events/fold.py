"""Fold: events, one at a time, into the final message.

One rule per event type, looked up in a table; text is kept as a list of pieces, so that adding one costs the same
however long the answer is. The order of events is checked on the way (`tailrace.events.grammar`): whatever a
provider sends, an illegal sequence stops here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from tailrace.errors import LimitExceeded
from tailrace.events.grammar import Order
from tailrace.events.message import (
    Block,
    Message,
    OtherBlock,
    RedactedThinkingBlock,
    RefusalBlock,
    TextBlock,
    ThinkingBlock,
    ToolCall,
)
from tailrace.events.model import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    LogprobsDelta,
    MessageStart,
    SignatureDelta,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageLabel,
    UsageReport,
)

MAX_TEXT = 64 * 1024 * 1024
"""Most characters of content in one message. A 200,000-token answer is about 1 MB; the cap is 64 times that."""

_parse_json = msgspec.json.Decoder().decode


class _Growing:
    """A block that is being written."""

    __slots__ = ("citations", "deltas", "logprobs", "pieces", "signature", "start", "stopped")

    def __init__(self, start: BlockStart) -> None:
        self.start = start
        self.pieces: list[str] = []
        self.citations: list[dict[str, Any]] = []
        self.deltas: list[Any] = []
        self.logprobs: list[dict[str, Any]] = []
        self.signature: str | None = None
        self.stopped = False

    def frozen(self) -> Block:
        start = self.start
        return _FREEZE.get(start.kind, _freeze_other)(self, "".join(self.pieces), start.choice)


def _freeze_text(block: _Growing, text: str, choice: int) -> Block:
    return TextBlock(text, tuple(block.citations), block.signature, choice, tuple(block.logprobs))


def _freeze_thinking(block: _Growing, text: str, choice: int) -> Block:
    return ThinkingBlock(text, block.signature, choice)


def _freeze_redacted(block: _Growing, _text: str, choice: int) -> Block:
    return RedactedThinkingBlock(block.start.data, choice)


def _freeze_refusal(block: _Growing, text: str, choice: int) -> Block:
    return RefusalBlock(text, choice, tuple(block.logprobs))


def _freeze_call(block: _Growing, text: str, choice: int) -> Block:
    value, complete = _tool_input(text, stopped=block.stopped)
    start = block.start
    return ToolCall(
        start.id or "",
        start.name or "",
        text,
        value,
        complete,
        start.kind == "server_tool_call",
        block.signature,
        choice,
        start.data,
        start.dialect,
    )


def _freeze_other(block: _Growing, _text: str, choice: int) -> Block:
    start = block.start
    data = {"start": start.data, "deltas": list(block.deltas)} if block.deltas else start.data
    return OtherBlock(start.kind, data, start.name, start.id, choice, start.dialect)


_FREEZE: dict[str, Callable[[_Growing, str, int], Block]] = {
    "text": _freeze_text,
    "thinking": _freeze_thinking,
    "redacted_thinking": _freeze_redacted,
    "refusal": _freeze_refusal,
    "tool_call": _freeze_call,
    "server_tool_call": _freeze_call,
}


def _tool_input(text: str, *, stopped: bool) -> tuple[Any, bool]:
    """Return ``(value, complete)``; no text at all is ``{}`` once the block has stopped (Anthropic's rule)."""
    if not text:
        return ({}, True) if stopped else (None, False)
    if not stopped:
        return None, False
    try:
        return _parse_json(text), True
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None, False


class Fold:
    """Adds up one answer's events.

    Raises `RemoteProtocolError` for an event that may not come now, and `LimitExceeded` past `MAX_TEXT`.
    """

    __slots__ = ("_blocks", "_id", "_model", "_pieces", "_size", "error", "finishes", "order", "usage", "usage_label")

    def __init__(self) -> None:
        self.order = Order()
        self.finishes: dict[int, Finish] = {}
        self.usage = Usage()
        self.usage_label: UsageLabel = "unknown"
        self.error: Error | None = None
        self._id = ""
        self._model = ""
        self._blocks: list[_Growing] = []
        self._size = 0
        self._pieces = 0

    def add(self, event: Event) -> None:
        """Take the next event of the answer."""
        self.order.advance(event)
        rule = self._RULES.get(type(event))
        if rule is not None:
            rule(self, event)

    @property
    def ended(self) -> bool:
        """Whether a `MessageEnd` or an `Error` has come."""
        return self.order.state == "ended"

    @property
    def characters(self) -> int:
        """Characters of content so far: what an estimate of output tokens starts from."""
        return self._size

    @property
    def pieces(self) -> int:
        """Deltas of content so far: most servers send one a token."""
        return self._pieces

    def message(self) -> Message:
        """Return the message as far as it has come; the value never changes afterwards."""
        first = self.finishes.get(0)
        return Message(
            self._id,
            self._model,
            tuple(block.frozen() for block in self._blocks),
            first.reason if first else None,
            first.sequence if first else None,
            self.usage,
            self.usage_label,
            self._further_reasons(),
            first.native if first else None,
        )

    def block(self, index: int) -> Block:
        """Return one block as far as it has come: what `message` has at ``index``, without making the others."""
        return self._blocks[index].frozen()

    def _further_reasons(self) -> dict[int, StopReason]:
        return {choice: finish.reason for choice, finish in self.finishes.items() if choice}

    def _grow(self, index: int, text: str) -> None:
        self._blocks[index].pieces.append(text)
        self._size += len(text)
        self._pieces += 1
        if self._size > MAX_TEXT:
            raise LimitExceeded(f"an answer of more than {MAX_TEXT} characters", limit=MAX_TEXT)

    def _message_start(self, event: MessageStart) -> None:
        self._id = event.id
        self._model = event.model

    def _block_start(self, event: BlockStart) -> None:
        self._blocks.append(_Growing(event))

    def _text(self, event: TextDelta | ThinkingDelta) -> None:
        self._grow(event.index, event.text)

    def _tool_input(self, event: ToolInputDelta) -> None:
        self._grow(event.index, event.json)

    def _signature(self, event: SignatureDelta) -> None:
        self._blocks[event.index].signature = event.signature

    def _citation(self, event: CitationDelta) -> None:
        self._blocks[event.index].citations.append(event.citation)

    def _logprobs(self, event: LogprobsDelta) -> None:
        self._blocks[event.index].logprobs += event.tokens

    def _block_delta(self, event: BlockDelta) -> None:
        self._blocks[event.index].deltas.append(event.data)

    def _block_stop(self, event: BlockStop) -> None:
        self._blocks[event.index].stopped = True

    def _usage(self, event: UsageReport) -> None:
        self.usage = self.usage.merged(event.usage)
        self.usage_label = event.label

    def _finish(self, event: Finish) -> None:
        self.finishes[event.choice] = event

    def _error(self, event: Error) -> None:
        self.error = event

    _RULES: ClassVar[dict[type[Event], Callable[[Fold, Any], None]]] = {
        MessageStart: _message_start,
        BlockStart: _block_start,
        TextDelta: _text,
        ThinkingDelta: _text,
        ToolInputDelta: _tool_input,
        SignatureDelta: _signature,
        CitationDelta: _citation,
        LogprobsDelta: _logprobs,
        BlockDelta: _block_delta,
        BlockStop: _block_stop,
        UsageReport: _usage,
        Finish: _finish,
        Error: _error,
    }


def fold(events: Any) -> Message:
    """Return the message that ``events`` (an iterable) add up to."""
    state = Fold()
    for event in events:
        state.add(event)
    return state.message()
