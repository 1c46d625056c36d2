"""The shapes of the stream's events, as far as they are read, and the token counts in the last one.

Fields that nothing here reads (``p``, which only hides the length of what is said, ``metrics``, ``trace``) are
skipped by the JSON decoder without being built.

Source: ``ConverseStreamOutput`` of botocore's ``bedrock-runtime``, 1.44.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tailrace.dialects.marks import count, read_label, write_label
from tailrace.events import Usage, UsageLabel, UsageReport


class ReasoningWire(msgspec.Struct, gc=False):
    """A piece of reasoning: its text, its signature, or, in base64, what only the provider can read."""

    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None  # noqa: N815 - the wire's own name


class InputWire(msgspec.Struct, gc=False):
    """A fragment of a tool's input."""

    input: str = ""


class DeltaWire(msgspec.Struct, gc=False):
    """What a block grows by: one of these, or something that is not known here."""

    text: str | None = None
    toolUse: InputWire | None = None  # noqa: N815 - the wire's own name
    reasoningContent: ReasoningWire | None = None  # noqa: N815 - the wire's own name
    citation: dict[str, Any] | None = None


class BlockDeltaWire(msgspec.Struct, gc=False):
    """``contentBlockDelta``."""

    index: int = msgspec.field(name="contentBlockIndex")
    delta: DeltaWire


class BlockStartWire(msgspec.Struct):
    """``contentBlockStart``: sent for tools and images only."""

    start: dict[str, Any]
    index: int = msgspec.field(name="contentBlockIndex")


class BlockStopWire(msgspec.Struct, gc=False):
    """``contentBlockStop``."""

    index: int = msgspec.field(name="contentBlockIndex")


class MessageStartWire(msgspec.Struct):
    """``messageStart``: the service names neither the answer nor, at this place, the model."""

    role: str = "assistant"
    tailrace: Any = None


class MessageStopWire(msgspec.Struct):
    """``messageStop``. The stop sequence is among the fields that a request asked for beyond the usual ones."""

    reason: str = msgspec.field(name="stopReason")
    fields: Any = msgspec.field(default=None, name="additionalModelResponseFields")


class WireUsage(msgspec.Struct, gc=False):
    """The ``usage`` object. ``inputTokens`` leaves out what was read from and written to the cache."""

    input: int | float | None = msgspec.field(default=None, name="inputTokens")
    output: int | float | None = msgspec.field(default=None, name="outputTokens")
    cache_read: int | float | None = msgspec.field(default=None, name="cacheReadInputTokens")
    cache_write: int | float | None = msgspec.field(default=None, name="cacheWriteInputTokens")


class MetadataWire(msgspec.Struct):
    """``metadata``, the last event; ``tailrace`` is a relay's own field."""

    usage: WireUsage | None = None
    tailrace: Any = None


class ChunkWire(msgspec.Struct):
    """``chunk``: an event of the model's own maker, in base64."""

    bytes: str


decode_metadata = msgspec.json.Decoder(MetadataWire).decode
"""JSON → `MetadataWire`; raises one of `JSON_ERRORS`."""

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises the same."""

decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""JSON → an object, whose values are not looked into; raises the same."""

to_json = msgspec.json.Encoder().encode
"""Whatever it is → JSON, in UTF-8."""

JSON_ERRORS = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading somebody else's JSON raises: malformed, of the wrong types, too deep, not UTF-8."""


def read_usage(wire: WireUsage | None, tailrace: Any) -> UsageReport | None:
    """Return what the closing event says of tokens; None when that is nothing."""
    label = read_label(tailrace)
    if wire is None:
        return None if label is None else UsageReport(Usage(), label)
    fresh, output = count(wire.input), count(wire.output)
    read, written = count(wire.cache_read), count(wire.cache_write)
    unknown = tailrace.get("placeholders") if isinstance(tailrace, dict) else None
    if isinstance(unknown, list):
        fresh = None if "inputTokens" in unknown else fresh
        output = None if "outputTokens" in unknown else output
    whole = None if fresh is None else fresh + (read or 0) + (written or 0)
    usage = Usage(whole, output, read, written)
    return None if usage == Usage() and label is None else UsageReport(usage, label or "exact")


def write_usage(usage: Usage, label: UsageLabel) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the ``usage`` object, and what to add to the ``tailrace`` field about it.

    Where clients expect a number and none is known, 0 is written and the field is named in ``placeholders``, so that
    our own reader does not take it for a count.
    """
    whole, output, read, written, _reasoning = usage.values
    fresh = None if whole is None else max(0, whole - (read or 0) - (written or 0))
    figures = {"inputTokens": fresh or 0, "outputTokens": output or 0, "totalTokens": (whole or 0) + (output or 0)}
    cache = {"cacheReadInputTokens": read, "cacheWriteInputTokens": written}
    figures.update((name, value) for name, value in cache.items() if value is not None)
    unknown = [name for name, value in (("inputTokens", fresh), ("outputTokens", output)) if value is None]
    return figures, {**write_label(label), **({"placeholders": unknown} if unknown else {})}
