"""The relay: from a client's request to a running generation, and the list of those that run.

Synchronous decisions (routing, translating) come first and raise `RequestError` before any work has begun; then the log
is begun, or the one joined that an idempotency key already has, and one task carries the generation.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Self

import msgspec
import structlog

from tailrace.dialects import Reply
from tailrace.engine.asking import Ask, Opened, Understood, info_of, understand
from tailrace.engine.attempts import Answering, Attempts
from tailrace.engine.breaker import Breaker
from tailrace.engine.failures import CANCELLED, ORPHANED
from tailrace.engine.generation import Generation
from tailrace.engine.http import HttpUpstream
from tailrace.engine.observer import Observers, Readers, ended_of
from tailrace.engine.retold import Retold
from tailrace.engine.routing import Router
from tailrace.engine.salvage import Salvage
from tailrace.engine.spec import Limits, ProviderSpec, RouteSpec
from tailrace.engine.upstream import Upstream
from tailrace.errors import NotFound, Overloaded
from tailrace.events import Ending
from tailrace.ledger import Ledger, NoLedger
from tailrace.log import Claim, Claimed, LogStore, MemoryStore, StreamInfo, StreamLog, ended, when

SWEEP = 5.0
"""Seconds between two looks for logs whose time is over."""

STOP_WAIT = 2.0
"""Seconds to wait for another node to stop a stream before saying that it was asked to."""

OWN_WORDS = frozenset({"unreachable", "internal"})
"""Kinds of error whose message is ours. Any other may be the provider's, which likes to repeat what it was asked."""

_log = structlog.get_logger("tailrace.relay")


class Relay:
    """All that carries answers in this process.

    ``upstreams`` replace the HTTP upstream of the providers they are named after (the local model). ``store`` keeps the
    logs, ``ledger`` the attempts; the relay starts and closes both. To be used as an async context manager: leaving it
    interrupts what still runs and closes every connection.
    """

    def __init__(
        self,
        providers: Mapping[str, ProviderSpec],
        routes: Mapping[str, RouteSpec] | None = None,
        *,
        limits: Limits | None = None,
        upstreams: Mapping[str, Upstream] | None = None,
        store: LogStore | None = None,
        ledger: Ledger | None = None,
        wall_clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(32),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits or Limits()
        self.router = Router(providers, routes or {})
        self.store: LogStore = store or _memory_store(self.limits)
        self.ledger: Ledger = ledger or NoLedger()
        self.draining = False
        self.observers = Observers()
        self.readers = Readers()
        self._wall_clock = wall_clock
        self._new_id = new_id
        self._upstreams: dict[str, Upstream] = {
            name: (upstreams or {}).get(name) or HttpUpstream(spec) for name, spec in providers.items()
        }
        self.breakers = {name: Breaker(self.limits.breaker_failures, self.limits.breaker_seconds) for name in providers}
        self._attempts = Attempts(
            self._upstreams,
            self.breakers,
            self.ledger,
            self.observers,
            wall_clock=wall_clock,
            jitter=jitter,
            new_id=lambda: secrets.token_hex(16),
        )
        self._opening: set[asyncio.Future[None]] = set()
        self._live: dict[str, Generation] = {}
        self._ended: dict[str, Generation] = {}
        self._keepers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        # A server enters before its app's lifespan does, to learn of a ConfigError as it is: the second time is none.
        if not self._keepers:
            await self.ledger.start()
            try:
                await self.store.start(self)
            except BaseException:
                await self.ledger.aclose()
                raise
            salvage = Salvage(self.ledger, self.store)
            self._keepers = [
                asyncio.create_task(self._sweep(), name="tailrace sweep"),
                asyncio.create_task(salvage.run(), name="tailrace salvage"),
            ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # ---- requests ---------------------------------------------------------------------------------------------

    async def open(self, ask: Ask) -> Opened:
        """Begin a generation for ``ask``, or join the one that its claim has.

        Raises `RequestError` when it cannot be begun; no provider has been asked then.
        """
        if self.draining:
            raise Overloaded("the relay is shutting down")
        asked = understand(ask, self.router)
        if len(self._live) >= self.limits.logs or self.store.full:
            held = ask.claim and await self.store.find_claimed(ask.owner, ask.claim.key)
            if held is not None:
                return _joined(ask, asked, held)
            raise Overloaded("too many answers are being written")
        door, policy, ignored = asked.door, asked.policy, asked.plans[0].ignored
        info = info_of(ask, door, asked.request, stream_id=self._new_id(), created=self._wall_clock())
        log = await self._begun(info, ids=door.ids, claim=ask.claim)
        if log.info.id != info.id:
            return Opened(log, asked.request, ignored, joined=True)
        claim = ask.claim  # not ``ask``: an ended generation is kept for a while, and should not keep the request
        generation = Generation(
            log,
            door=door,
            reply=msgspec.convert(info.reply, Reply),
            policy=policy,
            on_end=lambda ended: self._on_end(ended, claim),
            elsewhere=(lambda: self.store.followed_elsewhere(info.id)) if self.store.shared else None,
        )
        self._live[info.id] = generation
        answering = Answering(door=door, reply=generation.reply, gate=asked.gate, eager=asked.request.background)
        generation.task = asyncio.create_task(
            self._attempts.carry(generation, asked.plans, answering), name=f"generation {info.id[:8]}"
        )
        return Opened(log, asked.request, ignored, policy.repair, open_early_after=policy.open_early_after)

    def join(self, ask: Ask, held: Claimed) -> Opened:
        """Join the stream that has ``ask``'s claim: nothing is ever begun.

        For whoever may begin no more, but may well hear again what is being answered. Raises as `open`.
        """
        if self.draining:
            raise Overloaded("the relay is shutting down")
        return _joined(ask, understand(ask, self.router), held)

    async def _begun(self, info: StreamInfo, *, ids: bool, claim: Claim | None) -> StreamLog:
        opening: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opening.add(opening)
        try:
            return await self.store.create(info, ids=ids, claim=claim)
        finally:
            self._opening.discard(opening)
            # Heard when the loop turns: the generation has begun by then.
            opening.set_result(None)

    def generation(self, stream_id: str) -> Generation | None:
        """Return the generation of that id while this process knows it."""
        return self._live.get(stream_id) or self._ended.get(stream_id)

    def told(self, log: StreamLog) -> Generation | Retold:
        """Return who can tell the message of ``log`` so far: its generation, or what its frames add up to."""
        return self.generation(log.info.id) or Retold(log)

    async def owned(self, stream_id: str, owner: str) -> StreamLog:
        """Return the log of ``owner``'s stream; raises `NotFound`, the same whether unknown or another's."""
        log = await self.store.find(stream_id)
        if log is None or log.info.owner != owner:
            raise NotFound("no stream of that id", code="stream_not_found")
        return log

    async def stop(self, log: StreamLog) -> None:
        """Stop the stream of ``log``, wherever it is written. Idempotent; returns when it has ended, or was asked to.

        Raises `Overloaded` when that is another node that cannot be told.
        """
        generation = self.generation(log.info.id)
        if generation is not None:
            generation.stop()
        elif log.ending is None:
            await self.store.ask_stop(log.info.id)
        with when(log, ended) as ready:
            await asyncio.wait([ready], timeout=STOP_WAIT)

    @property
    def running(self) -> list[Generation]:
        """The generations that are running."""
        return list(self._live.values())

    @property
    def live(self) -> int:
        """How many generations are running."""
        return len(self._live)

    # ---- what the store says ----------------------------------------------------------------------------------

    def stop_asked(self, stream_id: str) -> None:
        """Stop a stream that is written here: somebody asked for it at another node."""
        generation = self._live.get(stream_id)
        if generation is not None:
            generation.stop()

    def lost(self, log: StreamLog) -> bytes:
        """End a stream whose log cannot be written here any more; return the last words for its readers."""
        generation = self.generation(log.info.id)
        return b"" if generation is None else generation.log_lost()

    def last_words(self, log: StreamLog, ending: Ending) -> list[bytes]:
        """Return the frames that end a stream whose writer died."""
        return Retold(log).closing(CANCELLED if ending == "cancelled" else ORPHANED)

    # ---- shutting down ----------------------------------------------------------------------------------------

    async def drain(self, grace: float) -> None:
        """Take no new work, let what runs finish for ``grace`` seconds, then interrupt it and tell its readers.

        Readers of what other nodes write are let go at once: they come back, and find another node.
        """
        self.draining = True
        self.store.sever()
        now = asyncio.get_running_loop().time
        until = now() + grace
        # Whoever had been let in when this began may still be waiting for the store.
        while (left := until - now()) > 0 and (pending := [*self._opening, *(g.over for g in self._live.values())]):
            await asyncio.wait(pending, timeout=left)
        for generation in list(self._live.values()):
            generation.shut_down()

    async def aclose(self) -> None:
        """Interrupt everything and close every connection."""
        tasks = [g.task for g in (*self._live.values(), *self._ended.values()) if g.task is not None]
        await self.drain(0)
        tasks += self._keepers
        self._keepers = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for upstream in self._upstreams.values():
            await upstream.aclose()
        await self.ledger.aclose()
        await self.store.aclose()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _on_end(self, generation: Generation, claim: Claim | None) -> None:
        info = generation.log.info
        self._live.pop(info.id, None)
        self._ended[info.id] = generation
        usage, error = generation.fold.usage, generation.error
        self.observers.ended(ended_of(generation))
        if generation.ending == "cancelled" and generation.task is not None:
            stopped = time.monotonic()
            generation.task.add_done_callback(lambda _: self.observers.released(time.monotonic() - stopped))
        if claim is not None and generation.nothing_said and generation.ending not in {"completed", "cancelled"}:
            # Nobody was given anything: the SDKs' own retry, which has the same key, must be able to do better.
            self.store.release(info.owner, claim)
        _log.info(
            "generation_ended",
            stream=info.id[:8],
            model=info.model,
            ending=generation.ending,
            error=error.kind if error else None,
            status=error.status if error else None,
            detail=error.message if error and error.kind in OWN_WORDS else None,
            frames=generation.log.count,
            ttft=_since(generation.started, generation.first_content),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            usage=generation.fold.usage_label,
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            for stream_id in self.store.sweep():
                self._ended.pop(stream_id, None)


def _joined(ask: Ask, asked: Understood, held: Claimed) -> Opened:
    log = held.log if ask.claim is None else held.by(ask.claim)
    return Opened(log, asked.request, asked.plans[0].ignored, joined=True)


def _since(start: float, moment: float | None) -> float | None:
    return None if moment is None else round(moment - start, 4)


def _memory_store(limits: Limits) -> MemoryStore:
    return MemoryStore(
        clock=time.monotonic,
        ttl=limits.ttl,
        max_logs=limits.logs,
        max_total=limits.logs_bytes,
        max_bytes=limits.log_bytes,
        max_frames=limits.log_frames,
    )
