"""What the tests of the Bedrock dialect share: vectors, recordings, and botocore's own reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import msgspec
from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EventStreamJSONParser

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.bedrock import BEDROCK
from tailrace.dialects.bedrock.encode import event_frame
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

VECTORS = ROOT / "spec" / "dialects" / "bedrock"
REPLY = Reply(id="reply", model="model-reply", created=1_800_000_000)
ASK = Request(model="m1", turns=(Turn("user", (TextPart("When?"),)),))

CONVERSE = "ConverseStream"
INVOKE = "InvokeModelWithResponseStream"


class Vector(NamedTuple):
    """One answer as it came, its frames for people, and what it says."""

    name: str
    stream: bytes
    frames: tuple[dict[str, Any], ...]
    events: tuple[Event, ...]

    @property
    def last(self) -> str:
        """The type of its last event."""
        return type(self.events[-1]).__name__

    @property
    def invoked(self) -> bool:
        """Whether it is an answer of InvokeModelWithResponseStream."""
        return self.name.startswith("invoke-")


def _rows(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line]


def vectors() -> list[Vector]:
    """Read every vector."""
    return [
        Vector(
            folder.name,
            (folder / "upstream.bin").read_bytes(),
            tuple(json.loads(line) for line in _rows((folder / "frames.jsonl").read_bytes())),
            tuple(decode_event(line) for line in _rows((folder / "events.jsonl").read_bytes())),
        )
        for folder in sorted(VECTORS.iterdir())
        if folder.is_dir()
    ]


class Recording(NamedTuple):
    """A recorded answer; ``wire`` says whose events it carries."""

    name: str
    stream: bytes
    wire: str


def recordings() -> list[Recording]:
    """Read every recording of this dialect, where they are."""
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    if folder is None:
        return []
    about = [json.loads(line) for line in _rows((folder / "manifest.jsonl").read_bytes())]
    return [
        Recording(one["file"].rpartition("/")[2], (folder / one["file"]).read_bytes(), one["wire"])
        for one in about
        if one["file"].startswith("bedrock/") and one["file"].endswith(".bin")
    ]


def decode(chunks: Iterable[bytes]) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = BEDROCK.decoder(Quirks())
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
    encoder = BEDROCK.encoder(reply)
    return b"".join(frame for event in events for frame in encoder.encode(event))


def stream(*said: tuple[str, Any]) -> bytes:
    """Return the frames of ``said``: names of events with their payloads."""
    return b"".join(event_frame(name, value) for name, value in said)


def delta(index: int = 0, **fields: Any) -> tuple[str, Any]:
    """Return the event that a block grows."""
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": fields}


START: tuple[str, Any] = ("messageStart", {"role": "assistant"})
STOP: tuple[str, Any] = ("messageStop", {"stopReason": "end_turn"})
METADATA: tuple[str, Any] = ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})


def built(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what the service is asked for `ASK` with ``changes``, and what is left out."""
    body, ignored = BEDROCK.build(msgspec.structs.replace(ASK, **changes))
    return body, ignored


# ---- botocore -------------------------------------------------------------------------------------------------

MODEL = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


def botocore_frames(data: bytes) -> list[dict[str, Any]]:
    """Return the frames of ``data`` as botocore splits them; its parser checks both checksums."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [
        {
            "headers": {name: value for name, value in message.headers.items() if isinstance(value, str)},
            "payload": message.payload.decode(),
        }
        for message in buffer
    ]


def botocore_events(data: bytes, operation: str = CONVERSE) -> Iterator[dict[str, Any]]:
    """Yield the events of ``data`` as botocore's client gives them to its caller."""
    (field,) = [
        shape
        for shape in MODEL.operation_model(operation).output_shape.members.values()
        if shape.type_name == "structure"
    ]
    parser, buffer = EventStreamJSONParser(), EventStreamBuffer()
    buffer.add_data(data)
    for message in buffer:
        said = message.to_response_dict()
        if said["status_code"] != 200:
            raise ValueError(parser.parse(said, field))
        yield parser.parse(said, field)


class Reading(NamedTuple):
    """What an answer adds up to."""

    text: str
    thinking: str
    signatures: list[str]
    calls: list[tuple[str, str, str]]
    reason: str | None
    counts: tuple[int | None, int | None]


def botocore_reading(data: bytes) -> Reading:
    """Add up ``data`` by what botocore says of each event."""
    text, thinking = "", ""
    signatures: list[str] = []
    calls: dict[int, list[str]] = {}
    reason: str | None = None
    counts: tuple[int | None, int | None] = (None, None)
    for event in botocore_events(data):
        # An event that its model does not describe is an empty one to it.
        name, said = next(iter(event.items()), ("", cast("Any", None)))
        match name, said:
            case "contentBlockStart", {"start": {"toolUse": {"toolUseId": identity, "name": tool} as call}}:
                if "type" not in call:
                    calls[said["contentBlockIndex"]] = [identity, tool, ""]
            case "contentBlockDelta", {"delta": {"text": piece}}:
                text += piece
            case "contentBlockDelta", {"delta": {"toolUse": {"input": piece}}}:
                if said["contentBlockIndex"] in calls:
                    calls[said["contentBlockIndex"]][2] += piece
            case "contentBlockDelta", {"delta": {"reasoningContent": {"text": piece}}}:
                thinking += piece
            case "contentBlockDelta", {"delta": {"reasoningContent": {"signature": piece}}}:
                signatures.append(piece)
            case "messageStop", {"stopReason": word}:
                reason = word
            case "metadata", {"usage": usage}:
                counts = (usage["inputTokens"], usage["outputTokens"])
            case _:
                pass
    found = [(identity, tool, piece) for identity, tool, piece in calls.values()]
    return Reading(text, thinking, signatures, found, reason, counts)


def reading(message: Message) -> Reading:
    """Return the same of our own ``message``."""
    usage = message.usage
    cached = (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    fresh = None if usage.input_tokens is None else usage.input_tokens - cached
    thoughts = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    return Reading(
        "".join(b.text for b in message.blocks if isinstance(b, TextBlock | RefusalBlock)),
        "".join(block.text for block in thoughts),
        [block.signature for block in thoughts if block.signature is not None],
        [(b.id, b.name, b.json) for b in message.blocks if isinstance(b, ToolCall) and not b.server],
        message.native_reason,
        (fresh, usage.output_tokens),
    )
