"""What the contract suites of stream logs are made of: streams, frames, a listener that notes, waiting."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple

import pytest

from tailrace.events import Ending
from tailrace.log import LogStore, StreamInfo, StreamLog, stamp_id

PATIENCE = 10.0
"""Seconds that anything may take before it counts as never."""

_numbers = itertools.count(1)


class Caps(NamedTuple):
    """Limits that a store is opened with."""

    ttl: float = 60.0
    max_bytes: int = 1_000_000
    max_frames: int = 100_000


class Listener:
    """A listener that notes what it is told."""

    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.cut: list[str] = []
        self.ended: list[tuple[str, Ending, bytes]] = []

    def stop_asked(self, stream_id: str) -> None:
        """Note it."""
        self.stopped.append(stream_id)

    def lost(self, log: StreamLog) -> bytes:
        """Note it, and say something that can be recognised."""
        self.cut.append(log.info.id)
        return b"data: parting\n\n"

    def last_words(self, log: StreamLog, ending: Ending) -> list[bytes]:
        """Note it with all that can be read, and say something that can be recognised."""
        self.ended.append((log.info.id, ending, everything(log)))
        return [b"data: %b\n\n" % ending.encode()]


def info(**changes: Any) -> StreamInfo:
    """Return what a stream is, under an id of its own."""
    told: dict[str, Any] = {"owner": "me", "dialect": "plain", "model": "m", "created": float(next(_numbers))}
    return StreamInfo(**({"id": f"stream-{next(_numbers)}-{random.getrandbits(64):x}"} | told | changes))


def frames(count: int, start: int = 1) -> list[bytes]:
    """Return frames that can be told apart."""
    return [b"data: %d\n\n" % number for number in range(start, start + count)]


def stamped(said: Sequence[bytes], start: int = 1) -> bytes:
    """Return ``said`` as a log with ids keeps it."""
    return b"".join(stamp_id(number, frame) for number, frame in enumerate(said, start))


def everything(log: StreamLog, after: int | None = None, limit: int = 1 << 30) -> bytes:
    """Read ``log`` from ``after`` (its beginning) to its tail, in pieces of ``limit`` bytes."""
    cursor, got = log.first if after is None else after, b""
    while True:
        data, following = log.read(cursor, limit)
        if not data:
            return got
        assert following > cursor
        cursor, got = following, got + data


def grown(log: StreamLog, tail: int) -> Callable[[], bool]:
    """Return the condition that ``log`` can be read up to ``tail``."""
    return lambda: log.tail >= tail


async def until(condition: Callable[[], bool], what: str = "it") -> None:
    """Wait until ``condition`` holds; fails when it does not within `PATIENCE`."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a condition, not an event
                await asyncio.sleep(0.002)
    except TimeoutError:
        pytest.fail(f"{what} never happened")


async def soon(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """As `until`, for a condition that must be asked for."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():  # noqa: ASYNC110 - a condition, not an event
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"{what} never happened")


async def not_(answer: Awaitable[bool]) -> bool:
    """Return the opposite of ``answer``."""
    return not await answer


class Nodes:
    """Several stores, open together."""

    def __init__(self, stores: list[AbstractAsyncContextManager[LogStore]]) -> None:
        self._opening = stores
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> list[LogStore]:
        return [await self._stack.enter_async_context(store) for store in self._opening]

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
