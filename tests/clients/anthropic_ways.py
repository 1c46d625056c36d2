"""Every way of asking with PyPI ``anthropic``, unmodified but for its base URL and key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anthropic
import anyio.to_thread

from tests.clients.outcome import PROMPT, Answer, Outcome, Way, recorded

SECONDS = 30.0


def _ask(model: str) -> Any:
    # Any: the SDK's overloads do not follow keyword arguments through a dict.
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": PROMPT}]}


class _Raw:
    """Adds events up by hand, as a program does that iterates over the stream itself."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.inputs: dict[int, tuple[str, list[str]]] = {}
        outcome.pieces = 0

    def take(self, event: anthropic.types.RawMessageStreamEvent) -> None:
        answer = self.outcome.answer
        if event.type == "message_start":
            answer.input_tokens = event.message.usage.input_tokens
            answer.output_tokens = event.message.usage.output_tokens
        elif event.type == "content_block_start" and event.content_block.type == "tool_use":
            self.inputs[event.index] = (event.content_block.name, [])
        elif event.type == "content_block_delta":
            self._delta(event.index, event.delta)
        elif event.type == "content_block_stop" and event.index in self.inputs:
            name, pieces = self.inputs[event.index]
            answer.calls.append((name, json.loads("".join(pieces) or "{}")))
        elif event.type == "message_delta":
            answer.reason = event.delta.stop_reason
            answer.output_tokens = event.usage.output_tokens
            if event.usage.input_tokens is not None:
                answer.input_tokens = event.usage.input_tokens

    def _delta(self, index: int, delta: anthropic.types.RawContentBlockDelta) -> None:
        answer = self.outcome.answer
        if delta.type == "text_delta":
            answer.text += delta.text
            self.outcome.pieces = (self.outcome.pieces or 0) + 1
        elif delta.type == "thinking_delta":
            answer.thinking += delta.thinking
        elif delta.type == "input_json_delta":
            self.inputs[index][1].append(delta.partial_json)


def _whole(message: anthropic.types.Message) -> Answer:
    return Answer(
        text="".join(block.text for block in message.content if block.type == "text"),
        thinking="".join(block.thinking for block in message.content if block.type == "thinking"),
        calls=[(block.name, block.input) for block in message.content if block.type == "tool_use"],
        reason=message.stop_reason,
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )


# ---- the synchronous client ---------------------------------------------------------------------------------------


def _sync_raw(client: anthropic.Anthropic, model: str, outcome: Outcome) -> None:
    raw = _Raw(outcome)
    for event in client.messages.create(**_ask(model), stream=True):
        raw.take(event)


def _sync_helper(client: anthropic.Anthropic, model: str, outcome: Outcome) -> None:
    outcome.pieces = 0
    with client.messages.stream(**_ask(model)) as stream:
        for text in stream.text_stream:
            outcome.answer.text += text
            outcome.pieces += 1
        outcome.answer = _whole(stream.get_final_message())


def _sync_whole(client: anthropic.Anthropic, model: str, outcome: Outcome) -> None:
    outcome.answer = _whole(client.messages.create(**_ask(model)))


def _sync(ask: Callable[[anthropic.Anthropic, str, Outcome], None]) -> Way:
    def one(client: anthropic.Anthropic, model: str) -> Outcome:
        outcome = Outcome(Answer())
        with recorded(outcome):
            ask(client, model, outcome)
        return outcome

    def batch(url: str, models: Sequence[str]) -> list[Outcome]:
        with anthropic.Anthropic(base_url=url, api_key="key", max_retries=0, timeout=SECONDS) as client:
            return [one(client, model) for model in models]

    async def way(url: str, models: Sequence[str]) -> list[Outcome]:
        return await anyio.to_thread.run_sync(batch, url, models)

    return way


# ---- the asynchronous client --------------------------------------------------------------------------------------


async def _async_raw(client: anthropic.AsyncAnthropic, model: str, outcome: Outcome) -> None:
    raw = _Raw(outcome)
    async for event in await client.messages.create(**_ask(model), stream=True):
        raw.take(event)


async def _async_helper(client: anthropic.AsyncAnthropic, model: str, outcome: Outcome) -> None:
    outcome.pieces = 0
    async with client.messages.stream(**_ask(model)) as stream:
        async for text in stream.text_stream:
            outcome.answer.text += text
            outcome.pieces += 1
        outcome.answer = _whole(await stream.get_final_message())


async def _async_whole(client: anthropic.AsyncAnthropic, model: str, outcome: Outcome) -> None:
    outcome.answer = _whole(await client.messages.create(**_ask(model)))


def _async(ask: Callable[[anthropic.AsyncAnthropic, str, Outcome], Awaitable[None]]) -> Way:
    async def one(client: anthropic.AsyncAnthropic, model: str) -> Outcome:
        outcome = Outcome(Answer())
        with recorded(outcome):
            await ask(client, model, outcome)
        return outcome

    async def way(url: str, models: Sequence[str]) -> list[Outcome]:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="key", max_retries=0, timeout=SECONDS) as client:
            return await asyncio.gather(*(one(client, model) for model in models))

    return way


STREAMING: dict[str, Way] = {
    "sync raw": _sync(_sync_raw),
    "sync helper": _sync(_sync_helper),
    "async raw": _async(_async_raw),
    "async helper": _async(_async_helper),
}
WHOLE: dict[str, Way] = {"sync whole": _sync(_sync_whole), "async whole": _async(_async_whole)}
