"""Deadlines for reads that cannot be given one.

The HTTP library takes one read timeout for a whole response and counts bytes with it; ours move with the content. So
reads block without a limit, and one daemon thread for each client shuts down the connection of a read whose deadline
has passed, which makes the read return. The thread lives while some read has a deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_LINGER = 1.0
"""Seconds that the thread outlives its last read: reads follow each other closely, starting a thread costs 0.1 ms."""


class Guard:
    """The deadline of one connection's reads. Used through `Watchdog.guard`."""

    __slots__ = ("_hang_up", "_watchdog", "deadline", "fired")

    def __init__(self, watchdog: Watchdog, hang_up: Callable[[], object]) -> None:
        self._watchdog = watchdog
        self._hang_up = hang_up
        self.deadline: float | None = None
        self.fired = False

    def arm(self, seconds: float) -> None:
        """A read begins that may take ``seconds``."""
        self._watchdog.arm(self, seconds)

    def disarm(self) -> None:
        """The read is over; from here on the guard does not fire."""
        self._watchdog.disarm(self)

    def fire(self) -> None:
        """Hang up. Called with the watchdog's lock held, so never after `disarm`."""
        self.fired = True
        self.deadline = None
        self._hang_up()


class Watchdog:
    """Watches over the reads of one client, from one thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._armed: set[Guard] = set()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0

    def guard(self, hang_up: Callable[[], object]) -> Guard:
        """Return a guard that calls ``hang_up``, from another thread, when a deadline has passed."""
        return Guard(self, hang_up)

    def arm(self, guard: Guard, seconds: float) -> None:
        """See `Guard.arm`."""
        with self._changed:
            guard.deadline = time.monotonic() + seconds
            self._armed.add(guard)
            if self._thread is None:
                self._wakes_at = guard.deadline
                self._thread = threading.Thread(target=self._watch, name="tailrace watchdog", daemon=True)
                self._thread.start()
            elif guard.deadline < self._wakes_at:
                self._changed.notify()

    def disarm(self, guard: Guard) -> None:
        """See `Guard.disarm`."""
        with self._changed:
            guard.deadline = None
            self._armed.discard(guard)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for guard in [g for g in self._armed if g.deadline is not None and g.deadline <= now]:
                    self._armed.discard(guard)
                    guard.fire()
                deadlines = [g.deadline for g in self._armed if g.deadline is not None]
                self._wakes_at = min(deadlines, default=now + _LINGER)
                notified = self._changed.wait(self._wakes_at - now)
                if not notified and not deadlines and not self._armed:
                    self._thread = None
                    return
