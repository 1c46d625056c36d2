"""What the synchronous and the asynchronous stream have in common: everything that does not wait."""

from __future__ import annotations

from typing import Any

from tailrace.client.commands import Command, Head, Opened, Outcome
from tailrace.client.documents import Calls, Document, output_of
from tailrace.client.reset import Reset
from tailrace.client.session import Session
from tailrace.client.timeouts import Timing
from tailrace.errors import LocalProtocolError, StreamRestarted
from tailrace.events import Ending, Message, Usage


class BaseStream:
    """One answer while it is being written. What is said here never waits.

    A stream belongs to one thread or task at a time; ``stop`` alone may be called from any other.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._steps = session.run()
        self._command: Command | None = None
        self._begun = False
        self._open = False

    def __repr__(self) -> str:
        name = self.stream_id or "a provider's"
        return f"<{type(self).__name__} {name}: {self.ending or 'open'} at {self.cursor}>"

    @property
    def message(self) -> Message:
        """The message as far as its events have been handed out."""
        return self._session.answer.fold.message()

    @property
    def ending(self) -> Ending | None:
        """How the answer ended; None while it has not, as far as is known here."""
        return self._session.answer.ending

    @property
    def usage(self) -> Usage:
        """Token counts so far."""
        return self._session.answer.fold.usage

    @property
    def timing(self) -> Timing:
        """Time to the first content, time so far, tokens per second."""
        return self._session.timing

    @property
    def stream_id(self) -> str | None:
        """The relay's name for the stream: what `resume` and `stop` take. None straight at a provider."""
        return self._session.stream_id

    @property
    def cursor(self) -> int:
        """Number of the last event that was handed out: what `resume` takes as ``after``."""
        return self._session.cursor

    @property
    def reconnects(self) -> int:
        """How often the relay had to be found again."""
        return self._session.reconnects

    @property
    def joined(self) -> bool:
        """Whether an earlier request with the same idempotency key had begun the answer."""
        return self._session.joined

    @property
    def revoked(self) -> Message | None:
        """What had come before the newest `tailrace.Reset`; None where the answer never began anew."""
        return self._session.revoked

    @property
    def ignored(self) -> tuple[str, ...]:
        """Fields of the request that the provider's dialect has no word for."""
        return self._session.opening.ignored

    @property
    def response(self) -> Head:
        """Status and headers (lower case) of the newest response; raises `LocalProtocolError` before the first."""
        if self._session.response is None:
            raise LocalProtocolError("the stream is not open yet: enter it, or take its first event")
        return self._session.response

    # What the drivers share.

    def _advance(self, outcome: Outcome | None) -> None:
        """Give the session what its command brought; keep the next command, None when there is none."""
        try:
            command = next(self._steps) if outcome is None else self._steps.send(outcome)
        except StopIteration:
            self._command = None
        except BaseException:
            self._command = None
            raise
        else:
            self._command = command
            self._open = self._open or isinstance(command, Opened)

    def _opening(self) -> Command | None:
        """Return the next command on the way to an open stream; None when it is open, or never will be."""
        if not self._begun:
            self._begun = True
            self._advance(None)
        return None if self._open else self._command

    def _revoke(self, reset: Reset, given: bool) -> None:
        """Raise for a loop that has ``given`` something of what ``reset`` takes back."""
        if given:
            raise StreamRestarted(reset.reason, partial=self._session.revoked, stream_id=self.stream_id)

    def _document(self, of: Any, tool: str | None) -> Document:
        asked = self._session.opening
        if of is None:
            of = asked.output if tool is None else asked.schemas.get(tool)
        return Document(self._session.answer.fold, of, tool)

    def _calls(self) -> Calls:
        return Calls(self._session.answer.fold, self._session.opening.schemas)

    def _output(self, message: Message, of: Any) -> Any:
        return output_of(message, self._session.opening.output if of is None else of)

    def _end(self) -> Exception | None:
        """What iteration ends with: None for the ordinary end.

        An answer that this stream itself was told to stop has ended as asked.
        """
        if self._session.stop_wanted and self.ending == "cancelled":
            return None
        return self._session.answer.exception(self.stream_id)
