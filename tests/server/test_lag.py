"""F19: the event loop is blocked. It is measured, said in the log, and costs other readers no more than the block."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from tailrace.engine import Limits
from tailrace.server.lag import INTERVAL, WARN, LoopLag
from tests.server.conftest import House
from tests.server.test_doors import body

pytestmark = pytest.mark.anyio

HEARTBEAT = 0.1
ROUNDS = 3
SILENT = "ant/sim:tokens=9,fault=stall_event@5"


class TestTheMeasure:
    """With a clock of the test's own: the figures are exact."""

    @pytest.mark.parametrize("block", [0.0, 0.05, 0.5, 5.0])
    async def test_a_late_look_is_told_with_its_seconds(self, block: float) -> None:
        now = [100.0]
        seen: list[float] = []
        lag = LoopLag(seen.append, clock=lambda: now[0])
        lag.start()
        now[0] += INTERVAL + block
        with capture_logs() as logs:
            lag._look()
        lag.stop()
        assert seen == [pytest.approx(block)]
        said = [entry for entry in logs if entry["event"] == "event_loop_blocked"]
        assert [entry["seconds"] for entry in said] == ([pytest.approx(block)] if block >= WARN else [])

    async def test_a_timer_that_fires_early_is_not_late(self) -> None:
        seen: list[float] = []
        lag = LoopLag(seen.append, clock=lambda: 100.0)
        lag.start()
        lag._look()
        lag.stop()
        assert seen == [0.0]

    async def test_it_goes_on_until_it_is_stopped(self) -> None:
        seen: list[float] = []
        lag = LoopLag(seen.append)
        lag.start()
        async with asyncio.timeout(10):
            while len(seen) < 3:
                await asyncio.sleep(INTERVAL)
        lag.stop()
        count = len(seen)
        await asyncio.sleep(3 * INTERVAL)
        assert len(seen) == count


class Listener(threading.Thread):
    """A client outside of the loop: notes when each heartbeat came."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        at = urlsplit(url)
        self._address = (at.hostname, at.port)
        self.beats: list[float] = []
        self.closing = False

    async def hears(self, count: int) -> None:
        """Wait until so many heartbeats have come."""
        while len(self.beats) < count:
            await asyncio.sleep(0.01)

    def run(self) -> None:
        data = json.dumps(body(SILENT)).encode()
        head = f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(data)}\r\n\r\n"
        with socket.create_connection(self._address, timeout=10) as sock:
            sock.sendall(head.encode() + data)
            while not self.closing:
                came = sock.recv(65536)
                if b"event: ping" in came:
                    self.beats.append(time.monotonic())


class TestARunningServer:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=HEARTBEAT)

    @pytest.mark.parametrize("block", [0.05, 0.5])
    async def test_heartbeats_of_others_are_late_by_the_block_at_most(self, house: House, block: float) -> None:
        listener = Listener(house.url)
        listener.start()
        gaps = []
        async with asyncio.timeout(20):
            await listener.hears(3)
            for _ in range(ROUNDS):
                before = len(listener.beats)
                time.sleep(block)
                await listener.hears(before + 3)
                beats = listener.beats[before - 1 :]
                gaps.append(max(later - earlier for earlier, later in itertools.pairwise(beats)))
            listener.closing = True
            await asyncio.to_thread(listener.join)
        # What else the machine was doing is in some rounds; what we do is in all.
        assert min(gaps) <= HEARTBEAT + block + 0.05
        assert await lag_above(house, block - INTERVAL - 0.01) >= ROUNDS


async def lag_above(house: House, seconds: float) -> float:
    """How often the loop was late by more than a bound that is at most ``seconds``, as ``/metrics`` says."""
    async with house.http.get(house.url + "/metrics") as response:
        lines = (await response.text()).splitlines()
    buckets = {}
    for line in lines:
        if line.startswith("tailrace_loop_lag_seconds_bucket"):
            bound = line.partition('le="')[2].partition('"')[0]
            buckets[float(bound.replace("+Inf", "inf"))] = float(line.rpartition(" ")[2])
    below = max(count for bound, count in buckets.items() if bound <= seconds)
    return buckets[float("inf")] - below
