"""A call's arguments that come value by value (Vertex AI, ``streamFunctionCallArguments``).

Each piece names its place by a JSON path (RFC 9535, only names and indexes) and holds a value; a string may come in
several pieces. Put together they are the object that the call would have had whole.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, TypeAlias

from tailrace.dialects.gemini.wire import PartialArg, to_json
from tailrace.errors import LimitExceeded, RemoteProtocolError

MAX_ARGUMENTS = 16 * 1024 * 1024
"""Most characters of one call's strings and paths, `PIECE` a piece included: as many as one that comes whole may
have bytes."""

PIECE = 64
"""What a piece counts beside its characters: the memory of a value and of its name."""

MAX_STEPS = 64
"""Most steps of one path: deeper than the schema of any tool that a provider accepts."""

_STEP = re.compile(r"""\.([^.\[\]'"]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""", re.DOTALL)
_UNESCAPED = re.compile(r"\\(.)", re.DOTALL)

_Step: TypeAlias = str | int


class Arguments:
    """The arguments of one call, as far as they have come."""

    __slots__ = ("_open", "_root", "_size")

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._open: dict[str, list[str]] = {}  # path → pieces of the string there that goes on
        self._size = 0

    def add(self, piece: PartialArg) -> None:
        """Put ``piece`` in its place; raise `RemoteProtocolError` where that is none."""
        path = piece.json_path
        self._size += PIECE + len(path) + len(piece.string_value or "")
        if self._size > MAX_ARGUMENTS:
            raise LimitExceeded(
                f"a tool call with more than {MAX_ARGUMENTS} characters of arguments", limit=MAX_ARGUMENTS
            )
        text = piece.string_value
        if text is None:
            self._put(path, _value(piece))
            return
        pieces = self._open.pop(path, None)
        if pieces is None:
            pieces = []
            self._put(path, pieces)
        pieces.append(text)
        if piece.will_continue:
            self._open[path] = pieces

    def _put(self, path: str, value: Any) -> None:
        steps = _steps(path)
        place: Any = self._root
        for step, following in pairwise(steps):
            place = _enter(place, step, [] if isinstance(following, int) else {}, path)
        _enter(place, steps[-1], value, path, last=True)

    def text(self) -> str:
        """Return the arguments as JSON text."""
        return to_json(_joined(self._root)).decode()


class _Array(list[Any]):
    """An array of the arguments; a plain list holds the pieces of a string."""


def _enter(place: Any, step: _Step, value: Any, path: str, *, last: bool = False) -> Any:
    """Return what is at ``step`` of ``place``, which is ``value`` if nothing was there."""
    if isinstance(value, list) and not last:
        value = _Array()
    if isinstance(step, str) and isinstance(place, dict):
        if last:
            place[step] = value
        return place.setdefault(step, value)
    if isinstance(step, int) and isinstance(place, _Array) and step <= len(place):
        if step == len(place):
            place.append(value)
        elif last:
            place[step] = value
        return place[step]
    raise RemoteProtocolError(f"a partial argument at {path[:80]!r}, which is no place in the arguments so far")


def _value(piece: PartialArg) -> Any:
    # A value that is none of these is null: the wire leaves nothing else to say.
    return piece.number_value if piece.number_value is not None else piece.bool_value


def _steps(path: str) -> list[_Step]:
    steps: list[_Step] = []
    at = 1 if path.startswith("$") else -1
    while 0 <= at < len(path) and len(steps) < MAX_STEPS:
        found = _STEP.match(path, at)
        if found is None:
            break
        name, index, single, double = found.groups()
        if index is not None:
            steps.append(int(index))
        elif name is not None:
            steps.append(name)
        else:
            steps.append(_UNESCAPED.sub(r"\1", single if single is not None else double))
        at = found.end()
    if at != len(path) or not steps:
        raise RemoteProtocolError(f"{path[:80]!r} is not the path of an argument")
    return steps


def _joined(value: Any) -> Any:
    """Return ``value`` with its strings in one piece; it is no deeper than `MAX_STEPS`."""
    if isinstance(value, dict):
        return {name: _joined(inner) for name, inner in value.items()}
    if isinstance(value, _Array):
        return [_joined(inner) for inner in value]
    return "".join(value) if isinstance(value, list) else value
