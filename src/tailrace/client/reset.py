"""A relay that began an answer anew in the middle of its stream, and says so: what came before is revoked."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from tailrace.errors import RemoteProtocolError
from tailrace.events import Event

RESET = "tailrace.reset"
"""Type of the relay's event, in every dialect whose client asked for restarts."""


class Reset(msgspec.Struct, frozen=True, tag="reset", tag_field="type"):
    """Everything before is revoked, and the answer comes again from its beginning.

    ``reason`` is the kind of error that the attempt before ended with (``truncated``, ``timeout``, …).
    """

    reason: str


StreamEvent: TypeAlias = Event | Reset
"""What iterating over a stream gives; a `Reset` only where restarts were asked for."""


class _Said(msgspec.Struct, frozen=True):
    reason: str = ""


def read_reset(data: bytes) -> Reset:
    """Return what the data of such an event says; raises `RemoteProtocolError`."""
    try:
        return Reset(msgspec.json.decode(data, type=_Said).reason)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise RemoteProtocolError(f"the relay's {RESET} cannot be read: {error}") from error
