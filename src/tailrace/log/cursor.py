"""A position in a stream, as it stands on the wire: the plain decimal number of the last frame that was read.

Digits only, because a cross-origin reconnect whose ``Last-Event-ID`` holds other bytes, or more than 128 of them,
makes the browser ask with a preflight first (Fetch standard, CORS-safelisted request-header).
"""

from __future__ import annotations

import re

from tailrace.errors import BadRequest

_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)


def parse_cursor(text: str | None) -> int:
    """Return the number that ``text`` says; none or an empty one is 0, the beginning. Raises `BadRequest`."""
    if not text:
        return 0
    if _DIGITS.fullmatch(text) is None:
        raise BadRequest("the cursor must be the number of an event", code="bad_cursor", param="Last-Event-ID")
    return int(text)


def stamp_id(number: int, frame: bytes) -> bytes:
    """Return ``frame`` with its number as an ``id:`` line in front, inside the same event."""
    return b"id: %d\n%b" % (number, frame)
