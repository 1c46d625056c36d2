"""When to try again, and after how long: pure, so that every case is a row in a table.

Two different things are tried again. A *request* of which no byte of an answer has come may be sent again, as the
official SDKs do it (openai-python and anthropic-python, ``_base_client.py``: two retries, 0.5 s doubling up to 8 s,
``retry-after`` honoured up to a minute). A *stream* that a relay keeps is read on from the last number seen; that
costs the provider nothing, so it is tried longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from tailrace.errors import ConnectError, ProviderTimeout, TailraceError

FIRST_DELAY = 0.5
"""Seconds before the first repetition, before jitter."""

LONGEST_DELAY = 8.0
"""Most seconds that we choose to wait ourselves."""

LONGEST_HINT = 60.0
"""Most seconds of ``retry-after`` that are waited for; a longer one is for the caller to decide about."""

_STATUSES = frozenset({408, 429})
"""Besides 500 and above: the server gave up waiting, or asks for a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often to try again.

    ``max_retries`` counts repetitions of one request, ``max_reconnects`` attempts in a row to read a relay's stream
    on without a single new event: with the delays below, eight are about half a minute, the time a relay waits for
    its reader by default. ``random`` returns numbers in [0, 1).
    """

    random: Callable[[], float]
    max_retries: int = 2
    max_reconnects: int = 8

    def request(
        self, attempt: int, *, error: TailraceError | None = None, head: tuple[int, Mapping[str, str]] | None = None
    ) -> float | None:
        """Return the seconds to wait before sending a request again, or None to give up.

        ``attempt`` counts the repetitions so far. Either ``error`` (no answer came) or ``head`` (status and headers
        of a refusal) says what happened.
        """
        if attempt >= self.max_retries:
            return None
        if head is None:
            return self._delay(attempt, None) if _never_answered(error) else None
        status, headers = head
        wanted = headers.get("x-should-retry", "")
        if wanted == "false" or (wanted != "true" and status not in _STATUSES and status < 500):
            return None
        hint = retry_after(headers)
        return None if hint is not None and hint > LONGEST_HINT else self._delay(attempt, hint)

    def reconnect(self, attempt: int, hint: float | None) -> float | None:
        """Return the seconds to wait before reading a stream on, or None to give up.

        ``attempt`` counts the attempts since the last new event, ``hint`` is what the server asked for in seconds.
        """
        if attempt >= self.max_reconnects:
            return None
        return self._delay(attempt, None if hint is None else min(hint, LONGEST_HINT))

    def _delay(self, attempt: int, hint: float | None) -> float:
        # Half of it is random: clients that lost the same server do not come back in the same moment. A server's
        # own figure is never shortened.
        delay = min(FIRST_DELAY * 2.0**attempt, LONGEST_DELAY)
        jittered = delay / 2 + self.random() * delay / 2
        return jittered if hint is None else hint + jittered / 2


def _never_answered(error: TailraceError | None) -> bool:
    if isinstance(error, ProviderTimeout):
        return error.phase == "connect"
    return isinstance(error, ConnectError)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks a client to wait, None when it does not.

    ``retry-after-ms`` is Anthropic's and OpenAI's; ``Retry-After`` (RFC 9110 section 10.2.3) is a number of seconds
    or a date, which is read against the answer's own ``Date`` so that no clock of ours matters.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        moment, now = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (moment - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
