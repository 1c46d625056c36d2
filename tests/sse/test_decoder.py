"""What the decoder promises beyond the events themselves: limits, death, closing, the form of its values."""

import pytest

from tailrace.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from tailrace.sse import MAX_EVENT, MAX_LINE, Decoder, ServerSentEvent


def test_an_event_keeps_its_bytes_and_shows_them_as_text() -> None:
    (event,) = Decoder().feed(b"data: \xff\xc3\xa9\n\n")
    assert event.data == b"\xff\xc3\xa9"
    assert event.text == "\ufffd\u00e9"


def test_data_is_bytes_however_many_lines_it_had() -> None:
    one, two, three = Decoder().feed(b"data: a\n\ndata: a\ndata: b\n\ndata: a\ndata: b\ndata: c\n\n")
    assert [type(event.data) for event in (one, two, three)] == [bytes, bytes, bytes]
    assert hash(three) == hash(ServerSentEvent(b"a\nb\nc"))


def test_an_event_does_not_change() -> None:
    with pytest.raises(AttributeError):
        ServerSentEvent(b"a").data = b"b"  # type: ignore[misc]


def test_a_whole_image_in_one_line_passes_the_default_limits() -> None:
    line = b"data: " + b"A" * (MAX_LINE - 6)
    (event,) = Decoder().feed(line + b"\n\n")
    assert len(event.data) == MAX_LINE - 6 <= MAX_EVENT


@pytest.mark.parametrize("more", [b"A\n\n", b"A"])
def test_the_default_limit_of_a_line(more: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: " + b"A" * (MAX_LINE - 6)) == []
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(more)
    assert caught.value.limit == MAX_LINE


def test_the_default_limit_of_an_event() -> None:
    decoder = Decoder()
    half = b"data: " + b"A" * (MAX_EVENT // 2) + b"\n"
    assert decoder.feed(half) == []
    with pytest.raises(LimitExceeded) as caught:
        decoder.feed(half)  # the line feed between the halves is the byte too much
    assert caught.value.limit == MAX_EVENT


def test_past_a_limit_every_feed_raises() -> None:
    decoder = Decoder(max_line=10)
    for _ in range(3):
        with pytest.raises(LimitExceeded, match="a line of more than 10 bytes") as caught:
            decoder.feed(b"data: 12345\n\n")
        assert caught.value.limit == 10
        assert isinstance(caught.value, RemoteProtocolError)
    assert not decoder.pending


def test_complete_events_come_before_the_error_and_the_next_feed_raises() -> None:
    decoder = Decoder(max_line=10)
    assert decoder.feed(b"data: a\n\ndata: 12345\n\ndata: b\n\n") == [ServerSentEvent(b"a")]
    with pytest.raises(LimitExceeded):
        decoder.feed(b"")
    decoder.close()


def test_complete_events_come_before_the_error_and_close_raises_when_no_feed_follows() -> None:
    decoder = Decoder(max_line=10)
    assert decoder.feed(b"data: a\n\ndata: 12345") == [ServerSentEvent(b"a")]
    with pytest.raises(LimitExceeded):
        decoder.close()
    decoder.close()


def test_an_error_that_was_raised_is_not_raised_again_by_close() -> None:
    decoder = Decoder(max_event=3)
    with pytest.raises(LimitExceeded, match="an event with more than 3 bytes of data"):
        decoder.feed(b"data: 1234\n\n")
    decoder.close()


def test_a_dead_decoder_lets_go_of_what_it_held() -> None:
    decoder = Decoder(max_line=1000)
    decoder.feed(b"id: 1\ndata: " + b"A" * 900 + b"\nevent: x\n" + b"B" * 900)
    with pytest.raises(LimitExceeded):
        decoder.feed(b"B" * 101)
    assert not decoder.pending
    assert not decoder._buffer
    assert decoder._data is None


def test_close_discards_an_unfinished_event_and_its_id() -> None:
    decoder = Decoder()
    decoder.feed(b"id: 1\ndata: a\n\nid: 2\nevent: x\ndata: b\ndata: c")
    assert decoder.last_event_id == "1"
    decoder.close()
    assert (decoder.pending, decoder.last_event_id) == (False, "1")


def test_closing_twice_is_closing_once() -> None:
    decoder = Decoder()
    decoder.close()
    decoder.close()


def test_a_closed_decoder_takes_no_bytes() -> None:
    decoder = Decoder()
    decoder.close()
    with pytest.raises(LocalProtocolError):
        decoder.feed(b"data: a\n\n")


def test_a_new_connection_knows_nothing_of_a_character_that_the_old_one_cut() -> None:
    first = Decoder()
    first.feed("id: 1\ndata: a\n\nid: 2\ndata: \N{PARTY POPPER}".encode()[:-2])
    first.close()
    second = Decoder(last_event_id=first.last_event_id)
    assert second.feed(b"\x8e\x89\n\ndata: b\n\n") == [ServerSentEvent(b"b", id="1")]


def test_a_retry_of_more_digits_than_an_integer_may_have_is_ignored() -> None:
    decoder = Decoder()
    assert decoder.feed(b"retry: " + b"9" * 5000 + b"\nretry: " + b"0" * 5000 + b"7\n") == []
    assert decoder.retry == 7
