"""The document so far, and the place in it where the next value goes.

Invariants between two steps:

- ``_node`` is the innermost open container, ``_base`` its path and ``_slot`` the place of its newest value: a key in an
  object, -1 in an array. The root is the only item of a list that stands for a container around it.
- An open string is in the tree at ``_slot``, and ``_path`` is its path. Only that place changes.
- Closed containers never change again; so a snapshot may share them.
"""

from __future__ import annotations

from typing import Any

from tailrace.partial_json.events import Path


class Tree:
    """Objects, arrays and strings that grow at one place only: their end.

    ``value`` is the live value: always the same containers, growing; None before the first value began. Open strings,
    objects and arrays are in it, numbers and literals only when they are whole. Do not change it; to keep one state of
    it, take a `snapshot`. It is an attribute and not a property because it is read after every fragment.
    """

    __slots__ = ("_base", "_node", "_path", "_root", "_slot", "_stack", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self._root: list[Any] = []
        self._node: Any = self._root  # dict or list: which of the two is asked where it matters
        self._base: Path = ()
        self._slot: str | int = -1
        self._path: Path = ()
        self._stack: list[tuple[Any, Path, str | int]] = []

    def snapshot(self) -> Any:
        """Return the value as it is now; later fragments do not change it.

        Copies the open containers, one level each, and shares the closed ones with the live value: the cost grows with
        how wide the open containers are. Keeping every state of a long open string copies that string each time.
        """
        if not self._stack:
            return self.value
        inner = self._node.copy()
        for node, _, slot in reversed(self._stack[1:]):
            outer = node.copy()
            outer[slot] = inner
            inner = outer
        return inner

    def _put(self, value: Any) -> None:
        if type(self._node) is dict:
            self._node[self._slot] = value
        else:
            self._node.append(value)
            if not self._stack:
                self.value = value

    def _grow(self, text: str) -> None:
        """Add ``text`` to the open string.

        CPython extends a string in place when nothing else refers to it, so it leaves the tree for a moment. (Where
        somebody keeps an earlier value it is copied: slower, not wrong.)
        """
        node = self._node
        slot = self._slot
        grown = node[slot]
        node[slot] = None
        if node is self._root:
            self.value = None
            grown += text
            self.value = grown
        else:
            grown += text
        node[slot] = grown

    def _push(self, node: Any) -> None:
        self._put(node)
        self._stack.append((self._node, self._base, self._slot))
        self._node = node
        self._base = self._path
        self._slot = -1

    def _pop(self) -> None:
        self._node, self._base, self._slot = self._stack.pop()
