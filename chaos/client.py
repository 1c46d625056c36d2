"""A client as clients should be: it comes back by itself, anywhere, with what it holds, and says what it saw.

It knows the contract of `docs/streams.md` and nothing else: 200 is followed, 204 is the end, 410 means that the place
in the stream is gone and it begins anew, 503 and a refused connection mean later, 404 that there is nothing any more.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence

from chaos import raw
from chaos.asking import asked
from chaos.checker import Connection, Reader
from chaos.raw import Body, Exchange
from chaos.wire import frames, verdict

AWAY = 0.1
"""Seconds between two connections, as a browser's ``retry:`` would have it, but shorter: cells are many."""


class Silence(Exception):
    """Nothing came, not even a heartbeat, for longer than anybody should wait."""


class Client:
    """Reads one stream to its end over as many connections as it takes; ``urls`` are tried in turn.

    ``patience`` is the longest silence on an open connection, ``deadline`` for the whole. After `read`, ``stream`` is
    the stream's id ("" when none was ever told), ``statuses`` what was answered, ``gaps`` the seconds between two reads
    that brought something, ``longest`` the longest time without an event.
    """

    def __init__(
        self, urls: Iterable[str], name: str = "a client", *, patience: float = 20.0, deadline: float = 60.0
    ) -> None:
        self._urls = itertools.cycle(urls) if isinstance(urls, Sequence) else iter(urls)
        self.name = name
        self._patience = patience
        self._deadline = deadline
        self.stream = ""
        self.statuses: list[int | None] = []
        self.gaps: list[float] = []
        self.longest = 0.0
        self.connections: list[Connection] = []
        self.gone = False
        self.refused = False
        self.exchange: Exchange | None = None
        self._dialect = "anthropic"

    async def read(self, model: str, dialect: str = "anthropic", key: str | None = None) -> Reader:
        """Ask for ``model`` and read the answer to its end."""
        path, body = asked(dialect, model)
        headers = {"idempotency-key": key or f"key-{model}"}
        return await self._until_the_end(lambda url: raw.request(url, "POST", path, body, headers), dialect)

    def left(self) -> Reader:
        """Return what it saw until it went away."""
        return Reader(self.name, self.connections, left=True)

    async def follow(self, stream: str, dialect: str = "anthropic") -> Reader:
        """Follow a stream that somebody else began."""
        self.stream = stream
        return await self._until_the_end(None, dialect)

    async def _until_the_end(self, begin, dialect: str) -> Reader:  # type: ignore[no-untyped-def]
        self._dialect = dialect
        over = time.monotonic() + self._deadline
        moved = time.monotonic()
        held, reset = 0, False
        while time.monotonic() < over:
            url = next(self._urls)
            body = await self._once(url, begin, held)
            self.statuses.append(body.status if body else None)
            got = frames(body.body, dialect, held) if body and body.status == 200 else []
            if body and body.status in {200, 204}:
                self.stream = self.stream or body.headers.get("tailrace-stream-id", "")
                self.connections.append(Connection(held, got, body.complete or body.status == 204, reset))
                reset = False
                if got:
                    self.longest = max(self.longest, time.monotonic() - moved if not self.gaps else max(self.gaps))
                    moved = time.monotonic()
                    held = max(held, *(frame.number for frame in got))
                if body.status == 204 or (body.complete and any(verdict(frame.data, dialect) for frame in got[-2:])):
                    return Reader(self.name, self.connections)
            elif body and not self.stream and body.status and b'"ending"' in body.body:
                # The request joined a stream that has ended, or began one that failed at once: that is its answer.
                self.stream = body.headers.get("tailrace-stream-id", "")
                self.refused = True
                return Reader(self.name, [], left=True)
            elif body and body.status == 410:
                held, reset = 0, True
            elif body and body.status == 404 and self.stream:
                self.gone = True
                return Reader(self.name, self.connections, left=True)
            elif body and body.status is not None and body.status not in {503, 502, 504, 429}:
                raise AssertionError(f"answered {body.status}: {body.body[:120]!r}")
            await asyncio.sleep(AWAY)
        raise Silence(f"no end in {self._deadline:g} s: {self.statuses[-5:]}, {held} events")

    async def _once(self, url: str, begin, held: int) -> Body | None:  # type: ignore[no-untyped-def]
        try:
            if self.stream:
                headers = {"last-event-id": str(held)}
                exchange = await raw.request(url, "GET", f"/streams/{self.stream}", headers=headers)
            else:
                exchange = await begin(url)
        except OSError:
            return None
        self.exchange = exchange
        async with exchange:
            while not exchange.ended and not exchange.whole():
                try:
                    async with asyncio.timeout(self._patience):
                        await exchange.take(len(exchange.raw) + raw.READ, at_once=True)
                except TimeoutError:
                    raise Silence(f"nothing for {self._patience:g} s after event {held}") from None
            times = exchange.arrivals
            self.gaps += [later - before for before, later in itertools.pairwise(times)]
            return exchange.answer
