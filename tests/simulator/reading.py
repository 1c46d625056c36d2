"""What the simulator's tests read answers with: a dialect's decoder, and a bare socket that hides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from tailrace.dialects import DIALECTS, Quirks
from tailrace.events import Block, Fold, Message, RefusalBlock, TextBlock, ThinkingBlock, ToolCall
from tailrace.simulator import Simulator

PATHS = {"anthropic": "/v1/messages", "openai_chat": "/v1/chat/completions"}

NATIVE: dict[str, dict[str | None, str]] = {
    "anthropic": {"end_turn": "end_turn", "tool_use": "tool_use", "max_tokens": "max_tokens", "refusal": "refusal"},
    "openai_chat": {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"},
}
"""Each dialect's own words for why a model stopped."""

PATIENCE = 10
"""Seconds after which a test that waits for something gives up."""


def decode(dialect: str, pieces: Iterable[bytes]) -> tuple[Fold, bool]:
    """Return what ``pieces`` add up to, and whether the dialect's end was seen."""
    decoder, fold = DIALECTS[dialect].decoder(Quirks()), Fold()
    for piece in pieces:
        for received in decoder.feed(piece):
            for event in received.events:
                fold.add(event)
    for received in decoder.close():
        for event in received.events:
            fold.add(event)
    return fold, decoder.ended


def said_in(dialect: str, message: Message) -> Message:
    """Return ``message`` in the words of ``dialect``, without what it has no word for."""
    blocks: list[Block] = []
    for block in message.blocks:
        if dialect == "openai_chat" and isinstance(block, ThinkingBlock):
            blocks.append(msgspec.structs.replace(block, signature=None))
        elif dialect == "openai_chat" and isinstance(block, TextBlock):
            blocks.append(msgspec.structs.replace(block, citations=()))
        elif dialect == "openai_chat" and isinstance(block, ToolCall):
            blocks.append(msgspec.structs.replace(block, json=block.json or "{}"))
        elif dialect == "anthropic" and isinstance(block, RefusalBlock):
            blocks.append(TextBlock(block.text))
        else:
            blocks.append(block)
    return msgspec.structs.replace(message, blocks=tuple(blocks), native_reason=NATIVE[dialect][message.stop_reason])


def request_body(dialect: str, model: str, *, stream: bool = True, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": stream, **more}
    if dialect == "anthropic":
        body["max_tokens"] = 100
    elif stream:
        body["stream_options"] = {"include_usage": True}
    return body


class Answer(NamedTuple):
    """A response as the socket gave it; ``end`` is ``end`` (whole), ``fin`` or ``rst``."""

    status: int
    headers: dict[str, str]
    body: bytes
    writes: tuple[bytes, ...]
    end: str


class Client:
    """One connection, read and written by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, method: str, path: str, body: bytes = b"", *headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: simulator", f"content-length: {len(body)}", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode() + body)
        await self.writer.drain()

    async def ask(self, dialect: str, model: str, *, stream: bool = True) -> None:
        await self.send("POST", PATHS[dialect], msgspec.json.encode(request_body(dialect, model, stream=stream)))

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name: value for name, _, value in pairs}

    async def chunk(self) -> bytes:
        """Return one chunk of the body; b"" is the last."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def answer(self) -> Answer:
        """Read one response to its end, whatever the end is."""
        status, headers = await self.head()
        writes: list[bytes] = []
        end = "end"
        try:
            if "transfer-encoding" in headers:
                while data := await self.chunk():
                    writes.append(data)
            elif "content-length" in headers:
                writes.append(await self.reader.readexactly(int(headers["content-length"])))
            else:
                writes.append(await self.reader.read())
        except asyncio.IncompleteReadError as error:
            writes.append(error.partial)
            end = "fin"
        except ConnectionResetError:
            end = "rst"
        return Answer(status, headers, b"".join(writes), tuple(writes), end)


@asynccontextmanager
async def connected(simulator: Simulator) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def answer(simulator: Simulator, dialect: str, model: str, *, stream: bool = True) -> Answer:
    """Return the response to one request on a connection of its own."""
    async with connected(simulator) as client:
        await client.ask(dialect, model, stream=stream)
        return await client.answer()


async def get(simulator: Simulator, path: str) -> tuple[int, Any]:
    """Return the status and JSON of a GET."""
    async with connected(simulator) as client:
        await client.send("GET", path)
        said = await client.answer()
        return said.status, msgspec.json.decode(said.body)
