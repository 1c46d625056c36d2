"""Pub/sub: hints that something has happened. Any may be lost; a stored flag or number is behind each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from tailrace.log.redis.connection import Server, backoff, connected, packed
from tailrace.log.redis.spec import RedisSpec

_log = structlog.get_logger("tailrace.log.redis")


class Subscriber:
    """One connection that listens for wishes to stop, and for news of what is followed here.

    ``on_stop`` and ``on_news`` are called with a stream's id, ``on_gap`` when messages may have been missed.
    """

    def __init__(
        self,
        spec: RedisSpec,
        server: Server,
        *,
        on_stop: Callable[[str], None],
        on_news: Callable[[str], None],
        on_gap: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._server = server
        self._on_stop = on_stop
        self._on_news = on_news
        self._on_gap = on_gap
        self._clock = clock
        self._stop = f"{spec.prefix}stop"
        self._news = f"{spec.prefix}w:"
        self._connection: AbstractConnection | None = None
        self._followed: set[str] = set()
        self._pinged = 0.0
        self._term = 0

    async def follow(self, stream_ids: Iterable[str]) -> None:
        """Listen for news of these streams and no others; also keeps the connection honest, so call it often."""
        connection = self._connection
        if connection is None:
            return
        if self._term != self._server.term:
            # Another Redis is the master now: `run` finds this connection closed and makes a new one.
            await connection.disconnect(nowait=True)
            return
        wanted = set(stream_ids)
        commands: list[tuple[str, ...]] = []
        if more := wanted - self._followed:
            commands.append(("SUBSCRIBE", *(self._news + one for one in more)))
        if less := self._followed - wanted:
            commands.append(("UNSUBSCRIBE", *(self._news + one for one in less)))
        if self._clock() - self._pinged >= self._spec.interval:
            self._pinged = self._clock()
            commands.append(("PING",))
        self._followed = wanted
        if commands:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(self._spec.reply_wait):
                    await connection.send_packed_command(packed(commands), check_health=False)

    async def run(self) -> None:
        """Listen until cancelled."""
        failures = 0
        while True:
            connection, self._term = self._server.connection(), self._server.term
            try:
                async with asyncio.timeout(self._spec.reply_wait):
                    await connected(connection)
                    await connection.send_packed_command(packed([("SUBSCRIBE", self._stop)]), check_health=False)
                self._followed, self._connection = set(), connection
                self._on_gap()
                while True:
                    # A ping is answered every interval: silence means that the connection is dead.
                    async with asyncio.timeout(self._spec.reply_wait + 2 * self._spec.interval):
                        message = await connection.read_response()
                    failures = 0
                    self._take(message)
            except (RedisError, OSError, TimeoutError):
                failures += 1
            except Exception:  # noqa: BLE001 - a bug in who is told must not end the listening
                _log.error("redis_subscriber_bug", exc_info=True)
                failures += 1
            finally:
                self._connection = None
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(backoff(failures))

    def _take(self, message: list[bytes]) -> None:
        if message[0] != b"message":
            return
        channel = message[1].decode()
        if channel == self._stop:
            self._on_stop(message[2].decode(errors="replace"))
        else:
            self._on_news(channel.removeprefix(self._news))
