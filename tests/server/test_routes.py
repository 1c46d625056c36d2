"""Routes with several targets: the next one is tried until one has accepted, and never afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tailrace.dialects import Quirks
from tailrace.engine import ProviderSpec, Relay, RouteSpec, Target
from tailrace.simulator import Simulator, expected, parse
from tests.server.conftest import House, providers
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

GOOD = Target("ant", "sim")
ROUTES: dict[str, tuple[Target, ...]] = {
    "busy-first": (Target("oai", "sim:fault=status@429"), GOOD),
    "broken-first": (Target("oai", "sim:fault=status@500"), GOOD),
    "away-first": (Target("away", "x"), GOOD),
    "wrong-first": (Target("oai", "sim:fault=status@400"), GOOD),
    "all-away": (Target("away", "x"), Target("oai", "sim:fault=status@503")),
    "cut-first": (Target("oai", "sim:tokens=20,fault=cut_event@6"), GOOD),
}


@pytest.fixture
def make_relay() -> Callable[[Simulator], Relay]:
    def make(sim: Simulator) -> Relay:
        # Port 9 (discard) is closed here as everywhere.
        away = ProviderSpec(name="away", dialect="openai_chat", base_url="http://127.0.0.1:9/v1")
        routes = {name: RouteSpec(name=name, targets=targets) for name, targets in ROUTES.items()}
        return Relay({**providers(sim), "away": away}, routes)

    return make


@pytest.mark.parametrize("route", ["busy-first", "broken-first", "away-first"])
@pytest.mark.parametrize("door", ["/v1/messages", "/v1/chat/completions"])
async def test_the_next_target_answers(house: House, route: str, door: str) -> None:
    async with house.http.post(house.url + door, json=body(route)) as response:
        assert response.status == 200
        data = await response.read()
    message, fold = read("anthropic" if "messages" in door else "openai_chat", data)
    assert fold.ended
    assert message.text == expected(parse("sim")).text


async def test_a_fault_of_the_request_is_not_tried_elsewhere(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json=body("wrong-first")) as response:
        assert response.status == 400
    assert len(house.sim.requests) == 1


async def test_when_all_fail_the_last_failure_is_told(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json=body("all-away")) as response:
        assert response.status == 503


async def test_two_answers_are_never_glued(house: House) -> None:
    async with house.http.post(house.url + "/v1/messages", json=body("cut-first")) as response:
        data = await response.read()
    _, fold = read("anthropic", data)
    assert fold.error is not None
    assert fold.error.ending == "truncated"
    assert len(house.sim.requests) == 1


async def test_models_are_listed_with_what_they_are(house: House) -> None:
    async with house.http.get(house.url + "/v1/models") as response:
        listed = await response.json()
    assert [entry["id"] for entry in listed["data"]] == [*ROUTES, "ant/sim", "oai/sim"]
    assert listed["data"][-1]["tailrace"] == {"dialect": "openai_chat", "local": False, "simulated": False}


class TestQuirks:
    @pytest.fixture
    def make_relay(self) -> Callable[[Simulator], Relay]:
        quirks = Quirks(old_max_tokens=True, no_stream_options=True)
        return lambda sim: Relay(
            {"old": ProviderSpec(name="old", dialect="openai_chat", base_url=f"{sim.url}/v1", quirks=quirks)}
        )

    @pytest.mark.parametrize("door", ["/v1/messages", "/v1/chat/completions"])
    async def test_a_server_that_knows_less_is_asked_in_its_words(self, house: House, door: str) -> None:
        async with house.http.post(house.url + door, json=body("old/sim")) as response:
            assert response.status == 200
            await response.read()
        asked = json.loads(house.sim.requests[0].body)
        assert asked["max_tokens"] == 100
        assert not {"max_completion_tokens", "stream_options"} & set(asked)
