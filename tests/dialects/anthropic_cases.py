"""What the tests of the Anthropic dialect share: vectors, recordings, and the official SDK's own reading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx2

from tailrace.dialects import Quirks, Received, Reply
from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.events import Event, UsageReport, decode_event
from tests.conftest import ROOT, data_folder

VECTORS = ROOT / "spec" / "dialects" / "anthropic"
PLAIN = Quirks()
REPLY = Reply(id="msg_reply", model="model-reply", created=1_800_000_000)


class Vector(NamedTuple):
    """One answer as it came, and what it says."""

    name: str
    stream: bytes
    events: tuple[Event, ...]

    @property
    def failed(self) -> bool:
        """Whether it ends with an error."""
        return type(self.events[-1]).__name__ == "Error"


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
    """One recorded answer, framed as a stream."""

    name: str
    stream: bytes


def recordings() -> list[Recording]:
    """Read every recording, where they are; a file may hold several answers."""
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    if folder is None:
        return []
    found = []
    for path in sorted((folder / "anthropic").iterdir()):
        if path.name.endswith(".sse"):
            # One of them lacks its last blank line, which a reader of the standard must not do without.
            found.append(Recording(path.name, path.read_bytes().rstrip(b"\n") + b"\n\n"))
        elif path.name.endswith(".payloads.ndjson"):
            found += _framed(path)
    return found


def _framed(path: Path) -> list[Recording]:
    streams: list[bytes] = []
    for line in path.read_bytes().split(b"\n"):
        if not line.strip():
            continue
        kind = json.loads(line)["type"]
        if kind == "message_start":
            streams.append(b"")
        streams[-1] += b"event: %b\ndata: %b\n\n" % (kind.encode(), line)
    return [Recording(f"{path.name}-{number}", stream) for number, stream in enumerate(streams)]


def decode(chunks: Iterable[bytes], quirks: Quirks = PLAIN) -> tuple[list[Received], bool]:
    """Return everything that a fresh decoder yields for ``chunks`` and their end, and whether it has ended."""
    decoder = ANTHROPIC.decoder(quirks)
    batch = [received for chunk in chunks for received in decoder.feed(chunk)]
    return batch + decoder.close(), decoder.ended


def events_of(chunks: Iterable[bytes], quirks: Quirks = PLAIN) -> list[Event]:
    """Return the events that a fresh decoder yields for ``chunks`` and their end."""
    return [event for received in decode(chunks, quirks)[0] for event in received.events]


def encode(events: Iterable[Event]) -> bytes:
    """Return the stream that a fresh encoder writes for ``events``."""
    encoder = ANTHROPIC.encoder(REPLY)
    return b"".join(frame for event in events for frame in encoder.encode(event))


def payloads(stream: bytes) -> list[dict[str, Any]]:
    """Return the JSON of each event of ``stream``, and check its framing on the way."""
    found = []
    for block in stream.removesuffix(b"\n\n").split(b"\n\n"):
        event, data = block.split(b"\n")
        payload = json.loads(data.removeprefix(b"data: "))
        assert event == b"event: %b" % payload["type"].encode()
        found.append(payload)
    return found


def without_superseded_usage(events: Iterable[Event]) -> list[Event]:
    """Return ``events`` without a usage report that the next one overwrites: an encoder says only the last."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, UsageReport) and kept and isinstance(kept[-1], UsageReport):
            kept.pop()
        kept.append(event)
    return kept


class _Served(httpx2.SyncByteStream):
    """A response body in pieces of a few bytes."""

    def __init__(self, stream: bytes, size: int) -> None:
        self._stream = stream
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._stream), self._size):
            yield self._stream[start : start + self._size]


def sdk_client(stream: bytes, size: int = 1_000) -> anthropic.Anthropic:
    """Return the official client, unmodified but for a transport that answers everything with ``stream``."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": ANTHROPIC.content_type}
        return httpx2.Response(200, headers=headers, stream=_Served(stream, size))

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="none", base_url="http://relay.test", http_client=transport, max_retries=0)


def sdk_message(stream: bytes) -> dict[str, Any]:
    """Return the final message that the official SDK reads from ``stream``.

    Raises its `anthropic.APIError` for an error event. The beta interface is the one that knows every type of block.
    """
    client = sdk_client(stream)
    with client.beta.messages.stream(model="m", max_tokens=1, messages=[{"role": "user", "content": "?"}]) as found:
        message = found.get_final_message()
    client.close()
    return message.to_dict(mode="json", warnings=False)


def bare(value: Any) -> Any:
    """Return ``value`` without what is null, empty citations, our own marks, and the SDK's own additions."""
    if isinstance(value, list):
        return [bare(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        name: bare(inner)
        for name, inner in value.items()
        if inner is not None and name not in {"tailrace", "parsed_output"} and (name, inner) != ("citations", [])
    }
