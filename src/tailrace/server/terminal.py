"""Whether a SIGHUP means that the terminal has gone, and how to live on without it."""

from __future__ import annotations

import os
import sys


class Terminal:
    """The terminal that this process was started at, if any."""

    def __init__(self) -> None:
        self._there = sys.stderr.isatty()

    def gone(self) -> bool:
        """Return whether it was there and is no more. What is said from then on goes nowhere, and raises nothing."""
        if not self._there or sys.stderr.isatty():
            return False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)
        os.close(nowhere)
        return True
