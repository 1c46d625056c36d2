"""Whatever events an answer has, what this dialect can say of them comes through; and halves of characters."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects import Quirks, Received
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.dialects.openai_chat.surrogates import Mender
from tailrace.errors import RemoteProtocolError
from tailrace.events import (
    BlockStart,
    BlockStop,
    Event,
    Finish,
    MessageEnd,
    MessageStart,
    Order,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    Usage,
    UsageReport,
    fold,
)
from tests.dialects.openai_chat_cases import REPLY, choices, encode, events_of, sse, vectors

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def pieces(text: str, cut: int) -> Iterator[str]:
    """Cut ``text`` into pieces of ``cut`` characters."""
    return (text[i : i + cut] for i in range(0, len(text), cut))


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Draw the events of one answer: text, thinking, refusals and calls of up to three choices, in turns."""
    events: list[Event] = [MessageStart(draw(TEXT), draw(TEXT))]
    numbers = draw(st.integers(1, 3))
    called: set[int] = set()
    for index in range(draw(st.integers(0, 6))):
        choice = draw(st.integers(0, numbers - 1))
        kind = draw(st.sampled_from(["text", "thinking", "refusal", "tool_call"]))
        cut = draw(st.integers(1, 7))
        if kind == "tool_call":
            called.add(choice)
            value = json.dumps(draw(st.dictionaries(TEXT, JSON, max_size=3)), ensure_ascii=draw(st.booleans()))
            events.append(BlockStart(index, "tool_call", f"call_{index}", draw(TEXT), choice))
            events += [ToolInputDelta(index, piece) for piece in pieces(value, cut)]
        else:
            events.append(BlockStart(index, kind, choice=choice))  # type: ignore[arg-type]
            delta = ThinkingDelta if kind == "thinking" else TextDelta
            events += [delta(index, piece) for piece in pieces(draw(TEXT), cut)]
        events.append(BlockStop(index))
    for choice in range(numbers):
        events.append(
            Finish("tool_use" if choice in called else draw(st.sampled_from(["end_turn", "max_tokens"])), choice=choice)
        )
    if draw(st.booleans()):
        events.append(UsageReport(Usage(draw(st.integers(0, 9)), draw(st.none() | st.integers(0, 9)))))
    return [*events, MessageEnd()]


@given(answers(), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_an_answer_comes_through_in_any_split(events: list[Event], cut: int) -> None:
    stream = encode(events)
    back = events_of([stream[i : i + cut] for i in range(0, len(stream), cut)])
    order = Order()
    for event in back:
        order.advance(event)
    before, after = fold(events), fold(back)
    assert choices(after) == choices(before)
    assert (after.id, after.model, after.usage) == (before.id, before.model, before.usage)
    assert (after.stop_reason, after.stop_reasons) == (before.stop_reason, before.stop_reasons)
    assert [call.input for call in after.tool_calls] == [call.input for call in before.tool_calls]


@given(st.binary(max_size=300), st.sampled_from(vectors()), st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_in_the_middle_never_do_more_than_raise_our_error(
    junk: bytes, vector: object, data: st.DataObject
) -> None:
    stream: bytes = vector.stream  # type: ignore[attr-defined]
    place = data.draw(st.integers(0, len(stream)))
    order = Order()
    decoder = OPENAI_CHAT.decoder(Quirks(eof_ends=True))
    received: list[Received] = []
    try:
        for piece in (stream[:place], junk, stream[place:]):
            received += decoder.feed(piece)
        received += decoder.close()
    except RemoteProtocolError:
        pass
    for one in received:
        for event in one.events:
            order.advance(event)


@given(st.lists(JSON, max_size=4), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_json_where_a_chunk_should_be_is_read_or_refused(values: list[object], wrapped: bool) -> None:
    chunks = [{"choices": [{"delta": value}]} if wrapped else value for value in values]
    order = Order()
    try:
        for event in events_of([sse(*chunks, done=False)]):
            order.advance(event)
    except RemoteProtocolError:
        pass


# ---- characters cut in two ------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8"), max_size=12), st.integers(0, 24))
@settings(max_examples=300, deadline=None)
def test_a_text_cut_between_utf16_units_comes_together_again(text: str, place: int) -> None:
    units = text.encode("utf-16-le")
    halves = [units[: 2 * place], units[2 * place :]]
    chunks = [
        b'data: {"choices":[{"delta":{"content":%b}}]}\n\n'
        % json.dumps(half.decode("utf-16-le", "surrogatepass")).encode()
        for half in halves
    ]
    assert fold(events_of([b"".join(chunks)])).text == text


def test_data_without_halves_is_not_touched() -> None:
    mender = Mender()
    for whole in (b'"x"', b'"\\ud83c\\udf0a"', b'"\\\\ud83c"', b'"\\n\\u00e9"', b"{"):
        assert mender.mend(whole) is None


def test_a_half_waits_only_for_the_next_one() -> None:
    mender = Mender()
    assert mender.mend(b'"a\\ud83c"') == b'"a"'
    assert mender.mend(b'"b\\udf0a"') == b'"b\\ufffd"', "not at the beginning of a text"
    assert mender.mend(b'"\\udf0a"') == b'"\\ufffd"', "its other half is gone"
    assert mender.mend(b'"\\ud83cx"') == b'"\\ufffdx"', "not at the end of a text"


def test_reply_names_are_not_needed_where_the_answer_has_its_own() -> None:
    assert REPLY.id.encode() not in encode([MessageStart("c1", "m1"), MessageEnd()])
