"""One answer, for asynchronous callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from tailrace.client.aio.link import Link
from tailrace.client.base_stream import BaseStream
from tailrace.client.commands import Deliver
from tailrace.client.reset import Reset, StreamEvent
from tailrace.client.session import Session
from tailrace.events import Message, ToolCall
from tailrace.partial_json import Event as PathEvent


class AsyncStream(BaseStream):
    """One answer while it is being written; as `tailrace.Stream`, with ``async`` and ``await``."""

    def __init__(self, session: Session, link: Link, stop_remote: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(session)
        self._link = link
        self._stop_remote = stop_remote
        self._at_close: Callable[[], Awaitable[None]] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        await self.open()
        while (command := self._command) is not None:
            self._advance(await self._link.perform(command))
            if isinstance(self._command, Deliver):
                return self._command.event
        raise self._end() or StopAsyncIteration

    async def open(self) -> None:
        """As `tailrace.Stream.open`."""
        try:
            while (command := self._opening()) is not None:
                self._advance(await self._link.perform(command))
        except BaseException:
            await self.close()
            raise

    @property
    async def text_stream(self) -> AsyncIterator[str]:
        """The pieces of the answer's text; together they are `Message.text`."""
        given = False
        async for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                continue
            text = self._session.answer.text_of(event)
            if text is not None:
                given = True
                yield text

    async def get_final_message(self) -> Message:
        """As `tailrace.Stream.get_final_message`."""
        async for _ in self:
            pass
        error = self._session.answer.exception(self.stream_id)
        if error is not None:
            raise error
        return self.message

    async def get_final_text(self) -> str:
        """As `tailrace.Stream.get_final_text`."""
        return (await self.get_final_message()).text

    async def partial(self, of: Any = None, *, tool: str | None = None) -> AsyncIterator[Any]:
        """As `tailrace.Stream.partial`."""
        document, given = self._document(of, tool), False
        async for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                document = self._document(of, tool)
            elif document.take(event) and document.value is not None:
                given = True
                yield document.value
        if self.ending == "completed":
            document.end()

    async def fields(self, *, tool: str | None = None) -> AsyncIterator[PathEvent]:
        """As `tailrace.Stream.fields`."""
        document, given = self._document(None, tool), False
        async for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                document = self._document(None, tool)
                continue
            for one in document.take(event):
                given = True
                yield one
        if self.ending == "completed":
            document.end()

    async def tool_calls(self) -> AsyncIterator[ToolCall]:
        """As `tailrace.Stream.tool_calls`."""
        calls, given = self._calls(), False
        async for event in self:
            if isinstance(event, Reset):
                self._revoke(event, given)
                calls = self._calls()
                continue
            for call in calls.take(event):
                given = True
                yield call

    async def get_final_output(self, of: Any = None) -> Any:
        """As `tailrace.Stream.get_final_output`."""
        return self._output(await self.get_final_message(), of)

    async def stop(self) -> None:
        """End the answer now; what came is kept. May be called again, and from any task of the same loop.

        As `tailrace.Stream.stop`.
        """
        session = self._session
        session.stop_wanted = True
        if session.answer.ending is not None or session.stop_sent:
            return
        if session.resumable:
            await self._stop_remote()
            session.stop_sent = True
        elif session.unnamed:
            return
        elif self._link.busy:
            self._link.wake()
        else:
            await self._link.close()

    def also_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """As `tailrace.Stream.also_close`."""
        self._at_close = close

    async def close(self) -> None:
        """Close the connection; nothing more is read. May be called again."""
        await self._link.close()
        self._session.left()
        if self._at_close is not None:
            await self._at_close()
