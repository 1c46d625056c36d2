"""Tool calls that wait until they are whole: what comes out of the gate may be run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tailrace.errors import InvalidOutput
from tailrace.events import BlockStart, BlockStop, Error, Event, ToolInputDelta
from tailrace.structured.follower import Follower
from tailrace.structured.shapes import shape

MAX_HELD = 4 * 1024 * 1024
"""Characters of arguments that are held at once, in all open calls: eight times the longest answer of a current
model."""


class _Held:
    """A call that is open: what came of its arguments, and whether they may still become valid."""

    __slots__ = ("follower", "pieces")

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        self.pieces: list[str] = []


class ToolGate:
    """Holds the arguments of each call back until they are complete and valid, then lets them through as one delta.

    Takes an answer's events one by one and returns those to pass on, in their order. The opening of a call passes at
    once; its arguments, valid JSON that the schema of that tool allows, pass with its end. A call that is anything
    else becomes an `Error`, and nothing comes after it; the call stays open, as every encoder leaves it, so that no
    client runs it. Calls that the provider runs itself pass as they come. Of a tool that ``schemas`` does not name,
    the arguments need only be JSON.

    Raises `BadRequest` for a schema that is none.
    """

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._shapes = {name: shape(schema) for name, schema in schemas.items()}
        self._any = shape(True)
        self._calls: dict[int, _Held] = {}
        self._held = 0
        self.failed = False

    def take(self, event: Event) -> list[Event]:
        """Return what may pass now that ``event`` has come; nothing after an `Error`."""
        if self.failed:
            return []
        kind = type(event)
        if kind is ToolInputDelta or kind is BlockStop:
            call = self._calls.get(event.index)  # type: ignore[union-attr]
            if call is not None:
                return self._hold(call, event) if isinstance(event, ToolInputDelta) else self._release(call, event)
        elif isinstance(event, BlockStart):
            if event.kind == "tool_call":
                name = event.name or ""
                self._calls[event.index] = _Held(Follower(self._shapes.get(name, self._any), tool=name))
        elif kind is Error:
            self._calls.clear()
        return [event]

    def _hold(self, call: _Held, event: ToolInputDelta) -> list[Event]:
        self._held += len(event.json)
        if self._held > MAX_HELD:
            return self._refuse(f"more than {MAX_HELD} characters of tool calls that are not complete")
        try:
            call.follower.feed(event.json)
        except InvalidOutput as error:
            return self._refuse(str(error))
        call.pieces.append(event.json)
        return []

    def _release(self, call: _Held, event: Any) -> list[Event]:
        del self._calls[event.index]
        try:
            call.follower.close()
        except InvalidOutput as error:
            return self._refuse(str(error))
        text = "".join(call.pieces)
        self._held -= len(text)
        return [ToolInputDelta(event.index, text), event] if text else [event]

    def _refuse(self, reason: str) -> list[Event]:
        self.failed = True
        self._calls.clear()
        return [Error("protocol", reason, retryable=True, code="invalid_tool_call")]
