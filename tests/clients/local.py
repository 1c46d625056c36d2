"""A relay in front of a real model: in this process, or behind llama.cpp's own HTTP server."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tailrace.demo import MODEL, LocalModel, LocalUpstream, available
from tailrace.engine import ProviderSpec, Relay, Secret
from tailrace.events import Usage
from tailrace.testing import serving
from tests.clients.outcome import REASONS, Door, Way


class Home(NamedTuple):
    """What a test goes in through."""

    url: str
    model: str
    http: aiohttp.ClientSession


FOUND = available()
"""Looked for once, before there is a loop that looking would block."""


def weights() -> Path:
    """Return the model's file. Where it is not installed the test is skipped; with CI=true it fails."""
    found = FOUND
    if found.weights is None:
        if os.environ.get("CI") == "true":
            pytest.fail(found.reason)
        pytest.skip(found.reason)
    return found.weights


@contextlib.asynccontextmanager
async def in_process() -> AsyncIterator[Home]:
    """The model as `tailrace demo` runs it."""
    model = LocalModel(weights())
    model.load()
    spec = ProviderSpec(name="local", dialect="openai_chat", models=(MODEL,), local=True)
    async with _home(Relay({"local": spec}, upstreams={"local": LocalUpstream(model)}), f"local/{MODEL}") as home:
        yield home


@contextlib.asynccontextmanager
async def behind_llama_cpp() -> AsyncIterator[Home]:
    """The same weights behind a server that is not ours, over HTTP."""
    file = weights()
    import xllamacpp

    key = secrets.token_urlsafe(32)
    params = xllamacpp.CommonParams()
    params.verbosity = 1
    params.model.path = str(file)
    params.n_ctx = 2048
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = 32
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    params.api_keys = [key]
    server = xllamacpp.Server(params)
    spec = ProviderSpec(
        name="llama",
        dialect="openai_chat",
        base_url=f"{server.listening_address}/v1",
        api_key=Secret(key),
        models=("smollm",),
    )
    async with _home(Relay({"llama": spec}), "llama/smollm") as home:
        yield home


@contextlib.asynccontextmanager
async def _home(relay: Relay, model: str) -> AsyncIterator[Home]:
    async with serving(relay) as url, aiohttp.ClientSession() as http:
        yield Home(url, model, http)


HOMES = {"in process": in_process, "llama.cpp": behind_llama_cpp}


async def newest(home: Home) -> dict[str, Any]:
    """Return what the relay itself knows of the newest stream: its ending and its message."""
    async with home.http.get(f"{home.url}/streams") as response:
        stream_id = (await response.json())["data"][0]["id"]
    async with home.http.get(f"{home.url}/streams/{stream_id}/message") as response:
        found: dict[str, Any] = await response.json()
    return found


async def the_answer_is_the_relays_own(home: Home, door: Door, way: Way) -> int:
    """Ask, and compare what the client made of the answer with the relay's own fold; return its number of pieces."""
    (outcome,) = await way(home.url, [home.model])
    assert outcome.failure is None
    kept = await newest(home)
    message, usage = kept["message"], Usage(**kept["message"]["usage"])
    assert kept["ending"] == "completed"
    assert outcome.answer.text
    assert outcome.answer.text == "".join(block["text"] for block in message["blocks"])
    assert outcome.answer.reason == REASONS[door][message["stop_reason"]]
    assert message["usage_label"] == "exact"
    assert outcome.answer.output_tokens == usage.output_tokens
    # Anthropic counts what came from a cache apart, OpenAI within.
    cached = (usage.cache_read_tokens or 0) if door == "anthropic" else 0
    assert usage.input_tokens is not None
    assert outcome.answer.input_tokens == usage.input_tokens - cached
    if outcome.pieces is None:
        return 1
    assert 0 < outcome.pieces <= (usage.output_tokens or 0)
    return outcome.pieces
