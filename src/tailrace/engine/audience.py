"""Who reads an answer, and what happens when nobody does: the timer behind the policy's word for an empty room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tailrace.engine.lifecycle import Lifecycle
from tailrace.engine.observer import Unread
from tailrace.engine.spec import Policy
from tailrace.engine.usage import CHARACTERS_PER_TOKEN

SECOND_LOOK = 2.0
"""Seconds between the two: a node that lost its connection to the store is back within one, and listens again."""


class Audience:
    """The readers of one generation. ``abandon`` is called when they have been away for too long.

    ``characters`` says how much has been said so far. ``elsewhere``, where several nodes share the logs, tells whether
    another one has readers: a reader that comes back there has not left.
    """

    def __init__(
        self,
        life: Lifecycle,
        policy: Policy,
        *,
        characters: Callable[[], int],
        abandon: Callable[[], None],
        elsewhere: Callable[[], Awaitable[bool]] | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._life = life
        self._budget = policy.budget
        self._characters = characters
        self._abandon = abandon
        self._elsewhere = elsewhere
        self._readers: set[object] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._enough: float = float("inf")
        self.unread = Unread()

    def __len__(self) -> int:
        return len(self._readers)

    def add(self, reader: object) -> None:
        """Count ``reader`` in."""
        self._readers.add(reader)
        self._count()

    def discard(self, reader: object) -> None:
        """Count ``reader`` out; when it was the last, the policy says what follows."""
        self._readers.discard(reader)
        self._count()

    @property
    def has_enough(self) -> bool:
        """Whether an answer that is only finished for its usage has used up its tokens."""
        return self._life.audience == "draining" and self._characters() >= self._enough

    def close(self) -> None:
        """Forget the timers: all is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def _count(self) -> None:
        self.unread.look(len(self._readers), self._characters())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = self._life.readers(len(self._readers))
        if seconds is None:
            return
        if self._life.audience == "draining" and self._budget.tokens is not None:
            self._enough = self._characters() + self._budget.tokens * CHARACTERS_PER_TOKEN
        self._timer = self._loop.call_later(seconds, self._away_too_long)

    def _away_too_long(self) -> None:
        if self._elsewhere is None:
            self._abandon()
        else:
            self._asking = self._loop.create_task(self._ask(self._elsewhere), name="tailrace readers elsewhere")

    async def _ask(self, elsewhere: Callable[[], Awaitable[bool]]) -> None:
        """Give up unless another node has readers; then look again when they, too, may have left.

        Only a second no is believed: a node that has just lost its store listens to nothing for a moment.
        """
        found = await elsewhere()
        if not found:
            await asyncio.sleep(SECOND_LOOK)
            found = await elsewhere()
        self._asking = None
        if found:
            self._count()
        elif not self._readers:
            self._abandon()
