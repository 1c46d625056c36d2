"""A stream seen by its fields: the paths of its JSON as they grow, for clients too thin to parse half a document.

``GET /streams/{id}/fields`` is a stream of its own, made from the frames of another one: decoded again, each block of
text or tool arguments followed by an incremental parser. The same frames always give the same events, so the numbers
are a cursor here too, on any connection, while the stream is live and after its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec

from tailrace.dialects import DIALECTS, Decoder, Quirks
from tailrace.engine import behind_reset
from tailrace.errors import JSONError, RemoteProtocolError
from tailrace.events import BlockStart, BlockStop, Error, Event, TextDelta, ToolInputDelta
from tailrace.log import MemoryLog, StreamLog
from tailrace.partial_json import Began, Completed, Grew, KeyRepeated, Parser, pointer
from tailrace.sse import encode

READ = 64 * 1024
"""Bytes of frames that are decoded at once."""

MAX_DEPTH = 64
"""Deepest nesting that is followed: deeper than any schema a provider accepts, and an event names its whole path."""


class _Block:
    """A block that is being followed; its parser is gone once the text has turned out not to be JSON."""

    __slots__ = ("name", "parser")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.parser: Parser | None = Parser(max_depth=MAX_DEPTH)


class FieldsView:
    """Turns the frames of ``log`` into the frames of ``view``, as they come."""

    def __init__(self, log: StreamLog, *, max_bytes: int, max_frames: int) -> None:
        self.view = MemoryLog(log.info, ids=True, max_bytes=max_bytes, max_frames=max_frames)
        self._log = log
        self._decoder = self._begin()
        self._blocks: dict[int, _Block] = {}
        self._cursor = 0
        self._unwatch: Callable[[], None] = log.watch(self._pull)
        self._pull()

    def close(self) -> None:
        """Stop following."""
        self._unwatch()

    def _begin(self) -> Decoder:
        return DIALECTS[self._log.info.dialect].decoder(Quirks())

    def _pull(self) -> None:
        if self.view.ending is not None:
            return
        frames: list[bytes] = []
        try:
            while True:
                data, self._cursor = self._log.read(self._cursor, READ)
                if not data:
                    break
                anew = behind_reset(data)
                if anew is not None:
                    frames.append(_frame("reset", {}))
                    self._decoder, self._blocks, data = self._begin(), {}, anew
                for received in self._decoder.feed(data):
                    for event in received.events:
                        self._take(event, frames)
            self.view.append(frames)
        except RemoteProtocolError as error:
            self.view.close("failed", [_frame("error", {"message": str(error)})])
            return
        if self._log.ending is not None:
            self.view.close(self._log.ending, [_frame("end", {"ending": self._log.ending})])

    def _take(self, event: Event, frames: list[bytes]) -> None:
        match event:
            case BlockStart(index=index, kind="text"):
                self._blocks[index] = _Block(None)
            case BlockStart(index=index, kind="tool_call", name=name):
                self._blocks[index] = _Block(name or "")
            case TextDelta(index=index, text=text) | ToolInputDelta(index=index, json=text):
                self._grow(index, text, frames)
            case BlockStop(index=index):
                self._stop(index, frames)
            case Error(message=message, ending=ending):
                frames.append(_frame("error", {"message": message, "ending": ending}))
            case _:
                pass

    def _grow(self, index: int, text: str, frames: list[bytes]) -> None:
        block = self._blocks.get(index)
        if block is None or block.parser is None:
            return
        try:
            grown = block.parser.feed(text)
        except JSONError as error:
            block.parser = None
            frames.append(_frame("invalid", {**_place(index, block), "message": str(error)}))
            return
        frames += [_said(event, _place(index, block)) for event in grown]

    def _stop(self, index: int, frames: list[bytes]) -> None:
        block = self._blocks.pop(index, None)
        if block is None or block.parser is None:
            return
        try:
            value = block.parser.close()
        except JSONError as error:
            frames.append(_frame("invalid", {**_place(index, block), "message": str(error)}))
        else:
            frames.append(_frame("whole", {**_place(index, block), "value": value}))


def _place(index: int, block: _Block) -> dict[str, object]:
    return {"block": index} if block.name is None else {"block": index, "tool": block.name}


def _said(event: Began | Grew | Completed | KeyRepeated, place: dict[str, object]) -> bytes:
    path = pointer(event.path)
    match event:
        case Began(kind=kind):
            return _frame("began", {**place, "path": path, "kind": kind})
        case Grew(text=text):
            return _frame("grew", {**place, "path": path, "text": text})
        case Completed(value=dict() | list()):
            # Its members have all been said, each by its own path.
            return _frame("completed", {**place, "path": path})
        case Completed(value=value):
            return _frame("completed", {**place, "path": path, "value": value})
        case KeyRepeated():
            return _frame("repeated", {**place, "path": path})


def _frame(name: str, data: dict[str, object]) -> bytes:
    try:
        return encode(msgspec.json.encode(data), event=name)
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can write as an escape and UTF-8 cannot.
        return encode(json.dumps(data), event=name)
