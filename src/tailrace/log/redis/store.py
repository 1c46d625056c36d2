"""The store: joins the writer, the leases and the followers, and answers what the relay asks."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from tailrace.errors import ConfigError, Mismatch, Overloaded
from tailrace.events import Ending
from tailrace.log.base import Claim, Claimed, Entry, Held, StoreListener, StreamInfo, StreamLog
from tailrace.log.redis.connection import Away, Server
from tailrace.log.redis.durability import Barrier
from tailrace.log.redis.followers import Followers
from tailrace.log.redis.keys import hashed
from tailrace.log.redis.leases import Keeper
from tailrace.log.redis.log import RedisLog
from tailrace.log.redis.lua import Command
from tailrace.log.redis.scripts import DISCARD, OWNED_BY, RELEASE, STOP
from tailrace.log.redis.shelf import Debts, Shelf
from tailrace.log.redis.spec import RedisSpec
from tailrace.log.redis.subscriber import Subscriber
from tailrace.log.redis.writer import Writer, begin

SETTLING = 3
"""Leases for which a finished log is still compared with Redis: a master that is being replaced may have acknowledged
its end and never passed it on. Sentinels take a few seconds to silence it."""

CHECKS = 20
"""Looks at the age of what is not stored, within `RedisSpec.write_wait`."""

_log = structlog.get_logger("tailrace.log.redis")


class RedisStore:
    """All logs of all nodes that share a Redis and a prefix; the caps are those of `MemoryStore`, for this node.

    Levels D0 to D3 (`RedisSpec.durability`). Start it before anything else is called.
    """

    shared = True

    def __init__(
        self,
        spec: RedisSpec,
        *,
        ttl: float = 300.0,
        max_logs: int = 10_000,
        max_total: int = 512 * 1024 * 1024,
        max_bytes: int = 64 * 1024 * 1024,
        max_frames: int = 1_000_000,
    ) -> None:
        self.node = secrets.token_hex(8)
        self._spec = spec
        self._clock = clock = time.monotonic
        self._caps = (max_bytes, max_frames)
        self._server = server = Server(spec)
        self._barrier = barrier = Barrier(spec)
        self._shelf = Shelf(ttl=ttl, max_logs=max_logs, max_total=max_total, clock=clock)
        self._debts = Debts()
        self._adopting = server.lane()
        self._writer = Writer(spec, server, barrier, node=self.node, ttl=ttl, lose=self.lose, clock=clock)
        self._keeper = Keeper(spec, server, self, self._debts, node=self.node, clock=clock)
        self._subscriber = Subscriber(
            spec,
            server,
            on_stop=self.stop_asked,
            on_news=lambda stream_id: self._followers.wake(stream_id),  # noqa: PLW0108 - there is none yet
            on_gap=lambda: self._followers.wake_all(),  # noqa: PLW0108
            clock=clock,
        )
        self._followers = Followers(spec, server, barrier, self._subscriber, room=max_total, clock=clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._check: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<RedisStore {self._spec!r}>"

    # ---- beginning and end ---------------------------------------------------------------------------------------

    async def start(self, listener: StoreListener) -> None:
        """Connect and find out what the server can promise. Raises `ConfigError`."""
        self._listener = listener
        lane = self._server.lane()
        try:
            await self._barrier.probe(lane)
        except Away as error:
            raise ConfigError(f"the Redis at {self._spec.where} cannot be used: {error.reason}") from None
        finally:
            await lane.close()
        running = (self._writer, self._keeper, self._followers, self._subscriber)
        self._tasks = [asyncio.create_task(one.run(), name="tailrace redis") for one in running]
        self._check_age()

    def _check_age(self) -> None:
        self._writer.expire()
        self._check = asyncio.get_running_loop().call_later(self._spec.write_wait / CHECKS, self._check_age)

    async def aclose(self) -> None:
        """Store what is waiting, as far as that can be done at once, and disconnect."""
        if not self._tasks:
            return
        await self._writer.flush()
        if self._check is not None:
            self._check.cancel()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._followers.sever()
        if owed := self._debts.all():
            with contextlib.suppress(Away):
                await self._server.request(owed)
        await self._adopting.close()
        await self._server.aclose()

    # ---- what the relay asks ---------------------------------------------------------------------------------------

    async def create(self, info: StreamInfo, *, ids: bool, claim: Claim | None = None) -> StreamLog:
        """Begin the log of a new stream, or return the one that has ``claim``."""
        for _ in range(3):
            log = self._new_log(info, ids=ids, claim=claim)
            try:
                word, holder = await self._ask(begin(self._spec, self.node, log), durable=True)
            except (Away, asyncio.CancelledError) as error:
                # It may have been done all the same: it must not hold its claim, with nobody to write it.
                self._debts.owe(DISCARD(self._spec.prefix, info.id, self.node, hashed(info.owner)))
                if isinstance(error, Away):
                    raise _unavailable(error) from None
                raise
            if word == b"begun":
                self._shelf.put(log)
                return log
            if word == b"mismatch":
                raise Mismatch
            if word == b"held" and (found := await self.find(holder.decode())) is not None:
                return found
            # It had the claim and its time was over between the two questions: ask again.
        raise Overloaded("the stream of this claim comes and goes", code="log_unavailable")

    async def find(self, stream_id: str) -> StreamLog | None:
        """Return the log, whoever writes it, with all that any reader has seen of it."""
        own = self._shelf.get(stream_id)
        if own is not None:
            return None if self._shelf.expired(own) else own
        try:  # twice: to wait for whoever loads it already, and to load what that did not
            async with asyncio.timeout(2 * self._spec.request_wait):
                return await self._followers.find(stream_id)
        except Away as error:
            raise _unavailable(error) from None
        except TimeoutError:
            raise _unavailable(Away("it is too slow")) from None

    async def find_named(self, owner: str, name: str) -> StreamLog | None:
        """Return the newest log that ``owner`` calls ``name``."""
        found = await self._must(("GET", f"{self._spec.prefix}n:{hashed(owner, name)}"))
        return await self.find(found.decode()) if found else None

    async def find_claimed(self, owner: str, key: str) -> Claimed | None:
        """Return the log whose stream has a claim by ``key``."""
        found = await self._must(("GET", f"{self._spec.prefix}c:{hashed(owner, key)}"))
        stream_id, _, fingerprint = (found or b"").decode().partition(" ")
        log = await self.find(stream_id) if stream_id else None
        return Claimed(Claim(key, fingerprint), log) if log is not None else None

    async def owned_by(self, owner: str, limit: int) -> list[Entry]:
        """Return the newest streams of ``owner``, on whatever node."""
        found = await self._must(OWNED_BY(self._spec.prefix, hashed(owner), limit))
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        return [self._entry(*row) for row in rows]

    async def ask_stop(self, stream_id: str) -> None:
        """Have the stream stopped: the wish is stored, then its writer is told, on whatever node it is."""
        own = self._shelf.get(stream_id)
        if own is not None and own.ending is None:
            self._listener.stop_asked(stream_id)
            return
        await self._must(STOP(self._spec.prefix, stream_id))

    async def followed_elsewhere(self, stream_id: str) -> bool:
        """Whether another node listens for news of the stream, as it does for those that it has readers of."""
        try:
            _, count = await self._ask(("PUBSUB", "NUMSUB", f"{self._spec.prefix}w:{stream_id}"))
        except Away:
            return True
        return int(count) > 0

    def release(self, owner: str, claim: Claim) -> None:
        """Free ``claim``, at the latest before the next log is begun here."""
        self._debts.owe(RELEASE(self._spec.prefix, hashed(owner, claim.key), claim.fingerprint))

    def sever(self) -> None:
        """Let go of everything that another node writes."""
        self._followers.sever()

    def held(self) -> Held:
        """Return what this node holds: its own logs and its copies of others'."""
        return Held(len(self._shelf) + len(self._followers), self._shelf.size + self._followers.size)

    def sweep(self) -> list[str]:
        """Forget finished logs whose time is over or that no longer fit in this node's memory; Redis has its own."""
        return self._shelf.sweep(self._followers.size)

    @property
    def full(self) -> bool:
        """Whether no new log should begin, as of the last `sweep`."""
        return self._shelf.full

    # ---- what the keeper finds -------------------------------------------------------------------------------------

    def live(self) -> Mapping[str, RedisLog]:
        """Return the logs that are being written here, or have only just ended."""
        return self._shelf.live(SETTLING * self._spec.lease)

    def stop_asked(self, stream_id: str) -> None:
        """Somebody wants it stopped."""
        log = self._shelf.get(stream_id)
        if log is not None and log.closing is None:
            self._listener.stop_asked(stream_id)

    def forgotten(self, log: RedisLog, renewed: float) -> None:
        """Redis has lost its memory: write ``log`` again, as long as it cannot have been another's meanwhile."""
        if self._clock() - renewed > self._spec.lapse:
            self.lose(log, "forgotten")
        else:
            self._writer.restore(log)

    def lose(self, log: RedisLog, reason: str) -> None:
        """End ``log`` here; its frames that were stored stay in Redis, where another node ends it, too."""
        # Also one that had ended, when a failover undid that: what is true of it now is what Redis has.
        self._shelf.lose(log)
        if log.ending is None:
            _log.warning("redis_stream_lost", stream=log.info.id[:8], reason=reason)
        log.cut(self._parting)

    async def adopt(self, stream_id: str, epoch: int, ending: Ending) -> None:
        """Read all that a dead node has stored of its stream, and write its end. Raises `Away`."""
        whole = await self._followers.whole(self._adopting, stream_id, epoch)
        if whole is None:
            return
        ids, replica = whole
        log = self._new_log(replica.info, ids=ids, epoch=epoch, first=replica.first)
        log.fill(replica.between(replica.first, replica.tail))
        self._shelf.put(log)
        frames: list[bytes] = []
        try:
            frames = self._listener.last_words(log, ending)
        except Exception:  # noqa: BLE001 - it must end all the same
            _log.error("redis_last_words_bug", exc_info=True)
        log.close(ending, frames)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _new_log(
        self, info: StreamInfo, *, ids: bool, epoch: int = 1, first: int = 0, claim: Claim | None = None
    ) -> RedisLog:
        max_bytes, max_frames = self._caps
        return RedisLog(
            info,
            ids=ids,
            max_bytes=max_bytes,
            max_frames=max_frames,
            mark=self._writer.mark,
            clock=self._clock,
            epoch=epoch,
            claim=claim,
            first=first,
        )

    async def _ask(self, *commands: Command, durable: bool = False) -> Any:
        """Send ``commands`` behind all that is owed; return the reply to the last of them."""
        owed = self._debts.all()
        replies = await self._server.request([*owed, *commands], self._barrier if durable else None)
        self._debts.paid(owed)
        return replies[-1]

    async def _must(self, command: Command) -> Any:
        """As `_ask`; raises `Overloaded`."""
        try:
            return await self._ask(command)
        except Away as error:
            raise _unavailable(error) from None

    def _parting(self, log: RedisLog) -> bytes:
        try:
            return self._listener.lost(log)
        except Exception:  # noqa: BLE001 - it must end all the same
            _log.error("redis_lost_bug", exc_info=True)
            return b""

    def _entry(self, info: bytes, tail: bytes, ending: bytes) -> Entry:
        known = _info.decode(info)
        own = self._shelf.get(known.id)
        if own is not None:
            return Entry(own.info, own.tail, own.ending)
        return Entry(known, int(tail), msgspec.convert(ending.decode(), Ending) if ending else None)


_info = msgspec.json.Decoder(StreamInfo)


def _unavailable(error: Away) -> Overloaded:
    return Overloaded(f"the store of streams cannot be used now: {error.reason}", code="log_unavailable")
