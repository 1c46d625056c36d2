"""A word on stderr while a lost relay is looked for: nobody waits in the dark."""

from __future__ import annotations

import threading
from typing import Self

from tailrace.cli.terminal import aside
from tailrace.client import Stream

LOOK = 0.25
"""Seconds between two looks at the stream: it has no way to call, and its reader is busy waiting."""


class Reconnects:
    """As a context manager, says each time that ``stream`` tries to find its relay again."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._said = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tailrace-reconnects", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            if self._stream.reconnects > self._said:
                self._said = self._stream.reconnects
                aside(f"\nthe connection was lost; looking for the relay again ({self._said})")
