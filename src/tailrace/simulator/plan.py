"""A scenario in one dialect: the actions that play it, and the bytes they write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from tailrace.dialects import DIALECTS, Dialect, Reply
from tailrace.events import Fold, MessageEnd
from tailrace.simulator.actions import Action, Close, Head, Send, Wait
from tailrace.simulator.faults import faulty_actions, faulty_steps
from tailrace.simulator.scenario import Scenario
from tailrace.simulator.script import Step, answer_id, script

CREATED = 1_767_225_600
"""Unix time that every answer bears (2026-01-01 UTC), since its bytes must not depend on the clock."""

JSON = ("content-type", "application/json")

Headers: TypeAlias = tuple[tuple[str, str], ...]


def plan(scenario: Scenario, dialect: Dialect, *, stream: bool = True, include_usage: bool = True) -> Iterator[Action]:
    """Yield what the provider does to answer with ``scenario`` in ``dialect``."""
    reply = Reply(id=answer_id(scenario), model=scenario.name, created=CREATED, include_usage=include_usage)
    steps = faulty_steps(script(scenario), scenario)
    # Anthropic's clients show the first of these names, OpenAI's the second.
    names = tuple((name, f"req_{reply.id}") for name in ("request-id", "x-request-id"))
    actions = _streamed(steps, dialect, reply, names) if stream else _whole(steps, dialect, reply, names)
    return faulty_actions(actions, scenario, dialect, stream=stream)


def _streamed(steps: Iterator[Step], dialect: Dialect, reply: Reply, names: Headers) -> Iterator[Action]:
    encode = dialect.encoder(reply).encode
    yield Head(200, (("content-type", dialect.content_type), ("cache-control", "no-cache"), *names))
    for delay, event in steps:
        if delay:
            yield Wait(delay)
        frames = encode(event)
        for number, frame in enumerate(frames, 1):
            yield Send(frame, True, isinstance(event, MessageEnd) and number == len(frames))
    yield Close("end")


def _whole(steps: Iterator[Step], dialect: Dialect, reply: Reply, names: Headers) -> Iterator[Action]:
    fold, seconds = Fold(), 0.0
    for delay, event in steps:
        seconds += delay
        fold.add(event)
    if seconds:
        yield Wait(seconds)
    error = fold.error
    value = dialect.error_body(error) if error else dialect.message_body(fold.message(), reply)
    body = msgspec.json.encode(value)
    yield Head(error.http_status if error else 200, (JSON, *names), len(body))
    yield Send(body, True)
    yield Close("end")


def frames_of(scenario: Scenario, dialect: str, *, include_usage: bool = True) -> list[bytes]:
    """Return the writes of the streamed body, one wire event each where no fault cuts it otherwise."""
    actions = plan(scenario, DIALECTS[dialect], include_usage=include_usage)
    return [action.data for action in actions if isinstance(action, Send)]


def bytes_of(scenario: Scenario, dialect: str, *, include_usage: bool = True) -> bytes:
    """Return the streamed body, as far as the scenario's faults let it come."""
    return b"".join(frames_of(scenario, dialect, include_usage=include_usage))
