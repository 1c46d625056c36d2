"""Runs the command line in a process that kills itself at a named point: ``CHAOS_CRASH="frame stored|after|5"``.

The product has no hook for this: its functions are wrapped from outside, before it begins.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
from collections.abc import Callable
from typing import Any

POINTS: dict[str, str] = {
    "stream created": "tailrace.log.redis.store:RedisStore.create",
    "ledger row opened": "tailrace.ledger.sqlite:SqliteLedger.open",
    "provider asked": "tailrace.engine.http:HttpUpstream.run",
    "provider accepted": "tailrace.engine.attempt:Attempt.accepted",
    "provider's bytes": "tailrace.engine.attempt:Attempt.feed",
    "frame appended": "tailrace.log.redis.log:RedisLog.append",
    "batch written": "tailrace.log.redis.writer:Writer._batch",
    "frame stored": "tailrace.log.redis.log:RedisLog.stored",
    "frame sent": "tailrace.server.sink:AsgiSink._write",
    "log closed": "tailrace.log.redis.log:RedisLog.close",
    "ledger row closed": "tailrace.ledger.sqlite:SqliteLedger.close",
    "ledger written": "tailrace.ledger.store:Store.write",
}
"""``name → what is wrapped``; each is tried before and after."""


def arm(point: str, when: str, number: int) -> None:
    """Have this process killed before or after the ``number``-th call of ``point``."""
    module, _, path = POINTS[point].partition(":")
    owner_name, _, name = path.partition(".")
    owner = getattr(importlib.import_module(module), owner_name)
    original = getattr(owner, name)
    setattr(owner, name, _wrapped(original, when, number))


def _wrapped(original: Callable[..., Any], when: str, number: int) -> Callable[..., Any]:
    calls = 0

    def due() -> bool:
        return calls == number

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            mine = due()
            if mine and when == "before":
                die()
            value = await original(*args, **kwargs)
            if mine and when == "after":
                die()
            return value

        return waiting

    @functools.wraps(original)
    def at_once(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        mine = due()
        if mine and when == "before":
            die()
        value = original(*args, **kwargs)
        if mine and when == "after":
            die()
        return value

    return at_once


def die() -> None:
    """End as ``kill -9`` does: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Arm what ``CHAOS_CRASH`` says, then be the command line."""
    point, when, number = os.environ["CHAOS_CRASH"].split("|")
    arm(point, when, int(number))
    from tailrace.cli.main import run

    run()


if __name__ == "__main__":
    main()
