"""Stores what logs have gathered: one batch at a time, the next one gathers while it is under way.

So the first frame after a silence leaves in the same turn of the event loop, and under load one round trip carries
the frames of every stream. No task, timer or future is made for a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import structlog

from tailrace.events import Ending
from tailrace.log.redis.connection import Away, Server, backoff
from tailrace.log.redis.durability import Barrier
from tailrace.log.redis.keys import hashed
from tailrace.log.redis.log import RedisLog
from tailrace.log.redis.lua import Argument, Command
from tailrace.log.redis.scripts import APPEND, BEGIN, FENCED, GAP, OWNED, STORED, UNKNOWN
from tailrace.log.redis.spec import RedisSpec

CALL_BYTES, CALL_FRAMES = 256 * 1024, 1000
"""Most of one script call: Redis serves nobody else meanwhile. A thousand entries take it about 2 ms."""

BATCH_BYTES = 4 * 1024 * 1024
"""Most of one batch: what may be sent again when a reply is lost, and what waits in a socket."""

LIVE = 3600_000
"""Milliseconds that a stream's keys live without being renewed: if every node dies, the next that starts within an
hour still ends them; after it Redis forgets them by itself."""

_log = structlog.get_logger("tailrace.log.redis")


class Part(NamedTuple):
    """What one script call stores of one log: the frames ``after`` + 1 … ``last``, and perhaps its end."""

    log: RedisLog
    after: int
    last: int
    ending: Ending | None
    names: int


class Writer:
    """Writes all logs of this process. ``lose`` is called with a log that can no longer be stored."""

    def __init__(
        self,
        spec: RedisSpec,
        server: Server,
        barrier: Barrier,
        *,
        node: str,
        ttl: float,
        lose: Callable[[RedisLog, str], None],
        clock: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._lane = server.lane()
        self._barrier = barrier
        self._node = node
        self._ttl = max(1, int(ttl * 1000))
        self._lose = lose
        self._clock = clock
        self._dirty: dict[str, RedisLog] = {}
        self._wake = asyncio.Event()
        self._clean = asyncio.Event()
        self._clean.set()
        self._failures = 0

    def mark(self, log: RedisLog) -> None:
        """Store ``log`` with the next batch."""
        if not self._dirty:
            self._wake.set()
            self._clean.clear()
        self._dirty[log.info.id] = log

    def restore(self, log: RedisLog) -> None:
        """Write ``log`` anew: Redis has forgotten it."""
        log.absent = True
        log.sent = log.first
        log.doubt()

    def expire(self) -> None:
        """Lose the logs whose oldest frame has waited too long. To be called often, whatever the connection does."""
        now = self._clock()
        for log in list(self._dirty.values()):
            if log.since is not None and now - log.since > self._spec.write_wait:
                log.unsure = False
                if log.ending is None:
                    self._lose(log, "not_stored")
                self._dirty.pop(log.info.id, None)

    async def flush(self) -> None:
        """Wait until all is stored, as long as a client's request might wait at most."""
        try:
            async with asyncio.timeout(self._spec.request_wait):
                await self._clean.wait()
        except TimeoutError:
            _log.warning("redis_not_flushed", streams=len(self._dirty))

    async def run(self) -> None:
        """Store until cancelled."""
        try:
            while True:
                await self._work()
        finally:
            await self._lane.close()

    async def _work(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        while self._dirty:
            try:
                if self._failures:
                    await self._barrier.recheck(self._lane)
                await self._batch()
            except Away as error:
                if not self._failures:
                    _log.warning("redis_away", where=self._spec.where, reason=error.reason)
                self._failures += 1
                await asyncio.sleep(backoff(self._failures))
            except Exception:  # noqa: BLE001 - a bug must not leave every stream unstored
                _log.error("redis_writer_bug", exc_info=True)
                self._failures += 1
                await asyncio.sleep(backoff(self._failures))
            else:
                if self._failures:
                    _log.info("redis_back", where=self._spec.where)
                self._failures = 0
        self._clean.set()

    async def _batch(self) -> None:
        parts = list(self._parts())
        commands = [self._again(part.log) for part in parts if part.log.absent and part.after == part.log.first]
        again = len(commands)
        calls = list(_calls(parts))
        commands += [self._append(call) for call in calls]
        replies = await self._lane.run([*commands, *self._barrier.commands])
        done: dict[str, Part] = {}
        for call, reply in zip(calls, replies[again : len(commands)], strict=True):
            for at, part in enumerate(call):
                self._note(part, reply[2 * at], reply[2 * at + 1], done)
        self._barrier.check(replies)
        for part in done.values():
            if not part.log.lost:
                _stored(part)
        for log in {id(part.log): part.log for part in parts}.values():
            if not log.waiting and not log.absent:
                self._dirty.pop(log.info.id, None)

    def _parts(self) -> Iterator[Part]:
        """Cut what is waiting into parts, oldest log first; what does not fit waits for the next batch."""
        room = BATCH_BYTES
        for key, log in list(self._dirty.items()):
            if room <= 0:
                return
            if log.lost:
                del self._dirty[key]
                continue
            names, after, count = len(log.names), log.sent, log.count
            while True:
                last = _cut(log, after, count)
                room -= log.size_at(last) - log.size_at(after)
                whole = last == count
                yield Part(log, after, last, log.closing if whole else None, names)
                after, names = last, 0
                if whole:
                    break
                if room <= 0:
                    # Behind the others next time.
                    self._dirty[key] = self._dirty.pop(key)
                    return

    def _append(self, call: list[Part]) -> Command:
        arguments: list[Argument] = [self._spec.prefix, LIVE]
        for part in call:
            log = part.log
            names = [hashed(log.info.owner, name) for name in log.names[: part.names]]
            frames = log.between(part.after, part.last)
            arguments += (log.info.id, log.epoch, part.after + 1, part.ending or "", self._ttl, len(names), len(frames))
            arguments += names
            arguments += frames
        return APPEND(*arguments)

    def _again(self, log: RedisLog) -> Command:
        return begin(self._spec, self._node, log, again=True)

    def _note(self, part: Part, code: int, tail: int, done: dict[str, Part]) -> None:
        """Take in what Redis said of one part. A log whose earlier part failed fails in the later ones, too."""
        log = part.log
        if log.lost:
            return
        if code == STORED:
            log.sent = max(log.sent, part.last)
            log.absent = False
            earlier = done.get(log.info.id)
            done[log.info.id] = part._replace(names=part.names + (earlier.names if earlier else 0))
        elif code == FENCED:
            self._lose(log, "fenced")
        elif code == GAP:
            # A Redis that crashed or failed over has less than it said: it gets the rest again, from memory.
            log.sent = min(log.sent, max(tail, log.first))
        elif code == UNKNOWN:
            # Only a lease that cannot have been taken over says that the stream is still ours.
            if self._clock() - log.renewed > self._spec.lapse:
                self._lose(log, "forgotten")
            else:
                self.restore(log)


def _stored(part: Part) -> None:
    try:
        part.log.stored(part.last, part.ending, part.names)
    except Exception:  # noqa: BLE001 - a bug in who watches one stream must not hold up the others
        _log.error("redis_watcher_bug", exc_info=True)


def begin(spec: RedisSpec, node: str, log: RedisLog, *, again: bool = False) -> Command:
    """Return the command that begins ``log``, or writes it down anew."""
    info, claim = log.info, log.claim
    return BEGIN(
        spec.prefix,
        LIVE,
        int(spec.lease * 1000),
        "again" if again else "new",
        info.id,
        log.epoch,
        node,
        msgspec.json.encode(info),
        int(log.ids),
        hashed(info.owner),
        info.created,
        hashed(info.owner, claim.key) if claim else "",
        claim.fingerprint if claim else "",
        OWNED,
        *(hashed(info.owner, name) for name in log.called),
    )


def _cut(log: RedisLog, after: int, count: int) -> int:
    """Return the last frame of a part that begins behind ``after``: one at least, where there is any."""
    last = min(count, after + CALL_FRAMES)
    return log.cut_at(after, CALL_BYTES, last) if last > after else last


def _calls(parts: list[Part]) -> Iterator[list[Part]]:
    """Gather parts into script calls of bounded size."""
    call: list[Part] = []
    size = frames = 0
    for part in parts:
        bytes_, count = part.log.size_at(part.last) - part.log.size_at(part.after), part.last - part.after
        if call and (size + bytes_ > CALL_BYTES or frames + count > CALL_FRAMES):
            yield call
            call, size, frames = [], 0, 0
        call.append(part)
        size, frames = size + bytes_, frames + count + 1
    if call:
        yield call
