r"""Events to the plain feed: one ``data: "text"`` for each piece of text, ``data: [DONE]`` at the end.

A JSON string, so that a line feed in the text stays in its line, and so that a model that writes ``[DONE]`` does not
end its answer: that is ``data: "[DONE]"``.

Text and refusals of the first choice are written; nothing else is. An error is an event of that name, and no
``[DONE]`` follows it.
"""

from __future__ import annotations

import msgspec

from tailrace.dialects.base import Received, Reply
from tailrace.dialects.flat_errors import error_body
from tailrace.events import BlockStart, Error, Event, MessageEnd, TextDelta
from tailrace.sse import ServerSentEvent, encode

_json = msgspec.json.Encoder().encode


class PlainEncoder:
    """Encodes one answer for one client."""

    __slots__ = ("_others",)

    def __init__(self, _reply: Reply) -> None:
        self._others: set[int] = set()

    def encode(self, event: Event) -> list[bytes]:
        """Return the wire events that say ``event``; an empty list where the dialect has no word for it."""
        if isinstance(event, TextDelta):
            if not event.text or event.index in self._others:
                return []
            return [b"data: %b\n\n" % _json(event.text)]
        if isinstance(event, BlockStart) and event.choice:
            self._others.add(event.index)
        elif isinstance(event, MessageEnd):
            return [encode(b"[DONE]")]
        elif isinstance(event, Error):
            return [encode(_json(error_body(event)), event="error")]
        return []

    def verbatim(self, received: Received) -> list[bytes]:
        """Return ``received`` as it came."""
        raw = received.raw
        if not isinstance(raw, ServerSentEvent):
            return [encode(raw)]
        return [encode(raw.data, event="error" if raw.type == "error" else None)]
