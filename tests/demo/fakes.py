"""A runtime that says what it is told, and an engine's end that keeps what it is fed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec


def chunk(text: str) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "/somewhere/weights.gguf",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }


PROGRESS = {**chunk(""), "prompt_progress": {"total": 2, "processed": 1, "cache": 0, "time_ms": 1}}


class FakeRuntime:
    """Says ``chunks`` to every request, or raises ``error``; ``before`` is called ahead of each chunk."""

    def __init__(
        self,
        chunks: Iterable[dict[str, Any]] = (),
        error: Exception | None = None,
        before: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.chunks = list(chunks)
        self.error = error
        self.before = before
        self.requests: list[dict[str, Any]] = []
        self.said = 0
        self.stops = 0
        self.thread = ""

    def handle_chat_completions(self, body: dict[str, Any], callback: Callable[[dict[str, Any]], bool]) -> None:
        self.thread = threading.current_thread().name
        self.requests.append(body)
        if self.error is not None:
            raise self.error
        for number, part in enumerate(self.chunks):
            self.before(number)
            if callback(dict(part)):
                self.stops += 1
                return
            self.said += 1


class Gate:
    """Holds the runtime before its chunk ``number`` until `open`; ``reached`` is set when it stands there."""

    def __init__(self, number: int) -> None:
        self.reached = asyncio.Event()
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._held = threading.Event()

    def __call__(self, number: int) -> None:
        if number == self._number:
            self._loop.call_soon_threadsafe(self.reached.set)
            assert self._held.wait(30)

    def open(self) -> None:
        self._held.set()


class Call(msgspec.Struct):
    body: dict[str, Any]

    def with_field(self, name: str, value: Any = 1) -> Call:
        return Call({**self.body, name: value})


def asking(text: str = "Why is the sky blue?", **fields: Any) -> Call:
    return Call({"model": "smollm2-135m", "messages": [{"role": "user", "content": text}], **fields})


class FakeSource:
    """The engine's end. With ``held`` the flow is paused until `release`."""

    def __init__(self, *, held: bool = False) -> None:
        self.accepted_times = 0
        self.data = b""
        self.first = asyncio.Event()
        self._open = asyncio.Event()
        if not held:
            self._open.set()

    def accepted(self) -> None:
        assert self.data == b""
        self.accepted_times += 1

    def feed(self, data: bytes) -> None:
        assert data
        assert self.accepted_times == 1
        self.data += data
        self.first.set()

    async def ready(self) -> None:
        await self._open.wait()

    def release(self) -> None:
        self._open.set()
