"""Every way of asking for a response with PyPI ``openai``, unmodified but for its base URL and key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio.to_thread
import openai
from openai.types.responses import Response

from tests.clients.outcome import PROMPT, Answer, Outcome, Way, recorded

SECONDS = 30.0
PIECES = ("response.output_text.delta", "response.refusal.delta")
LAST = ("response.completed", "response.incomplete")


def _ask(model: str) -> Any:
    # Any: the SDK's overloads do not follow keyword arguments through a dict.
    return {"model": model, "max_output_tokens": 100, "input": PROMPT}


def whole(response: Response) -> Answer:
    """Return what ``response`` says; its status, or the reason why it is incomplete, is the reason."""
    answer = Answer(reason=response.status)
    if response.incomplete_details is not None:
        answer.reason = response.incomplete_details.reason
    for item in response.output:
        if item.type == "message":
            for part in item.content:
                answer.text += part.text if part.type == "output_text" else part.refusal
        elif item.type == "reasoning":
            answer.thinking += "".join(part.text for part in item.summary)
        elif item.type == "function_call":
            answer.calls = [*answer.calls, (item.name, json.loads(item.arguments))]
    if response.usage is not None:
        answer.input_tokens, answer.output_tokens = response.usage.input_tokens, response.usage.output_tokens
    return answer


class _Raw:
    """Adds events up by hand, as a program does that iterates over the stream itself."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.calls: dict[int, tuple[str, list[str]]] = {}
        outcome.pieces = 0

    def take(self, event: Any) -> None:
        answer = self.outcome.answer
        if event.type in PIECES:
            answer.text += event.delta
            self.outcome.pieces = (self.outcome.pieces or 0) + 1
        elif event.type == "response.reasoning_summary_text.delta":
            answer.thinking += event.delta
        elif event.type == "response.output_item.added" and event.item.type == "function_call":
            self.calls[event.output_index] = (event.item.name, [])
        elif event.type == "response.function_call_arguments.delta":
            self.calls[event.output_index][1].append(event.delta)
        elif event.type in LAST:
            closing = whole(event.response)
            answer.calls = [(name, json.loads("".join(pieces))) for name, pieces in self.calls.values()]
            answer.reason = closing.reason
            answer.input_tokens, answer.output_tokens = closing.input_tokens, closing.output_tokens


class _Helper:
    """Reads the events of the SDK's helper; the answer is its final response, or the event's that has none."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.incomplete: Response | None = None
        outcome.pieces = 0

    def take(self, event: Any) -> None:
        if event.type in PIECES:
            self.outcome.answer.text += event.delta
            self.outcome.pieces = (self.outcome.pieces or 0) + 1
        elif event.type == "response.incomplete":
            # The helper has no final response then, and says so with an exception.
            self.incomplete = event.response


# ---- the synchronous client ---------------------------------------------------------------------------------------


def _sync_raw(client: openai.OpenAI, model: str, outcome: Outcome) -> None:
    raw = _Raw(outcome)
    for event in client.responses.create(**_ask(model), stream=True):
        raw.take(event)


def _sync_helper(client: openai.OpenAI, model: str, outcome: Outcome) -> None:
    helper = _Helper(outcome)
    with client.responses.stream(**_ask(model)) as stream:
        for event in stream:
            helper.take(event)
        outcome.answer = whole(helper.incomplete or stream.get_final_response())


def _sync_whole(client: openai.OpenAI, model: str, outcome: Outcome) -> None:
    outcome.answer = whole(client.responses.create(**_ask(model)))


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
    async for event in await client.responses.create(**_ask(model), stream=True):
        raw.take(event)


async def _async_helper(client: openai.AsyncOpenAI, model: str, outcome: Outcome) -> None:
    helper = _Helper(outcome)
    async with client.responses.stream(**_ask(model)) as stream:
        async for event in stream:
            helper.take(event)
        outcome.answer = whole(helper.incomplete or await stream.get_final_response())


async def _async_whole(client: openai.AsyncOpenAI, model: str, outcome: Outcome) -> None:
    outcome.answer = whole(await client.responses.create(**_ask(model)))


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
