"""The final message: what the events of an answer add up to."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from tailrace.events.model import StopReason, Usage, UsageLabel


class TextBlock(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """Text for the reader; ``citations`` as the provider wrote them, ``logprobs`` one entry for each token."""

    text: str
    citations: tuple[dict[str, Any], ...] = ()
    signature: str | None = None
    choice: int = 0
    logprobs: tuple[dict[str, Any], ...] = ()


class ThinkingBlock(msgspec.Struct, frozen=True, tag="thinking", omit_defaults=True):
    """The model's reasoning. ``signature`` goes back to the provider unchanged with the next turn."""

    text: str
    signature: str | None = None
    choice: int = 0


class RedactedThinkingBlock(msgspec.Struct, frozen=True, tag="redacted_thinking", omit_defaults=True):
    """Reasoning that only the provider can read; goes back unchanged."""

    data: Any
    choice: int = 0


class RefusalBlock(msgspec.Struct, frozen=True, tag="refusal", omit_defaults=True):
    """The model's words for declining (OpenAI's ``refusal``)."""

    text: str
    choice: int = 0
    logprobs: tuple[dict[str, Any], ...] = ()


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call", omit_defaults=True):
    """A call the model asks for.

    ``json`` is the argument text as it came, ``input`` its value. ``input`` is None, and ``complete`` False, while
    the text is not a complete JSON document: **never act on a call that is not complete**. ``data`` is what a
    provider of ``dialect`` said about the call beyond these fields.
    """

    id: str
    name: str
    json: str
    input: Any = None
    complete: bool = True
    server: bool = False
    signature: str | None = None
    choice: int = 0
    data: Any = None
    dialect: str | None = None


class OtherBlock(msgspec.Struct, frozen=True, tag="other", omit_defaults=True):
    """A block carried as a provider of ``dialect`` wrote it: a server tool's result, media, or an unknown kind."""

    kind: str
    data: Any
    name: str | None = None
    id: str | None = None
    choice: int = 0
    dialect: str | None = None


Block: TypeAlias = TextBlock | ThinkingBlock | RedactedThinkingBlock | RefusalBlock | ToolCall | OtherBlock


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer, whole or as far as it has come.

    ``stop_reason`` is None until the provider has given one. ``usage_label`` says how far the figures can be
    trusted. ``stop_reasons`` has the reason of each further choice by its number. ``native_reason`` is the provider's
    own word for ``stop_reason``.
    """

    id: str = ""
    model: str = ""
    blocks: tuple[Block, ...] = ()
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: Usage = Usage()
    usage_label: UsageLabel = "unknown"
    stop_reasons: dict[int, StopReason] = {}
    native_reason: str | None = None

    @property
    def text(self) -> str:
        """The text blocks of the first choice, joined."""
        return "".join(b.text for b in self.blocks if isinstance(b, TextBlock) and b.choice == 0)

    @property
    def thinking(self) -> str:
        """The thinking blocks of the first choice, joined."""
        return "".join(b.text for b in self.blocks if isinstance(b, ThinkingBlock) and b.choice == 0)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls the caller is asked to run, in order; those the provider ran itself are left out."""
        return tuple(b for b in self.blocks if isinstance(b, ToolCall) and b.choice == 0 and not b.server)
