"""The legal order of events: the tables, and what `Order` says of a row."""

from __future__ import annotations

import pytest

from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Order,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
)
from tailrace.events.grammar import MAX_BLOCKS

START = MessageStart("m", "model")
TEXT = BlockStart(0, "text")
END = (Finish("end_turn"), MessageEnd())

LEGAL: dict[str, list[Event]] = {
    "text": [START, TEXT, TextDelta(0, "a"), BlockStop(0), *END],
    "no content": [START, *END],
    "ping and usage before the start": [Ping(), UsageReport(Usage(1)), START, *END],
    "usage after the reason": [START, Finish("end_turn"), UsageReport(Usage(1, 2)), MessageEnd()],
    "thinking, then text": [
        START,
        BlockStart(0, "thinking"),
        ThinkingDelta(0, "t"),
        SignatureDelta(0, "s"),
        BlockStop(0),
        BlockStart(1, "text"),
        BlockStop(1),
        *END,
    ],
    "interleaved tool calls": [
        START,
        BlockStart(0, "tool_call", "a", "f"),
        BlockStart(1, "tool_call", "b", "g"),
        ToolInputDelta(1, "{"),
        ToolInputDelta(0, "{"),
        BlockStop(1),
        BlockStop(0),
        *END,
    ],
    "one choice grows after another has finished": [
        START,
        TEXT,
        BlockStart(1, "text", choice=1),
        BlockStop(0),
        Finish("end_turn"),
        TextDelta(1, "b"),
        BlockStop(1),
        Finish("end_turn", choice=1),
        MessageEnd(),
    ],
    "an error in the middle of a block": [START, TEXT, Error("upstream", "gone")],
    "an error before anything": [Error("overloaded", "busy")],
    "unknown delta of any block": [START, BlockStart(0, "opaque", data={}), BlockDelta(0, {}), BlockStop(0), *END],
}

ILLEGAL: dict[str, tuple[list[Event], str]] = {
    "text before the start": ([TextDelta(0, "a")], "TextDelta may not come in state 'new'"),
    "two starts": ([START, START], "MessageStart may not come in state 'open'"),
    "end without a reason": ([START, MessageEnd()], "MessageEnd may not come in state 'open'"),
    "end with an open block": ([START, TEXT, *END], "open blocks [0]"),
    "a delta of no block": ([START, TextDelta(0, "a")], "no open block"),
    "a delta of the wrong kind": ([START, TEXT, ToolInputDelta(0, "{")], "a text block"),
    "a citation on thinking": ([START, BlockStart(0, "thinking"), CitationDelta(0, {})], "a thinking block"),
    "a delta after the stop": ([START, TEXT, BlockStop(0), TextDelta(0, "a")], "no open block"),
    "a stop twice": ([START, TEXT, BlockStop(0), BlockStop(0)], "not open"),
    "a gap in the indexes": ([START, BlockStart(1, "text")], "expected 0"),
    "an index again": ([START, TEXT, BlockStop(0), TEXT], "expected 1"),
    "anything after the end": ([START, *END, Ping()], "Ping may not come in state 'ended'"),
    "anything after an error": ([START, Error("upstream", "x"), MessageEnd()], "state 'ended'"),
}


@pytest.mark.parametrize("events", LEGAL.values(), ids=LEGAL.keys())
def test_a_legal_row_passes(events: list[Event]) -> None:
    order = Order()
    for event in events:
        order.advance(event)
    assert order.state == "ended"


@pytest.mark.parametrize(("events", "message"), ILLEGAL.values(), ids=ILLEGAL.keys())
def test_an_illegal_event_is_refused_by_name_and_state(events: list[Event], message: str) -> None:
    order = Order()
    for event in events[:-1]:
        order.advance(event)
    before = (order.state, order.open_blocks)
    with pytest.raises(RemoteProtocolError) as caught:
        order.advance(events[-1])
    assert message in str(caught.value)
    assert order.state == before[0]


def test_open_blocks_are_listed_in_the_order_of_their_opening() -> None:
    order = Order()
    row: list[Event] = [START, TEXT, BlockStart(1, "tool_call"), BlockStart(2, "thinking"), BlockStop(1)]
    for event in row:
        order.advance(event)
    assert order.open_blocks == [0, 2]


def test_the_number_of_blocks_is_bounded() -> None:
    order = Order()
    order.advance(START)
    for index in range(MAX_BLOCKS):
        order.advance(BlockStart(index, "text"))
        order.advance(BlockStop(index))
    with pytest.raises(RemoteProtocolError, match="more than"):
        order.advance(BlockStart(MAX_BLOCKS, "text"))
