"""Is the event loop free? One timer that looks how late it is.

Whatever blocks the loop delays every stream, every heartbeat and every deadline of the process, and no log line of
its own says so. A block of B seconds is seen as at least B less `INTERVAL`, whenever it begins.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

INTERVAL = 0.02
"""Seconds between two looks: a block of 50 ms cannot hide between them. An idle process wakes 50 times a second for it,
which costs it half a hundredth of a core."""

WARN = 0.25
"""Seconds from which a block is a line in the log: a reader sees it as a stall."""

_log = structlog.get_logger("tailrace.loop")


class LoopLag:
    """Tells ``observe`` at each look how many seconds late it was.

    ``clock`` is monotonic; not the loop's own, which some loops read only once a turn.
    """

    def __init__(self, observe: Callable[[float], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._observe = observe
        self._clock = clock
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._due = self._clock() + INTERVAL
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def stop(self) -> None:
        """End it. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        # Loops fire timers up to a millisecond early.
        late = max(0.0, self._clock() - self._due)
        self._observe(late)
        if late >= WARN:
            _log.warning("event_loop_blocked", seconds=round(late, 3))
        self.start()
