"""F16: the wall clock steps by two hours, forwards or back, in the middle of an answer. No timer may notice.

Deadlines, heartbeats, graces and the life of a finished log are measured on a monotonic clock; the wall clock only says
when a stream was created, in Unix seconds, which know no zone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
import time_machine

from tailrace.engine import Deadlines, Limits, Policy, Relay, RouteSpec, Target
from tailrace.simulator import Simulator, expected, parse
from tests.server.conftest import House, providers
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

HEARTBEAT = 0.05
IDLE = 0.5
TTL = 0.5
JUMPS = [7200.0, -7200.0]

SILENT = "sim:tokens=9,fault=stall_event@5"
"""Some events, then nothing."""


@pytest.fixture
def limits() -> Limits:
    return Limits(heartbeat=HEARTBEAT, ttl=TTL)


@pytest.fixture
def make_relay(limits: Limits) -> object:
    def make(sim: Simulator) -> Relay:
        policy = Policy(deadlines=Deadlines(idle=IDLE))
        routes = {"short": RouteSpec(name="short", targets=(Target("ant", SILENT),), policy=policy)}
        return Relay(providers(sim), routes, limits=limits)

    return make


@pytest.fixture(params=JUMPS, ids=["+2 h", "-2 h"])
def jump(request: pytest.FixtureRequest) -> Iterator[time_machine.travel]:
    """A step of the wall clock, to be started."""
    travel = time_machine.travel(time.time() + request.param, tick=True)
    yield travel
    if time_machine.escape_hatch.is_travelling():
        travel.stop()


async def test_an_answer_goes_on_and_is_whole(house: House, jump: time_machine.travel) -> None:
    model = "sim:tokens=40,rate=200"
    async with house.http.post(house.url + "/v1/messages", json=body(f"ant/{model}")) as response:
        first = await response.content.readany()
        jump.start()
        rest = await response.content.read()
    message, fold = read("anthropic", first + rest)
    assert fold.ended
    assert message.text == expected(parse(model)).text


async def test_the_deadline_for_silence_fires_when_it_is_due(house: House, jump: time_machine.travel) -> None:
    async with house.http.post(house.url + "/v1/messages", json=body("short")) as response:
        first = await response.content.readany()
        begun = time.monotonic()
        jump.start()
        rest = await response.content.read()
        took = time.monotonic() - begun
    _, fold = read("anthropic", first + rest)
    assert fold.error is not None
    assert fold.error.ending == "timed_out"
    assert 0.9 * IDLE <= took <= IDLE + 0.5
    # One heartbeat for each interval of silence: none was skipped, and the jump made up for no time at once.
    beats = rest.count(b"event: ping")
    assert 0.5 * IDLE / HEARTBEAT <= beats <= IDLE / HEARTBEAT


async def test_a_finished_stream_stays_for_its_time_and_no_longer(house: House, jump: time_machine.travel) -> None:
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim:tokens=3")) as response:
        stream = f"{house.url}/streams/{response.headers['tailrace-stream-id']}"
        await response.read()
    # Its time begins with the first look after its end, which must come before the step.
    ended = time.monotonic()
    house.relay.store.sweep()
    jump.start()
    house.relay.store.sweep()
    async with house.http.get(stream) as response:
        assert response.status == 200
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.02)
            async with house.http.get(stream) as response:
                if response.status == 404:
                    break
    assert time.monotonic() - ended >= TTL


async def test_times_are_those_of_the_wall_in_unix_seconds(house: House, jump: time_machine.travel) -> None:
    jump.start()
    now = time.time()
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim:tokens=3")) as response:
        await response.read()
    async with house.http.get(house.url + "/streams") as response:
        listed = (await response.json())["data"]
    assert 0 <= listed[0]["created"] - now < 5


async def test_the_newest_stream_is_the_last_begun_whatever_the_clock_says(
    house: House, jump: time_machine.travel
) -> None:
    ids = []
    for i in range(2):
        if i:
            jump.start()
        async with house.http.post(house.url + "/v1/messages", json=body("ant/sim:tokens=3")) as response:
            ids.append(response.headers["tailrace-stream-id"])
            await response.read()
    async with house.http.get(house.url + "/streams") as response:
        assert [entry["id"] for entry in (await response.json())["data"]] == ids[::-1]
