"""What a document says while it is being written, one frozen value at a time.

Every value is named by its *path*: the keys and indexes that lead to it from the root, whose path is ``()``.

==================  ==============================================================================
value               events, in this order
==================  ==============================================================================
object, array       `Began`, the events of its members or items, `Completed`
string              `Began`, any number of `Grew` (none of them empty), `Completed`
number, literal     `Completed`
a key seen before   `KeyRepeated`, then the events of the value that replaces the earlier one
==================  ==============================================================================

How the text was cut into fragments decides how many `Grew` a string has and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec

Path: TypeAlias = tuple[str | int, ...]
"""Keys (str) and indexes (int) from the root to a value."""

Kind: TypeAlias = Literal["object", "array", "string"]
"""The kinds of value that can be open."""


class Began(msgspec.Struct, frozen=True, gc=False, tag="began"):
    """An object, array or string opened; empty so far."""

    path: Path
    kind: Kind


class Grew(msgspec.Struct, frozen=True, gc=False, tag="grew"):
    """The open string at ``path`` has ``text`` more at its end; what it had is never changed."""

    path: Path
    text: str


class Completed(msgspec.Struct, frozen=True, gc=False, tag="completed"):
    """The value at ``path`` is whole and will not change.

    A container in ``value`` is the very object in the parser's tree: read it, do not change it.
    """

    path: Path
    value: Any


class KeyRepeated(msgspec.Struct, frozen=True, gc=False, tag="key_repeated"):
    """The key at the end of ``path`` was there already; as in `json.loads`, its next value replaces the first.

    The only way in which something already shown is taken back.
    """

    path: Path


Event: TypeAlias = Began | Grew | Completed | KeyRepeated

_EMPTY: dict[Kind, type[Any]] = {"object": dict, "array": list, "string": str}


def pointer(path: Path) -> str:
    """Return ``path`` as a JSON Pointer (RFC 6901 section 3): ``("a/b", 0)`` becomes ``/a~1b/0``."""
    return "".join(["/" + str(part).replace("~", "~0").replace("/", "~1") for part in path])


def replay(events: Iterable[Event]) -> Any:
    """Return the document that ``events`` describe, as far as they go; None when there are none.

    It shares no container with the events. Strings and containers are made from `Began` and `Grew` alone, so the
    values of their `Completed` need not be sent to whoever replays.
    """
    root: list[Any] = []
    for event in events:
        match event:
            case Began():
                _put(root, event.path, _EMPTY[event.kind]())
            case Grew():
                _put(root, event.path, event.text, grow=True)
            case Completed():
                if not isinstance(event.value, dict | list | str):
                    _put(root, event.path, event.value)
            case KeyRepeated():
                pass
    return root[0] if root else None


def _put(root: list[Any], path: Path, value: Any, *, grow: bool = False) -> None:
    node: Any = root
    slot: str | int = 0
    for part in path:
        node = node[slot]
        slot = part
    if grow:
        grown = node[slot]
        node[slot] = None  # the only reference left is `grown`: CPython extends it in place
        grown += value
        node[slot] = grown
    elif isinstance(node, list) and slot == len(node):
        node.append(value)
    else:
        node[slot] = value
