"""Executes commands on `httpx2.AsyncClient`: at most one response at a time.

Reads need no watchdog here: `asyncio.timeout` ends one at its deadline, and `Link.wake` moves that deadline to now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

import httpx2

from tailrace.client.border import head_of, no_read_timeout, outcome_of, request_arguments
from tailrace.client.commands import (
    Close,
    Command,
    Deliver,
    Failure,
    Opened,
    Outcome,
    Read,
    Send,
    Signal,
    Steps,
    StopRemote,
    Wait,
)
from tailrace.errors import LocalProtocolError, TailraceError

T = TypeVar("T")


class Link:
    """A connection to ``name``, over ``http``. ``stop_remote`` executes `StopRemote`."""

    def __init__(
        self, http: httpx2.AsyncClient, name: str, stop_remote: Callable[[], Awaitable[Any]] | None = None
    ) -> None:
        self.busy = False
        """Whether a command is being executed."""
        self._http = http
        self._name = name
        self._stop_remote = stop_remote
        self._response: httpx2.Response | None = None
        self._chunks: AsyncGenerator[bytes] | None = None
        self._alarm: asyncio.Timeout | None = None

    async def perform(self, command: Command) -> Outcome:
        """Execute ``command``; when its task is cancelled, the response is closed and the exception goes on."""
        self.busy = True
        try:
            return await self._perform(command)
        except BaseException:
            await self.close()
            raise
        finally:
            self.busy = False

    def wake(self) -> None:
        """Make the command that is being executed return now."""
        if self._alarm is not None and not self._alarm.expired():
            self._alarm.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Close the response, and its connection unless it was read to its end."""
        response, self._response, chunks, self._chunks = self._response, None, self._chunks, None
        if chunks is not None:
            await chunks.aclose()
        if response is not None:
            await response.aclose()

    async def _perform(self, command: Command) -> Outcome:
        match command:
            case Read():
                return await self._within(command.seconds, self._read)
            case Send():
                return await self._within(None, lambda: self._send(command))
            case Close():
                await self.close()
            case Wait():
                await self._within(command.seconds, _forever)
            case StopRemote():
                return await self._stop()
            case Opened() | Deliver():
                pass
        return Signal.DONE

    async def _within(self, seconds: float | None, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        try:
            async with asyncio.timeout(seconds) as self._alarm:
                return await work()
        except TimeoutError:
            await self.close()
            return Signal.TIMED_OUT
        finally:
            self._alarm = None

    async def _send(self, command: Send) -> Outcome:
        await self.close()
        if self._http.is_closed:
            return Failure(LocalProtocolError("the client is closed"))
        try:
            response = await self._http.send(self._http.build_request(**request_arguments(command)), stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return outcome_of(error, self._name)
        no_read_timeout(response)
        self._response, self._chunks = response, response.aiter_bytes()
        return head_of(response)

    async def _read(self) -> Outcome:
        if self._chunks is None:
            return Signal.END
        try:
            return await anext(self._chunks, Signal.END)
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            return outcome_of(error, self._name)

    async def _stop(self) -> Outcome:
        try:
            if self._stop_remote is not None:
                await self._stop_remote()
        except TailraceError as error:
            return Failure(error)
        return Signal.DONE


async def _forever() -> Outcome:
    await asyncio.Event().wait()
    return Signal.DONE


async def run(steps: Steps[T], link: Link) -> T:
    """Execute ``steps`` to their end and return their result."""
    try:
        command = next(steps)
        while True:
            command = steps.send(await link.perform(command))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        await link.close()
