"""JSON as the dialects of front ends need it: read whatever it is, write it on one line."""

from __future__ import annotations

from typing import Any

import msgspec

decode_any = msgspec.json.Decoder().decode
"""JSON → whatever it is; raises one of `JSON_ERRORS`."""

JSON_ERRORS = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading somebody else's JSON raises: malformed, too deep, not UTF-8."""

to_json = msgspec.json.Encoder().encode
"""Whatever it is → JSON, in UTF-8, on one line."""


def as_written(text: str) -> msgspec.Raw | None:
    """Return the JSON document ``text`` with its numbers as they stand, on one line; None when it is none."""
    data = text.encode("utf-8", "surrogatepass")
    try:
        decode_any(data)
    except JSON_ERRORS:
        return None
    # A line end in JSON stands between its tokens, where a space says the same.
    return msgspec.Raw(data.replace(b"\n", b" ").replace(b"\r", b" "))


def data_event(value: Any) -> bytes:
    """Return the server-sent event whose data is ``value``."""
    return b"data: %b\n\n" % to_json(value)
