"""What the tests of the Ollama dialect share: vectors, recordings, and the official SDK's own reading."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import ollama

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.ollama import OLLAMA
from tailrace.events import (
    Event,
    Message,
    RefusalBlock,
    Request,
    TextBlock,
    TextPart,
    ThinkingBlock,
    ToolCall,
    Turn,
    decode_event,
    fold,
)
from tests.conftest import ROOT, data_folder

VECTORS = ROOT / "spec" / "dialects" / "ollama"
REPLY = Reply(id="chat-reply", model="model-reply", created=1_800_000_000)
ASK = Request(model="m1", turns=(Turn("user", (TextPart("When?"),)),))


class Vector(NamedTuple):
    """One answer as it came, and what it says."""

    name: str
    stream: bytes
    events: tuple[Event, ...]

    @property
    def last(self) -> str:
        """The type of its last event."""
        return type(self.events[-1]).__name__


def vectors() -> list[Vector]:
    """Read every vector."""
    return [
        Vector(
            folder.name,
            (folder / "upstream.ndjson").read_bytes(),
            tuple(decode_event(line) for line in (folder / "events.jsonl").read_bytes().split(b"\n") if line),
        )
        for folder in sorted(VECTORS.iterdir())
        if folder.is_dir()
    ]


def recordings() -> list[tuple[str, bytes]]:
    """Read every recording of this dialect, where they are."""
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    return [(p.name, p.read_bytes()) for p in sorted((folder / "ollama").glob("*.ndjson"))] if folder else []


def decode(chunks: Iterable[bytes]) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = OLLAMA.decoder(Quirks())
    batch = [received for chunk in chunks for received in decoder.feed(chunk)]
    return batch + decoder.close(), decoder.ended


def events_of(chunks: Iterable[bytes]) -> list[Event]:
    """Return the events that a fresh decoder yields for ``chunks`` and their end."""
    return [event for received in decode(chunks)[0] for event in received.events]


def message_of(stream: bytes) -> Message:
    """Return the message that our own decoder and fold make of ``stream``."""
    return fold(events_of([stream]))


def encode(events: Iterable[Event], reply: Reply = REPLY) -> bytes:
    """Return the stream that a fresh encoder writes for ``events``."""
    encoder = OLLAMA.encoder(reply)
    return b"".join(frame for event in events for frame in encoder.encode(event))


def lines(*values: Any) -> bytes:
    """Return a stream of ``values``: objects, or bytes as they are."""
    return b"".join(v if isinstance(v, bytes) else json.dumps(v).encode() + b"\n" for v in values)


def line(done: bool = False, reason: str | None = None, **message: Any) -> dict[str, Any]:
    """Return one line."""
    last = {"done_reason": reason} if reason is not None else {}
    return {"model": "m1", "message": {"role": "assistant", **message}, "done": done, **last}


def built(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a provider is asked for `ASK` with ``changes``, and what is left out."""
    body, ignored = OLLAMA.build(msgspec.structs.replace(ASK, **changes))
    return body, ignored


# ---- an independent reading -----------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What an answer adds up to."""

    text: str
    thinking: str
    calls: list[tuple[str, Any]]
    done: bool
    counts: tuple[int | None, int | None]


def sdk_reading(stream: bytes) -> Reading:
    """Add up ``stream`` by the official SDK's types, its lines cut as its HTTP client cuts them.

    Raises `ollama.ResponseError` for an error line, as the SDK does, and what pydantic raises for a line that its
    types do not allow.
    """
    text, thinking, calls, done = "", "", [], False
    counts: tuple[int | None, int | None] = (None, None)
    for row in stream.decode().splitlines():
        part = json.loads(row)
        if error := part.get("error"):
            raise ollama.ResponseError(error)
        chunk = ollama.ChatResponse(**part)
        text += chunk.message.content or ""
        thinking += chunk.message.thinking or ""
        calls += [(call.function.name, dict(call.function.arguments)) for call in chunk.message.tool_calls or ()]
        if chunk.done:
            done, counts = True, (chunk.prompt_eval_count, chunk.eval_count)
    return Reading(text, thinking, calls, done, counts)


def reading(message: Message, *, done: bool = True) -> Reading:
    """Return the same of our own ``message``: what this dialect can say of it."""
    blocks = [block for block in message.blocks if not block.choice]
    calls = [b for b in blocks if isinstance(b, ToolCall) and not b.server and b.complete and isinstance(b.input, dict)]
    return Reading(
        "".join(b.text for b in blocks if isinstance(b, TextBlock | RefusalBlock)),
        "".join(b.text for b in blocks if isinstance(b, ThinkingBlock)),
        [(call.name, call.input) for call in calls],
        done,
        (message.usage.input_tokens, message.usage.output_tokens),
    )
