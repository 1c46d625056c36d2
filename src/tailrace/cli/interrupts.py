"""Ctrl-C while an answer is written: once stops it and keeps the text, twice leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Self

from tailrace.client import Stream
from tailrace.errors import TailraceError

STDERR = 2


class Interrupts:
    """As a context manager, takes SIGINT over; ``stopped`` says whether it came.

    The second one raises ``KeyboardInterrupt`` where the program stands.
    """

    def __init__(self, stream: Stream) -> None:
        self.stopped = False
        self._stream = stream
        self._before: signal._HANDLER = signal.SIG_DFL
        # Signals belong to the main thread; elsewhere nothing can be taken over.
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        # Not `say`: the signal may have come in the middle of a write to stderr, which cannot be entered twice.
        with contextlib.suppress(OSError):
            os.write(STDERR, b"\nstopping (Ctrl-C again to leave at once)\n")
        with contextlib.suppress(TailraceError):
            self._stream.stop()
