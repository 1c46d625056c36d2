"""Nothing of ours may block an event loop: a blocking call from a frame of ours fails the test that made it.

blockbuster replaces the calls that block (files, sockets, sleep, SQLite) with ones that look first whether a loop runs
in their thread. Here they then look whether `tailrace` is among their callers, note it, and go on: an error raised in
the middle of the server would be caught by the first ``except Exception``, or break the test elsewhere. Locks are left
alone: ours are held for a moment, and asking at each would slow every test.
"""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import blockbuster

import tailrace

OURS = str(Path(tailrace.__file__).parent) + "/"

ALLOWED: dict[tuple[str, str], str] = {
    ("client/sync/", ""): "the blocking client: whoever calls it in a loop has asked for that",
    ("server/app.py", "create_app"): "an app is built before it serves anybody",
}
"""(beginning of a file's path below the package, function or "" for all) → why what it calls may block a loop."""

MORE = ("socket.getaddrinfo", "subprocess.Popen.wait", "subprocess.Popen.communicate", "os.fsync", "os.open", "io.open")
"""Calls that block and that blockbuster does not watch."""


def culprit() -> str | None:
    """Return the innermost file and function of ours among the callers; None when there is none, or one may block.

    A module that is imported late is read once, by whoever comes first, and the lines of a source are read for the
    trace of a bug, ours or pytest's: neither is held against anybody.
    """
    frame: FrameType | None = inspect.currentframe()
    found: str | None = None
    while frame is not None:
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        if function == "_run_once" and file.endswith("asyncio/base_events.py"):
            # Further out stands who ran the loop.
            break
        if function == "_find_and_load" and file == "<frozen importlib._bootstrap>":
            return None
        if file.endswith("/linecache.py"):
            return None
        if file.startswith(OURS):
            place = file.removeprefix(OURS)
            if any(place.startswith(where) and name in {"", function} for where, name in ALLOWED):
                return None
            found = found or f"{place}:{function}"
        frame = frame.f_back
    return found


@contextlib.contextmanager
def watching() -> Iterator[list[str]]:
    """Watch everything that runs; what is yielded grows by the blocking calls, each with its callers."""
    found: list[str] = []

    def noting(name: str, harmless: Callable[..., bool]) -> Callable[..., bool]:
        def note(*args: Any, **kwargs: Any) -> bool:
            if not harmless(*args, **kwargs) and (ours := culprit()):
                found.append(f"{ours} calls {name}\n{''.join(traceback.format_stack(limit=20)[:-2])}")
            return True

        return note

    buster = blockbuster.BlockBuster()
    functions = {name: one for name, one in buster.functions.items() if not name.startswith("threading.")}
    functions |= {name: blockbuster.BlockBusterFunction(None, name) for name in MORE}
    for name, function in functions.items():
        function.can_block_predicate = noting(name, function.can_block_predicate)
        function.activate()
    try:
        yield found
    finally:
        for function in functions.values():
            function.deactivate()
