"""A provider that is not ours: llm-katan's echo server, a process of its own, in every dialect that it speaks.

It repeats what it was asked, and calls the first tool that it is given with arguments made up from its schema, so that
both ways of every translation show. Its formats were written by others from the providers' documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tailrace.engine import ProviderSpec, Relay, Secret
from tailrace.testing import serving
from tests.matrix.cells import INGRESS
from tests.matrix.clients import CLIENTS
from tests.matrix.features import QUESTION, TOOL, Wish
from tests.matrix.seen import Seen, read_stream, read_whole

pytestmark = [pytest.mark.anyio, pytest.mark.system]

PROVIDERS = {"anthropic": "", "openai_chat": "/v1", "gemini": ""}
"""Dialect → what its base URL ends in. Its Bedrock is not here: that streams lines of JSON, and AWS binary frames."""

VERTEX = {"authorization": "Bearer any"}
"""Its Gemini is Vertex AI's, which is asked with a token."""

MODEL = "echo-1"
SECONDS = 60
"""Longest wait for its start, on a machine that is busy with other things."""

NO_TOOLS = ("plain",)


class House(NamedTuple):
    url: str
    http: aiohttp.ClientSession


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@contextlib.asynccontextmanager
async def katan(stats: Path, *options: str) -> AsyncIterator[House]:
    """Run it and a relay in front of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *("-m", "llm_katan.cli", "--model", MODEL, "--backend", "echo", "--host", "127.0.0.1", "--port", str(port)),
        *("--providers", "openai,anthropic,vertexai", "--disable-dashboard", "--log-level", "ERROR"),
        *("--stats-file", str(stats), *options),
    ]
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environ, cwd=stats.parent, stdout=asyncio.subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}"
    specs = {
        name: ProviderSpec(name=name, dialect=name, base_url=base + path, api_key=Secret("any"), headers=VERTEX)
        for name, path in PROVIDERS.items()
    }
    try:
        async with aiohttp.ClientSession() as http, serving(Relay(specs)) as url:
            async with asyncio.timeout(SECONDS):
                while not await _answers(http, f"{base}/health"):
                    assert process.returncode is None, "it ended"
                    await asyncio.sleep(0.05)
            yield House(url, http)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


@pytest.fixture(scope="module")
async def echo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with katan(tmp_path_factory.mktemp("katan") / "stats.json") as house:
        yield house


@pytest.fixture(scope="module")
async def broken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with katan(tmp_path_factory.mktemp("katan") / "stats.json", "--error-rate", "1.0") as house:
        yield house


async def ask(house: House, door: str, provider: str, wish: Wish, *, stream: bool) -> tuple[int, bytes]:
    client, model = CLIENTS[door], f"{provider}/{MODEL}"
    body: Any = client.body(model, wish, stream)
    async with house.http.post(house.url + client.path(model, stream), json=body) as response:
        return response.status, await response.read()


async def seen(house: House, door: str, provider: str, wish: Wish, *, stream: bool) -> Seen:
    status, data = await ask(house, door, provider, wish, stream=stream)
    assert status == 200, data
    return read_stream(door, data) if stream else read_whole(door, json.loads(data))


each_door = pytest.mark.parametrize("door", INGRESS)
each_tool_door = pytest.mark.parametrize("door", [door for door in INGRESS if door not in NO_TOOLS])
each_provider = pytest.mark.parametrize("provider", PROVIDERS)
each_way = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@each_way
@each_provider
@each_door
async def test_it_repeats_the_question(echo: House, door: str, provider: str, stream: bool) -> None:
    answer = await seen(echo, door, provider, "nothing", stream=stream)
    assert answer.text.startswith("[echo]"), answer
    assert answer.text.rstrip().endswith(QUESTION), answer
    assert answer.ended
    assert answer.reason == ("other" if door == "plain" and stream else "end_turn")


@each_way
@each_tool_door
async def test_it_calls_the_tool_that_it_was_given(echo: House, door: str, stream: bool) -> None:
    answer = await seen(echo, door, "anthropic", "tool", stream=stream)
    assert answer.calls == ((TOOL, {"place": "test_place"}),), "its arguments come from the schema"
    assert answer.reason == "tool_use"


@each_way
@each_tool_door
async def test_it_calls_a_tool_in_one_piece(echo: House, door: str, stream: bool) -> None:
    """Its Gemini answers a request for a stream with one JSON object, and knows the older of two words for a schema."""
    answer = await seen(echo, door, "gemini", "tool", stream=stream)
    assert answer.calls == ((TOOL, {}),)
    assert answer.reason == "tool_use"


@each_way
@each_tool_door
async def test_an_answer_that_is_no_stream_is_no_success(echo: House, door: str, stream: bool) -> None:
    """Its OpenAI, asked for a stream and given tools, answers with a completion in one piece: no provider's way."""
    status, data = await ask(echo, door, "openai_chat", "tool", stream=stream)
    assert status == 502, data


@each_way
@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
@each_tool_door
async def test_it_is_given_a_tools_result(echo: House, door: str, provider: str, stream: bool) -> None:
    answer = await seen(echo, door, provider, "tool result", stream=stream)
    assert answer.ended
    assert answer.error is None


@each_way
@each_provider
@each_door
async def test_its_failures_are_told_as_such(broken: House, door: str, provider: str, stream: bool) -> None:
    status, data = await ask(broken, door, provider, "nothing", stream=stream)
    assert status == 500, data
    assert b"internal server error" in data
