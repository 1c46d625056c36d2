"""A stream as its log tells it: what a process can say about an answer that it never carried.

Reading the frames again, with the decoder of their own dialect, gives back the events that they were made from, as far
as that dialect has words for them; and it brings an encoder to where the writer's had been, so that whoever finds a
stream whose writer died can close what is open in it and say how it ended.
"""

from __future__ import annotations

import msgspec

from tailrace.dialects import DIALECTS, Decoder, Encoder, Quirks, Reply
from tailrace.engine.restart import behind_reset
from tailrace.engine.usage import closing_usage
from tailrace.errors import RemoteProtocolError
from tailrace.events import Ending, Error, Fold, Message
from tailrace.log import StreamLog

READ = 64 * 1024
"""Bytes of frames that are decoded at once."""


class Retold:
    """What ``log`` says up to its tail."""

    def __init__(self, log: StreamLog) -> None:
        self.log = log
        self.door = DIALECTS[log.info.dialect]
        self.reply = msgspec.convert(log.info.reply, Reply)
        self.fold = Fold()
        self._encoder: Encoder = self.door.encoder(self.reply)
        self._read()

    def _begin(self) -> Decoder:
        self.fold = Fold()
        self._encoder = self.door.encoder(self.reply)
        return self.door.decoder(Quirks())

    def _read(self) -> None:
        decoder = self._begin()
        cursor = self.log.first
        try:
            while True:
                data, cursor = self.log.read(cursor, READ)
                if not data:
                    return
                anew = behind_reset(data)
                if anew is not None:
                    decoder, data = self._begin(), anew
                for received in decoder.feed(data):
                    for event in received.events:
                        self.fold.add(event)
                    self._encoder.verbatim(received)
        except RemoteProtocolError:
            # Frames that were trimmed, or of a newer version: what could be read is told.
            return

    @property
    def ending(self) -> Ending | None:
        """How the stream ended, or None while it goes on."""
        return self.log.ending

    @property
    def error(self) -> Error | None:
        """The error that ended it."""
        return self.fold.error

    @property
    def nothing_said(self) -> bool:
        """Whether it ended before any content."""
        return not self.fold.characters

    def message(self) -> Message:
        """Return the message as far as it has come."""
        return self.fold.message()

    def closing(self, error: Error) -> list[bytes]:
        """Return the frames that close what is open and say ``error``; none when the log says its end already."""
        if self.fold.ended:
            return []
        return [*self._encoder.encode(closing_usage(self.fold)), *self._encoder.encode(error)]
