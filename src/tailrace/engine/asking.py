"""What is asked, and what it becomes: a stream, the route's policy with the client's wishes, a call for each target.

Synchronous: everything that can be refused is refused here, before any work has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tailrace.dialects import DIALECTS, Dialect, Reply, Translation
from tailrace.engine.attempts import Plan
from tailrace.engine.routing import Resolved, Router
from tailrace.engine.spec import Budget, OnDisconnect, Policy, ProviderSpec, Target
from tailrace.engine.upstream import Call
from tailrace.errors import BadRequest, NotFound
from tailrace.events import Request, Turn
from tailrace.log import Claim, StreamInfo, StreamLog
from tailrace.structured import ToolGate


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A client's request as a door hands it in.

    ``dialect`` is the door's; ``headers`` are the client's own, lower case, without credentials; ``owner`` is the
    identity that the stream will belong to. ``whole_tools`` holds each tool call back until its arguments are complete
    and valid for the tool's schema. ``more`` are turns to add to the conversation: an answer is asked for again.
    ``claim`` is the client's idempotency key. ``on_disconnect``, ``grace`` and ``budget`` stand in for the
    route's. ``restart`` is whether the client can take back what it was given.
    ``permit`` is called with the model's name, and raises `RequestError` if the caller may not ask it.
    """

    dialect: str
    body: dict[str, Any]
    owner: str
    headers: Mapping[str, str] = {}
    whole_tools: bool = False
    more: tuple[Turn, ...] = ()
    claim: Claim | None = None
    on_disconnect: OnDisconnect | None = None
    grace: float | None = None
    budget: Budget | None = None
    restart: bool = False
    permit: Callable[[str], None] | None = None


class Opened(msgspec.Struct, frozen=True):
    """A stream that answers a request, and what of that its provider was not told.

    ``joined`` is whether the stream had been begun before, by a request with the same claim, perhaps on another node.
    ``repair`` is whether the route allows asking again when the answer is not the document that was asked for,
    ``open_early_after`` its own seconds before an early 200, where it has some.
    """

    log: StreamLog
    request: Request
    ignored: tuple[str, ...]
    repair: bool = False
    joined: bool = False
    open_early_after: float | None = None


class Understood(msgspec.Struct, frozen=True):
    """A request that has been read: what it says, and what to send to each of its targets, in order of preference.

    ``schemas`` are those of its tools, by name; ``gated`` is whether calls are held to them before they are handed on.
    """

    door: Dialect
    request: Request
    policy: Policy
    plans: list[Plan]
    schemas: dict[str, Any]
    gated: bool

    def gate(self) -> ToolGate | None:
        """Return what holds the calls of one attempt back, where they are."""
        return ToolGate(self.schemas) if self.gated else None


def understand(ask: Ask, router: Router) -> Understood:
    """Read ``ask`` and route it; raises `RequestError`."""
    door = DIALECTS[ask.dialect]
    request = door.parse(ask.body)
    if ask.permit is not None:
        ask.permit(request.model)
    resolved = router.resolve(request.model, ask.dialect)
    plans = plans_of(ask, door, request, resolved, router.providers)
    schemas = {tool.name: tool.schema for tool in request.tools}
    policy = policy_of(resolved.policy, ask, background=request.background)
    understood = Understood(door, request, policy, plans, schemas, ask.whole_tools)
    understood.gate()  # raises for a schema that is none, while that can be said
    return understood


def info_of(ask: Ask, door: Dialect, request: Request, *, stream_id: str, created: float) -> StreamInfo:
    """Return who and what the stream that answers ``ask`` is."""
    chat = request.echo.get("chat", "")
    reply = Reply(
        id=f"msg_{stream_id[:22]}",
        model=request.model,
        created=int(created),
        include_usage=request.include_usage,
        echo=request.echo,
    )
    return StreamInfo(
        id=stream_id,
        owner=ask.owner,
        dialect=door.name,
        model=request.model,
        created=created,
        chat=chat,
        names=(f"chat:{chat}",) if chat else (),
        reply=msgspec.to_builtins(reply),
    )


def policy_of(policy: Policy, ask: Ask, *, background: bool) -> Policy:
    """Return the route's policy with what the request says of its own."""
    on_disconnect = "detach" if background else ask.on_disconnect or policy.on_disconnect
    return msgspec.structs.replace(
        policy,
        on_disconnect=on_disconnect,
        grace=policy.grace if ask.grace is None else ask.grace,
        budget=ask.budget or policy.budget,
        restart=policy.restart and ask.restart and DIALECTS[ask.dialect].content_type.startswith("text/event-stream"),
    )


def plans_of(
    ask: Ask, door: Dialect, request: Request, resolved: Resolved, providers: Mapping[str, ProviderSpec]
) -> list[Plan]:
    """Translate the request for each target; one that cannot take it is passed over, unless none can."""
    plans: list[Plan] = []
    refusal: BadRequest | None = None
    connect = resolved.policy.deadlines.connect
    for target in resolved.targets:
        try:
            plans.append(_plan(ask, door, request, (target, providers[target.provider]), connect))
        except BadRequest as error:
            refusal = refusal or error
    if not plans:
        raise refusal or NotFound(f"route {request.model!r} has no targets", code="model_not_found")
    return plans


def _plan(ask: Ask, door: Dialect, request: Request, whom: tuple[Target, ProviderSpec], connect: float) -> Plan:
    target, spec = whom
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
