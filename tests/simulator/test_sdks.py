"""The official SDKs read a plain stream."""

from __future__ import annotations

import anthropic
import openai
import pytest

from tailrace.simulator import Scenario, Simulator, expected

pytestmark = [pytest.mark.anyio, pytest.mark.system]


async def test_anthropic() -> None:
    async with Simulator() as simulator, anthropic.AsyncAnthropic(base_url=simulator.url, api_key="none") as client:
        async with client.messages.stream(
            model="sim-tool", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
        ) as stream:
            message = await stream.get_final_message()
        truth = expected(Scenario(shape="tool"))
        text, call = message.content
        assert text.type == "text"
        assert text.text == truth.text
        assert call.type == "tool_use"
        assert call.input == truth.tool_calls[0].input
        assert message.stop_reason == "tool_use"
        assert message.usage.output_tokens == truth.usage.output_tokens
        assert message.usage.input_tokens == truth.usage.input_tokens


async def test_anthropic_in_one_piece_and_refused() -> None:
    async with (
        Simulator() as simulator,
        anthropic.AsyncAnthropic(base_url=simulator.url, api_key="none", max_retries=0) as client,
    ):
        message = await client.messages.create(
            model="sim", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
        )
        assert message.content[0].type == "text"
        assert message.content[0].text == expected(Scenario()).text
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(model="x", max_tokens=1, messages=[{"role": "user", "content": "Hello"}])
        with pytest.raises(anthropic.RateLimitError):
            await client.messages.create(
                model="sim:fault=status=429", max_tokens=1, messages=[{"role": "user", "content": "Hello"}]
            )


async def test_openai() -> None:
    async with Simulator() as simulator, openai.AsyncOpenAI(base_url=simulator.url + "/v1", api_key="none") as client:
        async with client.chat.completions.stream(
            model="sim-tool",
            messages=[{"role": "user", "content": "Hello"}],
            stream_options={"include_usage": True},
        ) as stream:
            completion = await stream.get_final_completion()
        truth = expected(Scenario(shape="tool"))
        message = completion.choices[0].message
        assert message.content == truth.text
        assert message.tool_calls is not None
        assert message.tool_calls[0].function.arguments == truth.tool_calls[0].json
        assert completion.choices[0].finish_reason == "tool_calls"
        assert completion.usage is not None
        assert completion.usage.completion_tokens == truth.usage.output_tokens


async def test_openai_in_one_piece_listed_and_refused() -> None:
    async with (
        Simulator() as simulator,
        openai.AsyncOpenAI(base_url=simulator.url + "/v1", api_key="none", max_retries=0) as client,
    ):
        completion = await client.chat.completions.create(model="sim", messages=[{"role": "user", "content": "Hello"}])
        assert completion.choices[0].message.content == expected(Scenario()).text
        assert "sim-tool" in [model.id async for model in client.models.list()]
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "Hello"}])
