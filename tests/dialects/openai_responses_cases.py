"""What the tests of the Responses dialect share: vectors, recordings, and the official SDK's own reading."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import httpx2
import openai

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.openai_responses import OPENAI_RESPONSES
from tailrace.events import Event, Message, decode_event, fold
from tests.conftest import ROOT, data_folder

VECTORS = ROOT / "spec" / "dialects" / "openai_responses"
REPLY = Reply(id="msg_reply", model="model-reply", created=1_800_000_000)
QUIRKS = Quirks()


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
    ]


class Recording(NamedTuple):
    """One recorded answer, framed as a stream."""

    name: str
    stream: bytes


def recordings() -> list[Recording]:
    """Read every recording of this dialect, where they are; of some only the payloads were kept."""
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    if folder is None:
        return []
    found = []
    for line in (folder / "manifest.jsonl").read_bytes().split(b"\n"):
        about = json.loads(line) if line else {}
        if about.get("wire") != "openai-responses" or about["framing"] not in {"sse", "payload-lines"}:
            continue
        data = (folder / about["file"]).read_bytes()
        if about["framing"] == "payload-lines":
            data = b"".join(b"data: %b\n\n" % payload for payload in data.split(b"\n") if payload.strip())
        found.append(Recording(about["file"], data))
    return found


def decode(chunks: Iterable[bytes]) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = OPENAI_RESPONSES.decoder(QUIRKS)
    batch = [received for chunk in chunks for received in decoder.feed(chunk)]
    return batch + decoder.close(), decoder.ended


def events_of(chunks: Iterable[bytes]) -> list[Event]:
    """Return the events that a fresh decoder yields for ``chunks`` and their end."""
    return [event for received in decode(chunks)[0] for event in received.events]


def message_of(stream: bytes) -> Message:
    """Return the message that ``stream`` says."""
    return fold(events_of([stream]))


def encode(events: Iterable[Event], reply: Reply = REPLY) -> bytes:
    """Return the stream that a fresh encoder writes for ``events``."""
    encoder = OPENAI_RESPONSES.encoder(reply)
    return b"".join(frame for event in events for frame in encoder.encode(event))


def verbatim(stream: bytes) -> bytes:
    """Return ``stream`` as a fresh encoder passes it on."""
    encoder = OPENAI_RESPONSES.encoder(REPLY)
    return b"".join(frame for received in decode([stream])[0] for frame in encoder.verbatim(received))


def payloads(stream: bytes) -> list[dict[str, Any]]:
    """Return the JSON of each event of ``stream``, and check its framing on the way."""
    found = []
    for block in stream.removesuffix(b"\n\n").split(b"\n\n"):
        event, data = block.split(b"\n")
        payload = json.loads(data.removeprefix(b"data: "))
        assert event == b"event: %b" % payload["type"].encode()
        found.append(payload)
    return found


def sse(*events: Any) -> bytes:
    """Return a stream of ``events``: objects, or data as it is."""
    return b"".join(b"data: %b\n\n" % (e if isinstance(e, bytes) else json.dumps(e).encode()) for e in events)


CREATED: dict[str, Any] = {"type": "response.created", "response": {"id": "resp_1", "model": "m1"}}
COMPLETED: dict[str, Any] = {"type": "response.completed", "response": {"id": "resp_1", "model": "m1"}}


def added(item: Any, index: Any = 0) -> dict[str, Any]:
    """Return the opening of an item."""
    return {"type": "response.output_item.added", "output_index": index, "item": item}


# ---- the official SDK -----------------------------------------------------------------------------------------


def sdk_client(stream: bytes) -> openai.OpenAI:
    """Return the official client, unmodified but for a transport that answers everything with ``stream``."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": OPENAI_RESPONSES.content_type}, content=stream)

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="none", base_url="http://relay.test/v1", http_client=transport, max_retries=0)


def sdk_response(stream: bytes) -> dict[str, Any]:
    """Return the response that the official SDK's strict helper ends with; raises what the SDK raises."""
    with sdk_client(stream) as client, client.responses.stream(model="m", input="?") as events:
        last: dict[str, Any] = {}
        for event in events:
            if event.type in {"response.completed", "response.incomplete", "response.failed"}:
                last = event.response.to_dict(mode="json")
        return last


def summary(response: dict[str, Any]) -> list[Any]:
    """Return what a response object says: an independent reading of one, ours, a provider's or the SDK's.

    OpenAI enciphers anew each time that it says an item, so of a cipher only its presence counts.
    """
    said: list[Any] = [response.get("incomplete_details") and response["incomplete_details"]["reason"]]
    for item in response["output"]:
        match item["type"]:
            case "message":
                said += [
                    (part["type"], part.get("text") or part.get("refusal"), part.get("annotations") or [])
                    for part in item["content"]
                ]
            case "reasoning":
                texts = [part["text"] for name in ("summary", "content") for part in item.get(name) or ()]
                said.append(("reasoning", "\n\n".join(texts), bool(item.get("encrypted_content"))))
            case "function_call":
                said.append(("call", item["call_id"], item["name"], item["arguments"] or "{}"))
            case kind:
                rest = {name: value for name, value in item.items() if value is not None and name != "fingerprint"}
                said.append((kind, rest))
    usage = response.get("usage")
    if usage:
        said.append((usage["input_tokens"], usage["output_tokens"]))
    return said
