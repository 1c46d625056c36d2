"""The shapes of an answer's lines, as far as they are read, and the token counts in the last one.

Fields that nothing here reads (``created_at``, the durations, ``logprobs``, ``context``) are skipped by the JSON
decoder without being built.

Source: ``ChatResponse`` and ``GenerateResponse`` of Ollama's Python SDK, 0.6.3; ``api/types.go`` of its server.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.marks import count, read_label, write_label
from tailrace.events import Usage, UsageLabel, UsageReport


class FunctionWire(msgspec.Struct):
    """A call's name and its arguments: an object, kept as the text it came as."""

    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class CallWire(msgspec.Struct):
    """One whole call. Older servers give it no ``id``."""

    function: FunctionWire
    id: str | None = None


class MessageWire(msgspec.Struct, gc=False):
    """What a line adds to the message."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[CallWire] | None = None
    images: list[str] | None = None


class Chunk(msgspec.Struct, gc=False):
    """One line.

    ``response`` and ``thinking`` stand for ``message`` in answers of ``/api/generate``. ``error`` is the whole line
    where there is one; ``tailrace`` is a relay's own field.
    """

    model: str | None = None
    message: MessageWire | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    prompt_eval_count: int | float | None = None
    eval_count: int | float | None = None
    error: Any = None
    tailrace: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
"""JSON → `Chunk`; raises one of `JSON_ERRORS`."""

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""

to_json = msgspec.json.Encoder().encode
"""Whatever it is → JSON, in UTF-8, on one line."""

JSON_ERRORS = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading somebody else's JSON raises: malformed, of the wrong types, too deep, not UTF-8."""

INCOMPLETE = "incomplete_tool_calls"
"""Field of ``tailrace`` for calls whose arguments are no JSON object: no client may take them for calls to run."""

IMAGES = "images"
"""Field of ``tailrace`` for the images of an answer."""


def read_usage(chunk: Chunk) -> UsageReport | None:
    """Return what the last line says of tokens; None when that is nothing."""
    usage = Usage(count(chunk.prompt_eval_count), count(chunk.eval_count))
    label = read_label(chunk.tailrace)
    if usage == Usage() and label is None:
        return None
    return UsageReport(usage, label or "exact")


def write_usage(usage: Usage, label: UsageLabel) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the counts that are known, and what to add to the ``tailrace`` field about them."""
    counts = {"prompt_eval_count": usage.input_tokens, "eval_count": usage.output_tokens}
    return {name: value for name, value in counts.items() if value is not None}, write_label(label)
