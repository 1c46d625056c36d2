"""The simulator itself: a port, its connections, and what it remembers of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Self

from tailrace.errors import LocalProtocolError
from tailrace.simulator.actions import Action, Close, Head, Send, Wait
from tailrace.simulator.connection import Connection
from tailrace.simulator.doors import asked, for_pages, json_answer, models, nothing_here, preflight
from tailrace.simulator.http import MAX_BODY, HttpRequest
from tailrace.simulator.names import check
from tailrace.simulator.record import RECENT, Record, State
from tailrace.simulator.scenario import Scenario

Sleep = Callable[[float], Awaitable[None]]


class Simulator:
    """A provider on a port, for as long as the ``async with`` lasts.

    :param scenario: what a request gets whose model's name does not say otherwise.
    :param any_model: whether a model's name that is not the simulator's is answered with ``scenario`` (else 404).
    :param sleep: waits for seconds; give it together with ``clock`` to play without waiting.
    :param clock: monotonic seconds.

    ``requests`` are the last `RECENT` records, oldest first; ``url`` is the base URL without a path.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        scenario: Scenario | None = None,
        *,
        any_model: bool = False,
        max_body: int = MAX_BODY,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.port = port
        self.scenario = check(scenario or Scenario())
        self._any_model = any_model
        self._max_body = max_body
        self._sleep = sleep
        self._clock = clock
        self._started = clock()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connections: dict[Connection, Record | None] = {}
        self._paused_at: dict[Connection, float] = {}
        self._records: deque[Record] = deque(maxlen=RECENT)
        self._waiters: list[tuple[Callable[[Simulator], bool], asyncio.Future[None]]] = []
        self._stopping = False
        self._blocked_seconds = 0.0
        self._counts: dict[State, int] = dict.fromkeys(State.__args__, 0)  # type: ignore[attr-defined]
        self._bytes_sent = 0
        self._requests = 0

    # --- life -------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._loop = loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self, max_body=self._max_body), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the port and every connection; again does nothing."""
        if self._server is None:
            return
        server, self._server, self._loop = self._server, None, None
        self._stopping = True
        server.close()
        tasks = [connection.task for connection in self._connections if connection.task is not None]
        for connection in self._connections:
            connection.transport.abort()
        await self.until(lambda simulator: not simulator.open_connections)
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    @property
    def url(self) -> str:
        """The base URL without a path: what `anthropic` takes; `openai` wants ``/v1`` after it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    # --- what can be asked of it ------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Record]:
        """The last requests, oldest first."""
        return list(self._records)

    @property
    def open_connections(self) -> int:
        """Connections that are open now, idle ones too."""
        return len(self._connections)

    @property
    def blocked_seconds(self) -> float:
        """Seconds that answers have waited for their readers, those that wait now included."""
        now = self._clock()
        return self._blocked_seconds + math.fsum(now - since for since in self._paused_at.values())

    def stats(self) -> dict[str, Any]:
        """Return the counts since the start, and how many are open or blocked now."""
        return {
            "requests": self._requests,
            "open": self._requests - sum(self._counts.values()),
            "completed": self._counts["completed"],
            "faults": self._counts["fault"],
            "client_closed": self._counts["closed_by_client"],
            "connections": self.open_connections,
            "bytes_sent": self._bytes_sent,
            "blocked": len(self._paused_at),
            "blocked_seconds": self.blocked_seconds,
        }

    async def until(self, predicate: Callable[[Simulator], bool]) -> None:
        """Wait until ``predicate`` of this simulator is true; it is asked again whenever something happens."""
        if predicate(self):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (predicate, future)
        self._waiters.append(waiter)
        try:
            await future
        finally:
            self._waiters.remove(waiter)

    def wait(self, predicate: Callable[[Simulator], bool], timeout: float = 10.0) -> None:
        """Do the same from another thread; raise `TimeoutError` after ``timeout`` seconds."""
        if self._loop is None:
            raise LocalProtocolError("the simulator is not running")
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(self.until(predicate), timeout), self._loop).result()

    def _changed(self) -> None:
        for predicate, future in self._waiters:
            if not future.done() and predicate(self):
                future.set_result(None)

    # --- what connections report ------------------------------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        """A client has come."""
        self._connections[connection] = None
        self._changed()

    def lost(self, connection: Connection) -> None:
        """A client has gone; its answer, if one was on its way, is told at once."""
        self.resumed(connection)
        record = self._connections.pop(connection, None)
        if record is not None:
            self._close(record, "stopped" if self._stopping else "closed_by_client", "the connection was lost")
        self._changed()

    def paused(self, connection: Connection) -> None:
        """A client does not read."""
        self._paused_at[connection] = self._clock()
        if (record := self._connections.get(connection)) is not None:
            record.paused = True
        self._changed()

    def resumed(self, connection: Connection) -> None:
        """A client reads again."""
        since = self._paused_at.pop(connection, None)
        if since is None:
            return
        seconds = self._clock() - since
        self._blocked_seconds += seconds
        if (record := self._connections.get(connection)) is not None:
            record.paused = False
            record.blocked_seconds += seconds
        self._changed()

    async def respond(self, connection: Connection, request: HttpRequest) -> None:
        """Answer one request."""
        record: Record | None = None
        try:
            actions, record = self._answer(request)
            self._connections[connection] = record
            self._changed()
            close = await self._play(connection, actions, record)
        except Exception as error:  # a mistake of ours: the client must not wait for ever
            if record is not None:
                self._close(record, "crashed", repr(error))
            self._connections[connection] = None
            connection.transport.abort()
            raise
        # The record first: a client in another thread may look at it as soon as it has seen the end.
        if record is not None:
            self._close(record, "fault" if close.early else "completed", close.how)
        self._connections[connection] = None
        connection.close(close)
        self._changed()

    def _close(self, record: Record, state: State, cause: str) -> None:
        record.close(state, cause)
        self._counts[state] += 1

    # --- answers ----------------------------------------------------------------------------------------------

    def _answer(self, request: HttpRequest) -> tuple[Iterator[Action], Record | None]:
        if request.method == "GET":
            if request.path.endswith("/models"):
                return for_pages(json_answer(200, models(request.path))), None
            for end, page in _PAGES.items():
                if request.path.endswith(end):
                    return json_answer(200, page(self)), None
        elif request.method == "OPTIONS":
            return preflight(request.headers.get("access-control-request-headers", "*")), None
        elif request.method == "POST":
            answer = asked(request.path, request.body, self.scenario, any_model=self._any_model)
            if answer is not None:
                self._requests += 1
                record = Record(
                    id=self._requests,
                    dialect=answer.dialect.name,
                    scenario=answer.scenario,
                    headers=request.headers,
                    body=request.body or b"",
                    since=self._clock() - self._started,
                )
                self._records.append(record)
                return answer.actions, record
        return for_pages(json_answer(404, nothing_here(request.path))), None

    async def _play(self, connection: Connection, actions: Iterator[Action], record: Record | None) -> Close:
        """Perform ``actions`` up to the last, which is returned."""
        # Waits add up from one moment, not from the end of the wait before: a rate stays exact however late the
        # loop wakes. Time spent blocked is not made up for.
        due = self._clock()
        for action in actions:
            match action:
                case Close():
                    await connection.writable()
                    return action
                case Wait(seconds) if seconds == math.inf:
                    await connection.closed.wait()
                case Wait(seconds):
                    due += seconds
                    if (left := due - self._clock()) > 0:
                        await self._sleep(left)
                case Head():
                    connection.head(action)
                    if record is not None:
                        record.status = action.status
                case Send():
                    connection.body(action.data)
                    self._sent(record, action)
                    if await connection.writable():
                        due = max(due, self._clock())
                    else:
                        await asyncio.sleep(0)  # so that a reader in the same loop sees each write by itself
        return Close("end")

    def _sent(self, record: Record | None, action: Send) -> None:
        if record is not None:
            record.bytes_sent += len(action.data)
            record.events_sent += action.event
            self._bytes_sent += len(action.data)
            self._changed()


_PAGES: dict[str, Callable[[Simulator], Any]] = {
    "/simulator/requests": lambda simulator: [record.summary() for record in simulator.requests],
    "/simulator": Simulator.stats,
}
"""``end of a path → what a GET of it shows``."""
