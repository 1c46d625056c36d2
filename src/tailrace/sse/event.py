"""One server-sent event, and what decoder and encoder agree on about its fields."""

from __future__ import annotations

import msgspec

DEFAULT_TYPE = "message"
"""Type of an event without an ``event`` field, or with an empty one (WHATWG HTML, 9.2.6, dispatch)."""

MAX_RETRY_DIGITS = 15
"""Most digits of a ``retry`` after leading zeros: 31,000 years, and still exact as a JavaScript number."""


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event.

    :ivar data: UTF-8 as it came, several ``data`` lines joined by LF, without the last LF.
    :ivar type: the ``event`` field.
    :ivar id: the last event id when the event was dispatched: its own, or that of an earlier event.
    """

    data: bytes
    type: str = DEFAULT_TYPE
    id: str = ""

    @property
    def text(self) -> str:
        """``data`` as text; U+FFFD stands for what is not UTF-8, as in a browser."""
        return self.data.decode("utf-8", "replace")
