"""Events that are deep, wide or in crumbs: in every dialect an answer or a typed error, in linear time."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable

import pytest

from tailrace.dialects import DIALECTS, Quirks
from tailrace.errors import RemoteProtocolError
from tailrace.simulator import bytes_of, parse

DEEP = 100_000
WIDE = 100_000


def eventstream(payload: bytes, kind: bytes = b"contentBlockDelta") -> bytes:
    """Return one message of application/vnd.amazon.eventstream (Smithy, "Amazon Event Stream")."""
    headers = b"".join(
        bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in (
            (b":message-type", b"event"),
            (b":event-type", kind),
            (b":content-type", b"application/json"),
        )
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def framed(dialect: str, payload: bytes) -> bytes:
    """Return ``payload`` as one event of a provider that speaks ``dialect``."""
    if dialect == "bedrock":
        return eventstream(payload)
    if dialect == "ollama":
        return payload + b"\n"
    name = b"event: content_block_delta\n" if dialect == "anthropic" else b""
    return name + b"data: " + payload + b"\n\n"


PAYLOADS: dict[str, Callable[[int], bytes]] = {
    "deep lists": lambda n: b'{"type":"content_block_delta","x":' + b"[" * n + b"]" * n + b"}",
    "deep objects": lambda n: b'{"choices":' + b'{"a":' * n + b"1" + b"}" * n + b"}",
    "only opened": lambda n: b"[" * n,
    "fields": lambda n: b'{"type":"ping"' + b"".join(b',"k%d":%d' % (k, k) for k in range(n)) + b"}",
    "values": lambda n: b'{"choices":[' + b"{}," * n + b"{}]}",
    "digits": lambda n: b'{"index":' + b"9" * n + b"}",
    "quotes": lambda n: b'{"x":"' + b'\\"' * n + b'"}',
}


GROWTH = 8
"""Most times the cost of four times the size: in linear time it is 4, and caches run out; a square would be 16."""


def swallow(dialect: str, data: bytes, size: int) -> str:
    """Feed ``data`` in pieces of ``size``; return what became of it."""
    decoder = DIALECTS[dialect].decoder(Quirks())
    try:
        for start in range(0, len(data), size):
            decoder.feed(data[start : start + size])
            decoder.feed(b"")
        decoder.close()
    except RemoteProtocolError as error:
        return type(error).__name__
    return "taken"


def growth(dialect: str, small: bytes, large: bytes, size: int) -> float:
    """Return how many times the cost of ``small`` that of ``large`` is, in pieces of ``size`` bytes.

    Of each the least time of three to ten: what a busy machine or a collection of garbage adds is nobody's work.
    """
    least = {small: float("inf"), large: float("inf")}
    for turn in range(10):
        for data, before in least.items():
            began = time.process_time()
            swallow(dialect, data, size)
            least[data] = min(before, time.process_time() - began)
        if turn < 2:
            continue
        if least[large] < 0.005 or least[large] <= GROWTH * least[small]:
            break
    return 1.0 if least[large] < 0.005 else least[large] / least[small]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_monstrous_event_is_an_answer_or_a_typed_error(dialect: str, payload: str) -> None:
    data = framed(dialect, PAYLOADS[payload](DEEP if payload != "fields" else WIDE))
    whole = swallow(dialect, data, len(data))
    assert whole == swallow(dialect, data, 65536)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_its_cost_is_linear(dialect: str, payload: str) -> None:
    small, large = (framed(dialect, PAYLOADS[payload](n)) for n in (40_000, 160_000))
    assert growth(dialect, small, large, 65536) <= GROWTH


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_in_crumbs_is_put_together_once(dialect: str) -> None:
    """Piece by piece of a byte; joining what has come at each of them would be a square."""
    small, large = (framed(dialect, b'{"x":"' + b"a" * n + b'"}') for n in (15_000, 60_000))
    assert growth(dialect, small, large, 1) <= GROWTH


@pytest.mark.parametrize("dialect", ["anthropic", "openai_chat", "openai_responses", "gemini", "ollama", "plain"])
def test_many_tiny_events_in_crumbs_cost_as_many_times_one(dialect: str) -> None:
    small, large = (bytes_of(parse(f"sim:tokens={n}"), dialect) for n in (400, 1_600))
    assert swallow(dialect, large, 7) == "taken"
    assert growth(dialect, small, large, 7) <= GROWTH
