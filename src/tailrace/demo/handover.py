"""From the thread that computes to the event loop that sends: a short bounded queue, and the word to stop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

CAPACITY = 16
"""Chunks between the two sides: half a second of tokens, so that a slow reader holds the thread soon."""


class Handover:
    """One answer's way from a worker thread to the event loop.

    The thread calls `put`, the loop `take` and `stop`. A loop that does not take makes `put` wait; one that has
    stopped makes it return False at once.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._changed = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._finished = False
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether nobody wants more."""
        return self._stopped

    def put(self, chunk: bytes) -> bool:
        """Hand one chunk over, from the thread; return whether more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._chunks) < CAPACITY or self._stopped)
            if self._stopped:
                return False
            self._chunks.append(chunk)
            self._wake()
            return True

    def finish(self) -> None:
        """Say, from any thread, that no more will come."""
        with self._changed:
            self._finished = True
            self._wake()

    def stop(self) -> None:
        """Say, from any thread, that no more is wanted."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    async def take(self) -> bytes | None:
        """Return all that has come, or None at the end. Chunks may be empty: then so may be what this returns."""
        while True:
            await self._filled.wait()
            with self._changed:
                if not self._finished:
                    self._filled.clear()
                if self._chunks:
                    data = b"".join(self._chunks)
                    self._chunks.clear()
                    self._changed.notify_all()
                    return data
                if self._finished:
                    return None
            # Woken for a chunk that the turn before had already taken.

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:
            # The loop was closed under us: nobody will ever take.
            self._stopped = True
