"""Redis is paused, killed, flushed, out of reach, trimmed, or loses what it said; writers die or sleep.

Times are scaled down: a lease of one second. Nothing sleeps in order to wait for something: `until` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace.errors import Overloaded
from tailrace.log import Claim, RedisSpec, StreamLog
from tailrace.testing.log_parts import Listener, everything, frames, info, soon, stamped, until
from tests.log.conftest import opened
from tests.redis_servers import RedisServer, needs_redis, proxied, redis_server

pytestmark = [pytest.mark.anyio, needs_redis]

_prefixes = itertools.count()

FORGET = """
redis.call('HDEL', ARGV[1], 'ending')
if ARGV[3] == 'all' then return end
redis.call('HSET', ARGV[1], 'tail', 3)
local entries = redis.call('XRANGE', ARGV[2], '-', '+')
redis.call('DEL', ARGV[2])
for i = 1, 3 do redis.call('XADD', ARGV[2], entries[i][1], 'f', entries[i][2][2]) end
"""


def quick(url: str, *, lease: float = 1.0, write_wait: float = 4.0, prefix: str = "t:") -> RedisSpec:
    return RedisSpec(url=url, lease=lease, write_wait=write_wait, prefix=prefix)


@pytest.fixture
def prefix() -> str:
    """Keys of this test's own, on the server that they share: nodes of other tests must not reap them."""
    return f"t{next(_prefixes)}:"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis to be mistreated."""
    with redis_server(tmp_path / "own", {"appendonly": "yes", "appendfsync": "always"}) as running:
        yield running


async def found(store: object, log: StreamLog) -> StreamLog:
    copy = await store.find(log.info.id)  # type: ignore[attr-defined]
    assert copy is not None
    return copy  # type: ignore[no-any-return]


async def test_a_reply_that_is_lost_makes_no_frame_twice(server: RedisServer, prefix: str) -> None:
    async with proxied(server.port) as proxy:
        async with opened(quick(proxy.url, prefix=prefix), Listener()) as store:
            log = await store.create(info(), ids=True)
            proxy.mute = True
            for number in range(1, 6):
                log.append(frames(1, number))
                await asyncio.sleep(0.01)
            await until(lambda: proxy.swallowed > 3, "lost replies")
            assert log.tail == 0
            proxy.drop()
            proxy.mute = False
            await until(lambda: log.tail == 5, "the frames")
            log.close("completed", frames(1, 6))
            proxy.mute = True
            await asyncio.sleep(0.05)
            proxy.drop()
            proxy.mute = False
            await until(lambda: log.ending == "completed", "the end")
        async with opened(quick(server.url, prefix=prefix), Listener()) as other:
            copy = await found(other, log)
            assert (everything(copy), copy.ending) == (stamped(frames(6)), "completed")


async def test_a_paused_redis_ends_nothing(own: RedisServer) -> None:
    """For longer than the lease: nobody can look, and at the first look the writers are there again."""
    one, two = Listener(), Listener()
    async with opened(quick(own.url), one) as here, opened(quick(own.url), two) as there:
        log = await here.create(info(), ids=True)
        quiet = await here.create(info(), ids=True)
        log.append(frames(1))
        await until(lambda: log.tail == 1)
        copy = await found(there, log)
        unwatch = copy.watch(lambda: None)
        own.pause()
        log.append(frames(1, 2))
        await asyncio.sleep(2.0)
        assert (log.tail, log.read(0, 100)[1]) == (1, 1)
        own.go_on()
        await until(lambda: log.tail == 2, "the frame")
        await until(lambda: copy.tail == 2, "the copy's frame")
        # Two looks of everybody later all is as it was.
        await asyncio.sleep(1.0)
        quiet.close("completed")
        await until(lambda: quiet.ending is not None)
        assert (quiet.ending, one.cut, one.ended, two.ended) == ("completed", [], [], [])
        unwatch()


async def test_a_killed_redis_that_comes_back_has_everything(own: RedisServer) -> None:
    one, two = Listener(), Listener()
    async with opened(quick(own.url), one) as here, opened(quick(own.url), two) as there:
        log = await here.create(info(), ids=True)
        log.append(frames(3))
        await until(lambda: log.tail == 3)
        own.kill()
        log.append(frames(2, 4))
        assert (log.tail, log.backlog) == (3, len(stamped(frames(2, 4), 4)))
        own.start()
        await until(lambda: log.tail == 5, "the frames")
        log.close("completed")
        await until(lambda: log.ending == "completed")
        copy = await found(there, log)
        assert (everything(copy), copy.ending) == (stamped(frames(5)), "completed")
        assert (one.cut, two.ended) == ([], [])


async def test_a_redis_that_forgets_everything_is_told_again(own: RedisServer) -> None:
    """Names and claims, too; a stream that says nothing at the time as well."""
    one, two = Listener(), Listener()
    async with opened(quick(own.url), one) as here, opened(quick(own.url), two) as there:
        claim = Claim("key", "fingerprint")
        log = await here.create(info(names=("first",)), ids=True, claim=claim)
        log.call("later")
        log.append(frames(3))
        await until(lambda: log.tail == 3)
        copy = await found(there, log)
        unwatch = copy.watch(lambda: None)
        own.command("FLUSHALL")
        log.append(frames(2, 4))
        await until(lambda: log.tail == 5, "the frames")
        await until(lambda: copy.tail == 5, "the copy's frames")
        own.command("FLUSHALL")

        async def again() -> bool:
            return await there.find_named("me", "later") is not None

        await soon(again, "the quiet stream")
        named = await there.find_named("me", "first")
        assert named is not None
        assert named.info.id == log.info.id
        assert everything(await found(there, log)) == stamped(frames(5))
        assert (await there.create(info(), ids=True, claim=claim)).info.id == log.info.id
        assert [entry.info.id for entry in await there.owned_by("me", 5)] == [log.info.id]
        log.close("completed", frames(1, 6))
        await until(lambda: copy.ending == "completed", "the copy's end")
        assert everything(copy) == stamped(frames(6))
        assert (one.cut, two.ended) == ([], [])
        unwatch()


async def test_a_redis_that_stays_away_ends_streams_and_hangs_nobody(own: RedisServer) -> None:
    one, two = Listener(), Listener()
    spec = quick(own.url, write_wait=1.0)
    async with opened(spec, one) as here, opened(spec, two) as there:
        log = await here.create(info(), ids=True)
        log.append(frames(3))
        await until(lambda: log.tail == 3)
        copy = await found(there, log)
        told: list[int] = []
        unwatch = [log.watch(lambda: told.append(log.tail)), copy.watch(lambda: None)]
        own.kill()
        log.append(frames(1, 4))
        began = time.monotonic()
        for what in (here.create(info(), ids=True), there.find("other"), there.ask_stop(log.info.id)):
            with pytest.raises(Overloaded) as caught:
                await what
            assert (caught.value.code, caught.value.status) == ("log_unavailable", 503)
        await until(lambda: log.ending is not None, "the end")
        assert time.monotonic() - began < 6
        assert (log.ending, log.parting, log.tail) == ("interrupted", b"data: parting\n\n", 3)
        assert (one.cut, told, everything(log)) == ([log.info.id], [3], stamped(frames(3)))
        await until(lambda: copy.severed, "the copy let go")
        own.start()
        await until(lambda: len(one.ended) + len(two.ended) == 1, "the last words")
        ending = (log.info.id, "interrupted", stamped(frames(3)))
        assert one.ended + two.ended == [ending]

        async def over() -> bool:
            return (await found(there, log)).ending == "interrupted"

        await soon(over, "the end for the others")
        assert everything(await found(there, log)) == stamped([*frames(3), b"data: interrupted\n\n"])
        for one_of_them in unwatch:
            one_of_them()


async def test_a_writer_that_was_cut_off_is_replaced_and_can_store_nothing(server: RedisServer, prefix: str) -> None:
    zombie, heirs = Listener(), [Listener() for _ in range(4)]
    spec = quick(server.url, prefix=prefix)
    async with (
        proxied(server.port) as proxy,
        opened(quick(proxy.url, prefix=prefix), zombie) as there,
        opened(spec, heirs[0]),
        opened(spec, heirs[1]),
        opened(spec, heirs[2]) as here,
    ):
        log, stopped = await there.create(info(), ids=True), await there.create(info(), ids=True)
        log.append(frames(3))
        await until(lambda: log.tail == 3)
        copy = await found(here, log)
        unwatch = copy.watch(lambda: None)
        proxy.hang()
        await here.ask_stop(stopped.info.id)
        began = time.monotonic()
        await until(lambda: copy.ending is not None, "the end")
        await until(lambda: sum(len(heir.ended) for heir in heirs) == 2, "both ends")
        # Twice the lease, and what a busy machine adds.
        assert time.monotonic() - began < 5
        assert (copy.ending, everything(copy)) == (
            "interrupted",
            stamped([*frames(3), b"data: interrupted\n\n"]),
        )
        log.append(frames(1, 4))
        proxy.flow()
        await until(lambda: sorted(zombie.cut) == sorted([log.info.id, stopped.info.id]), "the loss")
        assert (log.ending, log.parting, log.tail) == ("interrupted", b"data: parting\n\n", 3)
        log.append(frames(1, 4))
        log.close("completed")
        assert everything(await found(here, log)) == everything(copy)
        assert (await found(there, log)).ending == "interrupted"
        ended = sorted(entry[:2] for heir in heirs for entry in heir.ended)
        assert ended == sorted([(log.info.id, "interrupted"), (stopped.info.id, "cancelled")])
        unwatch()


async def test_a_writer_that_slept_less_than_its_lease_goes_on(server: RedisServer, prefix: str) -> None:
    one, two = Listener(), Listener()
    async with (
        proxied(server.port) as proxy,
        opened(quick(proxy.url, lease=2.0, prefix=prefix), one) as there,
        opened(quick(server.url, lease=2.0, prefix=prefix), two),
    ):
        log = await there.create(info(), ids=True)
        log.append(frames(1))
        await until(lambda: log.tail == 1)
        proxy.hang()
        log.append(frames(1, 2))
        await asyncio.sleep(1.0)
        proxy.flow()
        await until(lambda: log.tail == 2, "the frame")
        await asyncio.sleep(1.0)
        assert (one.cut, two.ended, log.ending) == ([], [], None)


async def test_messages_may_be_lost(server: RedisServer, prefix: str) -> None:
    """The stop's flag and the frames themselves are stored: they are found without pub/sub."""
    one, two = Listener(), Listener()
    spec = quick(server.url, prefix=prefix)
    async with opened(spec, one) as here, opened(spec, two) as there:
        log = await here.create(info(), ids=True)
        copy = await found(there, log)
        unwatch = copy.watch(lambda: None)
        server.command("CLIENT", "KILL", "TYPE", "pubsub")
        log.append(frames(1))
        await until(lambda: copy.tail == 1, "the frame")
        server.command("HSET", f"{prefix}m:{log.info.id}", "stop", "1")
        await until(lambda: log.info.id in one.stopped, "the stop")
        # Stored, and never announced: found at the next look.
        server.command("XADD", f"{prefix}s:{log.info.id}", "2-0", "f", "id: 2\ndata: 2\n\n")
        server.command("HSET", f"{prefix}m:{log.info.id}", "tail", "2")
        await until(lambda: copy.tail == 2, "the frame that nobody announced")
        unwatch()


@pytest.mark.parametrize("how", ["unanswered", "cancelled"])
async def test_a_creation_that_nobody_was_told_of_is_taken_back(server: RedisServer, prefix: str, how: str) -> None:
    """Else its claim would belong to a stream that nobody writes."""
    claim = Claim("key", "fingerprint")
    heir = Listener()
    async with (
        proxied(server.port) as proxy,
        opened(quick(proxy.url, lease=4.0, prefix=prefix), Listener()) as there,
        opened(quick(server.url, lease=4.0, prefix=prefix), heir) as here,
    ):
        proxy.mute = True
        proxy.drop()
        asked = info()
        asking = asyncio.create_task(there.create(asked, ids=True, claim=claim))

        async def begun() -> bool:
            return await here.find(asked.id) is not None

        await soon(begun, "the creation")
        if how == "cancelled":
            asking.cancel()
        (failure,) = await asyncio.gather(asking, return_exceptions=True)
        assert isinstance(failure, Overloaded if how == "unanswered" else asyncio.CancelledError)
        proxy.mute = False
        proxy.drop()
        again = info()

        async def free() -> bool:
            # While it is being taken back, whoever joins it may be told to come again.
            with contextlib.suppress(Overloaded):
                return (await here.create(again, ids=True, claim=claim)).info.id == again.id
            return False

        await soon(free, "the claim")
        assert heir.ended == []


async def test_a_claim_is_free_when_its_writer_died_before_it_said_anything(server: RedisServer, prefix: str) -> None:
    """With something said it is kept: whoever retries gets that, and how it ended."""
    one, two = Claim("one", "fingerprint"), Claim("two", "fingerprint")
    heir = Listener()
    async with (
        proxied(server.port) as proxy,
        opened(quick(proxy.url, prefix=prefix), Listener()) as there,
        opened(quick(server.url, prefix=prefix), heir) as here,
    ):
        await there.create(info(), ids=True, claim=one)
        spoke = await there.create(info(), ids=True, claim=two)
        spoke.append(frames(1))
        await until(lambda: spoke.tail == 1)
        proxy.hang()
        await until(lambda: len(heir.ended) == 2, "both ends")
        again = info()
        assert (await here.create(again, ids=True, claim=one)).info.id == again.id
        assert (await here.create(info(), ids=True, claim=two)).info.id == spoke.info.id


async def test_what_redis_trimmed_is_said(server: RedisServer, prefix: str) -> None:
    spec = quick(server.url, prefix=prefix)
    async with opened(spec, Listener()) as here, opened(spec, Listener()) as there:
        log = await here.create(info(), ids=True)
        log.append(frames(10))
        await until(lambda: log.tail == 10)
        server.command("XTRIM", f"{prefix}s:{log.info.id}", "MAXLEN", "4")
        copy = await found(there, log)
        assert (copy.first, copy.tail, everything(copy)) == (6, 10, stamped(frames(4, 7), 7))
        assert (copy.read(8, 1), copy.size_at(8)) == ((stamped(frames(1, 9), 9), 9), len(stamped(frames(2, 7), 7)))
        server.command("DEL", f"{prefix}s:{log.info.id}")
        log.append(frames(1, 11))
        await until(lambda: log.tail == 11)
        async with opened(quick(server.url, prefix=prefix), Listener()) as third:
            newest = await found(third, log)
            assert (newest.first, everything(newest)) == (10, stamped(frames(1, 11), 11))


async def test_frames_that_a_crash_took_are_not_replaced_by_others(own: RedisServer) -> None:
    """A copy that has more than the writer's heir: its numbers would get other bytes, so it is let go of."""
    one, two = Listener(), Listener()
    async with (
        proxied(own.port) as proxy,
        opened(quick(proxy.url, prefix="t:"), one) as here,
        opened(quick(own.url, prefix="t:"), two) as there,
    ):
        log = await here.create(info(), ids=True)
        log.append(frames(5))
        await until(lambda: log.tail == 5)
        copy = await found(there, log)
        unwatch = copy.watch(lambda: None)
        proxy.hang()
        # What a Redis looks like that came back without its last second.
        own.command("HSET", f"t:m:{log.info.id}", "tail", "3")
        own.command("DEL", f"t:s:{log.info.id}")
        await until(lambda: copy.severed, "the copy let go")
        await until(lambda: bool(two.ended), "the end")
        assert everything(copy) == stamped(frames(5))

        async def over() -> bool:
            return (await found(there, log)).tail == 4

        await soon(over, "the end under its next number")
        unwatch()


async def test_an_end_that_a_failover_undid_is_told_again(server: RedisServer, prefix: str) -> None:
    """A silent stream's frames as well: what Redis had acknowledged is compared at each renewal."""
    listener = Listener()
    spec = quick(server.url, prefix=prefix)
    async with opened(spec, listener) as here, opened(spec, listener) as there:
        done, only, silent = [await here.create(info(), ids=True) for _ in range(3)]
        for log in (done, only):
            log.close("completed", frames(5))
        silent.append(frames(5))
        await until(lambda: done.ending is not None and only.ending is not None and silent.tail == 5)
        for log, kept in ((done, "3"), (only, "all"), (silent, "3")):
            # What a replica that became the master had not heard of yet.
            server.command("EVAL", FORGET, "0", f"{prefix}m:{log.info.id}", f"{prefix}s:{log.info.id}", kept)

        async def whole() -> bool:
            copies = [await found(there, log) for log in (done, only, silent)]
            return [copy.ending for copy in copies] == ["completed", "completed", None] and all(
                everything(copy) == stamped(frames(5)) for copy in copies
            )

        await soon(whole, "all of it again")
        assert (done.ending, done.tail, silent.tail, listener.cut, listener.ended) == ("completed", 5, 5, [], [])


async def test_a_copy_that_nobody_reads_is_forgotten(server: RedisServer, prefix: str) -> None:
    spec = RedisSpec(url=server.url, lease=0.5, linger=0.3, prefix=prefix)
    async with opened(spec, Listener()) as here, opened(spec, Listener()) as there:
        log = await here.create(info(), ids=True)
        copy = await found(there, log)
        unwatch = copy.watch(lambda: None)
        await asyncio.sleep(1.0)
        assert await found(there, log) is copy
        unwatch()
        await until(lambda: copy.severed, "the copy let go")
        assert await found(there, log) is not copy


async def test_every_key_expires(own: RedisServer) -> None:
    claim = Claim("key", "fingerprint")
    async with opened(quick(own.url), Listener()) as store:
        live = await store.create(info(names=("a",)), ids=True, claim=claim)
        live.append(frames(3))
        done = await store.create(info(names=("b",)), ids=True)
        done.call("c")
        done.append(frames(1))
        done.close("completed")
        await until(lambda: live.tail == 3 and done.ending is not None)
        keys = [word for word in own.command("KEYS", "*").split(b"\r\n") if word.startswith(b"t:")]
        assert len(keys) == 10
        for key in keys:
            assert int(own.command("PTTL", key.decode())[1:]) > 0, key
        assert int(own.command("PTTL", f"t:m:{done.info.id}")[1:]) <= 60_000


async def test_large_appends_are_cut_into_bounded_calls(server: RedisServer, prefix: str) -> None:
    spec = quick(server.url, prefix=prefix)
    async with opened(spec, Listener()) as here, opened(spec, Listener()) as there:
        log = await here.create(info(), ids=False)
        small = await here.create(info(), ids=False)
        log.append([b"%06d" % number + b"x" * 294 for number in range(3000)])
        small.append(frames(1))
        await until(lambda: small.tail == 1 and log.tail == 3000, "all of it")
        log.close("completed", [b"%06d" % number for number in range(3000, 7000)])
        await until(lambda: log.ending is not None)
        copy = await found(there, log)
        assert everything(copy) == everything(log)
        assert (copy.tail, copy.ending) == (7000, "completed")
