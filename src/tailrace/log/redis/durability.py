"""Whether what was written is as safe as was asked for: checked at the start, and after every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from tailrace.errors import ConfigError
from tailrace.log.redis.connection import Away, Lane
from tailrace.log.redis.lua import Command
from tailrace.log.redis.spec import RedisSpec

OLDEST = (6, 2)
"""Oldest Redis that is accepted: what older ones do with scripts that read the clock was not tried."""

WAITAOF = (7, 2)
"""Since when Redis can say that its append-only file is synced."""

_log = structlog.get_logger("tailrace.log.redis")


class Barrier:
    """Commands behind a batch whose replies say whether it is stored at the level that was asked for.

    They speak of what went before them on the same connection: Redis notes its replication offset after each command,
    so they hold for what a repeated batch found done, too.
    """

    def __init__(self, spec: RedisSpec) -> None:
        wait = max(1, int(spec.reply_wait * 500))
        self._spec = spec
        self._commands: list[Command] = []
        self._wait: Command = ("WAIT", 1, wait)
        self._waitaof: Command = ("WAITAOF", 1, 0, wait)

    @property
    def commands(self) -> list[Command]:
        """What to send behind a batch."""
        return self._commands

    def check(self, replies: Sequence[Any]) -> None:
        """Raise `Away` unless the last ``replies``, those to `commands`, say that all is stored."""
        for command, reply in zip(reversed(self._commands), reversed(replies), strict=False):
            confirmed = reply[0] if isinstance(reply, list) else reply
            if confirmed < 1:
                what = "no replica has confirmed" if command is self._wait else "the file was not synced"
                raise Away(f"{what} in time")

    async def probe(self, lane: Lane) -> None:
        """Find out what the server can promise. Raises `ConfigError` when that is not enough, `Away`."""
        (told,) = await lane.run([("INFO", "server")])
        version = _version(told)
        if b"redis_mode:cluster" in told:
            raise ConfigError(
                f"the Redis at {self._spec.where} is a node of a Redis Cluster, which logs do not support"
            )
        if version < OLDEST:
            raise ConfigError(f"the Redis at {self._spec.where} is {_dotted(version)}, logs need {_dotted(OLDEST)}")
        level = self._spec.durability
        if level == "D0":
            return
        append_only = await _setting(lane, "appendonly")
        if append_only is None:
            _log.warning("redis_durability_unchecked", level=level, reason="CONFIG GET is not allowed")
        elif append_only != "yes" and level == "D1":
            _log.warning("redis_not_durable", level="D0", reason="appendonly is off: a Redis that crashes has lost all")
        if level == "D1":
            return
        self._commands = await self._synced(lane, append_only, version)
        if level == "D3":
            self._commands.append(self._wait)
            replies = await lane.run([("PING",), *self._commands])
            try:
                self.check(replies)
            except Away as error:
                message = f'log.durability = "D3" needs a replica of the Redis at {self._spec.where}: {error.reason}'
                raise ConfigError(message) from None

    async def recheck(self, lane: Lane) -> None:
        """See that a server that came back, or another that took its place, promises the same. Raises `Away`."""
        if self._spec.durability in {"D2", "D3"}:
            try:
                await self.probe(lane)
            except ConfigError as error:
                raise Away(str(error)) from None

    async def _synced(self, lane: Lane, append_only: str | None, version: tuple[int, int]) -> list[Command]:
        """Return the commands that make D2 sure: none where every write is synced before it is answered."""
        needs = f'log.durability = "{self._spec.durability}" needs'
        if append_only is not None and append_only != "yes":
            raise ConfigError(f"{needs} `appendonly yes` at the Redis at {self._spec.where}")
        if append_only is not None and await _setting(lane, "appendfsync") == "always":
            return []
        if version >= WAITAOF:
            return [self._waitaof]
        if append_only is None:
            # Nobody can look; whoever forbade it was told by the warning.
            return []
        raise ConfigError(
            f"{needs} `appendfsync always` at the Redis at {self._spec.where} (or Redis {_dotted(WAITAOF)}, "
            f"which can be asked when it has synced; this is {_dotted(version)})"
        )


async def _setting(lane: Lane, name: str) -> str | None:
    found = await lane.attempt(("CONFIG", "GET", name))
    return found[1].decode() if found else None


def _version(told: bytes) -> tuple[int, int]:
    for line in told.splitlines():
        name, _, value = line.partition(b":")
        if name == b"redis_version":
            major, minor, *_ = value.split(b".")
            return int(major), int(minor)
    return 0, 0


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
