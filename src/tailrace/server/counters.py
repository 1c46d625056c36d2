"""How often, and how much: the figures behind quotas, kept by `limits` in memory or in Redis."""

from __future__ import annotations

import time
from typing import Any, cast

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisSentinelStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

DAY = 24 * 3600
"""Seconds of the window of tokens: it begins with the first token that is counted, and lasts a day."""


class Counters:
    """The figures of all keys in one storage: that of the Redis at ``url``, or this process's memory.

    Windows are measured with the wall clock, because nodes share them.
    """

    away = (StorageError, OSError, TimeoutError)
    """What is raised when the storage cannot be reached."""

    def __init__(self, url: str | None, timeout: float) -> None:
        self._storage = MemoryStorage() if url is None else _redis(url, timeout)
        self._requests = SlidingWindowCounterRateLimiter(self._storage)

    async def request(self, owner: str, most: int) -> float | None:
        """Count a request; return the seconds to wait when it is one too many, which is then not counted."""
        item = RateLimitItemPerMinute(most, namespace="TAILRACE")
        if await self._requests.hit(item, owner):
            return None
        stats = await self._requests.get_window_stats(item, owner)
        return max(stats.reset_time - time.time(), 1.0)

    async def tokens_left(self, owner: str, most: int) -> float | None:
        """Return None while there are tokens left, else the seconds until there are."""
        if await self._storage.get(_tokens_of(owner)) < most:
            return None
        return max(await self._storage.get_expiry(_tokens_of(owner)) - time.time(), 1.0)

    async def spend(self, owner: str, tokens: int) -> None:
        """Count ``tokens``."""
        await self._storage.incr(_tokens_of(owner), DAY, amount=tokens)

    async def aclose(self) -> None:
        """Disconnect."""
        if isinstance(self._storage, RedisStorage):
            await cast("Any", self._storage.bridge).get_connection().aclose()


def _tokens_of(owner: str) -> str:
    # Not one of the library's items: their keys hold the amount, and a changed limit would forget what was used.
    return f"TAILRACE/{owner}/tokens"


def _redis(url: str, timeout: float) -> Storage:
    kind = RedisSentinelStorage if "+sentinel://" in url else RedisStorage
    return kind(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="tailrace-limits",
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # Else redis-py looks its own version up on the disk, in the event loop.
        driver_info=None,  # type: ignore[arg-type]
    )
