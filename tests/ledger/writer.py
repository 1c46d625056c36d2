"""A writer in a process of its own: takes commands, a JSON list a line, and answers each with a JSON value.

``["open", id]`` · ``["close", id]`` · ``["state"]`` · ``["spin", prefix, "aloud"]`` (attempts without end) ·
``["leave"]``. Run as ``python -m tests.ledger.writer PATH OPTIONS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import structlog

from tailrace.errors import ConfigError, Overloaded
from tailrace.events import Usage
from tailrace.ledger import Attempt, Outcome, Row, SqliteLedger, read

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
"""Longest wait for another process, on a machine that is busy with other things."""

QUICK = {"busy": 0.1, "retry": 0.05, "sweep": 0.1}
"""Options that let faults and recoveries be noticed without waiting."""


COMPLETED = Outcome(ending="completed", seconds=1.0, usage=Usage(input_tokens=3, output_tokens=4), label="exact")


def attempt(name: str) -> Attempt:
    # Not of tailrace.testing: that loads pytest and the server, which takes longer than these tests.
    about = {"owner": "me", "door": "plain", "asked": "fast", "provider": "p", "model": "m"}
    return Attempt(id=name, stream="s", number=1, started=1_780_000_000.0, **about)


def say(value: Any) -> None:
    print(json.dumps(value), flush=True)


async def spin(ledger: SqliteLedger, prefix: str, *, aloud: bool) -> None:
    for number in range(1_000_000):
        one = attempt(f"{prefix}{number}")
        try:
            await ledger.open(one)
        except Overloaded:
            await asyncio.sleep(0.01)
            continue
        if aloud:
            say(["opened", one.id])
        await asyncio.sleep(0)
        ledger.close(one.id, COMPLETED)


async def obey(ledger: SqliteLedger, command: str, *words: str) -> Any:
    match command:
        case "open":
            try:
                await ledger.open(attempt(words[0]))
            except Overloaded as error:
                return [error.status, error.code]
            return "ok"
        case "close":
            ledger.close(words[0], COMPLETED)
        case "spin":
            async with asyncio.TaskGroup() as group:
                for number in range(4):
                    group.create_task(spin(ledger, f"{words[0]}{number}.", aloud="aloud" in words))
        case _:
            pass
    return {"trouble": ledger.trouble, "owed": ledger.owed, "spilled": ledger.spilled}


async def main(path: str, options: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    ledger = SqliteLedger(path, **json.loads(options))
    try:
        await ledger.start()
    except ConfigError as error:
        return say(["refused", str(error)])
    say("started")
    loop = asyncio.get_running_loop()
    while (words := json.loads(await loop.run_in_executor(None, sys.stdin.readline))) != ["leave"]:
        say(await obey(ledger, *words))
    await ledger.aclose()
    say("left")
    return None


class Writer:
    """That process, seen from the test."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.writer", str(path), json.dumps({**QUICK, **options})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def started(self) -> Self:
        said = self.hear()
        assert said == "started", said
        return self

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline() or '"nothing"')

    def tell(self, *words: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def ask(self, *words: str) -> Any:
        self.tell(*words)
        return self.hear()

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the writer's state as soon as it is as ``wanted``."""
        state: dict[str, Any] = eventually(lambda: self.ask("state"), wanted)
        return state

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def failing_disk(self) -> Iterator[None]:
        """Have every write to a file fail, as the kernel does it: SQLite reports SQLITE_IOERR_WRITE."""
        unlimited = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        yield
        with contextlib.suppress(ProcessLookupError):  # it may have left
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, unlimited)


def eventually(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Return what ``look`` sees as soon as it is as ``wanted``."""
    end = time.monotonic() + SECONDS
    while not wanted(seen := look()):
        assert time.monotonic() < end, repr(seen)[:500]
        time.sleep(0.01)
    return seen


def rows(path: Path) -> dict[str, Row]:
    """Return all rows by the attempts' ids; no id has two."""
    found = read(path, limit=1_000_000)
    by_id = {row.attempt.id: row for row in found}
    assert len(by_id) == len(found)
    return by_id


def outcomes(path: Path) -> dict[str, str | None]:
    """Return the ending of each attempt by its id; None while it goes on."""
    return {name: row.outcome.ending if row.outcome else None for name, row in rows(path).items()}


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
