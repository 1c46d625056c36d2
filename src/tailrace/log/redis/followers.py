"""Keeps the copies of other nodes' streams up to date: told by pub/sub, and by a look at each interval behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from tailrace.log.redis.connection import Away, Lane, Server, backoff, confirmed
from tailrace.log.redis.durability import Barrier
from tailrace.log.redis.lua import Command
from tailrace.log.redis.replica import Page, Replica, page
from tailrace.log.redis.scripts import READ
from tailrace.log.redis.spec import RedisSpec
from tailrace.log.redis.subscriber import Subscriber

PAGE = 256 * 1024
"""Bytes of one stream in one reply. One page of each of 64 streams is 16 MiB, and Redis is blocked for 1 ms a page."""

AT_ONCE = 64
"""Streams in one script call."""

_log = structlog.get_logger("tailrace.log.redis")


class Followers:
    """All copies in this process."""

    def __init__(
        self,
        spec: RedisSpec,
        server: Server,
        barrier: Barrier,
        subscriber: Subscriber,
        *,
        room: int,
        clock: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._server = server
        self._lane = server.lane()
        self._barrier = barrier
        self._subscriber = subscriber
        self._room = room
        self._clock = clock
        self._replicas: dict[str, Replica] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._woken: set[str] = set()
        self._wake = asyncio.Event()

    # ---- what a request asks for ---------------------------------------------------------------------------------

    async def find(self, stream_id: str) -> Replica | None:
        """Return a copy that has all that Redis had when this was called; None when Redis has no such stream.

        Raises `Away` when that cannot be known.
        """
        asked = self._clock()
        known = self._replicas.get(stream_id)
        if known is not None and known.ending is not None:
            return known
        if known is None and self.size > self._room:
            self._make_room()
        lock = self._loading.setdefault(stream_id, asyncio.Lock())
        try:
            async with lock:
                known = self._replicas.get(stream_id)
                if known is not None and not known.severed and known.caught >= asked:
                    # Whoever held the lock looked after we had asked.
                    return known
                return await self._catch_up(stream_id, known if known and not known.severed else None)
        finally:
            if not lock.locked():
                self._loading.pop(stream_id, None)

    async def _catch_up(self, stream_id: str, replica: Replica | None) -> Replica | None:
        goal = -1
        while True:
            began = self._clock()
            replies = await self._server.request([ask_page(self._spec, stream_id, replica)], self._barrier)
            found = page(replies[0][0], replica.info if replica is not None else None)
            if found is None:
                if replica is None:
                    return None
                if began - replica.checked < self._spec.lease:
                    # It was there just now: whoever writes it is about to tell a Redis that has lost its memory.
                    raise Away("it has forgotten the stream")
                replica.sever()
                return None
            if replica is None:
                replica = Replica(found, began, lambda: self.wake(stream_id))
            whole = replica.take(found)
            goal = found.tail if goal < 0 else goal
            if replica.severed:
                # What is here and what Redis has are no longer the same stream: begin anew from what it has.
                replica, goal = None, -1
                continue
            replica.checked = began
            # Kept before it is complete: whoever asks again after a timeout need not begin anew.
            self._replicas[stream_id] = replica
            if whole or replica.tail >= goal:
                replica.caught = began
                return replica

    async def whole(self, lane: Lane, stream_id: str, epoch: int) -> tuple[bool, Replica] | None:
        """Read all of a stream that is nobody's but ours: whether its frames are stamped, and a copy that is not kept.

        None when it is not of this epoch any more. Raises `Away`.
        """
        replica: Replica | None = None
        while True:
            ((reply,),) = await confirmed(lane, [ask_page(self._spec, stream_id, replica)], self._barrier)
            found = page(reply, replica.info if replica is not None else None)
            if found is None or found.epoch != epoch:
                return None
            replica = replica or Replica(found, self._clock())
            if replica.take(found):
                return found.ids, replica

    def _make_room(self) -> None:
        """Let copies go that nobody reads; raises `Away` when those that are read fill the memory there is."""
        for stream_id, replica in list(self._replicas.items()):
            if not replica.watchers:
                del self._replicas[stream_id]
                replica.sever()
        if self.size > self._room:
            raise Away("too much is being read here")

    # ---- what goes on meanwhile ----------------------------------------------------------------------------------

    def wake(self, stream_id: str) -> None:
        """There is more of this stream."""
        if stream_id in self._replicas:
            self._woken.add(stream_id)
            self._wake.set()

    def wake_all(self) -> None:
        """Messages may have been missed."""
        self._woken.update(self._replicas)
        self._wake.set()

    def sever(self) -> None:
        """Let go of every copy."""
        for replica in list(self._replicas.values()):
            replica.sever()
        self._replicas.clear()

    @property
    def size(self) -> int:
        """Bytes of all copies."""
        return sum(replica.size for replica in self._replicas.values())

    def __len__(self) -> int:
        return len(self._replicas)

    async def run(self) -> None:
        """Follow until cancelled."""
        failures = 0
        try:
            while True:
                await self._next()
                self._tidy()
                try:
                    await self._follow()
                    failures = 0
                except Away:
                    failures += 1
                    self._sever_old()
                    self._woken.update(self._replicas)
                    await asyncio.sleep(backoff(failures))
                except Exception:  # noqa: BLE001 - a bug with one copy must not end the others
                    _log.error("redis_follower_bug", exc_info=True)
                    failures += 1
                    await asyncio.sleep(backoff(failures))
        finally:
            await self._lane.close()

    async def _next(self) -> None:
        """Wait for news; after an interval without any everything is looked at."""
        try:
            async with asyncio.timeout(self._spec.interval):
                await self._wake.wait()
        except TimeoutError:
            self._woken.update(self._replicas)
        self._wake.clear()

    def _tidy(self) -> None:
        now = self._clock()
        for stream_id, replica in list(self._replicas.items()):
            if replica.watchers:
                replica.idle = None
            elif replica.idle is None:
                replica.idle = now
            if replica.severed or (replica.idle is not None and now - replica.idle > self._spec.linger):
                # Somebody may be about to watch it: it is severed, so that they come back rather than wait for ever.
                del self._replicas[stream_id]
                replica.sever()

    async def _follow(self) -> None:
        live = {stream_id: one for stream_id, one in self._replicas.items() if not one.over}
        await self._subscriber.follow(stream_id for stream_id, one in live.items() if one.watchers)
        woken = [stream_id for stream_id in self._woken if stream_id in live]
        self._woken.clear()
        while woken:
            now_asked, woken = woken[:AT_ONCE], woken[AT_ONCE:]
            began = self._clock()
            pages = await self._read([(stream_id, live[stream_id]) for stream_id in now_asked])
            for stream_id, found in zip(now_asked, pages, strict=True):
                if not self._take(live[stream_id], found, began):
                    woken.append(stream_id)

    def _take(self, replica: Replica, found: Page | None, began: float) -> bool:
        if found is None:
            # Flushed, perhaps, and about to be written again by its writer; or its time was over.
            if began - replica.checked > self._spec.lease:
                replica.sever()
            return True
        replica.checked = began
        return replica.take(found)

    async def _read(self, asked: Sequence[tuple[str, Replica]]) -> list[Page | None]:
        arguments: list[Any] = []
        for stream_id, replica in asked:
            arguments += (stream_id, replica.tail, PAGE)
        (replies,) = await confirmed(self._lane, [READ(self._spec.prefix, *arguments)], self._barrier)
        return [page(reply, replica.info) for reply, (_, replica) in zip(replies, asked, strict=True)]

    def _sever_old(self) -> None:
        """Cut the readers of streams that have been out of contact for too long."""
        now = self._clock()
        for replica in list(self._replicas.values()):
            if now - replica.checked > self._spec.write_wait:
                replica.sever()


def ask_page(spec: RedisSpec, stream_id: str, replica: Replica | None) -> Command:
    """Return the command that reads the next page of a stream, behind what ``replica`` has."""
    return READ(spec.prefix, stream_id, replica.tail if replica is not None else 0, PAGE)
