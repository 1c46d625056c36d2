"""Stream logs on Redis Streams: any node resumes or stops any stream, and a dead node's streams end honestly.

Start reading at: store.py; then log.py (written here), replica.py (followed here), scripts.py (what Redis decides).
This file and spec.py load without redis-py, which is an extra of the package.
"""

from __future__ import annotations

from tailrace.errors import ConfigError
from tailrace.log.base import LogStore
from tailrace.log.redis.spec import Durability, RedisSpec

__all__ = ["Durability", "RedisSpec", "redis_store"]


def redis_store(
    spec: RedisSpec, *, ttl: float, max_logs: int, max_total: int, max_bytes: int, max_frames: int
) -> LogStore:
    """Return the store that ``spec`` describes, not yet started; the caps are those of `MemoryStore`.

    Raises `ConfigError` where redis-py is not installed.
    """
    try:
        from tailrace.log.redis.store import RedisStore
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "redis":
            raise
        message = 'log.backend = "redis" needs a package that is not installed: pip install "tailrace[redis]"'
        raise ConfigError(message) from error
    return RedisStore(spec, ttl=ttl, max_logs=max_logs, max_total=max_total, max_bytes=max_bytes, max_frames=max_frames)
