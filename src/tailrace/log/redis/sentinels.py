"""Which Redis the sentinels call the master: asked for every connection, and every interval for those there are."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.exceptions import RedisError


class Sentinels(Sentinel):
    """redis-py's, but whoever knows the newest configuration is believed, not whoever answers first.

    A sentinel on the wrong side of a partition goes on naming the old master; the configuration's epoch, which each
    failover raises, says who is out of date.
    """

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port. Raises `MasterNotFoundError`."""
        told = await asyncio.gather(*(_ask(one, service_name) for one in self.sentinels))
        known = [state for state in told if state is not None]
        newest = max(known, key=lambda state: int(state.get("config-epoch", 0)), default=None)
        if newest is None or not self.check_master_state(newest, service_name):
            raise MasterNotFoundError
        return newest["ip"], newest["port"]


async def _ask(sentinel: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] | None = (await sentinel.sentinel_masters()).get(name)
    except (RedisError, OSError, TimeoutError):
        return None
    return found
