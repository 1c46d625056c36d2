"""Bytes of an answer to events: from a relay with a number for each frame, or from a provider without.

The two classes have the same verbs. ``feed`` yields ``(number, events)`` for each wire event as it is decoded, so
that what came before a fault is out before the fault is raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Protocol

from tailrace.client.reset import RESET, StreamEvent, read_reset
from tailrace.dialects import Decoder
from tailrace.errors import RemoteProtocolError
from tailrace.sse import DEFAULT_TYPE, encode
from tailrace.sse import Decoder as FrameDecoder

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
"""What a relay's ids look like; 15 digits are exact as a JavaScript number."""


class Feed(Protocol):
    """Where bytes go in and events come out."""

    position: int
    """Number of the last frame; 0 where frames have none."""

    @property
    def ended(self) -> bool:
        """Whether the dialect's terminal marker has come."""

    def feed(self, data: bytes) -> Iterator[tuple[int, tuple[StreamEvent, ...]]]:
        """Take the next bytes; raise `RemoteProtocolError` for what no rule allows."""

    def disconnected(self) -> Iterator[tuple[int, tuple[StreamEvent, ...]]]:
        """Say that the connection is gone; yield what that completes."""


class ProviderFeed:
    """A provider's answer: one connection, no numbers."""

    def __init__(self, decoder: Decoder) -> None:
        self.position = 0
        self._decoder = decoder

    @property
    def ended(self) -> bool:
        """Whether the dialect's terminal marker has come."""
        return self._decoder.ended

    def feed(self, data: bytes) -> Iterator[tuple[int, tuple[StreamEvent, ...]]]:
        """Take the next bytes."""
        for received in self._decoder.feed(data):
            yield 0, received.events

    def disconnected(self) -> Iterator[tuple[int, tuple[StreamEvent, ...]]]:
        """Say that the connection is gone: some dialects end by that."""
        for received in self._decoder.close():
            yield 0, received.events


class RelayFeed:
    """A relay's stream over any number of connections: frames 1, 2, 3 …, each taken once.

    The event-stream layer begins anew with each connection, since an event that was cut is sent again whole; the
    dialect's decoder goes on, since to it there is only one answer. That is why frames are decoded here and handed
    to it one by one. Only where the relay says that the answer begins anew does a new decoder begin: ``make`` makes
    them.
    """

    def __init__(self, make: Callable[[], Decoder]) -> None:
        self.position = 0
        self.retry: float | None = None
        self._make = make
        self._decoder = make()
        self._frames = FrameDecoder()

    @property
    def ended(self) -> bool:
        """Whether the dialect's terminal marker has come."""
        return self._decoder.ended

    def feed(self, data: bytes) -> Iterator[tuple[int, tuple[StreamEvent, ...]]]:
        """Take the next bytes; a frame that was seen before, and a heartbeat, says nothing."""
        for frame in self._frames.feed(data):
            number = self._number(frame.id)
            if number <= self.position:
                continue
            if number != self.position + 1:
                raise RemoteProtocolError(f"the relay sent event {number} after event {self.position}")
            self.position = number
            if frame.type == RESET:
                self._decoder = self._make()
                yield number, (read_reset(frame.data),)
                continue
            name = None if frame.type == DEFAULT_TYPE else frame.type
            decoded = self._decoder.feed(encode(frame.data, event=name))
            yield number, tuple(event for received in decoded for event in received.events)

    def disconnected(self) -> Iterator[tuple[int, tuple[StreamEvent, ...]]]:
        """Say that the connection is gone; the decoder is not told, because the answer may go on."""
        if self._frames.retry is not None:
            self.retry = self._frames.retry / 1000
        self._frames = FrameDecoder(last_event_id=str(self.position or ""))
        return iter(())

    def _number(self, text: str) -> int:
        # A heartbeat has no id of its own; it carries that of the frame before it, or none at the beginning.
        if not text:
            return 0
        if _NUMBER.fullmatch(text) is None:
            raise RemoteProtocolError("the relay sent an event whose id is not a number")
        return int(text)
