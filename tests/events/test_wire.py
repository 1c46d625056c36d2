"""Events and messages as JSON: there and back, and what a reader makes of what it does not know."""

from __future__ import annotations

import json

import pytest

from tailrace.errors import RemoteProtocolError
from tailrace.events import Event, Opaque, TextDelta, fold
from tailrace.events.wire import decode, decode_message, encode, encode_message
from tests.events.test_fold import WHOLE
from tests.events.test_order import LEGAL

EVENTS = [event for row in [*LEGAL.values(), WHOLE] for event in row]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    line = encode(event)
    assert decode(line) == event
    assert b"\n" not in line
    assert "type" in json.loads(line)


def test_a_message_comes_back_as_it_was() -> None:
    message = fold(WHOLE)
    assert decode_message(encode_message(message)) == message


def test_a_field_from_the_future_is_ignored() -> None:
    assert decode('{"type":"text_delta","index":0,"text":"a","colour":"red"}') == TextDelta(0, "a")


def test_an_event_from_the_future_is_carried_whole() -> None:
    data = {"type": "smell", "index": 0, "of": "roses"}
    assert decode(json.dumps(data)) == Opaque("tailrace", data, "smell")


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "[]", "1", "{}", '{"type":1}', '{"type":"text_delta"}',
     '{"type":"text_delta","index":"0","text":"a"}', "[" * 100_000, '{"type":"x","a":' + "[" * 100_000],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(line)


@pytest.mark.parametrize("line", ["", "[]", '{"blocks": 1}', '{"blocks": [{"type": "smell"}]}'])
def test_what_is_no_message_is_refused(line: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_message(line)
