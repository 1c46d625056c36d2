"""What goes wrong reaches every path of the Python SDKs as an exception of theirs: never as a success, never raw."""

from __future__ import annotations

import pytest

from tailrace.engine import Limits
from tests.clients import anthropic_ways, checks, openai_ways
from tests.clients.outcome import Door, Way
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

ANTHROPIC = {
    401: "anthropic.AuthenticationError",
    404: "anthropic.NotFoundError",
    429: "anthropic.RateLimitError",
    500: "anthropic.InternalServerError",
    529: "anthropic.OverloadedError",
}
OPENAI = {
    401: "openai.AuthenticationError",
    404: "openai.NotFoundError",
    429: "openai.RateLimitError",
    500: "openai.InternalServerError",
    529: "openai.InternalServerError",
}
CLASSES: dict[Door, dict[int, str]] = {"anthropic": ANTHROPIC, "openai": OPENAI}
STREAMING: dict[Door, dict[str, Way]] = {"anthropic": anthropic_ways.STREAMING, "openai": openai_ways.STREAMING}
WHOLE: dict[Door, dict[str, Way]] = {"anthropic": anthropic_ways.WHOLE, "openai": openai_ways.WHOLE}

each_stream = pytest.mark.parametrize(
    ("door", "way"), [(door, way) for door, ways in STREAMING.items() for way in ways]
)
each_whole = pytest.mark.parametrize(("door", "way"), [(door, way) for door, ways in WHOLE.items() for way in ways])
each_provider = pytest.mark.parametrize("provider", checks.PROVIDERS)


@each_stream
async def test_a_refusal_of_a_stream(house: House, door: Door, way: str) -> None:
    await checks.refusals_are_typed(house, STREAMING[door][way], CLASSES[door])


@each_whole
async def test_a_refusal_of_a_whole_answer(house: House, door: Door, way: str) -> None:
    await checks.refusals_are_typed(house, WHOLE[door][way], CLASSES[door])


@each_stream
async def test_a_stream_that_breaks_off(house: House, door: Door, way: str) -> None:
    await checks.what_breaks_off_raises(house, STREAMING[door][way], f"{door}.APIError")


@each_whole
async def test_a_whole_answer_that_breaks_off(house: House, door: Door, way: str) -> None:
    await checks.what_breaks_off_raises(house, WHOLE[door][way], f"{door}.InternalServerError", whole=True)


@each_provider
@each_stream
async def test_a_stop_of_a_stream(house: House, door: Door, way: str, provider: str) -> None:
    await checks.a_stop_in_the_middle_raises(house, STREAMING[door][way], provider, f"{door}.APIError")


@each_whole
async def test_a_stop_of_a_whole_answer(house: House, door: Door, way: str) -> None:
    await checks.a_stop_in_the_middle_raises(house, WHOLE[door][way], "ant", f"{door}.APIStatusError", whole=True)


class TestHeartbeats:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(heartbeat=0.02, open_early_after=0.02)

    @each_provider
    @pytest.mark.parametrize("door", STREAMING)
    async def test_between_events_with_ids(self, house: House, door: Door, provider: str) -> None:
        await checks.heartbeats_break_nothing(house, door, STREAMING[door].values(), provider)
