"""Random answers that the vocabulary allows, and what of them each dialect can say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tailrace.events import (
    BlockStart,
    BlockStop,
    Event,
    Finish,
    Message,
    MessageEnd,
    MessageStart,
    RefusalBlock,
    SignatureDelta,
    StopReason,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ToolCall,
    ToolInputDelta,
    Usage,
    UsageReport,
)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
NAME = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Draw one complete answer: thinking, texts and calls in any order, blocks one after the other."""
    said: list[Event] = [UsageReport(Usage(draw(st.integers(0, 99)))), MessageStart(draw(NAME), draw(NAME))]
    kinds = draw(st.lists(st.sampled_from(["text", "thinking", "tool_call"]), max_size=5))
    for index, kind in enumerate(kinds):
        size = draw(st.integers(1, 7))
        if kind == "tool_call":
            value = json.dumps(draw(st.dictionaries(TEXT, VALUES, max_size=3)), ensure_ascii=draw(st.booleans()))
            said.append(BlockStart(index, "tool_call", f"call_{index}", draw(NAME)))
            said += [ToolInputDelta(index, piece) for piece in _pieces(value, size)]
        elif kind == "thinking":
            said.append(BlockStart(index, "thinking"))
            said += [ThinkingDelta(index, piece) for piece in _pieces(draw(TEXT), size)]
            if draw(st.booleans()):
                said.append(SignatureDelta(index, draw(NAME)))
        else:
            said.append(BlockStart(index, "text"))
            said += [TextDelta(index, piece) for piece in _pieces(draw(TEXT), size)]
        said.append(BlockStop(index))
    reason: StopReason = "tool_use" if "tool_call" in kinds else draw(st.sampled_from(["end_turn", "max_tokens"]))
    said.append(Finish(reason))
    said.append(UsageReport(Usage(output_tokens=draw(st.integers(1, 99)))))
    return [*said, MessageEnd()]


def kept(message: Message, dialect: str) -> dict[str, Any]:
    """Return what ``dialect`` can say of ``message``; neighbouring blocks of one kind are one where it has none."""
    calls = [(call.name, call.input, call.complete) for call in message.tool_calls]
    said = {
        "text": "".join(block.text for block in message.blocks if isinstance(block, TextBlock | RefusalBlock)),
        "thinking": message.thinking,
        "calls": calls,
        "reason": message.stop_reason,
        "usage": (message.usage.input_tokens, message.usage.output_tokens),
        # Gemini's are base64: another's is wrapped, and unwrapped when it is given back.
        "signed": sum(1 for b in message.blocks if isinstance(b, ThinkingBlock) and b.signature),
        "ids": [call.id for call in message.blocks if isinstance(call, ToolCall)],
    }
    return {name: value for name, value in said.items() if name not in LOST.get(dialect, ())}


LOST: dict[str, tuple[str, ...]] = {
    "anthropic": (),
    "openai_chat": ("signed",),
    "openai_responses": (),
    "gemini": (),
    "ollama": ("signed",),
    "plain": ("thinking", "calls", "reason", "usage", "signed", "ids"),
}
"""``dialect → what it has no word for``, as the tables in ``docs/dialects.md`` say."""
