"""Flow: who holds the provider, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from tailrace.engine.flow import Flow


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.anyio
async def test_one_full_reader_holds_and_the_last_to_drain_lets_go() -> None:
    flow = Flow(Clock())
    flow.full("a")
    flow.full("b")
    waiting = asyncio.ensure_future(flow.ready())
    await asyncio.sleep(0)
    flow.drained("a")
    await asyncio.sleep(0)
    assert flow.paused
    assert not waiting.done()
    flow.drained("b")
    await waiting
    assert not flow.paused


@pytest.mark.anyio
async def test_a_reader_that_fills_again_holds_again() -> None:
    flow = Flow(Clock())
    flow.full("a")
    waiting = asyncio.ensure_future(flow.ready())
    await asyncio.sleep(0)
    flow.drained("a")
    flow.full("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    flow.drained("a")
    await waiting


def test_blocked_time_adds_up() -> None:
    clock = Clock()
    flow = Flow(clock)
    flow.full("a")
    clock.now = 2.0
    flow.full("b")
    assert flow.blocked_seconds == 2.0
    flow.drained("a")
    clock.now = 3.0
    flow.drained("b")
    clock.now = 9.0
    flow.drained("never full")
    assert flow.blocked_seconds == 3.0
