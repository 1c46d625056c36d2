"""Leases: this node's are renewed, and the streams of nodes that are dead are ended by whoever sees it first.

A lease that is over is not enough: it must stay over, unchanged, for `SURE` intervals without an error between. So
after a pause of Redis, a step of its clock or a failover every writer has the time to renew, which revives its streams.
A dead writer's are ended within the lease, an interval to the first look and two more to be sure: 8 s by default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Protocol

import structlog

from tailrace.events import Ending
from tailrace.log.redis.connection import Away, Server, backoff
from tailrace.log.redis.log import RedisLog
from tailrace.log.redis.scripts import OVERDUE, RENEW, TAKE
from tailrace.log.redis.shelf import Debts
from tailrace.log.redis.spec import RedisSpec
from tailrace.log.redis.writer import LIVE

SURE = 1.5
"""Intervals for which a lease must have been seen to be over. Looks are an interval apart, so it takes three."""

AT_ONCE = 500
"""Leases renewed by one script call: Redis is blocked for about 2 ms."""

ORPHANS = 1000
"""Orphans looked at at once: a dead node's streams are ended within a look or two."""

_log = structlog.get_logger("tailrace.log.redis")


class Streams(Protocol):
    """What the keeper needs of the store."""

    def live(self) -> Mapping[str, RedisLog]:
        """Return the logs that are being written here, and those whose end is so new that a failover might undo it."""

    def stop_asked(self, stream_id: str) -> None:
        """A stop flag is set."""

    def lose(self, log: RedisLog, reason: str) -> None:
        """End ``log`` here: it is another node's now."""

    def forgotten(self, log: RedisLog, renewed: float) -> None:
        """Redis no longer has ``log``."""

    async def adopt(self, stream_id: str, epoch: int, ending: Ending) -> None:
        """Write the end of a stream that is ours now. Raises `Away`."""


class Keeper:
    """Renews and reaps, once an interval."""

    def __init__(
        self, spec: RedisSpec, server: Server, streams: Streams, debts: Debts, *, node: str, clock: Callable[[], float]
    ) -> None:
        self._spec = spec
        self._server = server
        self._lane = server.lane()
        self._streams = streams
        self._debts = debts
        self._node = node
        self._clock = clock
        self._suspects: dict[tuple[str, int, bytes], float] = {}
        self._touched = clock()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            await self._work()
        finally:
            await self._lane.close()

    async def _work(self) -> None:
        failures = 0
        while True:
            began = self._clock()
            try:
                await self._server.follow_master()
                await self.renew()
                await self.reap()
                failures = 0
                await asyncio.sleep(max(0.0, began + self._spec.interval - self._clock()))
            except Away:
                self._suspects.clear()
                failures += 1
                await asyncio.sleep(backoff(failures))
            except Exception:  # noqa: BLE001 - leases of all streams are at stake
                _log.error("redis_keeper_bug", exc_info=True)
                failures += 1
                await asyncio.sleep(backoff(failures))

    async def renew(self) -> None:
        """Renew the leases of all logs that are written here; learn what became of them."""
        if owed := self._debts.all():
            await self._lane.run(owed)
            self._debts.paid(owed)
        began = self._clock()
        # The keys' own expiry is far away and needs renewing only now and then.
        touch = began - self._touched > LIVE / 8000
        logs = iter(list(self._streams.live().values()))
        while some := {log.info.id: log for log in islice(logs, AT_ONCE)}:
            await self._renew_some(some, touch=touch)
        if touch:
            self._touched = began

    async def _renew_some(self, logs: dict[str, RedisLog], *, touch: bool) -> None:
        began = self._clock()
        told = [part for log in logs.values() for part in (log.info.id, log.epoch, log.tail, log.ending or "")]
        command = RENEW(self._spec.prefix, int(self._spec.lease * 1000), LIVE if touch else 0, *told)
        (found,) = await self._lane.run([command])
        matters = {key.decode(): what for key, what in zip(found[::2], found[1::2], strict=True)}
        for stream_id, log in logs.items():
            what = matters.get(stream_id)
            before = log.renewed
            if what in {None, b"stop", b"short"}:
                log.renewed = max(before, began)
            if what == b"stop":
                self._streams.stop_asked(stream_id)
            elif what == b"fenced":
                self._streams.lose(log, "fenced")
            elif what == b"short":
                # A failover or a crash took what had been acknowledged: bring it again.
                log.doubt()
            elif what == b"unknown":
                self._streams.forgotten(log, before)

    async def reap(self) -> None:
        """Take over the streams whose lease was over at the last look already, and still is."""
        (found,) = await self._lane.run([OVERDUE(self._spec.prefix, ORPHANS)])
        seen = [
            (key.decode(), int(epoch), deadline)
            for key, epoch, deadline in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]
        began = self._clock()
        self._suspects = {one: self._suspects.get(one, began) for one in seen}
        for stream_id, epoch, deadline in seen:
            if began - self._suspects[stream_id, epoch, deadline] < SURE * self._spec.interval:
                continue
            if self._clock() - began > self._spec.interval / 2:
                # Our own leases come first; the others are taken at the next look.
                return
            lease = int(self._spec.lease * 1000)
            (taken,) = await self._lane.run([TAKE(self._spec.prefix, lease, stream_id, epoch, deadline, self._node)])
            if taken:
                ending: Ending = "cancelled" if taken[1] == b"cancelled" else "interrupted"
                _log.warning("redis_stream_adopted", stream=stream_id[:8], ending=ending)
                await self._streams.adopt(stream_id, taken[0], ending)
