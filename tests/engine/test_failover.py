"""Who is asked next, and for how long nobody is: the pure part of failing over."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.engine import Retry
from tailrace.engine.breaker import Breaker
from tailrace.engine.failover import VERDICTS, Next, Schedule, verdict
from tailrace.events import Error
from tailrace.events.model import ErrorKind

BUSY = Error("overloaded", "busy", status=529)
WRONG = Error("invalid_request", "no", status=400)
NO_KEY = Error("authentication", "no", status=401)


def schedule(targets: int, **retry: float) -> Schedule:
    return Schedule(targets, Retry(**retry), lambda: 1.0)  # type: ignore[arg-type]


def test_every_kind_of_error_has_a_verdict() -> None:
    assert set(VERDICTS) == set(get_args(ErrorKind))


def test_the_next_target_is_asked_at_once_and_the_first_again_after_a_backoff() -> None:
    plan = schedule(2, attempts=3, backoff=0.5)
    assert plan.first == Next(0, 0)
    assert plan.after(0, BUSY) == Next(1, 0)
    assert plan.after(1, BUSY) == Next(0, 0.5)
    assert plan.after(0, BUSY) == Next(1, 0)
    assert plan.after(1, BUSY) == Next(0, 1.0)
    assert plan.after(0, BUSY) == Next(1, 0)
    assert plan.after(1, BUSY) is None


def test_a_fault_of_the_request_is_final() -> None:
    assert schedule(3).after(0, WRONG) is None


def test_a_target_that_will_say_the_same_again_is_not_asked_again() -> None:
    plan = schedule(2, attempts=3)
    assert plan.after(0, NO_KEY) == Next(1, 0)
    assert plan.after(1, BUSY) == Next(1, 0.5)
    assert plan.after(1, NO_KEY) is None


def test_what_a_provider_asks_for_is_waited_for_where_that_is_short() -> None:
    plan = schedule(1, attempts=2, backoff=0.5, longest=8)
    assert plan.after(0, Error("rate_limit", "slow", retry_after=3.0)) == Next(0, 3.0)
    assert schedule(1, longest=8).after(0, Error("rate_limit", "slow", retry_after=30.0)) is None


def test_the_backoff_has_a_longest() -> None:
    plan = schedule(1, attempts=9, backoff=1, longest=4)
    delays = [step.delay for _ in range(8) if (step := plan.after(0, BUSY))]
    assert delays == [1, 2, 4, 4, 4, 4, 4, 4]


def test_a_rival_is_taken_out_of_its_turn() -> None:
    plan = schedule(3, attempts=1)
    assert plan.rival() == 1
    assert plan.after(0, BUSY) == Next(2, 0)
    assert plan.rival() is None
    assert plan.after(2, BUSY) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Error("timeout", "", code="connect"), "again"),
        (Error("timeout", "", code="first_content"), "elsewhere"),
        (Error("upstream", "", status=429), "again"),
        (Error("upstream", "", status=451), "final"),
        (Error("upstream", "", status=500), "again"),
        (Error("overloaded", "", code="ledger_unavailable"), "final"),
    ],
)
def test_verdicts_that_need_more_than_the_kind(error: Error, expected: str) -> None:
    assert verdict(error) == expected


@given(st.data(), st.integers(1, 4), st.integers(1, 4))
def test_no_target_is_asked_more_often_than_allowed(data: st.DataObject, targets: int, attempts: int) -> None:
    plan = Schedule(targets, Retry(attempts=attempts), lambda: 0.0)
    asked = [0] * targets
    step: Next | None = plan.first
    while step is not None:
        asked[step.target] += 1
        kind = data.draw(st.sampled_from(get_args(ErrorKind)))
        step = plan.after(step.target, Error(kind, ""))
    assert max(asked) <= attempts


class TestBreaker:
    DOWN = Error("unreachable", "")

    def test_so_many_failures_in_a_row_open_it_and_one_request_tries_it_later(self) -> None:
        breaker = Breaker(3, 30)
        for now in (1, 2):
            breaker.failed(self.DOWN, now)
            assert breaker.wait(now) == 0
        breaker.failed(self.DOWN, 3)
        assert breaker.wait(3) == 30
        assert breaker.wait(32) == 1
        assert breaker.wait(33) == 0
        assert breaker.wait(33) == 30
        breaker.succeeded()
        assert breaker.wait(34) == 0

    def test_a_probe_that_fails_opens_it_for_as_long_again(self) -> None:
        breaker = Breaker(1, 30)
        breaker.failed(self.DOWN, 0)
        assert breaker.wait(30) == 0
        breaker.failed(self.DOWN, 31)
        assert breaker.wait(31) == 30

    def test_a_success_between_two_failures_begins_the_count_anew(self) -> None:
        breaker = Breaker(2, 30)
        for now in range(9):
            breaker.failed(self.DOWN, now)
            breaker.succeeded()
        assert breaker.state == "closed"

    @pytest.mark.parametrize("error", [WRONG, NO_KEY, Error("rate_limit", "", status=429), Error("cancelled", "")])
    def test_what_does_not_speak_of_health_does_not_count(self, error: Error) -> None:
        breaker = Breaker(1, 30)
        breaker.failed(error, 0)
        assert breaker.wait(0) == 0

    def test_none_is_none(self) -> None:
        breaker = Breaker(0, 30)
        breaker.failed(self.DOWN, 0)
        assert breaker.wait(0) == 0
