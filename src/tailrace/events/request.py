"""What a client asks for, in no dialect: the other half of the vocabulary.

A dialect's ``request.py`` parses its own JSON into a `Request` and builds its own JSON from one. What a `Request`
has no word for stays in ``extra`` by the client's own field name, so that the target can refuse it by that name or
report that it was left out; it is never dropped unseen.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Words."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    """A picture: either ``data`` (base64, with its ``media_type``) or a ``url``."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    detail: str | None = None


class FilePart(msgspec.Struct, frozen=True, tag="file", omit_defaults=True):
    """A document: ``data`` (base64), ``url``, or a provider's ``file_id``."""

    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None


class ThinkingPart(msgspec.Struct, frozen=True, tag="thinking", omit_defaults=True):
    """Reasoning of an earlier turn; ``signature`` goes back to its provider unchanged."""

    text: str
    signature: str | None = None


class RedactedThinkingPart(msgspec.Struct, frozen=True, tag="redacted_thinking"):
    """Reasoning of an earlier turn that only its provider can read."""

    data: Any


class RefusalPart(msgspec.Struct, frozen=True, tag="refusal"):
    """The model's declining words of an earlier turn."""

    text: str


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call", omit_defaults=True):
    """A call the model made in an earlier turn; ``input`` is the parsed argument value."""

    id: str
    name: str
    input: Any
    signature: str | None = None


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result", omit_defaults=True):
    """What the tool answered."""

    tool_call_id: str
    parts: tuple[TextPart | ImagePart | FilePart, ...]
    is_error: bool = False
    name: str | None = None


class OpaquePart(msgspec.Struct, frozen=True, tag="opaque"):
    """A part that only its own dialect understands; a different target refuses it by ``kind``."""

    dialect: str
    kind: str
    data: Any


Part: TypeAlias = (
    TextPart
    | ImagePart
    | FilePart
    | ThinkingPart
    | RedactedThinkingPart
    | RefusalPart
    | ToolCallPart
    | ToolResultPart
    | OpaquePart
)


class Turn(msgspec.Struct, frozen=True):
    """One message of the conversation. Tool results are parts of a ``user`` turn."""

    role: Literal["user", "assistant", "system"]
    parts: tuple[Part, ...]


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function the model may call; ``schema`` is JSON Schema."""

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether and which tool must be called."""

    mode: Literal["auto", "any", "none", "tool"]
    name: str | None = None


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much the model should think, and whether it shows it.

    ``effort`` is one of none, minimal, low, medium, high, xhigh, max; ``budget`` is in tokens.
    """

    enabled: bool = True
    effort: str | None = None
    budget: int | None = None
    adaptive: bool = False
    show: bool | None = None


class OutputSchema(msgspec.Struct, frozen=True, omit_defaults=True):
    """The shape of a structured answer. ``schema`` None asks for any JSON object."""

    schema: dict[str, Any] | None = None
    name: str | None = None
    strict: bool | None = None
    description: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request for an answer.

    ``max_tokens`` counts output tokens. ``background`` asks to finish the answer whether or not
    anybody reads it. ``include_usage`` says that the client wants usage in the stream where its
    dialect makes that a choice. ``extra`` holds the fields without a word here, by their own names.
    ``echo`` is no part of the question: names that the client gave and its answer must say again (a chat, a run).
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[TextPart, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    reasoning: Reasoning | None = None
    output: OutputSchema | None = None
    choices: int = 1
    user: str | None = None
    stream: bool = False
    background: bool = False
    include_usage: bool = True
    extra: dict[str, Any] = {}
    echo: dict[str, str] = {}
