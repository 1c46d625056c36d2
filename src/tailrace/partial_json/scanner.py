"""The grammar of RFC 8259, character by character.

Between strings, numbers and literals the next character decides, by the table that ``_expect`` holds (at the end of
this file)::

    VALUE ── string number literal ─▶ _after: AFTER_MEMBER ──,──▶ NEXT_KEY ── key ──▶ COLON ──:──▶ VALUE
          ── { ─▶ FIRST_KEY ── key ─▶ COLON    AFTER_ITEM ───,──▶ VALUE
          ── [ ─▶ FIRST_ITEM, VALUE or ]       END            only whitespace, or nothing
          } and ] ─▶ _after of the container around

Within them, ``_inside`` is the method that goes on with the next fragment. What cannot be decided yet (part of an
escape, a number, a literal) waits in ``_held`` and is read again in front of that fragment.

Tables and ``_inside`` hold plain functions, not bound methods: a bound method kept in its own object would leave
every parser to the cycle collector.
"""
# ruff: noqa: SLF001  the tables are part of the class, and must be made after it

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from tailrace.errors import InvalidJSON, JSONError, JSONLimitExceeded
from tailrace.partial_json.events import Began, Completed, Event, Grew, KeyRepeated
from tailrace.partial_json.text import first_fault, read
from tailrace.partial_json.tree import Tree
from tailrace.partial_json.whole import Limits, closed_container

Step: TypeAlias = Callable[["Scanner", str, int, list[Event]], int]
"""``(scanner, text, at, events) -> at``: takes what begins at ``text[at]``, returns where the next step begins."""

_DIGITS = "0123456789"
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}

_space = re.compile(r"[ \t\n\r]*").match

# The longest beginning of a number (RFC 8259 section 6); it is whole when it ends in a digit.
_number = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*+)(?:\.(?:[0-9]++(?:[eE](?:[+-]?[0-9]*+)?)?)?|[eE](?:[+-]?[0-9]*+)?)?)?"
).match

_WORTH_A_SCAN = 128
"""Characters that must follow a bracket before the C scanner is asked for the whole container: below, its fixed cost
is more than that of reading on."""

_MAX_SCANS = 4
"""Containers per fragment that the C scanner may begin in vain, so that a fragment is read at most that many times
more: as many as are usually open at once."""


class Scanner(Tree):
    """Reads text into a `Tree`. `Parser` feeds it, and answers for the size of the whole and for its end."""

    __slots__ = (
        "_after", "_ended", "_expect", "_fault", "_held", "_inside", "_key", "_limits", "_plain", "_room", "_scans",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._expect = VALUE
        self._after = END  # what to expect after a value of the innermost container
        self._inside: Step | None = None
        self._plain = False  # in a string that is not the root, nothing held: fragments may take the short way
        self._key: list[str] = []  # pieces of the open key
        self._held = ""
        self._room = limits.max_size  # characters that may still come
        self._scans = 0
        self._ended = False  # no more text may come
        self._fault: tuple[type[JSONError], dict[str, Any]] | None = None

    def _position(self, text: str, at: int) -> int:
        """Return the position of ``text[at]`` in the document; the quote after the end of ``text`` is not in it."""
        return self._limits.max_size - self._room - (len(text) - 1) + at

    def _die(self, text: str, at: int, problem: str) -> NoReturn:
        self._fail(InvalidJSON, message=problem, position=self._position(text, at))

    def _pass_limit(self, text: str, at: int, limit: int, unit: str) -> NoReturn:
        position = self._position(text, at)
        self._fail(JSONLimitExceeded, message=f"more than {limit} {unit}", position=position, limit=limit)

    def _fail(self, kind: type[JSONError], **details: Any) -> NoReturn:
        self._plain = False
        self._ended = True
        self._fault = (kind, details)
        raise kind(**details)

    def _unexpected(self, text: str, at: int, _: list[Event]) -> int:
        self._die(text, at, f"{text[at]!r} instead of {self._expect.wanted}")

    # Between values

    def _skip(self, text: str, at: int, _: list[Event]) -> int:
        at += 1
        if text[at] > " ":
            return at
        return _space(text, at).end()  # type: ignore[union-attr]

    def _next_member(self, _: str, at: int, __: list[Event]) -> int:
        self._expect = NEXT_KEY
        return at + 1

    def _next_item(self, _: str, at: int, __: list[Event]) -> int:
        self._path = (*self._base, len(self._node))
        self._expect = VALUE
        return at + 1

    def _colon(self, _: str, at: int, __: list[Event]) -> int:
        self._expect = VALUE
        return at + 1

    # Containers

    def _open(self, text: str, at: int, events: list[Event]) -> int:
        depth = len(self._stack)
        limit = self._limits.max_depth
        if depth >= limit:
            self._pass_limit(text, at, limit, "open objects and arrays")
        if len(text) - at > _WORTH_A_SCAN and self._scans < _MAX_SCANS:
            whole = closed_container(text, at, self._path, depth=depth, limits=self._limits, events=events)
            if whole is not None:
                self._put(whole[0])
                self._expect = self._after
                return whole[1]
            self._scans += 1
        if text[at] == "{":
            events.append(Began(self._path, "object"))
            self._push({})
            self._after = AFTER_MEMBER
            self._expect = FIRST_KEY
        else:
            events.append(Began(self._path, "array"))
            self._push([])
            self._path = (*self._base, 0)
            self._after = AFTER_ITEM
            self._expect = FIRST_ITEM
        return at + 1

    def _close(self, _: str, at: int, events: list[Event]) -> int:
        events.append(Completed(self._base, self._node))
        self._pop()
        if type(self._node) is dict:
            self._after = AFTER_MEMBER
        else:
            self._after = AFTER_ITEM if self._stack else END
        self._expect = self._after
        return at + 1

    # Strings

    def _begin_text(self, text: str, at: int, events: list[Event]) -> int:
        events.append(Began(self._path, "string"))
        self._put("")
        return self._text(text, at + 1, events)

    def _text(self, text: str, at: int, events: list[Event]) -> int:
        run, stop = read(text, at)
        if run:
            events.append(Grew(self._path, run))
            self._grow(run)
        end = len(text) - 1
        if stop < end and text[stop] == '"':
            self._plain = False
            self._inside = None
            self._expect = self._after
            events.append(Completed(self._path, self._node[self._slot]))
            return stop + 1
        self._inside = Scanner._text
        if stop < end:
            self._hold(text, stop)
        self._plain = not self._held and bool(self._stack)
        return end

    def _begin_key(self, text: str, at: int, events: list[Event]) -> int:
        return self._in_key(text, at + 1, events)

    def _in_key(self, text: str, at: int, events: list[Event]) -> int:
        run, stop = read(text, at)
        end = len(text) - 1
        if stop == end or text[stop] != '"':
            self._key.append(run)
            self._inside = Scanner._in_key
            if stop < end:
                self._hold(text, stop)
            return end
        self._inside = None
        if self._key:
            self._key.append(run)
            run = "".join(self._key)
            self._key.clear()
        self._slot = run
        self._path = (*self._base, run)
        self._expect = COLON
        if run in self._node:
            if not self._limits.repeats_allowed:
                self._die(text, stop, f"the key {run!r} again")
            events.append(KeyRepeated(self._path))
        return stop + 1

    def _hold(self, text: str, at: int) -> None:
        fault = first_fault(text, at)
        if fault is not None:
            self._die(text, fault, f"{text[fault]!r} in a string")
        self._held = text[at:-1]

    # Numbers and literals: shown when they are whole, never before

    def _number(self, text: str, at: int, events: list[Event]) -> int:
        stop: int = _number(text, at).end()  # type: ignore[union-attr]
        limit = self._limits.max_number
        if stop - at > limit:
            self._pass_limit(text, at + limit, limit, "characters in a number")
        if stop == len(text) - 1:
            self._held = text[at:-1]
            self._inside = Scanner._number
        elif text[stop - 1] in _DIGITS:
            self._end_number(text, at, stop, events)
        else:
            self._die(text, stop, f"{text[stop]!r} in a number")
        return stop

    def _end_number(self, text: str, at: int, stop: int, events: list[Event]) -> None:
        literal = text[at:stop]
        try:
            number = int(literal) if literal.isdigit() or literal[1:].isdigit() else float(literal)
        except ValueError:  # more digits than sys.get_int_max_str_digits()
            self._pass_limit(text, at, sys.get_int_max_str_digits(), "digits in an integer")
        self._inside = None
        self._put(number)
        events.append(Completed(self._path, number))
        self._expect = self._after

    def _literal(self, text: str, at: int, events: list[Event]) -> int:
        word, value = _LITERALS[text[at]]
        if text.startswith(word, at):
            self._inside = None
            self._put(value)
            events.append(Completed(self._path, value))
            self._expect = self._after
            return at + len(word)
        came = text[at:-1]
        if not word.startswith(came):
            fault = next(i for i, mark in enumerate(word) if not came.startswith(mark, i))
            self._die(text, at + fault, f"{text[at + fault]!r} in {word!r}")
        self._held = came
        self._inside = Scanner._literal
        return len(text) - 1


class Expect(dict[str, Step]):
    """What the next character may be, and the step that takes it; ``wanted`` says the same to people."""

    __slots__ = ("wanted",)

    def __init__(self, wanted: str, steps: dict[str, Step]) -> None:
        super().__init__(steps, **dict.fromkeys(" \t\n\r", Scanner._skip))
        self.wanted = wanted

    def __missing__(self, mark: str) -> Step:
        return Scanner._unexpected


_VALUES: dict[str, Step] = {
    '"': Scanner._begin_text,
    "{": Scanner._open,
    "[": Scanner._open,
    **dict.fromkeys("-" + _DIGITS, Scanner._number),
    **dict.fromkeys(_LITERALS, Scanner._literal),
}
VALUE = Expect("a value", _VALUES)
FIRST_ITEM = Expect("a value or ']'", {**_VALUES, "]": Scanner._close})
AFTER_ITEM = Expect("',' or ']'", {",": Scanner._next_item, "]": Scanner._close})
FIRST_KEY = Expect("a key in quotes or '}'", {'"': Scanner._begin_key, "}": Scanner._close})
NEXT_KEY = Expect("a key in quotes", {'"': Scanner._begin_key})
COLON = Expect("':'", {":": Scanner._colon})
AFTER_MEMBER = Expect("',' or '}'", {",": Scanner._next_member, "}": Scanner._close})
END = Expect("the end of the document", {})
