"""A document followed while it is written: its events, what can be shown of it, and the whole at the end."""

from __future__ import annotations

from typing import Any

from tailrace.errors import InvalidOutput, JSONError
from tailrace.partial_json import Began, Completed, Event, Grew, Parser, Path, State
from tailrace.structured.node import HIDDEN, Node, Place, Problem
from tailrace.structured.shapes import Shape, invalid


class Follower:
    """Follows one document of a shape.

    `value` is what can be shown of it: numbers and literals when they are complete, strings as they grow, objects and
    arrays from their beginning; models as `Partial`. It is the same object all the time, growing, and what it shows
    is never taken back; to keep one state of it, copy it. Each complete value below is validated once as soon as it is
    complete, the whole once in `close`. Repeated keys are refused, since the second value would take the first back.

    With ``tool`` the document is the arguments of a call of that name: errors name it, and no text at all is ``{}``
    (Anthropic's way to say so). Time is linear in the text: it is parsed once, whatever its fragments.
    """

    __slots__ = (
        "_awaited", "_depth", "_failure", "_growing", "_node", "_parser", "_root", "_shape", "_stack", "_storage",
        "_tool", "_untouched",
    )  # fmt: skip

    def __init__(self, shape: Shape, *, tool: str | None = None) -> None:
        self._shape = shape
        self._tool = tool
        self._untouched = True
        self._parser = Parser(duplicate_keys="error")
        self._root: list[Any] = []
        # The innermost container that is shown, and those around it.
        self._storage: Any = self._root
        self._node: Node = shape.root
        self._stack: list[tuple[Any, Node]] = []
        self._growing: str | int | None = None  # where in the storage the open string is, when it is shown
        self._awaited: Place | None = None  # the place of an open string, or of a container that must be whole first
        self._depth = 0  # how deep that container is
        self._failure: InvalidOutput | None = None

    @property
    def value(self) -> Any:
        """What can be shown so far; None when that is nothing."""
        return self._root[0] if self._root else None

    @property
    def state(self) -> State:
        """As `tailrace.partial_json.Parser.state`; a document that its shape does not allow is ``dead``."""
        return "dead" if self._failure is not None else self._parser.state

    def feed(self, text: str) -> list[Event]:
        """Take the next fragment and return what it brought, by path.

        Raises `InvalidOutput` as soon as no continuation can make it valid, and again for every later fragment.
        """
        if self._failure is not None:
            raise self._failure
        if text:
            self._untouched = False
        try:
            events = self._parser.feed(text)
        except JSONError as error:
            raise self._fail(InvalidOutput(f"not JSON: {error}")) from error
        for event in events:
            if type(event) is Grew:
                if self._growing is not None:
                    self._grow(self._growing, event.text)
            elif type(event) is Began:
                self._began(event)
            elif type(event) is Completed:
                self._completed(event)
        return events

    def close(self) -> Any:
        """Say that no more will come; return the whole as its shape has it. Raises `InvalidOutput`."""
        if self._failure is not None:
            raise self._failure
        try:
            value = {} if self._untouched and self._tool is not None else self._parser.close()
        except JSONError as error:
            raise self._fail(InvalidOutput(f"not JSON: {error}")) from error
        try:
            return self._shape.whole(value)
        except InvalidOutput as error:
            self._fail(error)
            raise

    def _fail(self, failure: InvalidOutput) -> InvalidOutput:
        failure.tool = self._tool
        self._failure = failure
        return failure

    def _place(self, path: Path) -> Place:
        if not path:
            return Place(0, self._node)
        place = self._node.child(path[-1])
        if type(self._storage) is dict and place.slot in self._storage:
            return Place(place.slot, HIDDEN)  # a field under a second alias: what is shown stays
        return place

    def _put(self, slot: str | int, shown: Any) -> None:
        if type(self._storage) is list:
            self._storage.append(shown)
        else:
            self._storage[slot] = shown

    def _began(self, event: Began) -> None:
        if self._awaited is not None:
            return
        place = self._place(event.path)
        if event.kind == "string":
            if place.node.grows:
                self._growing = -1 if type(self._storage) is list else place.slot
                self._put(place.slot, "")
            entered = None
        else:
            entered = place.node.enter(event.kind)
        if entered is None:
            self._awaited, self._depth = place, len(event.path)
            return
        self._put(place.slot, entered.shown)
        self._stack.append((self._storage, self._node))
        self._storage, self._node = entered.storage, place.node

    def _grow(self, slot: str | int, text: str) -> None:
        storage = self._storage
        grown = storage[slot]
        storage[slot] = None  # the only reference left is `grown`: CPython extends it in place
        grown += text
        storage[slot] = grown

    def _completed(self, event: Completed) -> None:
        path, value = event.path, event.value
        if self._awaited is not None:
            if len(path) > self._depth:
                return
            place, self._awaited = self._awaited, None
        elif isinstance(value, dict | list):
            self._storage, self._node = self._stack.pop()
            return
        else:
            place = self._place(path)
        shown = self._growing is not None
        self._growing = None
        if place.node.hidden:
            return
        try:
            value = place.node.check(value)
        except Problem as problem:
            raise self._fail(invalid(problem, path)) from problem.__cause__
        if not shown:
            self._put(place.slot, value)
