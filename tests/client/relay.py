"""A relay for the HTTP library's mock transport: a log of frames, and cuts where a test wants them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

import httpx2

STREAM_ID = "strm_0123456789abcdefABCDEF-_"


def frame(name: str, **fields: Any) -> bytes:
    data = json.dumps({"type": name, **fields}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()


def _delta(index: int, kind: str, **fields: Any) -> bytes:
    return frame("content_block_delta", index=index, delta={"type": kind, **fields})


START = frame(
    "message_start",
    message={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
    },
)  # fmt: skip


def text_start(index: int = 1) -> bytes:
    return frame("content_block_start", index=index, content_block={"type": "text", "text": ""})


TEXT_STOP = frame("content_block_stop", index=1)
STOP = frame("message_stop")


def text(words: str, index: int = 1) -> bytes:
    return _delta(index, "text_delta", text=words)


def finish(reason: str = "end_turn", tokens: int = 12) -> bytes:
    return frame("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": tokens})


THINKING = [
    frame("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    _delta(0, "thinking_delta", thinking="Sun, air … "),
    _delta(0, "signature_delta", signature="c2ln"),
    frame("content_block_stop", index=0),
]
TOOL = [
    frame("content_block_start", index=2, content_block={"type": "tool_use", "id": "t1", "name": "look", "input": {}}),
    _delta(2, "input_json_delta", partial_json='{"up": '),
    _delta(2, "input_json_delta", partial_json="true}"),
    frame("content_block_stop", index=2),
]
WORDS = ["Because ", "blue ", "scatters — ", "привет ", "🌊."]
FRAMES = [START, *THINKING, text_start(), *map(text, WORDS), TEXT_STOP, *TOOL, finish("tool_use"), STOP]
TEXT_START = text_start(0)
CANCELLED = frame(
    "error",
    error={"type": "api_error", "message": "stopped"},
    tailrace={"ending": "cancelled", "kind": "cancelled", "retryable": False},
)
HEARTBEAT = b'event: ping\ndata: {"type": "ping"}\n\n'


def stamped(frames: Sequence[bytes], after: int = 0) -> bytes:
    return b"".join(b"id: %d\n%b" % (number, one) for number, one in enumerate(frames, 1) if number > after)


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A response body: ``chunks`` (a callable is called instead of being sent), then an end or an exception."""

    def __init__(self, chunks: Iterable[Any], error: Exception | None = None) -> None:
        self.closed = False
        self._chunks = chunks
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            value = chunk() if callable(chunk) else chunk
            if value is not None:
                yield value
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Relay:
    """Answers as a relay does. ``cuts`` says after how many bytes each connection in turn breaks off (None: whole).

    ``refusals`` are whole responses to give first, in turn; what is asked for is kept in ``requests``.
    """

    def __init__(
        self,
        frames: Sequence[bytes] = tuple(FRAMES),
        *,
        cuts: Sequence[int | None] = (),
        refusals: Sequence[httpx2.Response | Exception] = (),
        reset: bool = False,
        step: int | None = None,
        dialect: str = "anthropic",
    ) -> None:
        self.frames = list(frames)
        self.requests: list[httpx2.Request] = []
        self.bodies: list[Body] = []
        self.stops = 0
        self._cuts = list(cuts)
        self.refusals = list(refusals)
        self._reset = reset
        self._step = step
        self._dialect = dialect

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.path
        if self.refusals and path != f"/streams/{STREAM_ID}/stop":
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            return refusal
        if path == "/v1/messages" and request.method == "POST":
            return self._follow(0)
        if path == f"/streams/{STREAM_ID}" and request.method == "GET":
            return self._follow(int(request.headers.get("last-event-id", "0")))
        if path == f"/streams/{STREAM_ID}/stop" and request.method == "POST":
            return self._stop()
        if path == "/v1/models":
            return httpx2.Response(200, json={"data": [{"id": "fast", "tailrace": {"local": True}}]})
        if path == "/streams":
            return httpx2.Response(200, json={"data": [{"id": STREAM_ID, "state": "live"}]})
        if path == f"/streams/{STREAM_ID}/message":
            return httpx2.Response(200, json={"id": STREAM_ID, "message": {"id": "msg_1", "model": "m"}})
        body = {"type": "error", "error": {"type": "not_found_error", "message": "no such stream"}}
        return httpx2.Response(404, json=body)

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]

    def _follow(self, after: int) -> httpx2.Response:
        headers = {"Tailrace-Stream-Id": STREAM_ID, "Tailrace-Dialect": self._dialect}
        if after >= len(self.frames) and after:
            return httpx2.Response(204, headers=headers)
        data = stamped(self.frames, after)
        cut = self._cuts.pop(0) if self._cuts else None
        kept = data[:cut]
        size = self._step or max(len(kept), 1)
        chunks = [kept[place : place + size] for place in range(0, len(kept), size)]
        broken = httpx2.ReadError("reset") if self._reset and cut is not None else None
        body = Body(chunks, broken)
        self.bodies.append(body)
        headers["Content-Type"] = "text/event-stream; charset=utf-8"
        return httpx2.Response(200, headers=headers, stream=body)

    def _stop(self) -> httpx2.Response:
        self.stops += 1
        return httpx2.Response(200, json={"id": STREAM_ID, "ending": "cancelled"})
