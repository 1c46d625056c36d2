"""What the tests of the Gemini dialect share: vectors, recordings, and two readings that are not ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import httpx2
import msgspec
from google import genai
from google.genai import types

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.gemini import GEMINI
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
)
from tests.conftest import ROOT, data_folder

VECTORS = ROOT / "spec" / "dialects" / "gemini"
NO_QUIRKS = Quirks()
ASK = Request(model="m", turns=(Turn("user", (TextPart("When?"),)),))
CONTENTS = [{"role": "user", "parts": [{"text": "When?"}]}]
"""What a provider is asked for `ASK`."""
REPLY = Reply(id="reply", model="model-reply", created=1_800_000_000)


class Vector(NamedTuple):
    """One answer as it came, and what it says."""

    name: str
    stream: bytes
    events: tuple[Event, ...]

    @property
    def last(self) -> str:
        """The type of its last event."""
        return type(self.events[-1]).__name__

    @property
    def is_sse(self) -> bool:
        """Whether it is server-sent events."""
        return self.stream.lstrip()[:1] not in b"[{"


def vectors() -> list[Vector]:
    """Read every vector; lines end with LF only, as text may hold other separators."""
    return [
        Vector(
            folder.name,
            next(folder.glob("upstream.*")).read_bytes(),
            tuple(decode_event(line) for line in (folder / "events.jsonl").read_bytes().split(b"\n") if line),
        )
        for folder in sorted(VECTORS.iterdir())
        if folder.is_dir()
    ]


class Recording(NamedTuple):
    """One recorded answer, and whether it is complete."""

    name: str
    stream: bytes
    complete: bool


_INCOMPLETE = {
    "firebase-streaming-failure-empty-content.sse",
    "firebase-streaming-failure-malformed-content.sse",
}
"""Recordings that were cut out of a longer answer: they have no finish reason."""


def recordings() -> list[Recording]:
    """Read every recording of this dialect, where they are."""
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    found = []
    for line in (folder / "manifest.jsonl").read_bytes().split(b"\n") if folder else ():
        about = json.loads(line) if line else {}
        if about.get("dialect") != "gemini" or about["framing"] == "json-error-body":
            continue
        assert folder is not None
        data = (folder / about["file"]).read_bytes()
        if about["framing"] == "payload-lines":
            data = sse(*data.split(b"\n"))
        elif "unterminated_last_event" in about["oddities"]:
            # The way it was kept lost a blank line, which a reader of the standard must not do without.
            data += b"\r\n\r\n"
        name = about["file"].rpartition("/")[2]
        found.append(Recording(name, data, name not in _INCOMPLETE))
    return found


def chunk(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk with one candidate."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **fields}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "m1"}


def sse(*chunks: Any) -> bytes:
    """Return ``chunks`` (objects, or bytes as they are) as server-sent events."""
    parts = [c if isinstance(c, bytes) else json.dumps(c).encode() for c in chunks]
    return b"".join(b"data: %b\n\n" % part for part in parts)


def array(*chunks: Any) -> bytes:
    """Return ``chunks`` as the API writes them without ``alt=sse``."""
    return b"[" + b"\n,\r\n".join(json.dumps(c, indent=2).encode() for c in chunks) + b"\n]"


def payloads(stream: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream in either form: a reading of our own tests."""
    if stream.lstrip()[:1] in b"[{":
        value = json.loads(stream)
        yield from value if isinstance(value, list) else [value]
        return
    data: list[str] = []
    for line in stream.decode().replace("\r\n", "\n").split("\n"):
        if line.startswith("data:"):
            data.append(line.removeprefix("data:"))
        elif not line and data:
            yield json.loads("".join(data))
            data = []


def decode(chunks: Iterable[bytes]) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = GEMINI.decoder(NO_QUIRKS)
    batch = [received for data in chunks for received in decoder.feed(data)]
    return batch + decoder.close(), decoder.ended


def events_of(chunks: Iterable[bytes]) -> list[Event]:
    """Return the events that a fresh decoder yields for ``chunks`` and their end."""
    return [event for received in decode(chunks)[0] for event in received.events]


def encode(events: Iterable[Event]) -> bytes:
    """Return the stream that a fresh encoder writes for ``events``."""
    encoder = GEMINI.encoder(REPLY)
    return b"".join(frame for event in events for frame in encoder.encode(event))


def built(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a provider is asked for `ASK` with ``changes``, and what is left out."""
    body, ignored = GEMINI.build(msgspec.structs.replace(ASK, **changes))
    return body, ignored


# ---- the official SDK -----------------------------------------------------------------------------------------


def sdk_client(answer: httpx2.Response) -> genai.Client:
    """Return the official client, unmodified but for a transport that answers everything with ``answer``."""
    _ANSWER[:] = [answer]
    return _CLIENT


_ANSWER: list[httpx2.Response] = []
_CLIENT = genai.Client(
    api_key="none",
    http_options=types.HttpOptions(
        base_url="http://relay.test",
        httpx_client=httpx2.Client(transport=httpx2.MockTransport(lambda _request: _ANSWER.pop())),
    ),
)
"""One for all tests: building one costs more than any of them."""


def sdk_chunks(stream: bytes) -> list[types.GenerateContentResponse]:
    """Return the chunks that the official SDK reads from ``stream``; raises what the SDK raises."""
    answer = httpx2.Response(200, headers={"content-type": GEMINI.content_type}, content=stream)
    # Left to itself it asks for the rest of an answer that says that it has one.
    config = types.GenerateContentConfig(automatic_continuation=False)
    return list(sdk_client(answer).models.generate_content_stream(model="m", contents="?", config=config))


def sdk_candidates(chunks: Iterable[types.GenerateContentResponse]) -> dict[int, dict[str, Any]]:
    """Return what each candidate of the SDK's ``chunks`` says, in the form of `candidates`."""
    found: dict[int, dict[str, Any]] = {}
    for received in chunks:
        for candidate in received.candidates or ():
            said = found.setdefault(candidate.index or 0, {"text": "", "thinking": "", "calls": []})
            for part in (candidate.content.parts if candidate.content else None) or ():
                said["thinking" if part.thought else "text"] += part.text or ""
                if part.function_call is not None and part.function_call.name:
                    said["calls"].append((part.function_call.name, part.function_call.args or {}))
    return found


def candidates(message: Message) -> dict[int, dict[str, Any]]:
    """Return what each candidate of our ``message`` says."""
    numbers = {block.choice for block in message.blocks} | {0} | set(message.stop_reasons)
    found = {}
    for number in sorted(numbers):
        blocks = [block for block in message.blocks if block.choice == number]
        found[number] = {
            "text": "".join(b.text for b in blocks if isinstance(b, TextBlock | RefusalBlock)),
            "thinking": "".join(b.text for b in blocks if isinstance(b, ThinkingBlock)),
            "calls": [(b.name, b.input) for b in blocks if isinstance(b, ToolCall) and not b.server],
        }
    return found
