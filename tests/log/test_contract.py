"""Every store passes the contract suite: in memory, on Redis, and on Redis where a replica must confirm."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from tailrace.log import LogStore, MemoryStore, RedisSpec, StoreListener
from tailrace.testing.log_parts import Caps
from tailrace.testing.logs import LogContract
from tailrace.testing.shared_logs import SharedLogContract
from tests.log.conftest import opened
from tests.redis_servers import RedisServer, needs_redis, redis_server


class TestMemory(LogContract):
    @contextlib.asynccontextmanager
    async def open(self, listener: StoreListener, caps: Caps) -> AsyncIterator[LogStore]:
        store = MemoryStore(clock=time.monotonic, ttl=caps.ttl, max_bytes=caps.max_bytes, max_frames=caps.max_frames)
        await store.start(listener)
        yield store
        await store.aclose()


@needs_redis
class TestRedis(SharedLogContract):
    @pytest.fixture(autouse=True)
    def _given(self, server: RedisServer) -> None:
        self.spec = RedisSpec(url=server.url)

    def open(self, listener: StoreListener, caps: Caps) -> contextlib.AbstractAsyncContextManager[LogStore]:
        return opened(self.spec, listener, caps)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("pair")
    synced = {"appendonly": "yes", "appendfsync": "always", "repl-diskless-sync-delay": "0"}
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(redis_server(folder / "master", synced))
        stack.enter_context(redis_server(folder / "replica", {"replicaof": f"127.0.0.1 {master.port}"}))
        deadline = time.monotonic() + 10
        while b"state=online" not in master.command("INFO", "replication"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield master


@needs_redis
class TestReplicatedRedis(SharedLogContract):
    @pytest.fixture(autouse=True)
    def _given(self, pair: RedisServer) -> None:
        self.spec = RedisSpec(url=pair.url, durability="D3")

    def open(self, listener: StoreListener, caps: Caps) -> contextlib.AbstractAsyncContextManager[LogStore]:
        return opened(self.spec, listener, caps)
