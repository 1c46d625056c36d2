"""How commands end: exit codes, and the sentence on stderr that goes with them."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec

import typer

from tailrace.cli.terminal import say
from tailrace.errors import (
    ConfigError,
    ProviderError,
    RemoteProtocolError,
    RequestError,
    StreamCancelled,
    StreamError,
    TailraceError,
)

P = ParamSpec("P")


class Exit(IntEnum):
    """What the shell is told."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UPSTREAM = 3
    AUTH = 4
    INTERRUPTED = 130
    """128 + SIGINT."""
    NO_READER = 141
    """128 + SIGPIPE: what any tool ends with whose output nobody reads on."""


_KINDS: dict[str, Exit] = {
    "authentication": Exit.AUTH,
    "permission": Exit.AUTH,
    # The server says that it was asked wrongly: for an unknown model, say.
    "invalid_request": Exit.USAGE,
    "not_found": Exit.USAGE,
    "too_large": Exit.USAGE,
    "conflict": Exit.USAGE,
}

# Where the kind does not decide; the first row that fits wins.
_CODES: tuple[tuple[type[TailraceError], Exit], ...] = (
    (RequestError, Exit.USAGE),
    (ProviderError, Exit.UPSTREAM),
    (RemoteProtocolError, Exit.UPSTREAM),
    (StreamCancelled, Exit.FAILED),
    (StreamError, Exit.UPSTREAM),
    (TailraceError, Exit.FAILED),
)


def code_of(error: TailraceError) -> Exit:
    """Return the exit code that says ``error``."""
    by_kind = _KINDS.get(getattr(error, "kind", ""))
    return by_kind or next(code for kind, code in _CODES if isinstance(error, kind))


def guarded(command: Callable[P, int | None]) -> Callable[P, None]:
    """Return ``command`` with its errors said on stderr and turned into exit codes; its result is one too."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(outcome(lambda: command(*args, **kwargs)))

    return run


def outcome(command: Callable[[], int | None]) -> int:
    """Run ``command``, say its error on stderr, and return the exit code."""
    try:
        return command() or Exit.OK
    except ConfigError as error:
        for problem in error.problems:
            say(f"error: {problem}")
        return Exit.FAILED
    except TailraceError as error:
        say(f"error: {error}")
        return code_of(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return Exit.NO_READER


def _discard_stdout() -> None:
    # Python flushes stdout once more as it exits, and would complain.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
