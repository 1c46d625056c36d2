"""What has come of one answer: the message so far, how it ended, and the exception that says so."""

from __future__ import annotations

from tailrace.errors import (
    StreamCancelled,
    StreamError,
    StreamFailed,
    StreamInterrupted,
    StreamTimedOut,
    StreamTruncated,
)
from tailrace.events import BlockStart, Ending, Error, Event, Fold, MessageEnd, TextDelta

_EXCEPTIONS: dict[Ending, type[StreamError]] = {
    "cancelled": StreamCancelled,
    "failed": StreamFailed,
    "timed_out": StreamTimedOut,
    "truncated": StreamTruncated,
    "interrupted": StreamInterrupted,
}
"""Every ending but ``completed``."""


class Answer:
    """The events that were handed out, added up.

    ``ending`` is None until the last event; ``cause`` is the exception behind an error that was found on this side,
    ``lost`` the exact kind of `StreamInterrupted` where it is known, ``error`` the last event where it is an error.
    """

    __slots__ = ("_text_blocks", "cause", "ending", "error", "fold", "lost")

    def __init__(self) -> None:
        self.fold = Fold()
        self.ending: Ending | None = None
        self.cause: Exception | None = None
        self.lost: type[StreamError] | None = None
        self.error: Error | None = None
        self._text_blocks: set[int] = set()

    def add(self, event: Event) -> None:
        """Take the next event; raises `RemoteProtocolError` when it may not come now."""
        self.fold.add(event)
        if isinstance(event, BlockStart):
            if event.kind == "text" and event.choice == 0:
                self._text_blocks.add(event.index)
        elif isinstance(event, MessageEnd):
            self.ending = "completed"
        elif isinstance(event, Error):
            # An error never ends well, whatever it says of itself.
            self.end(event)

    def end(self, error: Error) -> None:
        """Take an error as the last event, whatever came before it."""
        self.error = error
        self.ending = error.ending if error.ending in _EXCEPTIONS else "failed"

    def text_of(self, event: Event) -> str | None:
        """Return the words that ``event`` adds to `Message.text`, None when it adds none."""
        return event.text if isinstance(event, TextDelta) and event.index in self._text_blocks else None

    def exception(self, stream_id: str | None) -> StreamError | None:
        """Return the exception that says the ending, None for a completed answer."""
        if self.ending == "completed":
            return None
        ending = self.ending or "interrupted"
        said = self.error or Error(
            "cancelled" if ending == "cancelled" else "interrupted", "the stream was left before its end"
        )
        error = (self.lost or _EXCEPTIONS[ending])(
            said.message,
            partial=self.fold.message(),
            stream_id=stream_id,
            retryable=said.retryable,
            kind=said.kind,
        )
        error.__cause__ = self.cause
        return error
