"""The legal order of events, as tables.

Two rules:

1. Everything that decides whether an event may follow another is in `TRANSITIONS` and `GROWS`; `Order` only looks
   it up.
2. A message passes `new → open → finished → ended`. ``ended`` is entered once, by `MessageEnd` (a reason must have
   been given before) or by `Error` (at any time).

``docs/events.md`` draws these tables; it is generated from them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from tailrace.errors import RemoteProtocolError
from tailrace.events.model import (
    BlockDelta,
    BlockKind,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    LogprobsDelta,
    MessageEnd,
    MessageStart,
    Opaque,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UsageReport,
)

State: TypeAlias = Literal["new", "open", "finished", "ended"]

TRANSITIONS: dict[State, dict[type[Event], State]] = {
    "new": {
        MessageStart: "open",
        Ping: "new",
        Opaque: "new",
        UsageReport: "new",
        Error: "ended",
    },
    "open": {
        BlockStart: "open",
        TextDelta: "open",
        ThinkingDelta: "open",
        SignatureDelta: "open",
        ToolInputDelta: "open",
        CitationDelta: "open",
        LogprobsDelta: "open",
        BlockDelta: "open",
        BlockStop: "open",
        UsageReport: "open",
        Opaque: "open",
        Ping: "open",
        Finish: "finished",
        Error: "ended",
    },
    # With several choices one may finish while another is still growing, so blocks go on in "finished".
    "finished": {
        BlockStart: "finished",
        TextDelta: "finished",
        ThinkingDelta: "finished",
        SignatureDelta: "finished",
        ToolInputDelta: "finished",
        CitationDelta: "finished",
        LogprobsDelta: "finished",
        BlockDelta: "finished",
        BlockStop: "finished",
        UsageReport: "finished",
        Opaque: "finished",
        Ping: "finished",
        Finish: "finished",
        MessageEnd: "ended",
        Error: "ended",
    },
    "ended": {},
}
"""``state → event type → next state``; an absent pair is illegal."""

GROWS: dict[type[Event], frozenset[BlockKind]] = {
    TextDelta: frozenset({"text", "refusal"}),
    ThinkingDelta: frozenset({"thinking"}),
    # Gemini puts a signature on whichever part ends a thought: a text or a function call.
    SignatureDelta: frozenset({"thinking", "text", "tool_call", "server_tool_call"}),
    ToolInputDelta: frozenset({"tool_call", "server_tool_call"}),
    CitationDelta: frozenset({"text"}),
    LogprobsDelta: frozenset({"text", "refusal"}),
    BlockDelta: frozenset(
        {
            "text", "thinking", "redacted_thinking", "refusal", "tool_call", "server_tool_call",
            "server_tool_result", "media", "opaque",
        }
    ),
}  # fmt: skip
"""``delta type → kinds of block it may grow``."""

MAX_BLOCKS = 10_000
"""Most blocks in one message. Real answers have tens; the cap keeps a hostile provider from filling memory."""


class Order:
    """Checks one message's events against the tables.

    `advance` takes each event in turn and raises `RemoteProtocolError`, naming event and state, for one that may
    not come now. `open_blocks` are the indexes that still want a `BlockStop`, in the order of their opening.
    """

    __slots__ = ("_next_index", "kinds", "state")

    def __init__(self) -> None:
        self.state: State = "new"
        self.kinds: dict[int, BlockKind] = {}
        self._next_index = 0

    @property
    def open_blocks(self) -> list[int]:
        """Indexes of the blocks that have opened and not stopped."""
        return list(self.kinds)

    def advance(self, event: Event) -> None:
        """Take ``event``; raise `RemoteProtocolError` when the tables do not allow it here."""
        kind = type(event)
        following = TRANSITIONS[self.state].get(kind)
        if following is None:
            raise RemoteProtocolError(f"{kind.__name__} may not come in state {self.state!r}")
        grows = GROWS.get(kind)
        if grows is not None:
            block = self.kinds.get(event.index)  # type: ignore[union-attr]
            if block not in grows:
                state = f"a {block} block" if block else "no open block"
                raise RemoteProtocolError(f"{kind.__name__} for index {event.index}, which is {state}")  # type: ignore[union-attr]
        elif kind is BlockStart:
            self._start(event)  # type: ignore[arg-type]
        elif kind is BlockStop and self.kinds.pop(event.index, None) is None:  # type: ignore[union-attr]
            raise RemoteProtocolError(f"BlockStop for index {event.index}, which is not open")  # type: ignore[union-attr]
        elif kind is MessageEnd and self.kinds:
            raise RemoteProtocolError(f"MessageEnd with open blocks {self.open_blocks}")
        self.state = following

    def _start(self, event: BlockStart) -> None:
        if event.index != self._next_index:
            raise RemoteProtocolError(f"BlockStart with index {event.index}, expected {self._next_index}")
        if event.index >= MAX_BLOCKS:
            raise RemoteProtocolError(f"more than {MAX_BLOCKS} blocks in one message")
        self._next_index += 1
        self.kinds[event.index] = event.kind
