"""What holds for any bytes and any JSON. Every function returns when it held, and raises anything else when not.

Only `RemoteProtocolError` may come out of a decoder and only `RequestError` out of a request's reading; both are
caught here, so whatever escapes is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from tailrace.dialects import DIALECTS, Quirks, Reply
from tailrace.errors import BadRequest, JSONError, RemoteProtocolError, RequestError
from tailrace.events import Event, Fold, Message
from tailrace.partial_json import Event as PathEvent
from tailrace.partial_json import Grew, Parser, replay
from tailrace.sse import Decoder, ServerSentEvent

REPLY = Reply(id="reply", model="model", created=1_800_000_000)

SMALL = 512
"""Bytes up to which an input is read byte by byte; a longer one in pieces of `PIECE`."""

PIECE = 7

_plain_json = msgspec.json.Decoder().decode


def pieces(data: bytes) -> list[bytes]:
    """Cut ``data`` as a bad network would."""
    size = 1 if len(data) <= SMALL else PIECE
    return [data[at : at + size] for at in range(0, len(data), size)]


# ---- server-sent events -------------------------------------------------------------------------------------------


def sse(data: bytes) -> None:
    """The split of a stream decides nothing."""
    assert _sse([data]) == _sse(pieces(data))


def _sse(chunks: Iterable[bytes]) -> tuple[list[ServerSentEvent], int | None, str]:
    decoder = Decoder(max_line=2_000, max_event=3_000)
    events: list[ServerSentEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
            events += decoder.feed(b"")
        decoder.close()
    except RemoteProtocolError:
        return events, decoder.retry, "failed"
    return events, decoder.retry, decoder.last_event_id


# ---- answers ------------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What a decoder made of some bytes; ``failure`` is the type of what it raised."""

    events: list[Event]
    failure: str | None
    ended: bool


def read(dialect: str, chunks: Iterable[bytes], quirks: Quirks | None = None) -> Reading:
    """Return what a fresh decoder yields for ``chunks`` and their end."""
    decoder = DIALECTS[dialect].decoder(quirks or Quirks())
    events: list[Event] = []
    try:
        for chunk in chunks:
            # Twice: a fault behind good events of the same read is told by the next call (D2).
            for data in (chunk, b""):
                events += (event for received in decoder.feed(data) for event in received.events)
        events += (event for received in decoder.close() for event in received.events)
    except RemoteProtocolError as error:
        return Reading(events, type(error).__name__, decoder.ended)
    return Reading(events, None, decoder.ended)


def answer(dialect: str, data: bytes) -> None:
    """D1 and D2: any split says the same, in a legal order; and every client can be told of it, streamed and whole."""
    whole = read(dialect, [data])
    assert read(dialect, pieces(data)) == whole
    fold = Fold()
    for event in whole.events:
        fold.add(event)
    message = fold.message()
    for target in DIALECTS.values():
        encoder = target.encoder(REPLY)
        for event in whole.events:
            for frame in encoder.encode(event):
                assert type(frame) is bytes
        told(target.name, message)
        if fold.error is not None:
            msgspec.json.encode(target.error_body(fold.error))


def told(dialect: str, message: Message) -> None:
    """A whole answer can be written as JSON, however far it came."""
    msgspec.json.encode(DIALECTS[dialect].message_body(message, REPLY))


def error_body(dialect: str, data: bytes) -> None:
    """Whatever a provider answers an error with is read as one."""
    error = DIALECTS[dialect].read_error(500, data)
    assert error.message
    msgspec.json.encode(DIALECTS[dialect].error_body(error))


# ---- requests -----------------------------------------------------------------------------------------------------


def request(dialect: str, body: Any) -> None:
    """A client's JSON is read or refused; and what was read every provider is asked, or it is refused by name."""
    try:
        asked = DIALECTS[dialect].parse(body)
    except RequestError:
        return
    for target in DIALECTS.values():
        try:
            translated = target.build(asked)
        except BadRequest:
            continue
        msgspec.json.encode(translated.body)
        assert all(translated.ignored)


def request_bytes(dialect: str, data: bytes) -> None:
    """The same for bytes; what is no JSON object is refused before a dialect sees it."""
    try:
        body = _plain_json(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return
    if isinstance(body, dict):
        request(dialect, body)


# ---- partial JSON -------------------------------------------------------------------------------------------------


def partial_json(data: bytes) -> None:
    """The split of a document decides nothing, and the events replay to its value."""
    text = data.decode("utf-8", "replace")
    whole, split = _document([text]), _document(text)
    assert repr(whole[1:]) == repr(split[1:])
    assert repr(_merged(whole[0])) == repr(_merged(split[0])) or whole[1] != "complete"


def _document(fragments: Iterable[str]) -> tuple[list[PathEvent], str, Any]:
    parser = Parser(max_depth=40, max_size=5_000, max_number=50)
    events: list[PathEvent] = []
    try:
        for fragment in fragments:
            events += parser.feed(fragment)
        value = parser.close()
    except JSONError as error:
        return events, f"{type(error).__name__} {error.position}", parser.value
    assert repr(replay(events)) == repr(value) or not events
    return events, parser.state, value


def _merged(events: Iterable[PathEvent]) -> list[PathEvent]:
    """Return ``events`` with neighbouring growth of one string made one."""
    merged: list[PathEvent] = []
    for event in events:
        last = merged[-1] if merged else None
        if isinstance(event, Grew) and isinstance(last, Grew):
            merged[-1] = Grew(last.path, last.text + event.text)
        else:
            merged.append(event)
    return merged


Check = Callable[[bytes], None]


def _for_dialect(check: Callable[[str, bytes], None], name: str) -> Check:
    return lambda data: check(name, data)


CHECKS: dict[str, Check] = {
    "sse": sse,
    "partial_json": partial_json,
    **{f"answer-{name}": _for_dialect(answer, name) for name in DIALECTS},
    **{f"error-{name}": _for_dialect(error_body, name) for name in DIALECTS},
    **{f"request-{name}": _for_dialect(request_bytes, name) for name in DIALECTS},
}
"""``target → its property``, for bytes."""
