"""Servers whose streams break the official SDKs, mended on the way: ``normalise = true``."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tailrace.engine import ProviderSpec, Relay
from tailrace.testing import serving

pytestmark = pytest.mark.anyio


def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": reason}
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def call(arguments: str) -> dict[str, Any]:
    """A fragment of a tool call as such servers send it: everything again each time, counted from 1."""
    function = {"name": "f", "arguments": arguments}
    return {"tool_calls": [{"index": 1, "id": "call_1", "type": "function", "function": function}]}


ODD = [
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
    chunk(call('{"a"')),
    chunk(call(": 1}")),
    chunk({"content": None}, "tool_calls"),
    "[DONE]",
]


@contextlib.asynccontextmanager
async def odd_server() -> AsyncIterator[str]:
    """Answer every request with the odd stream."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        events = "".join(f"data: {data}\n\n" for data in ODD)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        writer.write(events.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def accumulated(*, normalise: bool) -> Any:
    async with odd_server() as upstream:
        spec = ProviderSpec(name="odd", dialect="openai_chat", base_url=upstream, normalise=normalise)
        async with (
            serving(Relay({"odd": spec})) as url,
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
            client.chat.completions.stream(model="odd/m", messages=[{"role": "user", "content": "Hi"}]) as stream,
        ):
            return (await stream.get_final_completion()).choices[0].message


async def test_the_sdk_reads_the_normalised_stream() -> None:
    message = await accumulated(normalise=True)
    assert (message.role, message.content) == ("assistant", "Hello")
    (tool,) = message.tool_calls
    assert (tool.id, tool.function.name, tool.function.arguments) == ("call_1", "f", '{"a": 1}')


async def test_and_breaks_on_the_one_that_is_passed_on_as_it_came() -> None:
    """The reason for the switch: were this to pass one day, it could go."""
    with pytest.raises((IndexError, AssertionError, openai.OpenAIError)):
        await accumulated(normalise=False)
