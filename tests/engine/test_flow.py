"""Flow: who holds the provider, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from tailrace.engine.flow import Flow


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def held(flow: Flow) -> bool:
    return flow.paused


def flow_of(*readers: str, clock: Clock | None = None) -> Flow:
    flow = Flow(clock or Clock())
    for reader in readers:
        flow.joined(reader)
    return flow


@pytest.mark.anyio
async def test_the_source_is_held_while_every_reader_is_full() -> None:
    flow = flow_of("a", "b")
    flow.full("a")
    assert not held(flow)
    flow.full("b")
    waiting = asyncio.ensure_future(flow.ready())
    await asyncio.sleep(0)
    assert held(flow)
    assert not waiting.done()
    flow.drained("b")
    await waiting
    assert not held(flow)


def test_who_leaves_counts_no_more() -> None:
    flow = flow_of("stuck", "well")
    flow.full("stuck")
    flow.left("well")
    assert held(flow)
    flow.left("stuck")
    assert not held(flow)
    flow.left("stuck")
    assert not held(flow)


def test_who_joins_can_take_more() -> None:
    flow = flow_of("stuck")
    flow.full("stuck")
    flow.joined("well")
    assert not held(flow)


def test_a_gate_holds_whatever_the_readers_say() -> None:
    flow = flow_of("well")
    flow.close("store")
    assert held(flow)
    assert flow.holds("store")
    flow.open("store")
    assert not held(flow)


@pytest.mark.anyio
async def test_a_reader_that_fills_again_holds_again() -> None:
    flow = flow_of("a")
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
    flow = flow_of("a", "b", clock=clock)
    flow.full("a")
    clock.now = 2.0
    flow.full("b")
    assert flow.blocked_seconds == 0.0
    clock.now = 5.0
    assert flow.blocked_seconds == 3.0
    flow.drained("a")
    clock.now = 9.0
    flow.close("store")
    clock.now = 10.0
    flow.open("store")
    assert flow.blocked_seconds == 4.0
