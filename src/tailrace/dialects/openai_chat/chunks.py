"""The shapes of a streamed chat completion, as far as they are read.

Fields that nothing here reads (``object``, ``created``, ``service_tier``, ``obfuscation``, whatever a
provider adds) are skipped by the JSON decoder without being built. Everything may be missing or null: among the
servers that speak this dialect each of these fields is left out, or sent as null, by at least one. A field that is
not OpenAI's may hold anything, and counts only when it holds what is expected.

Source: ``openai.types.chat.ChatCompletionChunk`` of OpenAI's Python SDK, 3.54; where a server is named, its answers.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.openai_chat.usage import WireUsage


class FunctionFragment(msgspec.Struct, gc=False):
    """A piece of a call. ``arguments`` is JSON text; a few servers send the object itself."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallFragment(msgspec.Struct, gc=False):
    """A piece of one tool call. ``index`` is missing at Mistral, whose calls come whole."""

    index: int | None = None
    id: str | None = None
    function: FunctionFragment | None = None
    custom: dict[str, Any] | None = None


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds to one choice.

    ``content`` is a list of parts at Mistral when the model thinks. ``reasoning_content`` is DeepSeek's word,
    ``reasoning`` that of OpenRouter and newer vLLM; ``reasoning_details`` is OpenRouter's.
    """

    content: str | list[dict[str, Any]] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[CallFragment] | None = None
    refusal: str | None = None
    function_call: FunctionFragment | None = None
    annotations: list[dict[str, Any]] | None = None
    reasoning_details: Any = None
    audio: dict[str, Any] | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice's part of a chunk.

    ``message`` stands for ``delta`` where a server answers in one piece. ``stop_reason`` (vLLM) and ``matched_stop``
    (SGLang) name what the model stopped at: a string of the request's ``stop``, or the number of an end token.
    """

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    stop_reason: Any = None
    matched_stop: Any = None
    logprobs: Any = None


class Groq(msgspec.Struct, gc=False):
    """Groq's own field, which holds the usage whether or not it was asked for."""

    usage: WireUsage | None = None


class Chunk(msgspec.Struct, gc=False):
    """One event of the stream. Without ``choices`` it is no chunk: an error, or an object of some other kind.

    ``tailrace`` is a relay's own field: `usage.read_usage`, `failures.stream_error`.
    """

    choices: list[Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: WireUsage | None = None
    error: Any = None
    x_groq: Groq | None = None
    tailrace: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
"""JSON → `Chunk`; raises one of `JSON_ERRORS`."""

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""

to_json = msgspec.json.Encoder().encode
"""Whatever it is → JSON, in UTF-8, on one line."""

JSON_ERRORS = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading somebody else's JSON raises: malformed, of the wrong types, too deep, not UTF-8."""
