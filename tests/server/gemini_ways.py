"""Every way of asking with PyPI ``google-genai``, unmodified but for its base URL and key."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

import anyio.to_thread
import msgspec
import pytest
from google import genai
from google.genai import errors, types

CONFIG = types.GenerateContentConfig(system_instruction="Be brief.", max_output_tokens=100)
PROMPT = "Hello"
BODY: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK takes keys, versions and proxies from variables: what a test does must not depend on them."""
    for name in list(os.environ):
        if name.upper().startswith(("GOOGLE_", "GEMINI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def path(model: str, *, stream: bool = True, version: str = "v1beta") -> str:
    """Return the door for ``model``."""
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/{version}/models/{model}:{verb}"


class Told(msgspec.Struct):
    """What the client made of an answer, added up, and what it raised. ``pieces`` counts the texts that came."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = []
    reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    pieces: int = 0
    raised: errors.APIError | None = None

    def take(self, response: types.GenerateContentResponse) -> None:
        """Add one chunk, or a whole answer."""
        for candidate in response.candidates or ():
            for part in (candidate.content.parts if candidate.content else None) or ():
                if part.thought:
                    self.thinking += part.text or ""
                elif part.text:
                    self.text += part.text
                    self.pieces += 1
                if part.function_call is not None:
                    assert part.function_call.id
                    self.calls.append((part.function_call.name or "", part.function_call.args))
            if candidate.finish_reason is not None:
                self.reason = candidate.finish_reason.value
        if (usage := response.usage_metadata) is not None:
            self.input_tokens = usage.prompt_token_count
            self.output_tokens = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)


Way: TypeAlias = Callable[[str, Sequence[str]], Awaitable[list[Told]]]
"""A relay's URL and models in, what was told of each out, in their order."""


def client(url: str, **options: Any) -> genai.Client:
    """Return a client of the relay at ``url``."""
    return genai.Client(api_key="key", http_options=types.HttpOptions(base_url=url, **options))


def _sync_stream(asked: genai.Client, model: str) -> Iterable[types.GenerateContentResponse]:
    return asked.models.generate_content_stream(model=model, contents=PROMPT, config=CONFIG)


def _sync_whole(asked: genai.Client, model: str) -> Iterable[types.GenerateContentResponse]:
    return [asked.models.generate_content(model=model, contents=PROMPT, config=CONFIG)]


def _sync(ask: Callable[[genai.Client, str], Iterable[types.GenerateContentResponse]]) -> Way:
    def one(asked: genai.Client, model: str) -> Told:
        told = Told()
        try:
            for response in ask(asked, model):
                told.take(response)
        except errors.APIError as error:
            told.raised = error
        return told

    def batch(url: str, models: Sequence[str]) -> list[Told]:
        with client(url) as asked:
            return [one(asked, model) for model in models]

    async def way(url: str, models: Sequence[str]) -> list[Told]:
        return await anyio.to_thread.run_sync(batch, url, models)

    return way


async def _async_stream(asked: Any, model: str, told: Told) -> None:
    async for response in await asked.models.generate_content_stream(model=model, contents=PROMPT, config=CONFIG):
        told.take(response)


async def _async_whole(asked: Any, model: str, told: Told) -> None:
    told.take(await asked.models.generate_content(model=model, contents=PROMPT, config=CONFIG))


def _async(ask: Callable[[Any, str, Told], Awaitable[None]], **options: Any) -> Way:
    async def one(asked: Any, model: str) -> Told:
        told = Told()
        try:
            await ask(asked, model, told)
        except errors.APIError as error:
            told.raised = error
        return told

    async def way(url: str, models: Sequence[str]) -> list[Told]:
        with warnings.catch_warnings():
            # aiohttp, where it is installed, says so of what the SDK does with it.
            warnings.simplefilter("ignore", DeprecationWarning)
            async with client(url, **options).aio as asked:
                return await asyncio.gather(*(one(asked, model) for model in models))

    return way


STREAMING: dict[str, Way] = {
    "sync": _sync(_sync_stream),
    "async": _async(_async_stream),
    "async, beta": _async(_async_stream, api_version="v1beta"),
}
WHOLE: dict[str, Way] = {"sync": _sync(_sync_whole), "async": _async(_async_whole)}
