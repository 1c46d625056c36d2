"""Real processes of the command line: at a terminal of their own, and as servers."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import IO, Self

from tests.cli.commands import UNSET

SECONDS = 60
"""Longest wait for a process to say something, on a machine that is busy with other things."""

TAILRACE = [sys.executable, "-c", "from tailrace.cli.main import run; run()"]


def environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNSET and "TAILRACE__" not in name}
    return {**kept, "PYTHONUNBUFFERED": "1", "TERM": "xterm", **more}


class AtTerminal:
    """A command at a terminal of its own; what it says is collected in ``screen``."""

    def __init__(self, *words: str, piped_out: int | None = None, variables: Mapping[str, str] | None = None) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        # The shell becomes the leader of a session without a terminal; the first one it opens is its own from then
        # on, and Ctrl-C there reaches what it has become.
        script = 'tty=$1; shift; exec "$@" <"$tty" 2>"$tty"' + ("" if piped_out else ' >"$tty"')
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", os.ttyname(slave), *TAILRACE, *words],
            start_new_session=True,
            env=environ(**(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=piped_out or subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._slave = slave

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal."""
        for end in (self._slave, self._master):
            with contextlib.suppress(OSError):
                os.close(end)

    def until(self, pattern: str) -> str:
        """Wait until ``pattern`` is on the screen."""
        deadline = time.monotonic() + SECONDS
        while re.search(pattern, self.screen) is None:
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} never came; there is: {self.screen!r}"
            assert self._more(left) or self.process.poll() is None, f"ended without {pattern!r}: {self.screen!r}"
        return self.screen

    def ended(self) -> int:
        """Wait for the end; return the exit code."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running: {self.screen!r}"
            self._more(0.05)
        while self._more(0):
            pass
        return self.process.returncode

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], min(seconds, 0.5))
        if ready:
            self.screen += os.read(self._master, 65536).decode(errors="replace")
        return bool(ready)


class Running:
    """A server, and the lines it has said so far."""

    def __init__(self, process: subprocess.Popen[str], url: str, said: list[str]) -> None:
        self.process = process
        self.url = url
        self.said = said


@contextlib.contextmanager
def running(*words: str, prelude: str = "", variables: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run a command that serves until the ``with`` is left; it is ready once it has said an address on stderr."""
    program = [sys.executable, "-c", f"{prelude}\nfrom tailrace.cli.main import run; run()"]
    process = subprocess.Popen(
        [*program, *words],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environ(**(variables or {})),
    )
    assert process.stderr is not None
    try:
        yield Running(process, *_address(process.stderr))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=SECONDS)


def _address(stderr: IO[str]) -> tuple[str, list[str]]:
    said: list[str] = []
    for line in stderr:
        said.append(line)
        if found := re.search(r"http://[0-9.:]+", line):
            return found[0], said
    raise AssertionError(f"it ended: {said}")
