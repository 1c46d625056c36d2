"""Faults on the wire: actions in, actions out.

Positions are bytes of the body, or wire events, counted after the faults before them in the table have been applied.
A position past the end of the answer never comes: the answer then ends as it would have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import msgspec

from tailrace.dialects import Dialect
from tailrace.events import ERROR_STATUS
from tailrace.simulator.actions import FOREVER, Action, Close, Head, Send, Wait
from tailrace.simulator.scenario import Fault
from tailrace.simulator.script_faults import failure

WireFault: TypeAlias = Callable[[Iterator[Action], Fault, Dialect], Iterator[Action]]
Marked: TypeAlias = Iterator[Action | None]

PIECE = 64 * 1024
"""Bytes of one write of a huge line: the size in which a socket usually takes them."""

_STATUS_KINDS = {status: kind for kind, status in reversed(ERROR_STATUS.items())} | {500: "internal", 529: "overloaded"}
"""``HTTP status → error kind``; 529 is Anthropic's "overloaded"."""

_STRING_END = re.compile(rb'(?<!["\\])"(?=\})')
"""The closing quote of a string that is not empty and ends an object: before it there is room for a bad byte."""


# --- where it happens -------------------------------------------------------------------------------------------


def after_byte(actions: Iterator[Action], at: int) -> Marked:
    """Yield the actions with a None after byte ``at`` of the body."""
    left: int | None = at
    for action in actions:
        if left is None or not isinstance(action, Send):
            yield action
        elif len(action.data) < left:
            left -= len(action.data)
            yield action
        elif len(action.data) == left:
            yield action
            yield None
            left = None
        else:
            yield Send(action.data[:left])
            yield None
            yield action._replace(data=action.data[left:])
            left = None
        if left == 0 and isinstance(action, Head):
            yield None
            left = None


def after_event(actions: Iterator[Action], at: int) -> Marked:
    """Yield the actions with a None after the ``at``-th wire event (0: after the head)."""
    seen = 0
    for action in actions:
        yield action
        if isinstance(action, Head) and at == 0:
            yield None
        if isinstance(action, Send) and action.event:
            seen += 1
            if seen == at:
                yield None


Place: TypeAlias = Callable[[Iterator[Action], int], Marked]


def closing(place: Place, how: Literal["end", "fin", "rst"]) -> WireFault:
    """Return the fault that closes at a place."""

    def fault(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
        for action in place(actions, fault.at or 0):
            if action is None:
                yield Close(how, early=True)
                return
            yield action

    return fault


def stalling(place: Place) -> WireFault:
    """Return the fault that falls silent at a place, for ``argument`` seconds or for ever."""

    def fault(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
        for action in place(actions, fault.at or 0):
            if action is None:
                yield Wait(float(fault.argument) if fault.argument else FOREVER)
            else:
                yield action

    return fault


# --- what is said -----------------------------------------------------------------------------------------------


def junk(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Cut the JSON of the ``at``-th event in half; the event itself is properly closed."""
    seen = 0
    for action in actions:
        if isinstance(action, Send) and action.event:
            seen += 1
            if seen == fault.at:
                head, mark, json = action.data.rstrip(b"\n").rpartition(b"data: ")
                tail = b"\n\n" if mark else b""
                yield action._replace(data=head + mark + json[: (len(json) + 1) // 2] + tail)
                continue
        yield action


def bad_utf8(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Put the byte FF, which no UTF-8 text has, into the first text from event ``at`` on."""
    seen, done = 0, False
    for action in actions:
        if isinstance(action, Send) and action.event:
            seen += 1
            if not done and seen >= (fault.at or 1) and (place := _STRING_END.search(action.data)):
                done = True
                yield action._replace(data=action.data[: place.start()] + b"\xff" + action.data[place.start() :])
                continue
        yield action


def comments(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Put a comment, as some providers write to keep proxies awake, before every ``at``-th event."""
    seen, every = 0, max(1, fault.at or 1)
    for action in actions:
        if isinstance(action, Send) and action.event:
            if seen % every == 0:
                yield Send(b": the simulator is thinking\n\n")
            seen += 1
        yield action


def huge_line(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """After the first event, write one comment line of ``at`` bytes."""
    left = fault.at or 0
    for action in actions:
        yield action
        if left and isinstance(action, Send):
            yield Send(b":")
            while left:
                piece = min(left, PIECE)
                left -= piece
                yield Send(b"x" * piece)
            yield Send(b"\n\n")


def crlf(actions: Iterator[Action], _fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """End every line with CR LF, as the SSE specification allows."""
    for action in actions:
        yield action._replace(data=action.data.replace(b"\n", b"\r\n")) if isinstance(action, Send) else action


def bom(actions: Iterator[Action], _fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Begin the body with a byte-order mark, which a reader must skip."""
    for action in actions:
        yield action
        if isinstance(action, Head):
            yield Send(b"\xef\xbb\xbf")


def no_terminator(actions: Iterator[Action], _fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Leave the dialect's terminal marker out and end cleanly."""
    return (action for action in actions if not (isinstance(action, Send) and action.terminal))


# --- how it is written ------------------------------------------------------------------------------------------


def chunk(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Write ``at`` bytes at a time, across the borders of events, as long as nothing waits."""
    size, kept = max(1, fault.at or 1), bytearray()
    for action in actions:
        if isinstance(action, Send):
            kept += action.data
            whole = len(kept) - len(kept) % size
            for start in range(0, whole, size):
                yield Send(bytes(kept[start : start + size]))
            del kept[:whole]
            continue
        if kept:
            yield Send(bytes(kept))
            kept.clear()
        yield action


def unframed(actions: Iterator[Action], _fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Neither chunks nor a length: the body lasts until the connection closes, so a cut looks like an end."""
    for action in actions:
        yield action._replace(length=None, chunked=False) if isinstance(action, Head) else action


# --- before it begins -------------------------------------------------------------------------------------------


def status(_actions: Iterator[Action], fault: Fault, dialect: Dialect) -> Iterator[Action]:
    """Answer with HTTP status ``at`` and the dialect's error body; ``argument`` is ``retry-after`` in seconds."""
    code = fault.at or 500
    kind = _STATUS_KINDS.get(code, "invalid_request" if code < 500 else "upstream")
    retry_after = float(fault.argument) if fault.argument else None
    body = msgspec.json.encode(dialect.error_body(failure(kind, status=code, retry_after=retry_after)))
    headers = [("content-type", "application/json")]
    if fault.argument:
        headers.append(("retry-after", fault.argument))
    yield Head(code, tuple(headers), len(body))
    yield Send(body)
    yield Close("end")


def html(_actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Answer with HTTP status ``at`` and a page, as a proxy in between does."""
    code = fault.at or 502
    body = b"<html><head><title>%d</title></head><body><h1>%d</h1><hr>a proxy</body></html>\n" % (code, code)
    yield Head(code, (("content-type", "text/html"),), len(body))
    yield Send(body)
    yield Close("end")


def slow_headers(actions: Iterator[Action], fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Wait ``argument`` seconds before the head."""
    yield Wait(float(fault.argument or 1))
    yield from actions


def hang(_actions: Iterator[Action], _fault: Fault, _dialect: Dialect) -> Iterator[Action]:
    """Never answer at all."""
    yield Wait(FOREVER)
