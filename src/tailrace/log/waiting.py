"""Waiting for a log: to have begun, or to have ended. The log's own watchers wake; nothing polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tailrace.log.base import StreamLog


def begun(log: StreamLog) -> bool:
    """Whether there is something to tell, or there will be nothing more here."""
    return log.tail > 0 or ended(log)


def ended(log: StreamLog) -> bool:
    """Whether nothing more will come here."""
    return log.ending is not None or log.severed


@contextmanager
def when(log: StreamLog, condition: Callable[[StreamLog], bool]) -> Iterator[asyncio.Future[None]]:
    """Give a future that is done once ``condition`` holds of ``log``."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def look() -> None:
        if not future.done() and condition(log):
            future.set_result(None)

    unwatch = log.watch(look)
    look()
    try:
        yield future
    finally:
        unwatch()
