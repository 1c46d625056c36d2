"""How long a stream may keep its reader waiting, and how long it did.

Deadlines count *content* (`tailrace.events.CONTENT`), not bytes: a provider that sends nothing but pings is silent.
And they count waiting only: the time a caller takes between two events is the caller's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from tailrace.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Seconds to wait; None waits for ever.

    ``connect`` for a connection; ``first_content`` from the request to the first content (reasoning models think for
    minutes; the usual limit on the provider's side is 600 s); ``idle`` between two pieces of content; ``total`` for
    the whole answer, the caller's own time included.
    """

    connect: float | None = 10.0
    first_content: float | None = 600.0
    idle: float | None = 120.0
    total: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "first_content", "idle", "total"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"timeout {name} is {value!r}; it takes seconds above 0, or None")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What the caller saw, in seconds since the request was made.

    ``ttft`` is the time to the first content, ``elapsed`` the time to the last event. ``tokens_per_second`` is the
    output tokens over the time from the first content to the last; None where there is no usage or no such time.
    """

    ttft: float | None
    elapsed: float
    tokens_per_second: float | None


class Patience:
    """How much longer a session waits. All moments are readings of one clock, in seconds."""

    __slots__ = ("_timeout", "first_content", "last", "last_content", "silence", "started")

    def __init__(self, timeout: Timeout, now: float) -> None:
        self._timeout = timeout
        self.started = now
        self.last = now
        self.first_content: float | None = None
        self.last_content: float | None = None
        self.silence = 0.0

    def begin(self, now: float) -> None:
        """Say that the request is about to be made."""
        self.started = self.last = now

    @property
    def connect(self) -> float | None:
        """Seconds that a connection may take."""
        return self._timeout.connect

    @property
    def phase(self) -> str:
        """The deadline that silence runs against now."""
        return "idle" if self.last_content is not None else "first_content"

    def waited(self, seconds: float, now: float) -> None:
        """Say that ``seconds`` were spent waiting, up to ``now``."""
        self.silence += seconds
        self.last = now

    def content(self) -> None:
        """Say that what came at the last moment was content."""
        if self.first_content is None:
            self.first_content = self.last
        self.last_content = self.last
        self.silence = 0.0

    def anew(self) -> None:
        """Say that the answer begins again: its first content may take as long as any answer's."""
        self.last_content = None
        self.silence = 0.0

    def remaining(self, now: float) -> tuple[float | None, str]:
        """Return the seconds left (0 or less: none) and the name of the deadline that comes first."""
        limit = self._timeout.idle if self.last_content is not None else self._timeout.first_content
        left = None if limit is None else limit - self.silence
        if self._timeout.total is not None:
            total = self._timeout.total - (now - self.started)
            if left is None or total < left:
                return total, "total"
        return left, self.phase

    def timing(self, output_tokens: int | None) -> Timing:
        """Return the figures so far."""
        first, last = self.first_content, self.last_content
        writing = last - first if first is not None and last is not None else 0.0
        return Timing(
            ttft=None if first is None else first - self.started,
            elapsed=self.last - self.started,
            tokens_per_second=output_tokens / writing if output_tokens and writing > 0 else None,
        )
