"""A JSON document read while it is being written."""

from __future__ import annotations

from typing import Any, Literal, NoReturn, TypeAlias

from tailrace.errors import JSONLimitExceeded, LocalProtocolError, TruncatedJSON
from tailrace.partial_json.events import Event, Grew
from tailrace.partial_json.scanner import END, Scanner
from tailrace.partial_json.text import inside
from tailrace.partial_json.whole import Limits

State: TypeAlias = Literal["open", "complete", "truncated", "dead"]
"""``open``: may go on. ``complete``: a whole document (whitespace may follow). ``truncated``: closed while open.
``dead``: no continuation can make it JSON, or it passed a cap."""

MAX_DEPTH = 512
"""Objects and arrays open at once; what models write is under 20. Every path is as long as it is deep: at this depth a
fragment made of brackets costs some 1,400 bytes of events for each of its characters, until they are dropped."""

MAX_SIZE = 4 * 1024 * 1024
"""Characters. Eight times the longest answer of a current model (128 k tokens, about 0.5 M characters)."""

MAX_NUMBER = 4300
"""Characters in a number: Python itself reads no longer integer (`sys.get_int_max_str_digits`). A number is read again
with each fragment that goes on with it, so this also bounds that work."""


class Parser(Scanner):
    """Reads one JSON document (RFC 8259, strictly) from text fragments of any size.

    Time is linear in the text and memory is that of the document: the text itself is not kept. What was shown is
    never taken back; only a repeated key replaces its value, as in `json.loads`, and is flagged
    (``duplicate_keys="flag"``) or refused (``"error"``). Caps: ``max_depth`` open containers, ``max_size`` characters
    in all, ``max_number`` characters in one number. Not for several threads at once.
    """

    __slots__ = ("_closed",)

    def __init__(
        self,
        *,
        max_depth: int = MAX_DEPTH,
        max_size: int = MAX_SIZE,
        max_number: int = MAX_NUMBER,
        duplicate_keys: Literal["flag", "error"] = "flag",
    ) -> None:
        super().__init__(Limits(max_size, max_depth, max_number, duplicate_keys == "flag"))
        self._closed = False

    @property
    def state(self) -> State:
        """Which of the four it is; the last three are ends."""
        if self._fault:
            return "dead"
        if self._expect is END:
            return "complete"
        return "truncated" if self._closed else "open"

    def feed(self, text: str) -> list[Event]:
        """Take the next fragment and return what it brought.

        Raises `InvalidJSON` when a character of it rules out any document (events of the fragment before that
        character are lost, `value` has what they said), `JSONLimitExceeded` when it passes a cap; both again for
        every later fragment. `LocalProtocolError` after `close`.
        """
        # Most fragments lie inside a string, and these lines are the whole cost of one: what `_text` and `_grow` would
        # do, without the calls. `isprintable` is true for no control character; for some that are legal (a no-break
        # space) it is false, and they go a longer way.
        if self._plain and text:
            run = text
            if '"' in text or "\\" in text or not text.isprintable():
                run = inside(text)
            room = self._room - len(text)
            if run and room >= 0:
                self._room = room
                node = self._node
                slot = self._slot
                grown = node[slot]
                node[slot] = None
                grown += run
                node[slot] = grown
                return [Grew(self._path, run)]
        return self._feed(text)

    def close(self) -> Any:
        """Say that no more will come, and return the value.

        Raises `TruncatedJSON` when the document is not complete, or again the error that killed it. A bare number is
        complete only here, and has no event, because any further digit would have changed it.
        """
        if self._fault:
            self._refuse()
        self._plain = False
        self._closed = self._ended = True
        if self._inside is Parser._number and not self._stack and self._held[-1].isdigit():
            self._end_number(self._held + '"', 0, len(self._held), [])
            self._held = ""
        if self._expect is not END:
            raise TruncatedJSON("the document breaks off", position=self._limits.max_size - self._room)
        return self.value

    def _feed(self, text: str) -> list[Event]:
        if self._ended:
            self._refuse()
        if not text:
            return []
        self._room -= len(text)
        if self._room < 0:
            self._overflow(text)
        if self._held:
            text = self._held + text
            self._held = ""
        end = len(text)
        text += '"'
        self._scans = 0
        events: list[Event] = []
        at = self._inside(self, text, 0, events) if self._inside else 0
        while at < end:
            at = self._expect[text[at]](self, text, at, events)
        return events

    def _refuse(self) -> NoReturn:
        if self._fault:
            kind, details = self._fault
            raise kind(**details)
        raise LocalProtocolError("feed() after close()")

    def _overflow(self, text: str) -> NoReturn:
        self._room += len(text)
        self._feed(text[: self._room])  # a fault before the cap is the one to tell
        limit = self._limits.max_size
        self._fail(JSONLimitExceeded, message=f"more than {limit} characters", position=limit, limit=limit)
