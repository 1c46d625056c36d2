"""How the tests of this room find their cases, run a stream and cut it."""

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tailrace.errors import LimitExceeded
from tailrace.sse import Decoder, ServerSentEvent

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "spec" / "sse"

Case = dict[str, Any]


def vectors(name: str) -> list[Case]:
    """The cases of one file under ``spec/sse``."""
    cases: list[Case] = json.loads((VECTORS / name).read_text("utf-8"))["cases"]
    return cases


def chunks(case: Case) -> list[bytes]:
    """The bytes of a decoder case as they arrive."""
    if "chunks" in case:
        return [text.encode() for text in case["chunks"]]
    return [base64.b64decode(text, validate=True) for text in case["chunks_base64"]]


class Outcome(NamedTuple):
    """All that can be seen of a decoder that has read a stream."""

    events: list[ServerSentEvent]
    error: str | None
    retry: int | None
    last_event_id: str
    pending: bool


def run(decoder: Decoder, stream: Iterable[bytes]) -> Outcome:
    """Feed ``stream`` to its end or to the error."""
    events: list[ServerSentEvent] = []
    error = None
    pending = False
    try:
        for chunk in stream:
            events += decoder.feed(chunk)
        pending = decoder.pending
        decoder.close()
    except LimitExceeded as exceeded:
        error = str(exceeded)
    return Outcome(events, error, decoder.retry, decoder.last_event_id, pending)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """``data`` whole, one byte at a time, cut in two at every position, and with empty chunks between."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [b"", *(piece for at in range(len(data)) for piece in (data[at : at + 1], b""))]
