"""npm ``ai`` through its providers, and npm ``@google/genai``: every door gives them what the provider sent.

They need a newer Node than most machines have, so the wheel's runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tailrace.engine import Limits
from tailrace.simulator import expected, parse
from tests.clients import checks
from tests.clients.outcome import PROMPT, Answer, Outcome, Way, truth
from tests.js.new_node import way
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]


class Words(NamedTuple):
    """What a package says: ``raised`` above all of its errors, ``refused`` for an HTTP error, its stop ``reasons``."""

    script: str
    raised: str
    refused: str
    reasons: dict[str, str]


AI = Words(
    "ai_providers.mjs",
    "ai.AISDKError",
    "ai.APICallError",
    {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool-calls", "refusal": "content-filter"},
)
GENAI = Words(
    "genai.mjs",
    "genai.ApiError",
    "genai.ApiError",
    {"end_turn": "STOP", "max_tokens": "MAX_TOKENS", "tool_use": "STOP", "refusal": "SAFETY"},
)

CLIENTS = {
    "anthropic": AI,
    "chat": AI,
    "responses": AI,
    "google": AI,
    "v1": GENAI,
    "v1beta": GENAI,
}
"""``first half of a way's name → whose it is``: a provider of ``ai``, or a version of the API of ``@google/genai``."""

SILENT_ABOUT_THINKING = frozenset({"chat"})
"""Ways that read no field which OpenAI does not document."""

SHAPES = [model for model in checks.SHAPES if not model.startswith("res/")]
STATUSES = (401, 404, 429, 500, 529)

each = pytest.mark.parametrize("name", CLIENTS)
each_form = pytest.mark.parametrize("form", ["stream", "whole"])


def true(name: str, model: str) -> Answer:
    """Return what the client ``name`` must make of ``model``."""
    answer = truth("anthropic", model)
    assert answer.reason is not None
    answer.reason = CLIENTS[name].reasons[answer.reason]
    if name in SILENT_ABOUT_THINKING:
        answer.thinking = ""
    return answer


def honest(name: str, form: str) -> Way:
    """Return the way, which checks that a failed answer has no reason that tells of a success."""
    asking = way(CLIENTS[name].script, f"{name}-{form}")

    async def ask(url: str, models: Sequence[str]) -> list[Outcome]:
        outcomes = await asking(url, models)
        for model, outcome in zip(models, outcomes, strict=True):
            assert outcome.failure is None or outcome.answer.reason in {None, "error"}, (model, outcome.answer)
        return outcomes

    return ask


async def check_answers(house: House, name: str, form: str, models: Sequence[str]) -> None:
    for model, outcome in zip(models, await honest(name, form)(house.url, models), strict=True):
        assert outcome.failure is None, (model, outcome.failure)
        assert outcome.answer == true(name, model), model
        assert outcome.pieces == (checks.pieces(model) if form == "stream" else None), model


@each_form
@each
async def test_answers(house: House, name: str, form: str) -> None:
    await check_answers(house, name, form, SHAPES)


@each
async def test_a_turn_with_the_results_of_tools(house: House, name: str) -> None:
    models = ["ant/sim-tools", "oai/sim-tools"]
    outcomes = await way(CLIENTS[name].script, f"{name}-turns")(house.url, models)
    for model, outcome in zip(models, outcomes, strict=True):
        assert outcome.failure is None, (model, outcome.failure)
        assert outcome.answer.calls == true(name, model).calls, model
    wanted = [call.input["place"] for call in expected(parse("sim-tools")).tool_calls if call.name == "get_weather"]
    bodies = [request.body.decode() for request in house.sim.requests]
    second = [body for body in bodies if "rain over" in body]
    assert (len(bodies), len(second)) == (4, 2)
    for body in second:
        for place in wanted:
            assert f"rain over {place}" in body
        assert "14" in body.rpartition("rain over")[2]


@each_form
@each
async def test_refusals(house: House, name: str, form: str) -> None:
    classes = dict.fromkeys(STATUSES, CLIENTS[name].refused)
    await checks.refusals_are_typed(house, honest(name, form), classes)


@each
async def test_streams_that_break_off(house: House, name: str) -> None:
    await checks.what_breaks_off_raises(house, honest(name, "stream"), CLIENTS[name].raised)


@each
async def test_whole_answers_that_break_off(house: House, name: str) -> None:
    await checks.what_breaks_off_raises(house, honest(name, "whole"), CLIENTS[name].refused, whole=True)


@each_form
@each
async def test_a_stop_in_the_middle(house: House, name: str, form: str) -> None:
    raised = CLIENTS[name].raised
    await checks.a_stop_in_the_middle_raises(house, honest(name, form), "ant", raised, whole=form == "whole")


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    @each
    async def test_before_and_between_events(self, house: House, name: str) -> None:
        models = [f"{provider}/sim-tools:tokens=12,ttft=0.2,fault=stall_event@6:0.2" for provider in ("ant", "oai")]
        await check_answers(house, name, "stream", models)

    async def test_of_google(self, house: House) -> None:
        """A bare line is all that Google's clients survive: there were such in both silences."""
        model = "ant/sim:tokens=12,ttft=0.2,fault=stall_event@6:0.2"
        url = f"{house.url}/v1beta/models/{model}:streamGenerateContent?alt=sse"
        async with house.http.post(url, json={"contents": [{"parts": [{"text": PROMPT}]}]}) as response:
            data = await response.read()
        before, _, rest = data.partition(b"data: ")
        assert before.strip(b"\n") == b""
        assert before
        assert b"\n\n\n" in rest
