"""PyPI ``openai`` asks for responses: every provider, every way, every ending; and goes on from where it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio.to_thread
import openai
import pytest

from tailrace.engine import Limits
from tailrace.simulator import expected, parse
from tests.clients import checks
from tests.clients.outcome import truth
from tests.clients.responses_ways import STREAMING, WHOLE, whole
from tests.clients.test_failures import OPENAI as CLASSES
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

WAYS = {**STREAMING, **WHOLE}
WITHOUT_REFUSAL = "ant/sim-refusal"
"""Anthropic has no words of its own for declining: the reason alone tells, which makes the response incomplete."""

SHAPES = [model for model in checks.SHAPES if model != WITHOUT_REFUSAL]

each_provider = pytest.mark.parametrize("provider", checks.PROVIDERS)


@pytest.mark.parametrize("way", WAYS)
async def test_answers(house: House, way: str) -> None:
    await checks.answers_are_what_the_provider_sent(house, "responses", WAYS[way], SHAPES)


@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_without_words_for_it(house: House, way: str) -> None:
    (outcome,) = await WAYS[way](house.url, [WITHOUT_REFUSAL])
    assert outcome.failure is None
    assert outcome.answer.reason == "content_filter"
    assert outcome.answer.text == truth("responses", WITHOUT_REFUSAL).text


@pytest.mark.parametrize("way", WAYS)
async def test_refusals_of_requests(house: House, way: str) -> None:
    await checks.refusals_are_typed(house, WAYS[way], CLASSES)


@pytest.mark.parametrize("way", STREAMING)
async def test_streams_that_break_off(house: House, way: str) -> None:
    await checks.what_breaks_off_raises(house, STREAMING[way], "openai.APIError")


@pytest.mark.parametrize("way", WHOLE)
async def test_whole_answers_that_break_off(house: House, way: str) -> None:
    await checks.what_breaks_off_raises(house, WHOLE[way], "openai.InternalServerError", whole=True)


@each_provider
@pytest.mark.parametrize("way", STREAMING)
async def test_a_stop_in_the_middle(house: House, way: str, provider: str) -> None:
    await checks.a_stop_in_the_middle_raises(house, STREAMING[way], provider, "openai.APIError")


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    @each_provider
    async def test_between_events_with_ids(self, house: House, provider: str) -> None:
        await checks.heartbeats_break_nothing(house, "responses", STREAMING.values(), provider)


# ---- going on -------------------------------------------------------------------------------------------------


@pytest.fixture
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="key", max_retries=0, timeout=20.0) as client:
        yield client


async def test_background_polling_and_cancelling(client: openai.OpenAI) -> None:
    def use() -> None:
        begun = client.responses.create(model="ant/sim:tokens=4000,rate=200", input="Hello", background=True)
        assert begun.status == "in_progress"
        assert client.responses.retrieve(begun.id).status == "in_progress"
        cancelled = client.responses.cancel(begun.id)
        assert cancelled.status == "cancelled"
        assert client.responses.retrieve(begun.id).output == cancelled.output

    await anyio.to_thread.run_sync(use)


@each_provider
async def test_a_stream_that_was_left_goes_on_from_its_cursor(client: openai.OpenAI, provider: str) -> None:
    model = f"{provider}/sim:tokens=40,rate=100"
    text = expected(parse(model)).text

    def use() -> None:
        heard, last, identity = "", -1, ""
        for event in client.responses.create(model=model, input="Hello", stream=True, background=True):
            last = event.sequence_number
            if event.type == "response.created":
                identity = event.response.id
            if event.type == "response.output_text.delta":
                heard += event.delta
                if len(heard) > 20:
                    break
        events: Any = client.responses.retrieve(identity, stream=True, starting_after=last)
        for event in events:
            assert event.sequence_number == last + 1
            last = event.sequence_number
            if event.type == "response.output_text.delta":
                heard += event.delta
        assert event.type == "response.completed"
        assert heard == text == whole(client.responses.retrieve(identity)).text

    await anyio.to_thread.run_sync(use)


@each_provider
async def test_a_stopped_stream_is_read_from_its_cursor_to_an_end_that_is_none(
    client: openai.OpenAI, provider: str
) -> None:
    model = f"{provider}/sim:tokens=4000,rate=200"
    heard: list[str] = []

    def use() -> None:
        last, identity = -1, ""
        for event in client.responses.create(model=model, input="Hello", stream=True):
            last = event.sequence_number
            if event.type == "response.created":
                identity = event.response.id
            if event.type == "response.output_text.delta":
                heard.append(event.delta)
                if len(heard) > 5:
                    break
        # Nobody reads it, and it goes on.
        while len(whole(client.responses.retrieve(identity)).text) < 80:
            pass
        stopped = client.responses.cancel(identity)
        assert stopped.status == "cancelled"
        rest: Any = client.responses.retrieve(identity, stream=True, starting_after=last)
        with pytest.raises(openai.APIError):
            read(rest, last)
        assert len(heard) > 6
        assert "".join(heard) == whole(stopped).text
        assert expected(parse(model)).text.startswith("".join(heard))

    def read(events: Any, last: int) -> None:
        for number, event in enumerate(events, last + 1):
            assert event.sequence_number == number
            assert event.type != "response.completed"
            if event.type == "response.output_text.delta":
                heard.append(event.delta)

    await anyio.to_thread.run_sync(use)


@each_provider
async def test_the_helper_goes_on_from_its_cursor(client: openai.OpenAI, provider: str) -> None:
    """It asks for the whole stream again and passes over what came before."""
    model = f"{provider}/sim-tool:tokens=12"

    def use() -> None:
        events = list(client.responses.create(model=model, input="Hello", stream=True))
        assert events[0].type == "response.created"
        middle = len(events) // 2
        with client.responses.stream(response_id=events[0].response.id, starting_after=middle) as stream:
            numbers = [event.sequence_number for event in stream]
            final = stream.get_final_response()
        assert numbers == list(range(middle + 1, len(events)))
        calls = [(call.name, call.input) for call in expected(parse(model)).tool_calls]
        assert whole(final).calls == calls

    await anyio.to_thread.run_sync(use)


@each_provider
async def test_what_was_said_and_called_can_be_given_back(house: House, client: openai.OpenAI, provider: str) -> None:
    """The next turn has the items of the last answer as they came, as every loop over tools does it."""
    model = f"{provider}/sim-tools"

    def use() -> None:
        first = client.responses.create(model=model, input="Hello")
        calls = [item for item in first.output if item.type == "function_call"]
        results: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "ok"} for call in calls]
        items: Any = [{"role": "user", "content": "Hello"}, *(item.to_dict() for item in first.output), *results]
        second = client.responses.create(model=f"{provider}/sim", input=items)
        assert second.status == "completed"

    await anyio.to_thread.run_sync(use)
    asked = house.sim.requests[-1].body
    assert asked.count(b'"call_sim_') == 6
