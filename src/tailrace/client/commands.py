"""What a session asks its driver to do, and what the driver answers: the seam between deciding and doing.

A session is a generator that yields a `Command` and is sent an `Outcome`. A driver holds at most one response at a
time; what each command does to it, and the outcomes it may have:

=========== ======================================================== ==========================================
Send        close the response held, send a request, wait for a head `Head`, `Failure`, ``Signal.TIMED_OUT``
Read        wait for more of the body                                ``bytes``, ``Signal.END``, `Failure`,
                                                                     ``Signal.TIMED_OUT``
Close       close the response held                                  ``Signal.DONE``
Wait        let time pass; returns early when the caller stops       ``Signal.DONE``
StopRemote  ask the relay, on another connection, to stop            ``Signal.DONE``, `Failure`
Opened      nothing: the answer has begun, its head is known         ``Signal.DONE``
Deliver     hand one event to the caller                             ``Signal.DONE``
=========== ======================================================== ==========================================

A command whose execution is broken off (Ctrl-C, a cancelled task) is executed again: after that its response is
gone, so `Read` answers ``Signal.END``.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias, TypeVar

from tailrace.client.reset import StreamEvent
from tailrace.errors import LocalProtocolError, TailraceError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a request; times in seconds, None waits for ever.

    ``connect`` bounds the connection, ``read`` the silence until the head. ``headers`` hold the key, so they are
    kept out of the ``repr``.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    connect: float | None
    read: float | None
    content: bytes | None = None

    def __repr__(self) -> str:
        return f"Send({self.method} {self.url})"


class Read(NamedTuple):
    """Wait for more of the body, at most ``seconds``."""

    seconds: float | None


class Close(NamedTuple):
    """Close the response."""


class Wait(NamedTuple):
    """Wait ``seconds``, or until the caller stops the stream."""

    seconds: float


class StopRemote(NamedTuple):
    """Ask the relay to stop the stream."""


class Opened(NamedTuple):
    """The answer has begun."""


class Deliver(NamedTuple):
    """An event for the caller."""

    event: StreamEvent


Command: TypeAlias = Send | Read | Close | Wait | StopRemote | Opened | Deliver


class Head(NamedTuple):
    """Status and headers of a response; header names are lower case."""

    status: int
    headers: Mapping[str, str]


class Failure(NamedTuple):
    """The command failed; ``error`` is one of ours already."""

    error: TailraceError


class Signal(Enum):
    """Outcomes without a value."""

    DONE = "done"
    END = "end of the body"
    TIMED_OUT = "timed out"


Outcome: TypeAlias = Head | bytes | Failure | Signal
Steps: TypeAlias = Generator[Command, Outcome, T]
"""Something that takes several commands and results in a ``T``."""


def send(command: Send) -> Steps[Head | Failure | Signal]:
    """Have ``command`` sent; return the head of the answer, or what went wrong."""
    outcome = yield command
    if isinstance(outcome, bytes):
        raise LocalProtocolError(f"a driver answered {command} with bytes")
    return outcome


def read(seconds: float | None) -> Steps[bytes | Failure | Signal]:
    """Return more of the body, or why there is none."""
    outcome = yield Read(seconds)
    if isinstance(outcome, Head):
        raise LocalProtocolError("a driver answered Read with a head")
    return outcome
