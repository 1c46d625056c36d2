"""What may stand at one place of a document, and how that place is shown while it is being written.

A value is held to its node once, when it is complete. An object or array that a node *enters* is shown from its first
character and held to its node member by member; what the container as a whole must be (which members it needs, how
many items) is for the whole document. So each character is validated once on the way, and once at the end.
"""

# ruff: noqa: D102  the methods of nodes are described in Node

from __future__ import annotations

from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, TypeAlias

Container: TypeAlias = Literal["object", "array"]


class Partial(SimpleNamespace):
    """The fields of a model or dataclass that have arrived, as attributes; `vars` gives them as a dict.

    A field that has not arrived is None.
    """

    _names: frozenset[str] = frozenset()

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return None
        raise AttributeError(f"no field {name!r}", name=name, obj=self)


class Problem(Exception):
    """A value is not what its node allows; ``found`` are pairs of a path below the value and a reason."""

    def __init__(self, found: list[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__(found)
        self.found = found


class Entered(NamedTuple):
    """A container that is shown while it grows, and where its members are put: the same, or an object's dict."""

    shown: Any
    storage: dict[str, Any] | list[Any]


class Place(NamedTuple):
    """Where a member is put, and what it may be."""

    slot: str | int
    node: Node


class Node(ABC):
    """What may stand at one place.

    ``grows``: a string is shown while it is open. Only where its end changes nothing of it: no conversion, no
    stripping. ``hidden``: the value is never shown, and not validated before the whole.
    """

    grows = False
    hidden = False

    @abstractmethod
    def enter(self, kind: Container) -> Entered | None:
        """Return what shows a container that opens here; None when it must be whole first."""

    @abstractmethod
    def child(self, slot: str | int) -> Place:
        """Return the place of a member of the container that was entered."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """Return what to show for a complete value; raises `Problem`."""


class Anything(Node):
    """Any JSON, shown as it comes."""

    grows = True

    def enter(self, kind: Container) -> Entered | None:
        return plain(kind)

    def child(self, slot: str | int) -> Place:
        return Place(slot, self)

    def check(self, value: Any) -> Any:
        return value


class Hidden(Anything):
    """Whatever it is, it is left to the whole: nobody wants it, or it takes more than the value to judge it."""

    grows = False
    hidden = True

    def enter(self, kind: Container) -> Entered | None:  # noqa: ARG002
        return None


def plain(kind: Container) -> Entered:
    """Return a fresh dict or list, shown as itself."""
    container: dict[str, Any] | list[Any] = {} if kind == "object" else []
    return Entered(container, container)


ANYTHING = Anything()
HIDDEN = Hidden()
