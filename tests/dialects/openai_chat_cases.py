"""What the tests of the Chat Completions dialect share: vectors, recordings, and the official SDK's own reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import httpx2
import msgspec
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.events import (
    Block,
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

VECTORS = ROOT / "spec" / "dialects" / "openai_chat"
NO_QUIRKS = Quirks()
REPLY = Reply(id="chatcmpl-reply", model="model-reply", created=1_800_000_000)
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
    """Read every vector; lines end with LF only, as text may hold other separators."""
    return [
        Vector(
            folder.name,
            (folder / "upstream.sse").read_bytes(),
            tuple(decode_event(line) for line in (folder / "events.jsonl").read_bytes().split(b"\n") if line),
        )
        for folder in sorted(VECTORS.iterdir())
        if folder.is_dir()
    ]


class Recording(NamedTuple):
    """One recorded answer, framed as a stream; ``marked`` says whether its server sends ``[DONE]``."""

    name: str
    stream: bytes
    marked: bool


def recordings() -> list[Recording]:
    """Read every recording of this dialect, where they are; of some only the payloads were kept."""
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    if folder is None:
        return []
    found = []
    for line in (folder / "manifest.jsonl").read_bytes().split(b"\n"):
        about = json.loads(line) if line else {}
        if about.get("wire") != "openai-chat" or about["framing"] not in {"sse", "payload-lines"}:
            continue
        data = (folder / about["file"]).read_bytes()
        if about["framing"] == "payload-lines":
            payloads = [payload for payload in data.split(b"\n") if payload.strip()]
            data = b"".join(b"data: %b\n\n" % payload for payload in [*payloads, b"[DONE]"])
        found.append(Recording(about["file"], data, about["done_marker"] or about["framing"] == "payload-lines"))
    return found


def payloads(stream: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a plainly framed stream, up to its terminal marker: a reading of our own tests."""
    for line in stream.replace(b"\r\n", b"\n").split(b"\n"):
        data = line.strip().removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return
        if data.startswith(b"{"):
            yield json.loads(data)


def decode(chunks: Iterable[bytes], quirks: Quirks = NO_QUIRKS) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = OPENAI_CHAT.decoder(quirks)
    batch = [received for chunk in chunks for received in decoder.feed(chunk)]
    return batch + decoder.close(), decoder.ended


def events_of(chunks: Iterable[bytes], quirks: Quirks = NO_QUIRKS) -> list[Event]:
    """Return the events that a fresh decoder yields for ``chunks`` and their end."""
    return [event for received in decode(chunks, quirks)[0] for event in received.events]


def encode(events: Iterable[Event], reply: Reply = REPLY) -> bytes:
    """Return the stream that a fresh encoder writes for ``events``."""
    encoder = OPENAI_CHAT.encoder(reply)
    return b"".join(frame for event in events for frame in encoder.encode(event))


def sse(*chunks: Any, done: bool = True) -> bytes:
    """Return a stream of ``chunks``: objects, or bytes as they are."""
    framed = [c if isinstance(c, bytes) else b"data: %b\n\n" % json.dumps(c).encode() for c in chunks]
    return b"".join([*framed, b"data: [DONE]\n\n"] if done else framed)


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **choice: Any) -> dict[str, Any]:
    """Return a chunk with one choice."""
    return {"id": "c1", "model": "m1", "choices": [{"delta": delta or {}, "finish_reason": finish, **choice}]}


def call(index: int | None = 0, text: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk with one fragment of a call."""
    name = fields.pop("name", None)
    function = {key: value for key, value in (("name", name), ("arguments", text)) if value is not None}
    fragment = {"function": function, **fields} if index is None else {"index": index, "function": function, **fields}
    return chunk({"tool_calls": [fragment]})


def built(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a provider is asked for `ASK` with ``changes``, and what is left out."""
    body, ignored = OPENAI_CHAT.build(msgspec.structs.replace(ASK, **changes))
    return body, ignored


# ---- the official SDK -----------------------------------------------------------------------------------------


def sdk_client(answer: httpx2.Response) -> openai.OpenAI:
    """Return the official client, unmodified but for a transport that answers everything with ``answer``."""
    _ANSWER[:] = [answer]
    return _CLIENT


_ANSWER: list[httpx2.Response] = []
_CLIENT = openai.OpenAI(
    api_key="none",
    base_url="http://relay.test/v1",
    http_client=httpx2.Client(transport=httpx2.MockTransport(lambda _request: _ANSWER.pop())),
    max_retries=0,
)
"""One for all tests: building one costs more than any of them."""


def streamed(stream: bytes) -> httpx2.Response:
    """Return a response that streams ``stream``."""
    return httpx2.Response(200, headers={"content-type": OPENAI_CHAT.content_type}, content=stream)


def sdk_completion(stream: bytes) -> dict[str, Any]:
    """Return the completion that the official SDK adds up from ``stream``; raises what the SDK raises."""
    state = ChatCompletionStreamState[None]()
    for chunk in sdk_client(streamed(stream)).chat.completions.create(model="m", messages=[], stream=True):
        try:
            state.handle_chunk(chunk)
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            # Its parser has nothing to parse in an answer that was cut off; what it has added up stays.
            continue
    return state.current_completion_snapshot.to_dict(mode="json")


def sdk_choices(completion: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return what each choice of the SDK's ``completion`` says, in the form of `choices`."""
    return {choice["index"]: _sdk_choice(choice) for choice in completion["choices"]}


def _sdk_choice(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    calls = message.get("tool_calls") or ()
    return {
        "content": message.get("content") or "",
        "refusal": message.get("refusal") or "",
        "thinking": message.get("reasoning_content") or message.get("reasoning") or "",
        "calls": [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls],
    }


def choices(message: Message) -> dict[int, dict[str, Any]]:
    """Return what each choice of our ``message`` says."""
    numbers = {block.choice for block in message.blocks} | {0} | set(message.stop_reasons)
    return {number: _choice([b for b in message.blocks if b.choice == number]) for number in sorted(numbers)}


def _choice(blocks: list[Block]) -> dict[str, Any]:
    return {
        "content": "".join(b.text for b in blocks if isinstance(b, TextBlock)),
        "refusal": "".join(b.text for b in blocks if isinstance(b, RefusalBlock)),
        "thinking": "".join(b.text for b in blocks if isinstance(b, ThinkingBlock)),
        "calls": [(b.id, b.name, b.json) for b in blocks if isinstance(b, ToolCall)],
    }


def message_of(stream: bytes, quirks: Quirks = NO_QUIRKS) -> Message:
    """Return the message that our own decoder and fold make of ``stream``."""
    return fold(events_of([stream], quirks))
