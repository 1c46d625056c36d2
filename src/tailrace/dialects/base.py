"""What every dialect offers: the same few verbs, whatever its wire looks like.

A dialect is one `Dialect` value, put together in its folder's ``__init__.py`` from three files of the same names
everywhere: ``request.py`` (what is asked), ``decode.py`` (provider bytes → events), ``encode.py`` (events → client
bytes). `tailrace.dialects.registry` is the table of them; nothing else names a dialect in code.

Contracts:

D1. ``Decoder.feed`` accepts any split of the bytes and gives the same events for each.
D2. A decoder yields only legal orders (`tailrace.events.Order`) or raises `RemoteProtocolError`. When good events
    stand before the fault in the same read, they are returned and the next call, ``feed(b"")`` too, raises.
D3. ``Decoder.ended`` is True exactly when the dialect's terminal marker has been seen. At the end of input ``close``
    may still yield events (dialects that end by closing); when ``ended`` is False after it, the answer is truncated.
D4. ``Encoder.encode`` returns whole wire events. Server-sent ones have LF line ends, one ``data:`` line, are closed by
    a blank line, and come without an ``id:`` line (the log adds it, `tailrace.log`); others are one line, or one frame.
D5. An `Error` event closes in the target what is still open, then says the error in the dialect's own form; it never
    looks like a clean end. A tool call stays open where closing it would say that it is whole: clients would run it.
D6. What a target cannot say is written nowhere silently: requests list it (`Translation.ignored`) or are refused;
    for events the table in ``docs/dialects.md`` says what is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from tailrace.events import Error, Event, Message, Request
from tailrace.sse import ServerSentEvent


class Received(NamedTuple):
    """One wire event as it came, and what it says in the vocabulary (possibly nothing, possibly several)."""

    raw: ServerSentEvent | bytes
    events: tuple[Event, ...]


class Decoder(Protocol):
    """Provider bytes, in any split, to events."""

    ended: bool
    """Whether the dialect's terminal marker (or its error event) has been seen; later bytes are ignored."""

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes; raise `RemoteProtocolError` or `LimitExceeded` for what no rule allows."""

    def close(self) -> list[Received]:
        """Say that the input has ended; yield what that completes."""


class Encoder(Protocol):
    """Events to the bytes of one client's dialect; one encoder per stream, called in order."""

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; an empty list where the dialect has no word for it."""

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came (same dialect on both sides), normalised only in its framing."""


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a compatible server differs from its dialect: data on the provider, never a name in the decoder.

    ``eof_ends``: the server omits the terminal marker, so closing after a finish reason is a complete answer.
    ``old_max_tokens``: the server knows ``max_tokens`` only, and refuses or ignores ``max_completion_tokens``.
    ``no_stream_options``: the server refuses ``stream_options``, and sends its usage unasked.
    """

    eof_ends: bool = False
    old_max_tokens: bool = False
    no_stream_options: bool = False


def _not_there(_frame: bytes) -> dict[str, Any] | None:
    return None


def _nameless(_frame: bytes) -> str | None:
    return None


def _as_it_is(body: dict[str, Any], _quirks: Quirks) -> dict[str, Any]:
    return body


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder must be told, since it has no clock and no randomness.

    ``id`` and ``model`` are used where the provider gave none; ``created`` is in Unix seconds. ``echo`` is that of the
    `Request`: an encoder sees no request, and the events of an AG-UI client must name its thread and its run.
    """

    id: str
    model: str
    created: int
    include_usage: bool = True
    echo: dict[str, str] = {}


class Translation(NamedTuple):
    """A request in the target's JSON, and the names of the fields that were safely left out."""

    body: dict[str, Any]
    ignored: tuple[str, ...] = ()


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format, both ways.

    :ivar name: as in the configuration (``anthropic``).
    :ivar content_type: of a streamed answer.
    :ivar ids: whether every client of the dialect survives ``id:`` lines.
    :ivar heartbeat: bytes that may stand between two wire events and that every client survives.
    :ivar parse: client JSON → `Request`; raises `BadRequest` naming the field.
    :ivar build: `Request` → provider JSON; raises `BadRequest` for what the provider cannot be asked.
    :ivar forward: client JSON → provider JSON of the same dialect, for the given model: as it came, but streaming.
    :ivar adapt: provider JSON, as `build` or `forward` made it → the same for a server with these quirks.
    :ivar endpoint: path below the provider's base URL for a model.
    :ivar headers: HTTP headers for the provider, from its key (or None) and the client's own headers (lower case).
    :ivar decoder: a fresh decoder for one answer.
    :ivar encoder: a fresh encoder for one answer.
    :ivar message_body: the JSON of a whole answer, for a client that does not stream.
    :ivar whole_body: the JSON of a whole answer as the last frame of its stream holds it, in dialects whose last event
        does: with every field that the provider gave it. None where it holds none.
    :ivar public_name: what clients may ask for the answer by later, as the first frame of its stream says it.
    :ivar error_body: the JSON of an error answer.
    :ivar read_error: a provider's HTTP error (status, body bytes) → `Error`.
    """

    name: str
    content_type: str
    ids: bool
    heartbeat: bytes
    parse: Callable[[dict[str, Any]], Request]
    build: Callable[[Request], Translation]
    forward: Callable[[dict[str, Any], str], dict[str, Any]]
    endpoint: Callable[[str], str]
    headers: Callable[[str | None, Mapping[str, str]], dict[str, str]]
    decoder: Callable[[Quirks], Decoder]
    encoder: Callable[[Reply], Encoder]
    message_body: Callable[[Message, Reply], dict[str, Any]]
    error_body: Callable[[Error], dict[str, Any]]
    read_error: Callable[[int, bytes], Error]
    adapt: Callable[[dict[str, Any], Quirks], dict[str, Any]] = _as_it_is
    whole_body: Callable[[bytes], dict[str, Any] | None] = _not_there
    public_name: Callable[[bytes], str | None] = _nameless
