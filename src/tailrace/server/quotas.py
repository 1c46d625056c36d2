"""What keys may use: streams at once, requests a minute, tokens a day. Asked before work begins, counted as it ends.

Streams are counted in this process only: a counter elsewhere would have to know that a process died. The rest is
counted by `tailrace.server.counters`, in memory or in the Redis that all nodes share.

A request is refused once the day's tokens are used up, not when it might use them up: an answer's length is known at
its end. So a key can pass its day by the answers that run at that moment, at most ``streams`` of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import structlog

from tailrace.engine import Secret
from tailrace.errors import RateLimited
from tailrace.server.keys import Identity

if TYPE_CHECKING:
    from tailrace.server.counters import Counters

T = TypeVar("T")

PATIENCE = 0.25
"""Seconds that Redis gets to answer: more would be felt in the time to the first token."""

LOCAL_FOR = 5.0
"""Seconds without asking Redis again after it did not answer."""

AGAIN = 1.0
"""Seconds after which to come back when too many streams run: one may end at any moment."""

_log = structlog.get_logger("tailrace.quotas")


class Quotas:
    """Counts for all keys. ``redis`` is the URL of the store that nodes share.

    While Redis cannot be reached each node counts on its own: neither is everybody locked out nor has anybody all they
    want.
    """

    def __init__(self, redis: Secret | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._counters: dict[bool, Counters] = {}
        self._local_until = float("-inf")
        self._clock = clock
        self._streams: Counter[str] = Counter()

    async def admit(self, identity: Identity) -> None:
        """Count a request that would begin an answer; raises `RateLimited` when one of the limits is reached."""
        owner, spec = identity.owner, identity.spec
        self._room(identity)
        if (requests := spec.requests_per_minute) is not None:
            wait = await self._ask(lambda counters: counters.request(owner, requests))
            if wait is not None:
                raise RateLimited(
                    f"this key may ask {requests} times a minute", code="requests_exceeded", retry_after=wait
                )
        if (tokens := spec.tokens_per_day) is not None:
            wait = await self._ask(lambda counters: counters.tokens_left(owner, tokens))
            if wait is not None:
                raise RateLimited(
                    f"this key's {tokens} tokens a day are used", code="tokens_exceeded", retry_after=wait
                )

    def hold(self, identity: Identity) -> None:
        """Count a stream in. Raises `RateLimited` when others have taken the last place since `admit`."""
        self._room(identity)
        self.keep(identity.owner)

    def keep(self, owner: str) -> None:
        """Count a stream in, room or not."""
        self._streams[owner] += 1

    def release(self, owner: str) -> None:
        """Count a stream out."""
        self._streams[owner] -= 1
        if self._streams[owner] <= 0:
            del self._streams[owner]

    async def spend(self, identity: Identity, tokens: int) -> None:
        """Count the tokens of an answer that has ended."""
        if tokens > 0 and identity.spec.tokens_per_day is not None:
            await self._ask(lambda counters: counters.spend(identity.owner, tokens))

    async def prepare(self) -> None:
        """Make ready what the first request would wait for. Connects to nothing."""
        await self._of(None)
        if self._redis is not None:
            await self._of(self._redis)

    async def aclose(self) -> None:
        """Disconnect."""
        for counters in self._counters.values():
            await counters.aclose()
        self._counters.clear()

    def _room(self, identity: Identity) -> None:
        most = identity.spec.streams
        if most is not None and self._streams[identity.owner] >= most:
            raise RateLimited(f"this key has {most} answers being written", code="streams_exceeded", retry_after=AGAIN)

    async def _ask(self, question: Callable[[Counters], Awaitable[T]]) -> T:
        if self._redis is not None and self._clock() >= self._local_until:
            shared = await self._of(self._redis)
            try:
                async with asyncio.timeout(PATIENCE):
                    return await question(shared)
            except shared.away as error:
                _log.warning("quotas_counted_here", error=type(error).__name__, seconds=LOCAL_FOR)
                self._local_until = self._clock() + LOCAL_FOR
        return await question(await self._of(None))

    async def _of(self, redis: Secret | None) -> Counters:
        shared = redis is not None
        if shared not in self._counters:
            made = await asyncio.to_thread(_counters, redis)
            # Another request may have come to the same meanwhile: all must count in one place.
            self._counters.setdefault(shared, made)
        return self._counters[shared]


def _counters(redis: Secret | None) -> Counters:
    # Imported late and in a thread: the library takes a fifth of a second, and few servers limit anybody.
    from tailrace.server.counters import Counters

    return Counters(redis.reveal() if redis else None, PATIENCE)
