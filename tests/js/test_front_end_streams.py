"""Whatever a provider was seen to say, the clients of front ends read what we make of it, and never object."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from tailrace.events import Error, Message, RefusalBlock, TextBlock, ToolCall, fold
from tests.dialects.front_end_cases import Vector, encode, foreign
from tests.js.new_node import report

pytestmark = [pytest.mark.anyio, pytest.mark.system]

ENDED = [vector for vector in foreign() if vector.last in {"MessageEnd", "Error"}]


def said(message: Message) -> tuple[str, str, list[list[object]]]:
    """Return what a page shows of ``message``, and the calls that it may run."""
    words = "".join(b.text for b in message.blocks if isinstance(b, TextBlock | RefusalBlock) and not b.choice)
    calls = [b for b in message.blocks if isinstance(b, ToolCall) and not b.choice and not b.server and b.complete]
    return words, message.thinking, [[call.name, call.input] for call in calls]


def numbers(value: object) -> object:
    """Return ``value`` with the only numbers that JavaScript has."""
    return json.loads(json.dumps(value), parse_int=float)


def failure(vector: Vector) -> str | None:
    last = vector.events[-1]
    return last.message if isinstance(last, Error) else None


@pytest.mark.parametrize("client", ["ai_sdk", "ag_ui"])
async def test_every_vector_of_every_provider(client: str, tmp_path: Path) -> None:
    streams = [{"client": client, "data": base64.b64encode(encode(client, v.events)).decode()} for v in ENDED]
    file = tmp_path / "streams.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(stream) + b"\n" for stream in streams))
    found = await report("streams.mjs", str(file))
    assert len(found) == len(ENDED) > 100
    for vector, read in zip(ENDED, found, strict=True):
        assert read["failure"] == failure(vector), vector.name
        words, thinking, calls = said(fold(vector.events))
        assert (read["text"], read["thinking"]) == (words, thinking), vector.name
        if read["failure"] is None:
            assert numbers(read["calls"]) == numbers(calls), vector.name
