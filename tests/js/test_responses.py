"""npm ``openai`` asks for responses, gets what the provider sent, and never takes a failure for a success."""

from __future__ import annotations

import pytest

from tailrace.engine import Limits
from tailrace.simulator import expected, parse
from tests.clients import checks
from tests.clients.test_responses import SHAPES, WITHOUT_REFUSAL
from tests.js.node import way
from tests.js.test_sdks import CLASSES
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SCRIPT = "responses.mjs"
STREAMING = ["raw", "helper"]

each_way = pytest.mark.parametrize("name", [*STREAMING, "whole"])


@each_way
async def test_answers(house: House, name: str) -> None:
    await checks.answers_are_what_the_provider_sent(house, "responses", way(SCRIPT, name), SHAPES)


@each_way
async def test_a_refusal_without_words_for_it(house: House, name: str) -> None:
    (outcome,) = await way(SCRIPT, name)(house.url, [WITHOUT_REFUSAL])
    assert (outcome.failure, outcome.answer.reason) == (None, "content_filter")


@each_way
async def test_refusals_of_requests(house: House, name: str) -> None:
    await checks.refusals_are_typed(house, way(SCRIPT, name), CLASSES["openai"])


@pytest.mark.parametrize("name", STREAMING)
async def test_streams_that_break_off(house: House, name: str) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPT, name), "openai.APIError")


async def test_whole_answers_that_break_off(house: House) -> None:
    await checks.what_breaks_off_raises(house, way(SCRIPT, "whole"), "openai.InternalServerError", whole=True)


@pytest.mark.parametrize("name", STREAMING)
async def test_a_stop_in_the_middle(house: House, name: str) -> None:
    await checks.a_stop_in_the_middle_raises(house, way(SCRIPT, name), "res", "openai.APIError")


async def test_a_stream_that_was_left_goes_on_from_its_cursor(house: House) -> None:
    models = [f"{provider}/sim:tokens=40,rate=100,seed={seed}" for seed, provider in enumerate(checks.PROVIDERS)]
    for model, outcome in zip(models, await way(SCRIPT, "resumed")(house.url, models), strict=True):
        assert outcome.failure is None, outcome.failure
        assert outcome.answer.text == expected(parse(model)).text
        assert outcome.answer.reason == "completed"
        assert outcome.pieces


async def test_a_stopped_stream_is_read_from_its_cursor_to_an_end_that_is_none(house: House) -> None:
    models = [f"{provider}/sim:tokens=4000,rate=200" for provider in checks.PROVIDERS]
    for model, outcome in zip(models, await way(SCRIPT, "stopped")(house.url, models), strict=True):
        assert outcome.failure is not None
        assert "openai.APIError" in outcome.failure.kinds
        # The script puts there what the cancelled response says.
        assert outcome.answer.text == outcome.answer.reason
        assert outcome.pieces
        assert expected(parse(model)).text.startswith(outcome.answer.text)


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    async def test_between_events_with_ids(self, house: House) -> None:
        ways = [way(SCRIPT, name) for name in STREAMING]
        await checks.heartbeats_break_nothing(house, "responses", ways, "res")
