"""What the engine is told: providers, routes, policies and limits, as plain frozen values.

The `tailrace.config` room reads files and the environment into these; tests build them by hand. Times are in
seconds, sizes in bytes.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from tailrace.dialects import Quirks

OnDisconnect: TypeAlias = Literal["cancel", "detach", "drain"]


class Secret:
    """A key that no ``repr``, log line or traceback shows; `reveal` is the one way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for an outgoing header."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream: which dialect it speaks, and where.

    ``base_url`` is as the provider's own SDK takes it (OpenAI's ends in ``/v1``). ``models`` are the names to list
    for it; a client may ask for others. ``normalise`` writes its answers anew even for clients of its own dialect:
    for servers whose streams break the official SDKs (a role in every chunk, tool indexes from 1, nulls). ``local``
    marks a model that runs in this process, ``simulated`` one that only pretends: clients are shown both.
    """

    name: str
    dialect: str
    base_url: str = ""
    api_key: Secret | None = None
    headers: dict[str, str] = {}
    models: tuple[str, ...] = ()
    quirks: Quirks = Quirks()
    normalise: bool = False
    local: bool = False
    simulated: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody but the provider may see: its key, and its headers, which may hold keys as well."""
        key = (self.api_key.reveal(),) if self.api_key else ()
        return (*key, *self.headers.values())

    def __repr__(self) -> str:
        # Headers may hold keys as well.
        return f"ProviderSpec({self.name!r}, {self.dialect!r}, {self.base_url!r})"


class Target(msgspec.Struct, frozen=True):
    """One model of one provider: what ``anthropic/claude-haiku-4-5`` says."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for a provider; None waits for ever.

    ``connect`` is three lost SYNs (1 + 2 + 4 s) and a handshake. ``first_content`` is long because reasoning models
    think for minutes before the first event that counts (60 to 120 s are usual, provider-side limits are 600 s); it
    holds for each attempt. ``idle`` counts content, not bytes: pings do not reset it; 120 s because models pause that
    long between thinking and speaking. ``total`` is for the whole answer, all attempts included: the longest answers
    that providers allow take most of an hour. ``floor`` is the fewest tokens a second, measured over ``floor_window``
    seconds of an answer that has begun: a provider that drips never goes idle. It is off unless set, since what is too
    slow depends on the model; it counts four characters as a token.
    """

    connect: float = 10.0
    first_content: float | None = 600.0
    idle: float | None = 120.0
    total: float | None = 3600.0
    floor: float | None = None
    floor_window: float = 30.0


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How far an answer that nobody reads any more may go on under ``drain``, in seconds and in tokens.

    A minute and a thousand tokens finish most answers that are nearly done, whose exact usage is then known, and cost
    less than a cent in most models.
    """

    seconds: float = 60.0
    tokens: int | None = 1000


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and when, a request is tried again before its first content. Nothing is ever tried after it.

    ``attempts`` is for each target, the first included: 2 outlives a single lost connection or a momentary overload,
    and the SDKs try again by themselves. ``backoff`` seconds double from round to round, up to ``longest``, with full
    jitter; a ``Retry-After`` longer than ``longest`` is not waited for but passed on to the client. ``hedge_after``
    seconds without content, the next target is asked as well and the first content wins: off unless set, as both are
    paid for.
    """

    attempts: int = 2
    backoff: float = 0.5
    longest: float = 8.0
    hedge_after: float | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a route does when its readers leave, and how long it waits for its provider.

    ``grace`` is how many seconds a reader may stay away before ``cancel`` closes the upstream; ``budget`` is how far
    ``drain`` goes. ``open_early_after`` stands in for that of `Limits`: an honest status, or an early 200. ``repair``
    allows asking once more when a whole answer is not the document that was asked for; ``restart`` allows asking again
    after content has come, of clients that said they can take back what they were given.
    """

    on_disconnect: OnDisconnect = "cancel"
    grace: float = 30.0
    budget: Budget = Budget()
    open_early_after: float | None = None
    repair: bool = False
    restart: bool = False
    retry: Retry = Retry()
    deadlines: Deadlines = Deadlines()


class RouteSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A model name as clients know it, with its targets in order of preference."""

    name: str
    targets: tuple[Target, ...]
    policy: Policy = Policy()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Caps, each with its reason.

    ``body``: a request's JSON; images in base64 make 32 MiB, Anthropic's own limit, a sensible cap.
    ``high_water``/``low_water``: bytes a reader may lag behind its log before its provider is paused, and at which
    it goes on. 64 KiB is several hundred events: enough that a healthy network never pauses, little enough that
    a thousand stuck readers hold 64 MiB.
    ``log_bytes``/``log_frames``: one stream's log. A 128,000-token answer is about 32 MB of frames in the most
    talkative dialect (250 bytes a token).
    ``logs_bytes``/``logs``: all logs together; finished ones leave first, oldest first.
    ``ttl``: seconds a finished stream stays readable: a phone that was in a pocket comes back within minutes.
    ``reader_stall``: seconds a reader may stay full before it is cut, its cursor intact.
    ``breaker_failures``/``breaker_seconds``: after so many failures in a row a provider is not asked for so long; then
    one request tries it. Five do not happen by chance; 30 s is the usual length of an incident that ends by itself. 0
    failures: no breaker. A route's only target is always asked, as nginx does with an upstream's only server.
    ``heartbeat``: seconds of silence before one is sent; the strictest usual proxy gives up after 30; 0 is off.
    ``open_early_after``: seconds to wait for the provider's first event before answering 200 without it.
    """

    body: int = 32 * 1024 * 1024
    high_water: int = 64 * 1024
    low_water: int = 16 * 1024
    log_bytes: int = 64 * 1024 * 1024
    log_frames: int = 1_000_000
    logs_bytes: int = 512 * 1024 * 1024
    logs: int = 10_000
    ttl: float = 300.0
    reader_stall: float = 60.0
    breaker_failures: int = 5
    breaker_seconds: float = 30.0
    heartbeat: float = 15.0
    open_early_after: float = 10.0
