"""The attempts at one request: asks a route's targets as `tailrace.engine.failover` says, and keeps the ledger's rows.

One task carries a generation from its first attempt to its end. With hedging a second one runs beside it for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from tailrace.dialects import Dialect, Reply
from tailrace.engine.attempt import Attempt
from tailrace.engine.breaker import Breaker
from tailrace.engine.failover import Next, Schedule
from tailrace.engine.failures import FAULT, first_content_event, refused, resting, trace
from tailrace.engine.generation import Generation
from tailrace.engine.observer import Observers
from tailrace.engine.settlement import Settlement
from tailrace.engine.spec import ProviderSpec, Target
from tailrace.engine.upstream import Call, Upstream
from tailrace.errors import Overloaded, ProviderError, RemoteProtocolError
from tailrace.events import Error
from tailrace.ledger import Attempt as Row
from tailrace.ledger import Ledger, Outcome
from tailrace.structured import ToolGate

_log = structlog.get_logger("tailrace.attempts")


class Plan(msgspec.Struct, frozen=True):
    """One target, with the request in its provider's dialect."""

    target: Target
    provider: ProviderSpec
    call: Call
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """How the answer is to be written, whoever gives it; ``gate`` makes a gate, or None, for each attempt."""

    door: Dialect
    reply: Reply
    gate: Callable[[], ToolGate | None]
    eager: bool


class Attempts:
    """Makes attempts. ``jitter`` gives numbers from 0 to 1, ``new_id`` unique row ids."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        breakers: Mapping[str, Breaker],
        ledger: Ledger,
        observers: Observers,
        *,
        wall_clock: Callable[[], float],
        jitter: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._upstreams = upstreams
        self._breakers = breakers
        self._ledger = ledger
        self._observers = observers
        self._wall_clock = wall_clock
        self._jitter = jitter
        self._new_id = new_id

    async def carry(self, generation: Generation, plans: Sequence[Plan], answering: Answering) -> None:
        """Ask the targets of ``plans`` in turn until one has given content, and carry its answer to the end."""
        try:
            await self._carry(generation, plans, answering)
        except Exception as bug:  # noqa: BLE001 - it must end its generation, not hang its readers
            _log.error("generation_bug", stream=generation.log.info.id[:8], exception=trace(bug))
            generation.finish(FAULT)

    async def _carry(self, generation: Generation, plans: Sequence[Plan], answering: Answering) -> None:
        schedule = Schedule(len(plans), generation.policy.retry, self._jitter)
        run = _Run(self, generation, plans, answering, schedule)
        step: Next | None = schedule.first
        while step is not None:
            if step.delay:
                await asyncio.sleep(step.delay)
            failure, target = await run.attempt(step.target)
            if failure is None:
                return
            step = schedule.after(target, failure)
            if step is None:
                generation.give_up(failure)
            else:
                _log.warning(
                    "target_failed",
                    stream=generation.log.info.id[:8],
                    target=str(plans[target].target),
                    error=failure.kind,
                    status=failure.status,
                    next=str(plans[step.target].target),
                    delay=round(step.delay, 3),
                )

    async def once(
        self,
        generation: Generation,
        plan: Plan,
        number: int,
        answering: Answering,
        may_restart: Callable[[Error], bool] | None,
        *,
        alone: bool,
    ) -> Error | None:
        """Make one attempt; return why another must follow it, or None when the generation has its end.

        A provider that is ``alone`` in its route is asked whatever its breaker says: nobody else could answer, and one
        client's bad requests must not close it to the others.
        """
        breaker = self._breakers[plan.target.provider]
        rest = 0.0 if alone else breaker.wait(asyncio.get_running_loop().time())
        if rest > 0:
            return resting(plan.target.provider, rest)
        row = self._row(generation, plan, number)
        try:
            await self._ledger.open(row)
        except Overloaded as error:
            return refused(error)
        except asyncio.CancelledError:
            # The row may have been stored all the same; what was never asked is not billed.
            self._ledger.close(row.id, Outcome(ending="cancelled", seconds=0.0))
            raise
        attempt = Attempt(
            generation,
            plan.provider,
            door=answering.door,
            reply=answering.reply,
            gate=answering.gate(),
            eager=answering.eager,
            heard=breaker.succeeded,
        )
        attempt.task = asyncio.current_task()
        attempt.may_restart = may_restart
        attempt.settle = Settlement(self._ledger, breaker, generation, attempt, row, observers=self._observers)
        generation.begin(attempt)
        try:
            await self._ask(generation, plan, attempt)
        finally:
            attempt.over = True
            attempt.settle()
        return attempt.failure

    async def _ask(self, generation: Generation, plan: Plan, attempt: Attempt) -> None:
        seconds = generation.policy.deadlines.first_content
        try:
            async with asyncio.timeout(seconds) as deadline:
                attempt.deadline = deadline
                try:
                    await self._upstreams[plan.target.provider].run(plan.call, attempt)
                finally:
                    attempt.deadline = None
        except TimeoutError:
            attempt.expired(first_content_event(seconds or 0.0))
        except (ProviderError, RemoteProtocolError) as error:
            attempt.failed(error)
        except Exception as bug:  # noqa: BLE001 - it must end its generation, not hang its readers
            _log.error("generation_bug", target=str(plan.target), exception=trace(bug))
            attempt.broken()
        else:
            attempt.closed()

    def _row(self, generation: Generation, plan: Plan, number: int) -> Row:
        info = generation.log.info
        return Row(
            id=self._new_id(),
            stream=info.id,
            number=number,
            owner=info.owner,
            door=info.dialect,
            asked=info.model,
            provider=plan.target.provider,
            model=plan.target.model,
            started=self._wall_clock(),
        )


class _Run:
    """The attempts at one request as they are made: numbered, and where the route hedges, two at once."""

    def __init__(
        self,
        attempts: Attempts,
        generation: Generation,
        plans: Sequence[Plan],
        answering: Answering,
        schedule: Schedule,
    ) -> None:
        self._attempts = attempts
        self._generation = generation
        self._plans = plans
        self._answering = answering
        self._schedule = schedule
        self._number = 0

    async def attempt(self, target: int) -> tuple[Error | None, int]:
        """Ask ``target``; return the failure and whose it was, or None when the generation has its end."""
        after = self._generation.policy.retry.hedge_after
        if after is None:
            return await self._once(target), target
        return await self._race(target, after)

    async def _once(self, target: int) -> Error | None:
        self._number += 1
        generation, schedule = self._generation, self._schedule
        restarting = (lambda error: schedule.may_follow(target, error)) if generation.policy.restart else None
        return await self._attempts.once(
            generation,
            self._plans[target],
            self._number,
            self._answering,
            restarting,
            alone=len(self._plans) == 1,
        )

    async def _race(self, target: int, after: float) -> tuple[Error | None, int]:
        """Ask ``target``, and when it has said nothing for ``after`` seconds the next one as well."""
        tasks = {asyncio.create_task(self._once(target)): target}
        try:
            wanted: set[asyncio.Future[Any]] = {*tasks, self._generation.bound}
            await asyncio.wait(wanted, timeout=after, return_when=asyncio.FIRST_COMPLETED)
            first = next(iter(tasks))
            if not first.done() and not self._generation.bound.done():
                rival = self._schedule.rival()
                if rival is not None:
                    tasks[asyncio.create_task(self._once(rival))] = rival
            return await self._winner(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _winner(self, tasks: dict[asyncio.Task[Error | None], int]) -> tuple[Error | None, int]:
        """Wait for the first content, and then for the end of the attempt that gave it; else for all failures."""
        running, bound = dict(tasks), self._generation.bound
        last: tuple[Error | None, int] = (None, next(iter(tasks.values())))
        while running and not bound.done():
            wanted: set[asyncio.Future[Any]] = {*running, bound}
            await asyncio.wait(wanted, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                last = (task.result(), running.pop(task))
        if not running:
            return last
        winner = self._generation.attempt
        for task in running:
            if winner is None or task is not winner.task:
                task.cancel()
        await asyncio.wait(running)
        return next(((task.result(), target) for task, target in running.items() if not task.cancelled()), last)
