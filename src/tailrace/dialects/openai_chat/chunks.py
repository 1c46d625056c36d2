"""The shapes of a streamed chat completion, as far as they are read.

Fields that nothing here reads (``object``, ``created``, ``service_tier``, ``obfuscation``, ``logprobs``, whatever a
provider adds) are skipped by the JSON decoder without being built. Everything may be missing or null: among the
servers that speak this dialect each of these fields is left out, or sent as null, by at least one.

Source: the OpenAPI description of ``CreateChatCompletionStreamResponse``; for the fields marked with a name, that
server's own answers.
"""

from __future__ import annotations

from typing import Any

import msgspec


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
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallFragment] | None = None
    refusal: str | None = None
    function_call: FunctionFragment | None = None
    annotations: list[dict[str, Any]] | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    audio: dict[str, Any] | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice's part of a chunk.

    ``stop_reason`` (vLLM) and ``matched_stop`` (SGLang) name what the model stopped at: a string of the request's
    ``stop``, or the number of an end token.
    """

    index: int | None = None
    delta: Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None


class PromptDetails(msgspec.Struct, gc=False):
    """Parts of ``prompt_tokens``."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """Parts of ``completion_tokens``."""

    reasoning_tokens: int | None = None


class UsageFigures(msgspec.Struct, gc=False):
    """Token counts; ``prompt_cache_hit_tokens`` is DeepSeek's, ``cached_tokens`` at this place Moonshot's."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None


class Groq(msgspec.Struct, gc=False):
    """Groq's own field, which holds the usage whether or not it was asked for."""

    usage: UsageFigures | None = None


class Chunk(msgspec.Struct, gc=False):
    """One event of the stream. Without ``choices`` it is no chunk: an error, or an object of some other kind."""

    choices: list[Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: UsageFigures | None = None
    error: Any = None
    x_groq: Groq | None = None
    tailrace: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
"""JSON → `Chunk`; raises `msgspec.MsgspecError`, `RecursionError` or `ValueError`."""

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""
