"""What a node keeps in memory, how long Redis keeps what it has, and over which connections."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import trustme

from tailrace.errors import ConfigError, Overloaded
from tailrace.log import LogStore, RedisSpec, redis_store
from tailrace.log.redis.store import RedisStore
from tailrace.testing.log_parts import Listener, everything, frames, grown, info, soon, stamped, until
from tests.log.conftest import opened
from tests.redis_servers import RedisServer, free_port, needs_redis, proxied, redis_server

pytestmark = [pytest.mark.anyio, needs_redis]

_prefixes = itertools.count()


@pytest.fixture
def spec(server: RedisServer) -> RedisSpec:
    return RedisSpec(url=server.url, lease=1.0, prefix=f"b{next(_prefixes)}:")


@contextlib.asynccontextmanager
async def small(spec: RedisSpec) -> AsyncIterator[LogStore]:
    """A node with room for 10,000 bytes and 3 streams."""
    store = redis_store(spec, ttl=60, max_logs=3, max_total=10_000, max_bytes=10_000, max_frames=1000)
    await store.start(Listener())
    try:
        yield store
    finally:
        await store.aclose()


async def test_finished_streams_leave_memory_first_and_are_still_found(spec: RedisSpec) -> None:
    async with small(spec) as store:
        logs = [await store.create(info(), ids=True) for _ in range(5)]
        for log in logs:
            log.append([b"x" * 1000])
        for log in logs[:4]:
            log.close("completed")
        await until(lambda: all(log.ending for log in logs[:4]) and logs[4].tail == 1)
        assert store.sweep() == [log.info.id for log in logs[:2]]
        again = await store.find(logs[0].info.id)
        assert again is not None
        assert again is not logs[0]
        assert (everything(again), again.ending) == (everything(logs[0]), "completed")


async def test_a_node_is_full_while_what_it_writes_is_too_much(spec: RedisSpec) -> None:
    async with small(spec) as store:
        logs = [await store.create(info(), ids=True) for _ in range(2)]
        for log in logs:
            log.append([b"x" * 9000])
        await until(lambda: all(log.tail == 1 for log in logs))
        assert (store.sweep(), store.full) == ([], True)
        logs[0].close("completed")
        await until(lambda: logs[0].ending is not None)
        assert (store.sweep(), store.full) == ([logs[0].info.id], False)


async def test_copies_that_nobody_reads_make_room_and_those_that_are_read_do_not(spec: RedisSpec) -> None:
    async with opened(spec, Listener()) as here, small(spec) as there:
        logs = [await here.create(info(), ids=True) for _ in range(5)]
        for log in logs:
            log.append([b"x" * 9000])
        await until(lambda: all(log.tail == 1 for log in logs))
        copies, unwatch = [], []
        for log in logs[:2]:
            copy = await there.find(log.info.id)
            assert copy is not None
            copies.append(copy)
            unwatch.append(copy.watch(lambda: None))
        with pytest.raises(Overloaded) as caught:
            await there.find(logs[2].info.id)
        assert caught.value.code == "log_unavailable"
        unwatch[0]()
        assert await there.find(logs[2].info.id) is not None
        assert [copy.severed for copy in copies] == [True, False]
        unwatch[1]()


async def test_an_expiry_that_comes_near_is_put_off_with_the_lease(server: RedisServer, spec: RedisSpec) -> None:
    async with opened(spec, Listener()) as store:
        log = await store.create(info(names=("a",)), ids=True)
        log.append(frames(1))
        await until(grown(log, 1))
        keys = [f"{spec.prefix}{kind}:{log.info.id}" for kind in "ms"]
        for key in keys:
            server.command("PEXPIRE", key, "60000")
        cast("RedisStore", store)._keeper._touched -= 1000

        async def later() -> bool:
            return all([int((await asyncio.to_thread(server.command, "PTTL", key))[1:]) > 60_000 for key in keys])

        await soon(later, "a later expiry")


async def test_a_trimmed_stream_of_a_dead_writer_is_ended_under_its_next_number(
    server: RedisServer, spec: RedisSpec
) -> None:
    heir = Listener()
    async with (
        proxied(server.port) as proxy,
        opened(RedisSpec(url=proxy.url, lease=1.0, prefix=spec.prefix), Listener()) as there,
        opened(spec, heir) as here,
    ):
        log = await there.create(info(), ids=True)
        log.append(frames(9))
        await until(grown(log, 9))
        server.command("XTRIM", f"{spec.prefix}s:{log.info.id}", "MAXLEN", "2")
        proxy.hang()
        await until(lambda: bool(heir.ended), "the last words")
        assert heir.ended == [(log.info.id, "interrupted", stamped(frames(2, 8), 8))]

        async def over() -> bool:
            found = await here.find(log.info.id)
            return found is not None and found.ending == "interrupted"

        await soon(over, "the end")
        found = await here.find(log.info.id)
        assert found is not None
        assert (found.first, found.tail) == (7, 10)
        assert everything(found) == stamped([*frames(2, 8), b"data: interrupted\n\n"], 8)


async def test_tls_is_verified(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    for name, pem in (("cert", certificate.cert_chain_pems[0]), ("key", certificate.private_key_pem)):
        pem.write_to_path(tmp_path / name)
    for name, ca in (("ca", authority), ("other", other)):
        ca.cert_pem.write_to_path(tmp_path / name)
    port = free_port()
    options = {
        "tls-port": str(port),
        "tls-cert-file": str(tmp_path / "cert"),
        "tls-key-file": str(tmp_path / "key"),
        "tls-ca-cert-file": str(tmp_path / "ca"),
        "tls-auth-clients": "no",
        "appendonly": "yes",
    }
    with redis_server(tmp_path / "tls", options):
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}"
        async with opened(RedisSpec(url=f"{url}/ca"), Listener()) as store:
            log = await store.create(info(), ids=True)
            log.append(frames(1))
            await until(grown(log, 1))
        with pytest.raises(ConfigError, match="cannot be used: no connection"):
            async with opened(RedisSpec(url=f"{url}/other"), Listener()):
                pass
