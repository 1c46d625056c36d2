"""The vocabulary: what a model can say, one frozen value at a time.

A *message* is a row of *blocks*, told apart by ``index`` (0, 1, 2 … in the order in which they begin). A block
opens, grows by deltas of its own type, and stops. Usage figures are cumulative totals: a later one overwrites an
earlier one, field by field, where it is not None. Nothing here knows a provider, a clock or an identity: which
stream an event belongs to, and its sequence number, live in the log.

msgspec structs rather than dataclasses: building one costs 0.06 µs against 0.33 µs for a frozen slotted dataclass
(docs/decisions/0003-events-are-msgspec-structs.md), and they have a JSON form.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

BlockKind: TypeAlias = Literal[
    "text",
    "thinking",
    "redacted_thinking",
    "refusal",
    "tool_call",
    "server_tool_call",
    "server_tool_result",
    "media",
    "opaque",
]
"""What a block holds. ``opaque`` is one that only its own dialect understands: carried, never guessed at."""

StopReason: TypeAlias = Literal[
    "end_turn", "stop_sequence", "max_tokens", "tool_use", "refusal", "pause", "context_window", "other"
]
"""Why the model stopped, in this vocabulary's own words; each dialect has a table from and to its own."""

Ending: TypeAlias = Literal["completed", "cancelled", "failed", "timed_out", "truncated", "interrupted"]
"""How a generation ended. Only ``completed`` is a success."""

ErrorKind: TypeAlias = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "conflict",
    "too_large",
    "rate_limit",
    "overloaded",
    "timeout",
    "billing",
    "unreachable",
    "upstream",
    "protocol",
    "truncated",
    "cancelled",
    "interrupted",
    "internal",
]
"""What went wrong; the HTTP status of each is in `ERROR_STATUS`."""

ERROR_STATUS: dict[str, int] = {
    "invalid_request": 400,
    "authentication": 401,
    "billing": 402,
    "permission": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limit": 429,
    "cancelled": 499,  # nginx's word for "the client closed the request"; no registered status says it
    "internal": 500,
    "upstream": 502,
    "protocol": 502,
    "truncated": 502,
    "unreachable": 502,
    "interrupted": 503,
    "overloaded": 503,
    "timeout": 504,
}

UsageLabel: TypeAlias = Literal["exact", "estimated", "unknown"]
"""Where a usage figure comes from: the provider's closing event, our own count, or nowhere."""


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Token counts, cumulative. None is "not said", never 0.

    ``input_tokens`` is the whole prompt, cached parts included (OpenAI's meaning; Anthropic's ``input_tokens``
    leaves them out and is added up on decoding). ``output_tokens`` includes ``reasoning_tokens``.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    def merged(self, later: Usage) -> Usage:
        """Return the figures of ``later`` over these, field by field where it says something."""
        return Usage(*(new if new is not None else old for old, new in zip(self.values, later.values, strict=True)))

    @property
    def values(self) -> tuple[int | None, ...]:
        """The five figures in the order of their declaration."""
        return (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        )


class MessageStart(msgspec.Struct, frozen=True, gc=False, tag="message_start"):
    """The answer begins. ``id`` and ``model`` as the provider named them ("" where it did not)."""

    id: str
    model: str
    role: Literal["assistant"] = "assistant"


class BlockStart(msgspec.Struct, frozen=True, tag="block_start", omit_defaults=True):
    """A block opens.

    ``id`` and ``name`` belong to tool calls. ``choice`` tells several answers of one request apart. ``data`` holds
    what arrives whole with the opening: a redacted thinking text, a server tool's result, or for ``opaque`` the
    provider's own object. ``dialect`` names the wire format whose words ``data`` is in, where they are a
    provider's own: only that dialect can write them.
    """

    index: int
    kind: BlockKind
    id: str | None = None
    name: str | None = None
    choice: int = 0
    data: Any = None
    dialect: str | None = None


class TextDelta(msgspec.Struct, frozen=True, gc=False, tag="text_delta"):
    """``text`` is appended to a ``text`` or ``refusal`` block."""

    index: int
    text: str


class ThinkingDelta(msgspec.Struct, frozen=True, gc=False, tag="thinking_delta"):
    """``text`` is appended to a ``thinking`` block."""

    index: int
    text: str


class SignatureDelta(msgspec.Struct, frozen=True, gc=False, tag="signature_delta"):
    """``signature`` *replaces* the block's signature (Anthropic: one, just before the block stops)."""

    index: int
    signature: str


class ToolInputDelta(msgspec.Struct, frozen=True, gc=False, tag="tool_input_delta"):
    """``json`` is a fragment of JSON text: meaningless alone, complete when the block stops."""

    index: int
    json: str


class CitationDelta(msgspec.Struct, frozen=True, tag="citation_delta"):
    """``citation`` is appended to a text block's citations, as the provider wrote it."""

    index: int
    citation: dict[str, Any]


class LogprobsDelta(msgspec.Struct, frozen=True, tag="logprobs_delta"):
    """Log-probabilities of the tokens of the text that has just been said, one entry for each.

    In OpenAI's form, the only one in use on the wire: ``{token, logprob, bytes, top_logprobs}``.
    """

    index: int
    tokens: tuple[dict[str, Any], ...]


class BlockDelta(msgspec.Struct, frozen=True, tag="block_delta", omit_defaults=True):
    """A delta whose type the vocabulary does not know, carried as a provider of ``dialect`` wrote it."""

    index: int
    data: Any
    dialect: str | None = None


class BlockStop(msgspec.Struct, frozen=True, gc=False, tag="block_stop"):
    """A block is complete."""

    index: int


class UsageReport(msgspec.Struct, frozen=True, gc=False, tag="usage"):
    """Cumulative usage so far; a later report overwrites, field by field where it is not None."""

    usage: Usage
    label: UsageLabel = "exact"


class Finish(msgspec.Struct, frozen=True, gc=False, tag="finish", omit_defaults=True):
    """The provider says why the model stopped. Not yet the end: usage may follow.

    ``native`` is the provider's own word, so that nothing is lost where this vocabulary only has ``other``.
    """

    reason: StopReason
    sequence: str | None = None
    choice: int = 0
    native: str | None = None


class MessageEnd(msgspec.Struct, frozen=True, gc=False, tag="message_end"):
    """The dialect's terminal marker has been seen: the one honest sign of a complete answer."""


class Error(msgspec.Struct, frozen=True, tag="error", omit_defaults=True):
    """The answer ends here, and not well.

    ``code`` is the provider's own word, ``data`` its error object. ``status`` is the HTTP status that says the
    same (None: the one of ``kind``). ``retry_after`` is in seconds.
    """

    kind: ErrorKind
    message: str
    ending: Ending = "failed"
    retryable: bool = False
    code: str | None = None
    status: int | None = None
    retry_after: float | None = None
    data: Any = None

    @property
    def http_status(self) -> int:
        """The status to answer with while no byte of the stream has been sent."""
        return self.status or ERROR_STATUS[self.kind]


class Ping(msgspec.Struct, frozen=True, gc=False, tag="ping"):
    """The provider is alive and has nothing to say."""


class Opaque(msgspec.Struct, frozen=True, tag="opaque"):
    """An event of ``dialect`` that the vocabulary does not know, as it came; only that dialect can write it."""

    dialect: str
    data: Any
    name: str | None = None


Event: TypeAlias = (
    MessageStart
    | BlockStart
    | TextDelta
    | ThinkingDelta
    | SignatureDelta
    | ToolInputDelta
    | CitationDelta
    | LogprobsDelta
    | BlockDelta
    | BlockStop
    | UsageReport
    | Finish
    | MessageEnd
    | Error
    | Ping
    | Opaque
)
"""Any event. A ``match`` over it ends in ``assert_never``."""

CONTENT = (TextDelta, ThinkingDelta, ToolInputDelta, CitationDelta, BlockDelta)
"""The events that carry something a reader waits for: what idle timers count, and what commits to a provider."""
