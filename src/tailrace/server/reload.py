"""Keys that change while the server runs: their files are looked at every half second, and read when told (SIGHUP)."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from tailrace.errors import ConfigError
from tailrace.server.access import Access
from tailrace.server.spec import KeySource

LOOK = 0.5
"""Seconds between two looks. A key must have stopped working within five; a look costs two calls of ``stat``."""

_log = structlog.get_logger("tailrace.access")


class KeyWatch:
    """Keeps an `Access` at what its files say.

    A file is read when it has changed and then stayed the same for one look: whoever writes it in two pieces takes no
    key away in between. One that cannot be read, or is wrong, changes nothing, and is said in the log.
    """

    def __init__(self, access: Access, source: KeySource, *, look: float = LOOK) -> None:
        self._access = access
        self._source = source
        self._look = look
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have the files read now, changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        before: object = self._source.seen
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look):
                    await self._asked.wait()
            now = await asyncio.to_thread(self._source.stamp)
            if self._asked.is_set() or (now != self._source.seen and now == before):
                self._asked.clear()
                await self._read()
            before = now

    async def _read(self) -> None:
        try:
            keys = await asyncio.to_thread(self._source.read)
        except ConfigError as error:
            _log.error("keys_not_read", problems=[str(problem) for problem in error.problems])
        else:
            self._access.replace(keys)
