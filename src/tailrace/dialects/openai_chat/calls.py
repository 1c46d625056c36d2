"""Which tool call a fragment belongs to, and when a call's arguments are complete.

By the specification a fragment has an ``index``, and its first one has ``id`` and ``name``. Seen besides: no index,
the calls whole (Mistral); index 0 for every call (Google's compatible endpoint); id and name in every fragment; a
fresh id, but no name, in every fragment (older vLLM); the first index 1.
"""

from __future__ import annotations

import msgspec

from tailrace.errors import LimitExceeded, RemoteProtocolError

MAX_CALLS = 10_000
"""Most calls of one choice: as many as a message may have blocks (`tailrace.events.Order`)."""

MAX_ARGUMENTS = 16 * 1024 * 1024
"""Most characters of one call's arguments: a line of the wire, which may carry them whole, has the same cap."""

MAX_TRIES = 64
"""Most times that one call's arguments are parsed to see whether they are complete; each costs their whole length."""

_parse = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Call:
    """One tool call. ``block`` is -1 until its name is known."""

    __slots__ = ("_pieces", "_size", "_tries", "block", "closed", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self.block = -1
        self.closed = False
        self._pieces: list[str] = []
        self._size = 0
        self._tries = 0

    def learn(self, call_id: str | None, name: str | None) -> None:
        """Take id and name if they are news; the first ones stay."""
        self.id = self.id or call_id or None
        self.name = self.name or name or None

    def hold(self, text: str) -> None:
        """Take a piece of the arguments."""
        if text:
            self._pieces.append(text)
            self._size += len(text)
            if self._size > MAX_ARGUMENTS:
                raise LimitExceeded(
                    f"a tool call with more than {MAX_ARGUMENTS} characters of arguments", limit=MAX_ARGUMENTS
                )

    @property
    def text(self) -> str:
        """The arguments so far."""
        return "".join(self._pieces)

    def whole(self) -> bool:
        """Return whether the arguments are a complete JSON object: nothing can follow one."""
        if not self._pieces or not self._pieces[-1].rstrip().endswith("}") or self._tries >= MAX_TRIES:
            return False
        self._tries += 1
        try:
            _parse(self.text)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return False
        return True

    def replaceable(self) -> bool:
        """Return whether a new call may take this one's place: it is complete, or has no arguments at all."""
        return self.closed or not self._pieces or self.whole()


class Calls:
    """The tool calls of one choice; ``open`` are those without their end, in the order of their beginning."""

    __slots__ = ("_by_id", "_by_index", "_last", "_untried", "count", "open")

    def __init__(self) -> None:
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}
        self._last: Call | None = None
        self._untried: list[Call] = []
        self.open: dict[Call, None] = {}
        self.count = 0

    def find(self, index: int | None, call_id: str | None, name: str | None) -> Call | None:
        """Return the call that the fragment continues, None when it begins one.

        Raises `RemoteProtocolError` for a fragment that says neither which call it continues nor that it begins one.
        """
        if index is not None:
            call = self._by_index.get(index)
            if call and call_id and name and call.id and call_id != call.id and call.replaceable():
                return None
            return call
        if call_id:
            return self._by_id.get(call_id)
        if name and (self._last is None or self._last.replaceable()):
            return None
        if self._last is None:
            raise RemoteProtocolError("tool arguments before any tool call")
        return self._last

    def add(self, index: int | None, call_id: str | None, name: str | None) -> Call:
        """Begin a call."""
        if self.count >= MAX_CALLS:
            raise RemoteProtocolError(f"more than {MAX_CALLS} tool calls in one message")
        call = Call()
        call.learn(call_id, name)
        self.count += 1
        self.open[call] = None
        self._untried.append(call)
        self._last = call
        if index is not None:
            self._by_index[index] = call
        if call_id:
            self._by_id[call_id] = call
        return call

    def take_complete(self) -> list[Call]:
        """Return, and count as closed, the open calls whose arguments are complete.

        Each call is asked once, when the next content begins: one that is incomplete then is interleaved with
        others and stays open.
        """
        untried, self._untried = self._untried, []
        complete = [call for call in untried if call.block >= 0 and call in self.open and call.whole()]
        for call in complete:
            call.closed = True
            del self.open[call]
        return complete

    def take_all(self) -> list[Call]:
        """Return, and count as closed, every open call."""
        taken = list(self.open)
        self.open.clear()
        for call in taken:
            call.closed = True
        return taken
