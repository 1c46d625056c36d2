"""One answer, for synchronous callers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from tailrace.client.base_stream import BaseStream
from tailrace.client.commands import Deliver
from tailrace.client.reset import Reset, StreamEvent
from tailrace.client.session import Session
from tailrace.client.sync.link import Link
from tailrace.events import Message, ToolCall
from tailrace.partial_json import Event as PathEvent


class Stream(BaseStream):
    """One answer while it is being written; iterating gives its events.

    The last event is a `tailrace.MessageEnd` or a `tailrace.Error`. After an `Error` iterating raises the
    `tailrace.StreamError` that says it, so that a loop which ends was given the whole answer; only an answer that
    this stream's own `stop` cancelled just ends. Where restarts were asked for, a `tailrace.Reset` says that all events
    before it are revoked.

    Entering (or taking the first event) makes the request, and raises `StatusError`, `ConnectError` or
    `ProviderTimeout` when no answer begins. Leaving closes the connection: straight at a provider that cancels the
    answer, a relay goes on as its route says.
    """

    def __init__(self, session: Session, link: Link, stop_remote: Callable[[], Any]) -> None:
        super().__init__(session)
        self._link = link
        self._stop_remote = stop_remote
        self._at_close: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[StreamEvent]:
        return self

    def __next__(self) -> StreamEvent:
        self.open()
        while (command := self._command) is not None:
            self._advance(self._link.perform(command))
            if isinstance(self._command, Deliver):
                return self._command.event
        raise self._end() or StopIteration

    def open(self) -> None:
        """Make the request and wait for the answer to begin; does nothing when it has."""
        try:
            while (command := self._opening()) is not None:
                self._advance(self._link.perform(command))
        except BaseException:
            self.close()
            raise

    @property
    def text_stream(self) -> Iterator[str]:
        """The pieces of the answer's text; together they are `Message.text`.

        Where restarts were asked for, raises `StreamRestarted` when pieces that were given are revoked; so do
        `partial`, `fields` and `tool_calls`. Loop again for the new answer.
        """
        given = False
        for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                continue
            text = self._session.answer.text_of(event)
            if text is not None:
                given = True
                yield text

    def get_final_message(self) -> Message:
        """Read to the end and return the message; raises the `StreamError` of an ending that is not ``completed``."""
        for _ in self:
            pass
        error = self._session.answer.exception(self.stream_id)
        if error is not None:
            raise error
        return self.message

    def get_final_text(self) -> str:
        """Read to the end and return the text; raises as `get_final_message` does."""
        return self.get_final_message().text

    def partial(self, of: Any = None, *, tool: str | None = None) -> Iterator[Any]:
        """The structured answer while it is written: after each fragment that shows more of it, what it shows so far.

        It is the first text of the answer, or with ``tool`` the arguments of the first call of that tool. ``of`` is a
        type or a JSON Schema; left out, the one that the request asked for. Models come as
        `tailrace.structured.Partial`, whose fields have values once these have arrived. It is the same object each
        time, growing; nothing it has shown is taken back. Raises `InvalidOutput` as soon as a complete value in it is
        not what its field allows, or the whole is not; and what iterating raises.
        """
        document, given = self._document(of, tool), False
        for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                document = self._document(of, tool)
            elif document.take(event) and document.value is not None:
                given = True
                yield document.value
        if self.ending == "completed":
            document.end()

    def fields(self, *, tool: str | None = None) -> Iterator[PathEvent]:
        """The same document as path events: `Began`, `Grew` and `Completed` of `tailrace.partial_json`."""
        document, given = self._document(None, tool), False
        for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                document = self._document(None, tool)
                continue
            for one in document.take(event):
                given = True
                yield one
        if self.ending == "completed":
            document.end()

    def tool_calls(self) -> Iterator[ToolCall]:
        """The calls that the model asks for, each as soon as its arguments are complete and valid.

        Raises `InvalidOutput` for a call whose arguments are not JSON, not complete, or not what the ``input_schema``
        of that tool in the request allows; and what iterating raises. So a call that is yielded may be run.
        """
        calls, given = self._calls(), False
        for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                calls = self._calls()
                continue
            for call in calls.take(event):
                given = True
                yield call

    def get_final_output(self, of: Any = None) -> Any:
        """Read to the end and return the structured answer, validated: for a type an instance, else the JSON value.

        ``of`` as for `partial`. Raises `InvalidOutput`, and as `get_final_message` does.
        """
        return self._output(self.get_final_message(), of)

    def stop(self) -> None:
        """End the answer now; what came is kept. May be called again, from any thread, and from a signal handler.

        A relay is asked to stop, and iterating goes on to the final usage. At a provider the connection is closed
        (while the request still waits for its answer to begin: as soon as that begins). Raises what
        `tailrace.Client.stop` raises when the relay cannot be asked.
        """
        session = self._session
        session.stop_wanted = True
        if session.answer.ending is not None or session.stop_sent:
            return
        if self._link.reader == threading.get_ident():
            # A signal handler: the interrupted command may hold locks that a request needs, so the request is left
            # to the command loop, and only the wait is cut short.
            self._link.wake()
        elif session.resumable:
            self._stop_remote()
            session.stop_sent = True
        else:
            self._link.wake()
            if self._link.reader is None:
                self._link.close()

    def also_close(self, close: Callable[[], None]) -> None:
        """Call ``close`` when this stream is closed: for a client that serves nothing else."""
        self._at_close = close

    def close(self) -> None:
        """Close the connection; nothing more is read. May be called again."""
        self._link.close()
        self._session.left()
        if self._at_close is not None:
            self._at_close()
