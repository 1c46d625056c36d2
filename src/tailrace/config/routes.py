"""The tables of a route: its targets, and what is done when a provider fails or the readers leave."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from tailrace.config.table import Table
from tailrace.config.values import Count, Seconds, TargetName, listed
from tailrace.engine import Budget, Deadlines, OnDisconnect, Policy, Retry, RouteSpec


class DeadlinesTable(Table):
    """``[routes.NAME.deadlines]``: seconds; 0 waits for ever."""

    connect: Annotated[Seconds, Field(gt=0)] = Field(
        default=Deadlines().connect, description="To connect to the provider."
    )
    first_content: Seconds = Field(
        default=Deadlines().first_content or 0,
        description="Until the first content of each attempt: reasoning models think for minutes.",
    )
    idle: Seconds = Field(
        default=Deadlines().idle or 0, description="Without content in the middle; pings do not count."
    )
    total: Seconds = Field(default=Deadlines().total or 0, description="For the whole answer, all attempts included.")
    floor: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=Deadlines().floor or 0, description="Fewest tokens a second of an answer that has begun; 0 is off."
    )
    floor_window: Annotated[Seconds, Field(gt=0)] = Field(
        default=Deadlines().floor_window, description="Seconds over which that is measured."
    )

    def spec(self) -> Deadlines:
        """Return the plain value."""
        return Deadlines(
            connect=self.connect,
            first_content=self.first_content or None,
            idle=self.idle or None,
            total=self.total or None,
            floor=self.floor or None,
            floor_window=self.floor_window,
        )


class RetryTable(Table):
    """``[routes.NAME.retry]``: asking again before the first content; nothing is ever asked again after it."""

    attempts: Count = Field(default=Retry().attempts, description="Attempts at each target, the first included.")
    backoff: Seconds = Field(
        default=Retry().backoff, description="Seconds before the targets are gone through again; doubles, with jitter."
    )
    longest: Seconds = Field(
        default=Retry().longest,
        description="Longest such wait, and longest Retry-After that is waited for instead of passed on.",
    )
    hedge_after: Seconds = Field(
        default=Retry().hedge_after or 0,
        description="Seconds without content after which the next target is asked as well, and the faster one "
        "answers (both are paid for); 0 is off.",
    )

    def spec(self) -> Retry:
        """Return the plain value."""
        return Retry(
            attempts=self.attempts,
            backoff=self.backoff,
            longest=self.longest,
            hedge_after=self.hedge_after or None,
        )


class BudgetTable(Table):
    """``[routes.NAME.budget]``: how far an answer goes on under ``drain`` when nobody reads it."""

    seconds: Seconds = Field(default=Budget().seconds, description="Seconds.")
    tokens: Annotated[int, Field(ge=0)] = Field(
        default=Budget().tokens or 0, description="Tokens, four characters each; 0 is no limit."
    )

    def spec(self) -> Budget:
        """Return the plain value."""
        return Budget(seconds=self.seconds, tokens=self.tokens or None)


class RouteTable(Table):
    """``[routes.NAME]``"""

    targets: Annotated[tuple[TargetName, ...], BeforeValidator(listed), Field(min_length=1)] = Field(
        description="provider/model, in order of preference."
    )
    on_disconnect: OnDisconnect = Field(
        default=Policy().on_disconnect,
        description="When the last reader has gone: cancel after the grace, detach (finish), drain (finish for exact "
        "usage, within the budget).",
    )
    grace: Seconds = Field(default=Policy().grace, description="Seconds in which a reader may come back before cancel.")
    open_early_after: Seconds | None = Field(
        default=None,
        description="Seconds to wait for the first event before answering 200 without it; unset: the one of [limits].",
    )
    repair: bool = Field(
        default=Policy().repair,
        description="Ask once more (a second call) when a whole answer is not the document that was asked for.",
    )
    restart: bool = Field(
        default=Policy().restart,
        description="Begin an answer that breaks off anew, for clients that ask for it with Tailrace-Restart.",
    )
    retry: RetryTable = RetryTable()
    budget: BudgetTable = BudgetTable()
    deadlines: DeadlinesTable = DeadlinesTable()

    def spec(self, name: str) -> RouteSpec:
        """Return the plain value."""
        return RouteSpec(
            name=name,
            targets=self.targets,
            policy=Policy(
                on_disconnect=self.on_disconnect,
                grace=self.grace,
                budget=self.budget.spec(),
                open_early_after=self.open_early_after,
                repair=self.repair,
                restart=self.restart,
                retry=self.retry.spec(),
                deadlines=self.deadlines.spec(),
            ),
        )
