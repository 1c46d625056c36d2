"""Connections to Redis, and the border where redis-py's errors become one of ours."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from redis.asyncio.connection import AbstractConnection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from tailrace.errors import ConfigError
from tailrace.log.redis.lua import Command
from tailrace.log.redis.scripts import ALL
from tailrace.log.redis.sentinels import Sentinels
from tailrace.log.redis.spec import RedisSpec

REQUESTS = 16
"""Connections that clients' requests (create, find, stop) share. Each is busy for one round trip: 16 of 1 ms are
16,000 requests a second."""


class Away(Exception):
    """Redis was not reached, did not answer in time, or refused. ``refused`` marks what waiting will not mend."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


class Barrier(Protocol):
    """Commands behind others whose replies say whether those are stored safely enough."""

    @property
    def commands(self) -> list[Command]:
        """What to send behind them."""

    def check(self, replies: Sequence[Any]) -> None:
        """Raise `Away` unless the last of ``replies``, those to `commands`, say so."""


def backoff(failures: int) -> float:
    """Return how long to wait after so many failures: at most half a second, as leases are at stake."""
    return min(0.5, 0.02 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1)  # noqa: S311 - no secret


async def connected(connection: AbstractConnection) -> AbstractConnection:
    """Connect ``connection``."""
    connect: Any = connection.connect
    await connect()
    return connection


async def confirmed(lane: Lane, commands: Sequence[Command], barrier: Barrier | None) -> list[Any]:
    """Run ``commands`` and see that they are stored; return their replies. Raises `Away`."""
    behind = barrier.commands if barrier is not None else []
    replies = await lane.run([*commands, *behind])
    if barrier is not None:
        barrier.check(replies)
    return replies[: len(commands)]


class Lane:
    """One connection, made when it is needed, and again after an error or a failover; one user at a time."""

    def __init__(self, server: Server, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self._term = 0
        self._connection: AbstractConnection | None = None

    async def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send ``commands`` in one go and return their replies. Raises `Away`, the connection closed then.

        They may be sent twice where a script was not known: all of ours bear that.
        """
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._open()
                replies = await _exchange(connection, commands)
                if any(isinstance(reply, NoScriptError) for reply in replies):
                    await _exchange(connection, [("SCRIPT", "LOAD", script.text) for script in ALL])
                    replies = await _exchange(connection, commands)
            _raise_first(replies)
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise _away(error) from None
        except BaseException:
            # Replies may be on their way: whoever used the connection next would read them.
            await self.close()
            raise
        return replies

    async def attempt(self, command: Command) -> Any:
        """As `run` for one command, but return None where Redis refuses it: it may be renamed or forbidden."""
        try:
            async with asyncio.timeout(self._timeout):
                connection = await self._open()
                (reply,) = await _exchange(connection, [command])
        except (RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise _away(error) from None
        return None if isinstance(reply, ResponseError) else reply

    async def _open(self) -> AbstractConnection:
        if self._term != self._server.term:
            await self.close()
        if self._connection is None:
            self._connection, self._term = self._server.connection(), self._server.term
        if not self._connection.is_connected:
            await connected(self._connection)
        return self._connection

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await connection.disconnect(nowait=True)


def _raise_first(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply


def packed(commands: Iterable[Command]) -> bytes:
    """Return ``commands`` as they go over the wire: arrays of bulk strings (RESP 2).

    redis-py's own asyncio connection does this in Python, too, with three times the work for each argument.
    """
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for argument in command:
            data = argument if isinstance(argument, bytes) else str(argument).encode(errors="surrogatepass")
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


async def _exchange(connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
    await connection.send_packed_command(packed(commands), check_health=False)
    replies: list[Any] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response())
        except (ReadOnlyError, BusyLoadingError):
            raise
        except ResponseError as error:
            replies.append(error)
    return replies


class Server:
    """The Redis that a spec names: makes connections to its master."""

    def __init__(self, spec: RedisSpec) -> None:
        """Raises `ConfigError` when the address cannot be used."""
        self._spec = spec
        self._sentinel: Sentinels | None = None
        self._master: tuple[str, int] | None = None
        self.term = 0
        """Counts the masters there have been."""
        try:
            self._pool: Any = self._make_pool(spec)
        except (ValueError, TypeError):
            message = "must be an address like redis://localhost:6379/0 (rediss:// with TLS)"
            raise ConfigError(f"log.url: {message}") from None
        self._idle: list[Lane] = []
        self._room = asyncio.Semaphore(REQUESTS)

    def _make_pool(self, spec: RedisSpec) -> Any:
        wait = spec.reply_wait
        options: dict[str, Any] = {
            "socket_connect_timeout": wait,
            "socket_timeout": None,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
        }
        pool = ConnectionPool.from_url(spec.url, **options)
        if not spec.sentinels:
            return pool
        known = pool.connection_kwargs
        for name in ("host", "port", "path"):
            known.pop(name, None)
        if issubclass(pool.connection_class, SSLConnection):
            known["ssl"] = True
        make: Any = Sentinels
        self._sentinel = make(
            list(spec.sentinels),
            sentinel_kwargs={
                "socket_connect_timeout": wait / 4,
                "socket_timeout": wait / 4,
                "protocol": 2,
                "driver_info": None,
            },
        )
        make = SentinelConnectionPool
        return make(spec.master, self._sentinel, **known)

    def connection(self) -> AbstractConnection:
        """Return a new connection, not yet connected."""
        connection: AbstractConnection = self._pool.make_connection()
        return connection

    def lane(self) -> Lane:
        """Return a new lane; its owner closes it."""
        return Lane(self, self._spec.reply_wait)

    async def follow_master(self) -> None:
        """Ask the sentinels who is master now; when it has changed every lane connects anew.

        A master that was replaced while it lived takes writes for some ten seconds more (sentinel.c waits eight before
        it makes it a replica), and all of them are lost.
        """
        if self._sentinel is None:
            return
        try:
            async with asyncio.timeout(self._spec.reply_wait):
                master = await self._sentinel.discover_master(self._spec.master)
        except (RedisError, OSError, TimeoutError):
            # Those who decide are away: whatever we are connected to is the best we know.
            return
        if self._master not in {None, master}:
            self.term += 1
        self._master = master

    async def request(self, commands: Sequence[Command], barrier: Barrier | None = None) -> list[Any]:
        """Run ``commands`` for a client's request, with ``barrier`` behind them; return their replies.

        Tries again for as long as the request may wait: connections that lay idle may be dead. Raises `Away`.
        """
        last, failures = Away("it did not answer in time"), 0
        try:
            async with asyncio.timeout(self._spec.request_wait), self._room:
                while True:
                    lane = self._idle.pop() if self._idle else self.lane()
                    try:
                        return await confirmed(lane, commands, barrier)
                    except Away as error:
                        if error.refused:
                            raise
                        last = error
                    finally:
                        self._idle.append(lane)
                    failures += 1
                    await asyncio.sleep(backoff(failures))
        except TimeoutError:
            raise last from None

    async def aclose(self) -> None:
        """Close all lanes that were lent."""
        while self._idle:
            await self._idle.pop().close()
        if self._sentinel is not None:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._sentinel.aclose()


def _away(error: Exception) -> Away:
    """Say what is wrong in words of our own: redis-py's may hold what is secret."""
    if isinstance(error, AuthenticationError):
        return Away("it refuses the user name or password", refused=True)
    if isinstance(error, NoPermissionError):
        return Away("its user may not do what logs need (NOPERM)", refused=True)
    if isinstance(error, ReadOnlyError):
        return Away("it is a replica, not a master")
    if isinstance(error, BusyLoadingError):
        return Away("it is still loading its data")
    if isinstance(error, ResponseError):
        word = str(error).partition(" ")[0].strip(":")
        # The first word of an error reply is its code (RESP): NOAUTH, OOM, MISCONF, MASTERDOWN, NOREPLICAS.
        return Away(f"it refuses: {word if word.isupper() else 'ERR'}", refused=word in {"NOAUTH", "WRONGPASS"})
    if isinstance(error, TimeoutError) or "imeout" in type(error).__name__:
        return Away("it did not answer in time")
    return Away("no connection")
