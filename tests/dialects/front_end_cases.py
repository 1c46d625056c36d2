"""What the tests of the dialects of front ends share: vectors of any dialect, and the checks that are the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tailrace.dialects import DIALECTS, Quirks, Received, Reply
from tailrace.events import (
    BlockStart,
    BlockStop,
    CitationDelta,
    Error,
    Event,
    Finish,
    Fold,
    Message,
    MessageStart,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    decode_event,
    fold,
)
from tests.conftest import ROOT

REPLY = Reply(id="reply-1", model="model-1", created=1_800_000_000)


class Vector(NamedTuple):
    """One answer as it came, and what it says."""

    name: str
    stream: bytes
    events: tuple[Event, ...]

    @property
    def last(self) -> str:
        """The type of its last event."""
        return type(self.events[-1]).__name__


def vectors(dialect: str) -> list[Vector]:
    """Read every vector of ``dialect``; lines end with LF only, as text may hold other separators."""
    return [
        Vector(
            folder.name,
            next(folder.glob("upstream.*")).read_bytes(),
            tuple(decode_event(line) for line in (folder / "events.jsonl").read_bytes().split(b"\n") if line),
        )
        for folder in sorted((ROOT / "spec" / "dialects" / dialect).iterdir())
        if folder.is_dir()
    ]


def by_name(vector: Vector) -> str:
    return vector.name


def sse(*values: Any) -> bytes:
    """Return a stream of ``values``: objects, or bytes as they are."""
    return b"".join(v if isinstance(v, bytes) else b"data: %b\n\n" % json.dumps(v).encode() for v in values)


def payloads(stream: bytes) -> Iterator[Any]:
    """Yield the JSON of each event of a stream that is framed as ours is."""
    for frame in stream.split(b"\n\n"):
        if frame.startswith(b"data: ") and frame != b"data: [DONE]":
            yield json.loads(frame[6:])


def decode(dialect: str, *chunks: bytes) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = DIALECTS[dialect].decoder(Quirks())
    batch = [received for chunk in chunks for received in (*decoder.feed(chunk), *decoder.feed(b""))]
    return batch + decoder.close(), decoder.ended


def events_of(dialect: str, *chunks: bytes) -> list[Event]:
    """Return the events that a fresh decoder yields for ``chunks`` and their end."""
    return [event for received in decode(dialect, *chunks)[0] for event in received.events]


def encode(dialect: str, events: Iterable[Event], reply: Reply = REPLY) -> bytes:
    """Return the stream that a fresh encoder writes for ``events``."""
    encoder = DIALECTS[dialect].encoder(reply)
    return b"".join(frame for event in events for frame in encoder.encode(event))


# ---- checks of a vector ---------------------------------------------------------------------------------------


def says_its_events_in_any_split(dialect: str, vector: Vector) -> None:
    """Check the vector whole, byte by byte, and cut at random."""
    stream, events = vector.stream, list(vector.events)
    assert events_of(dialect, stream) == events
    assert events_of(dialect, *(stream[i : i + 1] for i in range(len(stream)))) == events
    for seed in range(8):
        chosen = random.Random(seed)
        cuts = sorted(chosen.randrange(len(stream) + 1) for _ in range(chosen.randrange(1, 30)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert events_of(dialect, *pieces) == events


def is_legal_and_ends_once(vector: Vector) -> None:
    """Check that the events stand in an order that the vocabulary allows."""
    state = Fold()
    for event in vector.events:
        state.add(event)
    assert state.ended == (vector.last in {"MessageEnd", "Error"})


def has_no_complete_prefix(dialect: str, vector: Vector) -> None:
    """Check that no prefix has ended before its last events."""
    ends = [decode(dialect, vector.stream[:length])[1] for length in range(len(vector.stream) + 1)]
    assert ends == sorted(ends)
    assert ends[-1] == (vector.last in {"MessageEnd", "Error"})
    if ends[-1]:
        assert events_of(dialect, vector.stream[: ends.index(True)]) == list(vector.events)


def is_not_read_past_its_end(dialect: str, vector: Vector) -> None:
    """Check that bytes behind the end change nothing."""
    if vector.last not in {"MessageEnd", "Error"}:
        assert vector.name.startswith("cut")
        return
    decoder = DIALECTS[dialect].decoder(Quirks())
    decoder.feed(vector.stream)
    assert decoder.feed(b'data: {"junk": 1}\n\ndata: }{\n\n') == []
    assert decoder.close() == []


# ---- what survives --------------------------------------------------------------------------------------------


def content(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Return what the first answer of ``events`` says, whatever the numbers of its blocks and its empty pieces.

    A refusal is a text, as in every dialect of a front end. A call without arguments is one with ``{}``.
    """
    kinds: dict[int, str] = {}
    said: list[tuple[object, ...]] = []
    silent: set[int] = set()
    for event in events:
        match event:
            case BlockStart(choice=0, index=index, kind=kind):
                kinds[index] = "text" if kind == "refusal" else kind
                if kind in {"tool_call", "server_tool_call"}:
                    silent.add(index)
                    said.append((kind, event.id or f"call_{REPLY.id}_{index}", event.name))
                elif kind in {"redacted_thinking", "server_tool_result"}:
                    said.append((kind, event.data))
            case TextDelta(index=index, text=text) | ThinkingDelta(index=index, text=text):
                if text and index in kinds:
                    said.append((kinds[index], text))
            case ToolInputDelta(index=index, json=text):
                if text and index in kinds:
                    silent.discard(index)
                    said.append(("input", text))
            case CitationDelta(index=index) if index in kinds:
                said.append(("citation", event.citation))
            case SignatureDelta(index=index) if index in kinds:
                said.append(("signature", event.signature))
            case BlockStop(index=index) if index in silent:
                said.append(("input", "{}"))
            case Finish(choice=0):
                said.append(("finish", event.reason, event.sequence))
            case _:
                pass
    return said


def joined(message: Message) -> tuple[object, ...]:
    """Return what any front end shows of ``message``, put together."""
    return (
        "".join(getattr(b, "text", "") for b in message.blocks if not b.choice and type(b).__name__ != "ThinkingBlock"),
        message.thinking,
        [(call.name, call.input, call.complete) for call in message.tool_calls],
        message.usage,
    )


def foreign() -> list[Vector]:
    """Return the vectors of the providers' dialects, whose events a front end must be told."""
    found = []
    for dialect in ("anthropic", "openai_chat", "openai_responses", "gemini", "ollama"):
        if (ROOT / "spec" / "dialects" / dialect).is_dir():
            found += [Vector(f"{dialect}/{v.name}", v.stream, v.events) for v in vectors(dialect)]
    return found


def told_of(dialect: str, vector: Vector) -> None:
    """Check that a front end is told what a provider's ``vector`` says, and how it ended."""
    once = events_of(dialect, encode(dialect, vector.events))
    state = Fold()
    for event in once:
        state.add(event)
    before, after = joined(fold(vector.events)), joined(state.message())
    assert after[:3] == before[:3]
    assert state.ended == (vector.last in {"MessageEnd", "Error"})
    if state.ended and type(once[0]) is MessageStart:
        assert after == before
    last = vector.events[-1]
    if isinstance(last, Error):
        assert state.error is not None
        told = state.error
        assert (told.kind, told.message, told.ending, told.retryable) == (
            last.kind,
            last.message,
            last.ending,
            last.retryable,
        )
    assert events_of(dialect, encode(dialect, once)) == once, "a second way changes nothing more"
