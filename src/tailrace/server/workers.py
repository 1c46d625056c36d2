"""Many processes on one address: a parent that serves nothing, and workers that it starts, replaces and ends.

The parent binds the socket once and every worker accepts from it. So no connection waits in the queue of a worker that
dies, and the port is never closed while workers change. A worker is a fresh interpreter (``spawn``): it gets its
settings through a pipe, never by its arguments or its environment, and runs the code that is installed when it starts.

    SIGTERM, SIGINT   every worker drains; a second one ends them at once
    SIGHUP            every worker is replaced, one after the other: the new one is ready before the old one drains
    a worker dies     another takes its seat, after a pause that doubles with every death in a row
    the parent dies   its workers drain and end
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

import structlog

from tailrace.errors import ConfigError
from tailrace.server.terminal import Terminal
from tailrace.server.worker import SIGHUP, TERMINAL_SIGNALS, Work, Worker

FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0
"""Seconds before a dead worker's seat is taken again: soon at first, seldom when they keep dying."""

SETTLED = 60.0
"""Seconds that a worker must have lived for its death not to count as one more in a row."""

START = 120.0
"""Seconds that a replacement may take to be ready before a rolling restart is given up: a local model loads in ten."""

OVERTIME = 3.0
"""Seconds past its grace at which a worker is killed. It ends itself within one; the rest is for a busy machine."""

_log = structlog.get_logger("tailrace.workers")


class _Turn:
    """One seat's part in a rolling restart: asked for by the restart, answered by whoever keeps the seat."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.asked: asyncio.Future[None] = loop.create_future()
        self.replaced: asyncio.Future[bool] = loop.create_future()


class Supervisor:
    """Keeps ``count`` workers on ``sock``, each with ``grace`` seconds to drain.

    ``work`` is what they do; ``renewed`` says it anew before a rolling restart, or raises `ConfigError`, which keeps
    things as they are. ``on_ready`` is called with what the first worker said, once all are ready.
    """

    def __init__(
        self,
        work: Work,
        sock: socket.socket,
        *,
        count: int,
        grace: float,
        on_ready: Callable[[str], None],
        renewed: Callable[[], Work] | None = None,
    ) -> None:
        self._work = work
        self._renewed = renewed or (lambda: work)
        self._sock = sock
        self._seats = range(1, count + 1)
        self._grace = grace
        self._on_ready = on_ready
        self._alive: set[Worker] = set()
        self._turns: dict[int, _Turn] = {}
        self._asked: list[int] = []
        self._rolling: asyncio.Task[None] | None = None
        self._terminal = Terminal()

    def run(self) -> int:
        """Run until a signal ends it.

        Return the exit code: 0 after an orderly end, 128 + signal after one that a second signal forced, 1 when a
        worker had to be killed, or failed as it ended; that of the worker when one did not start at all.
        """
        return asyncio.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[None] = loop.create_future()
        for number in TERMINAL_SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)
        workers, failure = await self._open()
        if failure:
            self._end()
        await asyncio.gather(*(self._keep(worker) for worker in workers))
        if self._rolling is not None:
            self._rolling.cancel()
        codes = [await worker.over for worker in list(self._alive)]
        if failure:
            return failure
        if len(self._asked) > 1:
            return 128 + self._asked[1]
        return 1 if any(code not in {0, -signal.SIGTERM} for code in codes) else 0

    # ---- signals ----------------------------------------------------------------------------------------------

    def _signalled(self, number: int) -> None:
        # A terminal that is closed says SIGHUP as well.
        if number != SIGHUP or self._terminal.gone():
            self._asked.append(number)
            self._end()
        elif self._ending.done() or not self._turns or (self._rolling is not None and not self._rolling.done()):
            _log.warning("restart_refused", reason="workers are being started or ended")
        else:
            self._rolling = asyncio.create_task(self._roll(), name="rolling restart")

    def _end(self) -> None:
        forced = len(self._asked) > 1
        if self._alive:
            _log.info("workers_ending", workers=len(self._alive), grace=0 if forced else self._grace)
        if not self._ending.done():
            self._ending.set_result(None)
        for worker in self._alive:
            worker.end(OVERTIME if forced else self._grace + OVERTIME)

    # ---- workers ----------------------------------------------------------------------------------------------

    def _start(self, seat: int) -> Worker:
        worker = Worker(self._work, seat, self._sock)
        self._alive.add(worker)
        worker.over.add_done_callback(lambda _: self._forget(worker))
        return worker

    def _forget(self, worker: Worker) -> None:
        # Those that live when the end begins are kept for their exit codes.
        if not self._ending.done():
            self._alive.discard(worker)

    async def _open(self) -> tuple[list[Worker], int]:
        """Start all; return them, and the exit code when that failed. The first alone: a fault is then said once."""
        workers: list[Worker] = []
        for seats in (self._seats[:1], self._seats[1:]):
            if self._ending.done():
                return workers, 0
            started = [self._start(seat) for seat in seats]
            workers += started
            for worker in started:
                if not await worker.came_up(None) and not self._ending.done():
                    code = await worker.over
                    _log.error("worker_did_not_start", worker=worker.seat, exit=code)
                    return workers, code if code > 0 else 1
        if not self._ending.done():
            self._turns = {seat: _Turn() for seat in self._seats}
            self._on_ready(workers[0].said)
        return workers, 0

    async def _keep(self, worker: Worker) -> None:
        """Have somebody in this worker's seat until the end."""
        deaths = 0
        seat = worker.seat
        while not self._ending.done():
            news: set[asyncio.Future[Any]] = {self._ending, worker.over, self._turns[seat].asked}
            await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
            if self._ending.done():
                return
            if not worker.over.done():
                worker = await self._replace(worker)
                continue
            deaths = 1 if worker.age > SETTLED else deaths + 1
            pause = min(FIRST_PAUSE * 2 ** min(deaths - 1, 10), LAST_PAUSE)
            _log.error("worker_died", worker=seat, pid=worker.pid, exit=worker.over.result(), next_in=pause)
            await asyncio.wait({self._ending}, timeout=pause)
            if self._ending.done():
                return
            worker = self._start(seat)

    # ---- rolling restart --------------------------------------------------------------------------------------

    async def _roll(self) -> None:
        before = self._work
        try:
            self._work = self._renewed()
        except ConfigError as error:
            _log.error("restart_refused", reason="; ".join(map(str, error.problems)))
            return
        _log.info("restart_begun", workers=len(self._seats))
        for seat in self._seats:
            turn = self._turns[seat]
            turn.asked.set_result(None)
            if not await turn.replaced:
                self._work = before
                _log.error("restart_given_up", worker=seat)
                return
        _log.info("restart_done")

    async def _replace(self, old: Worker) -> Worker:
        """Start another for ``old``'s seat and, once it is ready, let ``old`` drain; return who has the seat."""
        turn = self._turns[old.seat]
        self._turns[old.seat] = _Turn()
        new = self._start(old.seat)
        up = await new.came_up(START)
        if not up:
            new.kill()
        elif not self._ending.done():
            old.end(self._grace + OVERTIME)
            await old.over
            _log.info("worker_replaced", worker=old.seat, pid=old.pid, by=new.pid)
        turn.replaced.set_result(up)
        return new if up else old
