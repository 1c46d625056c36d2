"""Deadlines, told the time."""

from __future__ import annotations

from tailrace.engine import Deadlines
from tailrace.engine.deadlines import Expired, Watch

LIMITS = Deadlines(first_content=60, idle=20, total=100)


def test_before_the_first_content_only_the_total_counts_here() -> None:
    watch = Watch(LIMITS, now=0)
    assert watch.check(0) == 100
    assert watch.check(99) == 1
    assert watch.check(100) == Expired("total", 100)


FLOOR = Deadlines(idle=None, total=None, floor=2.0, floor_window=10.0)


def test_a_provider_that_drips_is_below_the_floor() -> None:
    watch = Watch(FLOOR, now=0)
    assert watch.check(0) is None
    watch.content(5)
    assert watch.check(5) == 10
    # 2 tokens a second over 10 seconds: 80 characters.
    assert watch.check(15, 80) == 10
    assert watch.check(25, 159) == Expired("floor", 2.0)


def test_time_in_which_we_held_the_provider_back_is_not_its_slowness() -> None:
    watch = Watch(FLOOR, now=0)
    watch.content(0)
    watch.held(9)
    assert watch.check(10, 0) == 9
    assert watch.check(19, 0) == Expired("floor", 2.0)


def test_silence_after_content() -> None:
    watch = Watch(LIMITS, now=0)
    watch.content(50)
    assert watch.check(50) == 20
    watch.content(65)
    assert watch.check(70) == 15
    assert watch.check(85) == Expired("idle", 20)


def test_the_total_comes_first_when_it_is_nearer() -> None:
    watch = Watch(LIMITS, now=0)
    watch.content(95)
    assert watch.check(95) == 5
    assert watch.check(100) == Expired("total", 100)


def test_time_in_which_we_held_the_provider_back_is_not_its_silence() -> None:
    watch = Watch(LIMITS, now=0)
    watch.content(10)
    watch.held(29)
    assert watch.check(29) == 20


def test_no_limits_no_timer() -> None:
    watch = Watch(Deadlines(first_content=None, idle=None, total=None), now=0)
    assert watch.check(10**9) is None
    watch.content(5)
    assert watch.check(10**9) is None
