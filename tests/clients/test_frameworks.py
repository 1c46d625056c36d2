"""Frameworks that sit on the SDKs: Pydantic AI and LangChain, unmodified, streaming text, thinking and tool calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

import anthropic
import httpx
import openai
import pytest
from langchain_anthropic import ChatAnthropic, _client_utils
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from pydantic_ai import ToolDefinition
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelMessage, ModelRequest, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.checks import PROVIDERS
from tests.clients.outcome import PROMPT, Answer, Outcome, recorded, truth
from tests.server.conftest import House

pytestmark = [pytest.mark.anyio, pytest.mark.system]

SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}
DESCRIPTION = "Tells the weather."

Ask: TypeAlias = Callable[[str, Outcome], Awaitable[None]]
"""A model in; what came is noted in the outcome as it comes."""

Opened: TypeAlias = Callable[[str], AbstractAsyncContextManager[Ask]]
"""One framework's way to one door, at a relay's URL; its connections are closed at the end, which it leaves to us."""


# ---- Pydantic AI --------------------------------------------------------------------------------------------------


def _pydantic(make: Callable[[str], Model]) -> Ask:
    tool = ToolDefinition(name="get_weather", description=DESCRIPTION, parameters_json_schema=SCHEMA)

    async def ask(model: str, outcome: Outcome) -> None:
        request: list[ModelMessage] = [ModelRequest.user_text_prompt(PROMPT)]
        parameters = ModelRequestParameters(function_tools=[tool])
        async with model_request_stream(make(model), request, model_request_parameters=parameters) as stream:
            async for _ in stream:
                outcome.pieces = (outcome.pieces or 0) + 1
                parts = stream.get().parts
                outcome.answer.text = "".join(part.content for part in parts if isinstance(part, TextPart))
            response = stream.get()
        outcome.answer = Answer(
            text="".join(part.content for part in response.parts if isinstance(part, TextPart)),
            thinking="".join(part.content for part in response.parts if isinstance(part, ThinkingPart)),
            calls=[(p.tool_name, p.args_as_dict()) for p in response.parts if isinstance(p, ToolCallPart)],
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
        )

    return ask


@asynccontextmanager
async def pydantic_anthropic(url: str) -> AsyncIterator[Ask]:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="key", max_retries=0) as client:
        provider = AnthropicProvider(anthropic_client=client)
        yield _pydantic(lambda model: AnthropicModel(model, provider=provider))


@asynccontextmanager
async def pydantic_chat(url: str) -> AsyncIterator[Ask]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0) as client:
        provider = OpenAIProvider(openai_client=client)
        yield _pydantic(lambda model: OpenAIChatModel(model, provider=provider))


@asynccontextmanager
async def pydantic_responses(url: str) -> AsyncIterator[Ask]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0) as client:
        provider = OpenAIProvider(openai_client=client)
        yield _pydantic(lambda model: OpenAIResponsesModel(model, provider=provider))


# ---- LangChain ----------------------------------------------------------------------------------------------------


def _langchain(make: Callable[[str], BaseChatModel]) -> Ask:
    async def ask(model: str, outcome: Outcome) -> None:
        tool = {"name": "get_weather", "description": DESCRIPTION, "parameters": SCHEMA}
        whole: Any = None
        async for chunk in make(model).bind_tools([tool]).astream(PROMPT):
            whole = chunk if whole is None else whole + chunk
            outcome.pieces = (outcome.pieces or 0) + 1
            outcome.answer.text += chunk.text
        outcome.answer = Answer(
            text=whole.text,
            thinking="".join(block["reasoning"] for block in whole.content_blocks if block["type"] == "reasoning"),
            calls=[(call["name"], call["args"]) for call in whole.tool_calls],
            input_tokens=whole.usage_metadata["input_tokens"],
            output_tokens=whole.usage_metadata["output_tokens"],
        )

    return ask


@asynccontextmanager
async def langchain_anthropic(url: str) -> AsyncIterator[Ask]:
    def make(model: str) -> ChatAnthropic:
        return ChatAnthropic.model_validate({"model": model, "base_url": url, "api_key": "key", "max_retries": 0})

    try:
        yield _langchain(make)
    finally:
        # It keeps one connection pool for each base URL, for ever.
        await make("any")._async_client.close()
        _client_utils._get_default_async_httpx_client.cache_clear()


@asynccontextmanager
async def langchain_chat(url: str) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient() as client:
        fixed = {"base_url": f"{url}/v1", "api_key": "key", "max_retries": 0, "stream_usage": True}
        yield _langchain(
            lambda model: ChatOpenAI.model_validate({"model": model, "http_async_client": client, **fixed})
        )


class Framework(NamedTuple):
    """``raised`` is the class that a broken answer ends in; ``thinks`` says whether it shows a model's thoughts."""

    opened: Opened
    raised: str
    thinks: bool = True


FRAMEWORKS: dict[str, Framework] = {
    "pydantic-ai, Anthropic": Framework(pydantic_anthropic, "pydantic_ai.ModelAPIError"),
    "pydantic-ai, Chat Completions": Framework(pydantic_chat, "pydantic_ai.ModelAPIError"),
    "pydantic-ai, Responses": Framework(pydantic_responses, "pydantic_ai.ModelAPIError"),
    "langchain, Anthropic": Framework(langchain_anthropic, "anthropic.APIError"),
    # It reads no field that OpenAI does not document.
    "langchain, Chat Completions": Framework(langchain_chat, "openai.APIError", thinks=False),
}

each = pytest.mark.parametrize("name", FRAMEWORKS)
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


async def tried(ask: Ask, model: str) -> Outcome:
    outcome = Outcome(Answer())
    with recorded(outcome):
        await ask(model, outcome)
    return outcome


@each
@each_provider
async def test_it_reads_what_the_provider_said(house: House, name: str, provider: str) -> None:
    framework = FRAMEWORKS[name]
    async with framework.opened(house.url) as ask:
        for shape in ("sim", "sim-thinking", "sim-tool", "sim-tools", "sim-unicode"):
            outcome = await tried(ask, f"{provider}/{shape}")
            assert outcome.failure is None, (shape, outcome.failure)
            expected = truth("anthropic", f"{provider}/{shape}")
            expected.reason = None
            if not framework.thinks:
                expected.thinking = ""
            assert outcome.answer == expected, shape
            assert (outcome.pieces or 0) > 10, "it did not stream"


@each
@each_provider
async def test_what_breaks_off_raises(house: House, name: str, provider: str) -> None:
    framework = FRAMEWORKS[name]
    async with framework.opened(house.url) as ask:
        for fault in ("error@8", "cut_event@8"):
            model = f"{provider}/sim:tokens=20,fault={fault}"
            outcome = await tried(ask, model)
            assert outcome.failure is not None, outcome.answer
            assert framework.raised in outcome.failure.kinds, outcome.failure
            assert outcome.answer.text
            assert truth("anthropic", model).text.startswith(outcome.answer.text)
