"""A generation's life, as its tables say it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from tailrace.engine import Budget, Policy
from tailrace.engine.lifecycle import LIFE, Lifecycle, Phase, Signal
from tailrace.events import Ending

SIGNALS: tuple[Signal, ...] = get_args(Signal)


def life(*signals: Signal, policy: Policy | None = None) -> Lifecycle:
    lifecycle = Lifecycle(policy or Policy())
    for signal in signals:
        lifecycle.on(signal)
    return lifecycle


@pytest.mark.parametrize(
    ("signals", "ending"),
    [
        (["accept", "content", "terminal"], "completed"),
        (["accept", "terminal"], "completed"),
        (["accept", "content", "closed"], "truncated"),
        (["accept", "closed"], "truncated"),
        (["fail"], "failed"),
        (["stop"], "cancelled"),
        (["accept", "stop"], "cancelled"),
        (["accept", "content", "abandon"], "cancelled"),
        (["accept", "content", "deadline"], "timed_out"),
        (["accept", "content", "shutdown"], "interrupted"),
    ],
)
def test_each_way_has_its_ending(signals: list[Signal], ending: Ending) -> None:
    assert life(*signals).ending == ending


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_first_ending_stays(first: Signal, second: Signal) -> None:
    lifecycle = life("accept", "content", first)
    ending = lifecycle.ending
    if ending is not None:
        assert lifecycle.on(second) is None
        assert lifecycle.ending == ending


def test_success_needs_the_terminal_marker() -> None:
    """Over every row of up to four signals, nothing but ``terminal`` after ``accept`` brings ``completed``."""
    for row in itertools.product(SIGNALS, repeat=4):
        if life(*row).ending == "completed":
            assert "terminal" in row
            last = len(row) - row[::-1].index("terminal")
            assert "accept" in row[:last]


def test_phases_only_go_forward_but_for_another_attempt() -> None:
    order: list[Phase] = list(get_args(Phase))
    for phase, steps in LIFE.items():
        forward = {signal for signal, step in steps.items() if order.index(step.phase) > order.index(phase)}
        assert set(steps) - forward == {"accepted": {"retry"}, "streaming": {"restart"}}.get(phase, set())


@pytest.mark.parametrize(
    ("on_disconnect", "audience", "timer"),
    [("cancel", "grace", 7.0), ("drain", "draining", 9.0), ("detach", "detached", None)],
)
def test_an_empty_room_is_what_the_policy_says(on_disconnect: str, audience: str, timer: float | None) -> None:
    policy = Policy(on_disconnect=on_disconnect, grace=7.0, budget=Budget(seconds=9.0))  # type: ignore[arg-type]
    lifecycle = life("accept", policy=policy)
    assert lifecycle.readers(1) is None
    assert lifecycle.readers(0) == timer
    assert lifecycle.audience == audience
    assert lifecycle.readers(2) is None
    assert lifecycle.audience == "attended"


def test_an_ended_generation_starts_no_timer() -> None:
    assert life("stop").readers(0) is None
