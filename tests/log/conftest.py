"""What the tests of logs on Redis share."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from tailrace.log import LogStore, RedisSpec, StoreListener, redis_store
from tailrace.testing.log_parts import Caps
from tests.redis_servers import RedisServer, redis_server


@contextlib.asynccontextmanager
async def opened(spec: RedisSpec, listener: StoreListener, caps: Caps | None = None) -> AsyncIterator[LogStore]:
    caps = caps or Caps()
    store = redis_store(
        spec, ttl=caps.ttl, max_logs=1000, max_total=10**8, max_bytes=caps.max_bytes, max_frames=caps.max_frames
    )
    await store.start(listener)
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that stays up: each test uses ids, owners and prefixes of its own."""
    with redis_server(tmp_path_factory.mktemp("redis"), {"appendonly": "yes"}) as running:
        yield running
