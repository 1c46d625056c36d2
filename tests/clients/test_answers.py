"""The Python SDKs get from the relay what the provider sent: four pairs of dialects, every shape, every path."""

from __future__ import annotations

import anthropic
import anyio.to_thread
import openai
import pytest

from tests.clients import anthropic_ways, openai_ways
from tests.clients.checks import SHAPES, answers_are_what_the_provider_sent
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

ANTHROPIC = {**anthropic_ways.STREAMING, **anthropic_ways.WHOLE}
OPENAI = {**openai_ways.STREAMING, **openai_ways.WHOLE}


@pytest.mark.parametrize("way", ANTHROPIC)
async def test_anthropic(house: House, way: str) -> None:
    await answers_are_what_the_provider_sent(house, "anthropic", ANTHROPIC[way], SHAPES)


@pytest.mark.parametrize("way", OPENAI)
async def test_openai(house: House, way: str) -> None:
    await answers_are_what_the_provider_sent(house, "openai", OPENAI[way], SHAPES)


async def test_the_list_of_models_is_one_that_both_read(house: House) -> None:
    def with_anthropic() -> list[str]:
        with anthropic.Anthropic(base_url=house.url, api_key="key") as client:
            return [model.id for model in client.models.list()]

    def with_openai() -> list[str]:
        with openai.OpenAI(base_url=f"{house.url}/v1", api_key="key") as client:
            return [model.id for model in client.models.list()]

    assert await anyio.to_thread.run_sync(with_anthropic) == ["ant/sim", "oai/sim"]
    assert await anyio.to_thread.run_sync(with_openai) == ["ant/sim", "oai/sim"]
    async with anthropic.AsyncAnthropic(base_url=house.url, api_key="key") as client:
        assert [model.id async for model in client.models.list()] == ["ant/sim", "oai/sim"]
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key="key") as other:
        assert [model.id async for model in other.models.list()] == ["ant/sim", "oai/sim"]
