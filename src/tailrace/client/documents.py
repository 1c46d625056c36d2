"""The documents inside an answer: structured text and tool calls, followed from its events.

Each takes the events that are handed out, one by one, and is the same for both colours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from tailrace.errors import InvalidOutput, LocalProtocolError
from tailrace.events import (
    BlockStart,
    BlockStop,
    Event,
    Fold,
    Message,
    TextBlock,
    TextDelta,
    ToolCall,
    ToolInputDelta,
)
from tailrace.partial_json import Event as PathEvent
from tailrace.structured import Follower, check_document, shape

T = TypeVar("T")


class Watch(ABC, Generic[T]):
    """Takes events and returns what they complete. ``fold`` is the answer's; it is always one event ahead of `take`.

    A stream may be resumed in the middle, or have been read a little: then the first event is told with what was before
    it.
    """

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._begun = False

    def take(self, event: Event) -> list[T]:
        """Return what ``event`` brings; raises `InvalidOutput` with the message so far."""
        try:
            if self._begun:
                return self._see(event)
            self._begun = True
            return self._begin(event)
        except InvalidOutput as error:
            error.partial = self._fold.message()
            raise

    def _begin(self, event: Event) -> list[T]:
        found = [one for earlier in _so_far(self._fold, event) for one in self._see(earlier)]
        return found + self._see(event) if isinstance(event, BlockStop) else found

    @abstractmethod
    def _see(self, event: Event) -> list[T]:
        """Return what ``event``, the next one, brings."""


class Document(Watch[PathEvent]):
    """The first text of the first choice, or the arguments of the first call of ``tool``, as a document of ``of``."""

    def __init__(self, fold: Fold, of: Any, tool: str | None) -> None:
        super().__init__(fold)
        self._tool = tool
        self._follower = Follower(shape(True if of is None else of), tool=tool)
        self._index: int | None = None

    @property
    def value(self) -> Any:
        """What can be shown of it (see `tailrace.structured.Follower`)."""
        return self._follower.value

    def end(self) -> None:
        """Say that the answer is complete; raises `InvalidOutput` when it has no such document, or not the whole of it.

        It is not known when the block stops: an answer that fails has its text closed first, and the failure is to be
        told.
        """
        if self._index is None:
            raise _missing(self._tool, self._fold.message())
        try:
            self._follower.close()
        except InvalidOutput as error:
            error.partial = self._fold.message()
            raise

    def _see(self, event: Event) -> list[PathEvent]:
        if isinstance(event, TextDelta):
            return self._follower.feed(event.text) if event.index == self._index else []
        if isinstance(event, ToolInputDelta):
            return self._follower.feed(event.json) if event.index == self._index else []
        if isinstance(event, BlockStart) and self._index is None and event.choice == 0 and self._is_it(event):
            self._index = event.index
        return []

    def _is_it(self, event: BlockStart) -> bool:
        if self._tool is None:
            return event.kind == "text"
        return event.kind == "tool_call" and event.name == self._tool


class Calls(Watch[ToolCall]):
    """The calls of the first choice, each when its arguments are complete and what the tool's schema allows."""

    def __init__(self, fold: Fold, schemas: Mapping[str, Any]) -> None:
        super().__init__(fold)
        self._shapes = {name: shape(schema) for name, schema in schemas.items()}
        self._open: dict[int, Follower] = {}

    def _begin(self, event: Event) -> list[ToolCall]:
        for earlier in _so_far(self._fold, event):
            self._see(earlier)  # what was complete before was handed out before
        return self._see(event) if isinstance(event, BlockStop) else []

    def _see(self, event: Event) -> list[ToolCall]:
        if isinstance(event, ToolInputDelta):
            if event.index in self._open:
                self._open[event.index].feed(event.json)
        elif isinstance(event, BlockStart):
            if event.kind == "tool_call" and event.choice == 0:
                name = event.name or ""
                self._open[event.index] = Follower(self._shapes.get(name) or shape(True), tool=name)
        elif isinstance(event, BlockStop) and event.index in self._open:
            value = self._open.pop(event.index).close()
            call = self._fold.block(event.index)
            return [msgspec.structs.replace(call, input=value, complete=True)] if isinstance(call, ToolCall) else []
        return []


def output_of(message: Message, of: Any) -> Any:
    """Return what the first text of ``message`` is in the shape ``of``; raises `InvalidOutput`."""
    if of is None:
        raise LocalProtocolError("no output was asked for: say which, here or in the request")
    texts = (block.text for block in message.blocks if isinstance(block, TextBlock) and block.choice == 0)
    text = next(texts, None)
    if text is None:
        raise _missing(None, message)
    try:
        return check_document(text, of)
    except InvalidOutput as error:
        error.partial = message
        raise


def _missing(tool: str | None, message: Message) -> InvalidOutput:
    reason = f"there is none; the answer stopped with {message.stop_reason or 'no reason'}"
    return InvalidOutput(reason, tool=tool, partial=message)


def _so_far(fold: Fold, event: Event) -> Iterator[Event]:
    """Tell the blocks as they are after ``event``, which is the last; but not that it stopped its block."""
    stopping = event.index if isinstance(event, BlockStop) else None
    for index, block in enumerate(fold.message().blocks):
        if isinstance(block, TextBlock):
            yield BlockStart(index, "text", choice=block.choice)
            yield TextDelta(index, block.text)
        elif isinstance(block, ToolCall) and not block.server:
            yield BlockStart(index, "tool_call", block.id, block.name, block.choice)
            yield ToolInputDelta(index, block.json)
        else:
            continue
        if index not in fold.order.kinds and index != stopping:
            yield BlockStop(index)
