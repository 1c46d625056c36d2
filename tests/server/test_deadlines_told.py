"""Each deadline, through real sockets: told in time, by its own name, in the client's dialect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tailrace.engine import Deadlines, Policy, Relay, RouteSpec, Target
from tailrace.simulator import Simulator
from tests.server.conftest import House, providers
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

SHORT = 0.3
CASES: dict[str, tuple[str, Deadlines, str]] = {
    "no head": ("sim:fault=hang", Deadlines(first_content=SHORT), "first_content"),
    "a head and no more": ("sim:fault=stall@0", Deadlines(first_content=SHORT), "first_content"),
    "pings and nothing to read": ("sim:ttft=30,fault=pings", Deadlines(first_content=SHORT), "first_content"),
    "silence in the middle": ("sim:tokens=9,fault=stall_event@5", Deadlines(idle=SHORT), "idle"),
    "too long in all": ("sim:tokens=100000,rate=100", Deadlines(total=SHORT), "total"),
    "too long before it begins": ("sim:fault=hang", Deadlines(total=SHORT), "total"),
}


@pytest.fixture
def make_relay() -> Callable[[Simulator], Relay]:
    def make(sim: Simulator) -> Relay:
        routes = {
            name: RouteSpec(name=name, targets=(Target("ant", model),), policy=Policy(deadlines=deadlines))
            for name, (model, deadlines, _) in CASES.items()
        }
        return Relay(providers(sim), routes)

    return make


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", CASES)
async def test_a_deadline_is_told_by_its_name(house: House, door: str, name: str) -> None:
    code = CASES[name][2]
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with house.http.post(house.url + DOORS[door], json=body(name)) as response:
        status, data = response.status, await response.read()
        stream_id = response.headers["tailrace-stream-id"]
    assert SHORT <= loop.time() - started < SHORT + 5
    if status == 200:
        message, fold = read(door, data)
        assert message.text
        assert fold.error is not None
        assert (fold.error.ending, fold.error.code) == ("timed_out", code)
        assert fold.error.retryable
    else:
        assert status == 504
        assert code in json.dumps(json.loads(data))
    async with house.http.get(f"{house.url}/streams/{stream_id}/message") as response:
        told = await response.json()
    assert told["ending"] == "timed_out"
    assert told["error"]["code"] == code
    async with asyncio.timeout(10):
        await house.sim.until(lambda sim: all(request.state != "open" for request in sim.requests))


async def test_whole_answers_are_told_as_well(house: House) -> None:
    async with house.http.post(house.url + "/v1/chat/completions", json=body("no head", stream=False)) as response:
        assert response.status == 504
        assert (await response.json())["error"]["message"]
