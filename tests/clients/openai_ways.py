"""Every way of asking with PyPI ``openai``, unmodified but for its base URL and key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio.to_thread
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.clients.outcome import PROMPT, Answer, Outcome, Way, recorded

SECONDS = 30.0


def _ask(model: str) -> Any:
    # Any: the SDK's overloads do not follow keyword arguments through a dict.
    return {"model": model, "max_completion_tokens": 100, "messages": [{"role": "user", "content": PROMPT}]}


def _ask_stream(model: str) -> Any:
    return {**_ask(model), "stream_options": {"include_usage": True}}


class _Raw:
    """Adds chunks up by hand, as a program does that iterates over the stream itself."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.names: dict[int, str] = {}
        self.arguments: dict[int, str] = {}
        outcome.pieces = 0

    def take(self, chunk: ChatCompletionChunk) -> None:
        answer = self.outcome.answer
        if chunk.usage is not None:
            answer.input_tokens = chunk.usage.prompt_tokens
            answer.output_tokens = chunk.usage.completion_tokens
        for choice in chunk.choices:
            delta = choice.delta
            if text := delta.content or delta.refusal:
                answer.text += text
                self.outcome.pieces = (self.outcome.pieces or 0) + 1
            answer.thinking += (delta.model_extra or {}).get("reasoning_content") or ""
            for call in delta.tool_calls or ():
                assert call.function is not None
                if call.function.name:
                    self.names[call.index] = call.function.name
                self.arguments[call.index] = self.arguments.get(call.index, "") + (call.function.arguments or "")
            if choice.finish_reason:
                answer.reason = choice.finish_reason

    def end(self) -> None:
        self.outcome.answer.calls = [(self.names[index], json.loads(self.arguments[index])) for index in self.names]


def _whole(completion: ChatCompletion | None) -> Answer:
    assert completion is not None
    choice = completion.choices[0]
    message, usage = choice.message, completion.usage
    return Answer(
        text=(message.content or "") + (message.refusal or ""),
        thinking=(message.model_extra or {}).get("reasoning_content") or "",
        calls=[
            (call.function.name, json.loads(call.function.arguments))
            for call in message.tool_calls or ()
            if call.type == "function"
        ],
        reason=choice.finish_reason,
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
    )


# Asked for a final completion that was cut short, the SDK raises an error that holds it.
_HELD = (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError)


# ---- the synchronous client ---------------------------------------------------------------------------------------


def _sync_raw(client: openai.OpenAI, model: str, outcome: Outcome) -> None:
    raw = _Raw(outcome)
    for chunk in client.chat.completions.create(**_ask_stream(model), stream=True):
        raw.take(chunk)
    raw.end()


def _sync_helper(client: openai.OpenAI, model: str, outcome: Outcome) -> None:
    outcome.pieces = 0
    with client.chat.completions.stream(**_ask_stream(model)) as stream:
        for event in stream:
            if event.type in {"content.delta", "refusal.delta"}:
                outcome.answer.text += event.delta
                outcome.pieces += 1
        try:
            outcome.answer = _whole(stream.get_final_completion())
        except _HELD as held:
            outcome.answer = _whole(held.completion)


def _sync_whole(client: openai.OpenAI, model: str, outcome: Outcome) -> None:
    outcome.answer = _whole(client.chat.completions.create(**_ask(model)))


def _sync(ask: Callable[[openai.OpenAI, str, Outcome], None]) -> Way:
    def one(client: openai.OpenAI, model: str) -> Outcome:
        outcome = Outcome(Answer())
        with recorded(outcome):
            ask(client, model, outcome)
        return outcome

    def batch(url: str, models: Sequence[str]) -> list[Outcome]:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0, timeout=SECONDS) as client:
            return [one(client, model) for model in models]

    async def way(url: str, models: Sequence[str]) -> list[Outcome]:
        return await anyio.to_thread.run_sync(batch, url, models)

    return way


# ---- the asynchronous client --------------------------------------------------------------------------------------


async def _async_raw(client: openai.AsyncOpenAI, model: str, outcome: Outcome) -> None:
    raw = _Raw(outcome)
    async for chunk in await client.chat.completions.create(**_ask_stream(model), stream=True):
        raw.take(chunk)
    raw.end()


async def _async_helper(client: openai.AsyncOpenAI, model: str, outcome: Outcome) -> None:
    outcome.pieces = 0
    async with client.chat.completions.stream(**_ask_stream(model)) as stream:
        async for event in stream:
            if event.type in {"content.delta", "refusal.delta"}:
                outcome.answer.text += event.delta
                outcome.pieces += 1
        try:
            outcome.answer = _whole(await stream.get_final_completion())
        except _HELD as held:
            outcome.answer = _whole(held.completion)


async def _async_whole(client: openai.AsyncOpenAI, model: str, outcome: Outcome) -> None:
    outcome.answer = _whole(await client.chat.completions.create(**_ask(model)))


def _async(ask: Callable[[openai.AsyncOpenAI, str, Outcome], Awaitable[None]]) -> Way:
    async def one(client: openai.AsyncOpenAI, model: str) -> Outcome:
        outcome = Outcome(Answer())
        with recorded(outcome):
            await ask(client, model, outcome)
        return outcome

    async def way(url: str, models: Sequence[str]) -> list[Outcome]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="key", max_retries=0, timeout=SECONDS) as client:
            return await asyncio.gather(*(one(client, model) for model in models))

    return way


STREAMING: dict[str, Way] = {
    "sync raw": _sync(_sync_raw),
    "sync helper": _sync(_sync_helper),
    "async raw": _async(_async_raw),
    "async helper": _async(_async_helper),
}
WHOLE: dict[str, Way] = {"sync whole": _sync(_sync_whole), "async whole": _async(_async_whole)}
