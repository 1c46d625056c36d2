"""The npm SDKs get from the relay what the provider sent, and never take a failure for a success."""

from __future__ import annotations

import pytest

from tailrace.engine import Limits
from tests.clients import checks
from tests.clients.outcome import Door
from tests.js.node import way
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SCRIPTS: dict[Door, str] = {"anthropic": "anthropic.mjs", "openai": "openai.mjs"}
STREAMING = ["raw", "helper"]

CLASSES: dict[Door, dict[int, str]] = {
    "anthropic": {
        401: "anthropic.AuthenticationError",
        404: "anthropic.NotFoundError",
        429: "anthropic.RateLimitError",
        500: "anthropic.InternalServerError",
        529: "anthropic.OverloadedError",
    },
    "openai": {
        401: "openai.AuthenticationError",
        404: "openai.NotFoundError",
        429: "openai.RateLimitError",
        500: "openai.InternalServerError",
        529: "openai.InternalServerError",
    },
}

each_door = pytest.mark.parametrize("door", SCRIPTS)


@pytest.mark.parametrize("name", [*STREAMING, "whole"])
@each_door
async def test_answers(house: House, door: Door, name: str) -> None:
    await checks.answers_are_what_the_provider_sent(house, door, way(SCRIPTS[door], name), checks.SHAPES)


@pytest.mark.parametrize("name", [*STREAMING, "whole"])
@each_door
async def test_refusals(house: House, door: Door, name: str) -> None:
    await checks.refusals_are_typed(house, way(SCRIPTS[door], name), CLASSES[door])


@pytest.mark.parametrize("name", STREAMING)
@each_door
async def test_streams_that_break_off(house: House, door: Door, name: str) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPTS[door], name), f"{door}.APIError")


@each_door
async def test_whole_answers_that_break_off(house: House, door: Door) -> None:
    asking = way(SCRIPTS[door], "whole")
    await checks.what_breaks_off_raises(house, asking, f"{door}.InternalServerError", whole=True)


@pytest.mark.parametrize("name", [*STREAMING, "whole"])
@each_door
async def test_a_stop_in_the_middle(house: House, door: Door, name: str) -> None:
    asking = way(SCRIPTS[door], name)
    await checks.a_stop_in_the_middle_raises(house, asking, "ant", f"{door}.APIError", whole=name == "whole")


@each_door
async def test_the_list_of_models(house: House, door: Door) -> None:
    (outcome,) = await way(SCRIPTS[door], "models")(house.url, [""])
    assert outcome.failure is None
    assert outcome.answer.text == "ant/sim oai/sim "


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    @each_door
    async def test_between_events_with_ids(self, house: House, door: Door) -> None:
        ways = [way(SCRIPTS[door], name) for name in STREAMING]
        await checks.heartbeats_break_nothing(house, door, ways, "oai")
