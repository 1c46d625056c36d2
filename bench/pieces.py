"""What each piece of the path costs for one event, in this process: `make bench` prints it.

Best of repeats, microseconds. The rivals stand in the same table, measured in the same run.
"""

from __future__ import annotations

import dataclasses
import timeit
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from openai._streaming import SSEDecoder

from tailrace.dialects import DIALECTS, Quirks, Reply
from tailrace.events import BlockStart, Event, Fold, MessageStart, TextDelta
from tailrace.log import MemoryLog, StreamInfo
from tailrace.sse import Decoder

EVENTS = 2_000
REPEATS = 5


class Struct(msgspec.Struct, frozen=True, gc=False):
    index: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Dataclass:
    index: int
    text: str


class Tuple(NamedTuple):
    index: int
    text: str


def per_event(work: Callable[[], Any], events: int = EVENTS) -> float:
    """Return microseconds for one event: the best of the repeats, since only noise adds time."""
    return min(timeit.repeat(work, number=1, repeat=REPEATS)) / events * 1e6


def stream(dialect: str) -> list[bytes]:
    """Return the frames of a long text answer in ``dialect``."""
    encoder = DIALECTS[dialect].encoder(Reply(id="msg_1", model="m", created=0))
    events: list[Event] = [MessageStart("msg_1", "m"), BlockStart(0, "text")]
    events += [TextDelta(0, f"word {n} ") for n in range(EVENTS)]
    return [frame for event in events for frame in encoder.encode(event)]


def openai_sse(data: bytes) -> int:
    return sum(1 for _ in SSEDecoder().iter_bytes(iter([data])))


def log_append(frames: list[bytes]) -> None:
    info = StreamInfo(id="s", owner="o", dialect="d", model="m", created=0.0)
    log = MemoryLog(info, ids=True, max_bytes=1 << 30, max_frames=1 << 30)
    for frame in frames:
        log.append([frame])


def fold(events: list[Event]) -> None:
    state = Fold()
    for event in events:
        state.add(event)


def rows() -> list[tuple[str, float]]:
    """Return what is measured, with its cost."""
    anthropic, chat = stream("anthropic"), stream("openai_chat")
    deltas: list[Event] = [MessageStart("msg_1", "m"), BlockStart(0, "text")]
    deltas += [TextDelta(0, "word ") for _ in range(EVENTS)]
    whole = b"".join(anthropic)
    found = [
        ("build a value: msgspec struct", per_event(lambda: [Struct(1, "a") for _ in range(EVENTS)])),
        ("build a value: NamedTuple", per_event(lambda: [Tuple(1, "a") for _ in range(EVENTS)])),
        ("build a value: frozen dataclass", per_event(lambda: [Dataclass(1, "a") for _ in range(EVENTS)])),
        ("SSE decode, all in one read", per_event(lambda: Decoder().feed(whole))),
        ("SSE decode, one event a read", per_event(lambda: [d.feed(f) for d in [Decoder()] for f in anthropic])),
        ("SSE decode, the openai SDK's", per_event(lambda: openai_sse(whole))),
        ("fold, order checked", per_event(lambda: fold(deltas))),
        ("log append, one event each", per_event(lambda: log_append(anthropic))),
    ]
    for name, frames in (("anthropic", anthropic), ("openai_chat", chat)):
        dialect = DIALECTS[name]
        data = b"".join(frames)
        found.append((f"decode {name}", per_event(lambda d=dialect, x=data: d.decoder(Quirks()).feed(x))))  # type: ignore[misc]
        found.append((f"encode {name}", per_event(lambda n=name: stream(n))))  # type: ignore[misc]
    return found


def main() -> None:
    print("| piece | µs an event |\n|---|--:|")
    for name, cost in rows():
        print(f"| {name} | {cost:.2f} |")


if __name__ == "__main__":
    main()
