"""The relay: from a client's request to a running generation, and the list of those that run.

Synchronous decisions (routing, translating) come first and raise `RequestError` before any work has begun; then one
task a generation opens, reads and closes its upstream.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec
import structlog

from tailrace.dialects import DIALECTS, Dialect, Reply, Translation
from tailrace.engine.failures import trace
from tailrace.engine.generation import Generation
from tailrace.engine.http import HttpUpstream
from tailrace.engine.routing import Resolved, Router
from tailrace.engine.spec import Limits, ProviderSpec, RouteSpec, Target
from tailrace.engine.upstream import Call, Upstream
from tailrace.errors import BadRequest, NotFound, Overloaded, ProviderError, RemoteProtocolError, StatusError
from tailrace.events import Request, Turn
from tailrace.log import LogStore, MemoryStore, StreamInfo, StreamLog
from tailrace.structured import ToolGate

SWEEP = 5.0
"""Seconds between two looks for logs whose time is over."""

OWN_WORDS = frozenset({"unreachable", "internal"})
"""Kinds of error whose message is ours. Any other may be the provider's, which likes to repeat what it was asked."""

_log = structlog.get_logger("tailrace.relay")


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request as a door hands it in.

    ``dialect`` is the door's; ``headers`` are the client's own, lower case, without credentials; ``owner`` is the
    identity that the stream will belong to. ``whole_tools`` holds each tool call back until its arguments are complete
    and valid for the tool's schema. ``more`` are turns to add to the conversation: an answer is asked for again.
    """

    dialect: str
    body: dict[str, Any]
    owner: str
    headers: Mapping[str, str] = {}
    whole_tools: bool = False
    more: tuple[Turn, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """One target, with the request in its provider's dialect."""

    target: Target
    provider: ProviderSpec
    call: Call
    ignored: tuple[str, ...]


class Opened(msgspec.Struct, frozen=True):
    """A generation that has begun, the request it answers, and what of that its provider was not told.

    ``repair`` is whether the route allows asking again when the answer is not the document that was asked for.
    """

    generation: Generation
    request: Request
    ignored: tuple[str, ...]
    repair: bool = False


class Relay:
    """All that carries answers in this process.

    ``upstreams`` replace the HTTP upstream of the providers they are named after (the local model). To be used as an
    async context manager: leaving it interrupts what still runs and closes every connection.
    """

    def __init__(
        self,
        providers: Mapping[str, ProviderSpec],
        routes: Mapping[str, RouteSpec] | None = None,
        *,
        limits: Limits | None = None,
        upstreams: Mapping[str, Upstream] | None = None,
        store: LogStore | None = None,
        wall_clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self.limits = limits or Limits()
        self.router = Router(providers, routes or {})
        self.store: LogStore = store or _memory_store(self.limits)
        self.draining = False
        self._wall_clock = wall_clock
        self._new_id = new_id
        self._upstreams: dict[str, Upstream] = {
            name: (upstreams or {}).get(name) or HttpUpstream(spec) for name, spec in providers.items()
        }
        self._live: dict[str, Generation] = {}
        self._ended: dict[str, Generation] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sweeper = asyncio.create_task(self._sweep(), name="tailrace sweep")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # ---- requests ---------------------------------------------------------------------------------------------

    def open(self, ask: Ask) -> Opened:
        """Begin a generation for ``ask``. Raises `RequestError` when it cannot be begun; nothing has run then."""
        if self.draining:
            raise Overloaded("the relay is shutting down")
        if len(self._live) >= self.limits.logs or self.store.full:
            raise Overloaded("too many answers are being written")
        door = DIALECTS[ask.dialect]
        request = door.parse(ask.body)
        resolved = self.router.resolve(request.model, ask.dialect)
        plans = self._plans(resolved, door, request, ask)
        gate = ToolGate({tool.name: tool.schema for tool in request.tools}) if ask.whole_tools else None
        info = StreamInfo(
            id=self._new_id(),
            owner=ask.owner,
            dialect=door.name,
            model=request.model,
            created=self._wall_clock(),
            chat=request.echo.get("chat", ""),
        )
        generation = Generation(
            self.store.create(info, ids=door.ids),
            door=door,
            provider=plans[0].provider,
            reply=Reply(
                id=f"msg_{info.id[:22]}",
                model=request.model,
                created=int(info.created),
                include_usage=request.include_usage,
                echo=request.echo,
            ),
            policy=msgspec.structs.replace(resolved.policy, on_disconnect="detach")
            if request.background
            else resolved.policy,
            on_end=self._on_end,
            gate=gate,
        )
        self._live[info.id] = generation
        generation.task = asyncio.create_task(self._carry(generation, plans), name=f"generation {info.id[:8]}")
        return Opened(generation, request, plans[0].ignored, resolved.policy.repair)

    def generation(self, stream_id: str) -> Generation | None:
        """Return the generation of that id while this process knows it."""
        return self._live.get(stream_id) or self._ended.get(stream_id)

    def owned(self, stream_id: str, owner: str) -> StreamLog:
        """Return the log of ``owner``'s stream; raises `NotFound`, the same whether unknown or another's."""
        log = self.store.get(stream_id)
        if log is None or log.info.owner != owner:
            raise NotFound("no stream of that id", code="stream_not_found")
        return log

    @property
    def live(self) -> int:
        """How many generations are running."""
        return len(self._live)

    # ---- shutting down ----------------------------------------------------------------------------------------

    async def drain(self, grace: float) -> None:
        """Take no new work, let what runs finish for ``grace`` seconds, then interrupt it and tell its readers."""
        self.draining = True
        if self._live:
            await asyncio.wait([generation.over for generation in self._live.values()], timeout=grace)
        for generation in list(self._live.values()):
            generation.shut_down()

    async def aclose(self) -> None:
        """Interrupt everything and close every connection."""
        tasks = [g.task for g in (*self._live.values(), *self._ended.values()) if g.task is not None]
        await self.drain(0)
        if self._sweeper is not None:
            self._sweeper.cancel()
            tasks.append(self._sweeper)
            self._sweeper = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for upstream in self._upstreams.values():
            await upstream.aclose()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _plans(self, resolved: Resolved, door: Dialect, request: Request, ask: Ask) -> list[Plan]:
        """Translate the request for each target; one that cannot take it is passed over, unless none can."""
        plans: list[Plan] = []
        refusal: BadRequest | None = None
        connect = resolved.policy.deadlines.connect
        for target in resolved.targets:
            try:
                plans.append(self._plan(target, door, request, ask, connect))
            except BadRequest as error:
                refusal = refusal or error
        if not plans:
            raise refusal or NotFound(f"route {request.model!r} has no targets", code="model_not_found")
        return plans

    def _plan(self, target: Target, door: Dialect, request: Request, ask: Ask, connect: float) -> Plan:
        spec = self.router.providers[target.provider]
        dialect = DIALECTS[spec.dialect]
        if dialect is door and not ask.more:
            body, ignored = Translation(dialect.forward(ask.body, target.model))
        else:
            turns = request.turns + ask.more
            asked = msgspec.structs.replace(request, model=target.model, turns=turns, stream=True)
            body, ignored = dialect.build(asked)
        body = dialect.adapt(body, spec.quirks)
        # A header of one dialect means nothing to another: only same-dialect calls see the client's.
        headers = ask.headers if dialect is door else {}
        path = dialect.endpoint(target.model)
        call = Call(model=target.model, path=path, body=body, client_headers=headers, connect=connect)
        return Plan(target, spec, call, ignored)

    async def _carry(self, generation: Generation, plans: list[Plan]) -> None:
        """Try the targets in turn until one accepts, and carry its answer to the end."""
        for plan, following in zip(plans, [*plans[1:], None], strict=True):
            try:
                await self._upstreams[plan.target.provider].run(plan.call, generation)
            except (ProviderError, RemoteProtocolError) as error:
                if following is not None and _another_may_do(error) and generation.retarget(following.provider):
                    status = getattr(error, "status", None)
                    _log.warning("target_failed", target=str(plan.target), error=type(error).__name__, status=status)
                    continue
                generation.upstream_failed(error)
            except Exception as bug:  # noqa: BLE001 - it must end its generation, not hang its readers
                _log.error("generation_bug", target=str(plan.target), exception=trace(bug))
                generation.broken()
            else:
                generation.upstream_closed()
            return

    def _on_end(self, generation: Generation) -> None:
        info = generation.log.info
        self._live.pop(info.id, None)
        self._ended[info.id] = generation
        usage, error = generation.fold.usage, generation.error
        _log.info(
            "generation_ended",
            stream=info.id[:8],
            model=info.model,
            ending=generation.ending,
            error=error.kind if error else None,
            status=error.status if error else None,
            detail=error.message if error and error.kind in OWN_WORDS else None,
            frames=generation.log.tail,
            ttft=_since(generation.started, generation.first_content),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            usage=generation.fold.usage_label,
        )

    async def _sweep(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(SWEEP)
                for stream_id in self.store.sweep():
                    self._ended.pop(stream_id, None)


def _another_may_do(error: ProviderError | RemoteProtocolError) -> bool:
    """Whether the fault is this provider's own, so that the same request may work elsewhere."""
    if isinstance(error, StatusError):
        return error.status in {401, 403, 404, 408, 409, 429} or error.status >= 500
    return isinstance(error, ProviderError)


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
