"""Who may do what, and what follows when they no longer may: the keyring, quotas and view tokens behind one front.

A door asks `Access.who` whose request it is, takes a place with `Access.admitted` before work begins, and answers
inside `Access.visit`. A key that is taken away stops its answers at once, all readers being told; whoever still hangs
on a little later is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Self, TypeAlias, TypeVar, cast

import structlog

from tailrace.engine import Generation, Opened, Relay
from tailrace.errors import Conflict, Forbidden, Unauthenticated
from tailrace.log import StreamInfo
from tailrace.server.auth import presented_key
from tailrace.server.hosts import is_loopback
from tailrace.server.http import Scope
from tailrace.server.keys import Identity, Keyring
from tailrace.server.quotas import Quotas
from tailrace.server.spec import KeySpec, ServerSpec
from tailrace.server.tokens import Mint, Token, TokenAsk
from tailrace.server.tokens import Scope as TokenScope

PARTING = 2.0
"""Seconds that readers get to take the last words of an answer whose key was taken away. With the second or so until
the change is seen, everything is over within five."""

T = TypeVar("T")
Carry: TypeAlias = Callable[[Relay, Opened], None]

_log = structlog.get_logger("tailrace.access")


class Access:
    """The keys of one server, and everything that runs in their name here."""

    def __init__(self, spec: ServerSpec) -> None:
        self.keyring = Keyring(spec.every_key, guarded=spec.guarded)
        self.quotas = Quotas(spec.counters)
        self._mint = Mint(spec.token_key)
        self._one_of_many = spec.counters is not None and spec.token_key is None
        self._running: dict[str, set[Generation]] = {}
        self._visits: dict[str, set[_Visit]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- questions --------------------------------------------------------------------------------------------

    def who(self, scope: Scope, door: str = "", *, key_in_query: bool = False) -> Identity:
        """Return who asks, if ``door`` (a dialect; "": any) is open to them.

        Raises `Unauthenticated` or `Forbidden`. ``key_in_query``: whether this door's clients may put ``key`` into the
        URL.
        """
        identity = self.keyring.identify(presented_key(scope, in_query=key_in_query))
        identity.enter(door)
        return identity

    def operate(self, scope: Scope) -> None:
        """Return if whoever asks may see how this server is doing; raises `Unauthenticated` or `Forbidden`.

        Without keys whoever is on this machine may, as they may do everything else; nobody from further away, even
        where the app is mounted in a server that listens wider.
        """
        if self.keyring.guarded:
            self.keyring.identify(presented_key(scope)).administer()
            return
        client = scope.get("client")
        if client is None or not is_loopback(client[0]):
            raise Forbidden("only from this machine, or with a key: set server.keys", code="not_local")

    def by_token(self, token: str, info: StreamInfo, wanted: TokenScope) -> Identity:
        """Return in whose name ``token`` shows the stream of ``info``; raises `NotFound` or `Unauthenticated`."""
        self._mint.check(token, info, wanted)
        identity = self.keyring.of(info.owner)
        if identity is None:
            raise Unauthenticated("the key behind this view token is no longer good", code="token_revoked")
        return identity

    def token(self, info: StreamInfo, ask: TokenAsk) -> Token:
        """Return a view token for the stream of ``info``, whose owner asks. Raises `Conflict` where it would be of use
        on this node only.
        """
        if self._one_of_many:
            raise Conflict(
                "with the log in Redis a token must work on every node: set server.token_key, the same on all of them",
                code="token_key_needed",
            )
        return self._mint.make(info, ask)

    # ---- work in somebody's name ------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def admitted(self, identity: Identity) -> AsyncIterator[Carry]:
        """Take a place for one more answer; raises `RateLimited`. Call the result with each stream that was opened."""
        await self.quotas.admit(identity)
        self.quotas.hold(identity)
        try:
            yield lambda relay, opened: self._carry(identity, relay, opened)
        finally:
            self.quotas.release(identity.owner)

    def _carry(self, identity: Identity, relay: Relay, opened: Opened) -> None:
        generation = relay.generation(opened.log.info.id)
        if generation is None or opened.joined:
            # Whoever began it has been counted.
            return
        self.quotas.keep(identity.owner)
        self._running.setdefault(identity.owner, set()).add(generation)
        generation.over.add_done_callback(lambda _: self._ended(identity, generation))
        if not self.keyring.knows(identity.owner):
            # It was taken away while the request was still being read.
            generation.revoke()

    def _ended(self, identity: Identity, generation: Generation) -> None:
        _discard(self._running, identity.owner, generation)
        self.quotas.release(identity.owner)
        usage = generation.fold.usage
        tokens = (usage.input_tokens or 0) + (usage.output_tokens or 0)
        if tokens and identity.spec.tokens_per_day is not None:
            task = asyncio.ensure_future(self.quotas.spend(identity, tokens))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @contextlib.contextmanager
    def visit(self, owner: str) -> Iterator[None]:
        """Answer ``owner`` inside: when the key is taken away the answer is broken off, and this returns."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        visit = _Visit(task)
        self._visits.setdefault(owner, set()).add(visit)
        try:
            yield
        except asyncio.CancelledError:
            if not visit.over or task.uncancel():
                raise
        finally:
            _discard(self._visits, owner, visit)

    # ---- other keys -------------------------------------------------------------------------------------------

    def replace(self, keys: Iterable[KeySpec]) -> None:
        """Let these be the keys from now on. What runs for one that is gone is stopped; its readers are cut."""
        gone = self.keyring.replace(keys)
        _log.info("keys_read", keys=len(self.keyring.owners), gone=len(gone))
        for owner in gone:
            for generation in list(self._running.get(owner, ())):
                generation.revoke()
        if gone:
            asyncio.get_running_loop().call_later(PARTING, self._cut, gone)

    def _cut(self, owners: Iterable[str]) -> None:
        for owner in owners:
            if not self.keyring.knows(owner):
                for visit in self._visits.get(owner, ()):
                    visit.over = True
                    visit.task.cancel()

    async def __aenter__(self) -> Self:
        if self.keyring.counted:
            await self.quotas.prepare()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Count what is still to be counted, and disconnect."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.quotas.aclose()


class _Visit:
    """A request that is being answered."""

    __slots__ = ("over", "task")

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.task = task
        self.over = False


def _discard(kept: dict[str, set[T]], owner: str, value: T) -> None:
    values = kept.get(owner)
    if values is not None:
        values.discard(value)
        if not values:
            del kept[owner]
