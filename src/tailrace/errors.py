"""Every exception that Tailrace raises, in one tree.

::

    TailraceError
    ├── ConfigError                 a configuration file, variable or secret is wrong
    ├── LocalProtocolError          the calling code broke a rule of the vocabulary (a bug on this side)
    ├── RemoteProtocolError         bytes or events from outside that no rule allows (their fault)
    │   ├── LimitExceeded           … because a line, event, document or answer passed its cap
    │   │   └── JSONLimitExceeded   (also a JSONError)
    │   ├── InvalidOutput           … a model's document or call is not what its schema or type allows
    │   └── JSONError               … in a JSON document; also a ``ValueError``; has a ``position``
    │       ├── InvalidJSON         no continuation can make it JSON
    │       ├── TruncatedJSON       it ended before it was complete
    │       └── JSONLimitExceeded   it is deeper, longer, or has a longer number than allowed
    ├── RequestError                a request refused before any work began; has an HTTP ``status``
    │   ├── BadRequest          400
    │   ├── Unauthenticated     401
    │   ├── Forbidden           403   the key is good, but not for this
    │   ├── NotFound            404   unknown model, route, stream or door
    │   ├── Conflict            409
    │   ├── Gone                410   the stream is there, the cursor's place in it is not
    │   ├── TooLarge            413
    │   ├── Mismatch            422   an idempotency key that was used for another request
    │   ├── RateLimited         429   a key's own limit is reached
    │   └── Overloaded          503
    ├── ProviderError               a provider could not be reached, refused, or failed
    │   ├── ConnectError            no connection: name, route, refused, TLS
    │   ├── StatusError             the provider answered with an HTTP error
    │   └── ProviderTimeout         a deadline passed: connect, first content, idle or total
    └── StreamError                 a stream ended, and not as ``completed``; carries the partial message
        ├── StreamCancelled         somebody stopped it
        ├── StreamFailed            the provider reported an error in the stream
        ├── StreamTimedOut          a deadline passed in the middle
        ├── StreamTruncated         the provider closed without saying that it was done
        ├── StreamInterrupted       the relay that carried it went away
        │   ├── StreamGone          … or has forgotten the stream (404)
        │   └── CursorLost          … or has lost the place that was read up to (410)
        └── StreamRestarted         not its end: the relay began the answer anew, what came before is revoked

Foreign exceptions (aiohttp, httpx2, ssl, OSError) are mapped to these where they are caught: no caller sees another
library's type. Nothing in a message ever holds a key.
"""

from __future__ import annotations

from typing import Any


class TailraceError(Exception):
    """Base of all of Tailrace's exceptions."""


class ConfigError(TailraceError):
    """A configuration value is missing or wrong.

    ``where`` names the place (``tailrace.toml:12`` or a variable's name) where it is known. A reader that
    found several things wrong raises one error whose ``problems`` are all of them, in the order of their places.
    """

    def __init__(self, message: str, *, where: str | None = None, problems: tuple[ConfigError, ...] = ()) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where
        self.problems = problems or (self,)


class LocalProtocolError(TailraceError):
    """The calling code asked for something that the vocabulary's rules forbid."""


class RemoteProtocolError(TailraceError):
    """The other side sent bytes or events that no rule allows."""


class LimitExceeded(RemoteProtocolError):
    """The other side went past a cap; ``limit`` is that cap in the unit named by the message."""

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class JSONError(RemoteProtocolError, ValueError):
    """A document that is not JSON; ``position`` counts the characters before the fault."""

    def __init__(self, message: str, *, position: int) -> None:
        super().__init__(f"{message} at character {position}")
        self.position = position


class InvalidJSON(JSONError):
    """No continuation can make the document JSON; ``position`` is that of the character which decided it."""


class TruncatedJSON(JSONError):
    """The document ended before it was complete; ``position`` is its length."""


class JSONLimitExceeded(JSONError, LimitExceeded):
    """The document may be JSON but passed a cap; ``limit`` in the unit named by the message."""

    def __init__(self, message: str, *, position: int, limit: int) -> None:
        LimitExceeded.__init__(self, f"{message} at character {position}", limit=limit)
        self.position = position


class InvalidOutput(RemoteProtocolError, ValueError):
    """What a model wrote is no complete JSON, or not what its schema or type allows.

    ``path`` is the JSON Pointer of the value at fault ("" is the whole document), ``reason`` says what is wrong with
    it; neither quotes a value. ``problems`` are all pairs of the two that were found at once, ``tool`` is the name
    of the call whose arguments they are (None: a document), ``partial`` the `tailrace.events.Message` so far, where the
    document came in one. Where it is no JSON at all, the `JSONError` is the ``__cause__``.
    """

    def __init__(
        self,
        reason: str,
        *,
        path: str = "",
        problems: tuple[tuple[str, str], ...] = (),
        tool: str | None = None,
        partial: Any = None,
    ) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.problems = problems or ((path, reason),)
        self.tool = tool
        self.partial = partial

    def __str__(self) -> str:
        subject = "the document" if self.tool is None else f"the arguments of {self.tool!r}"
        return f"{subject}, {self.path}: {self.reason}" if self.path else f"{subject}: {self.reason}"


class RequestError(TailraceError):
    """A request that is refused before any work begins.

    ``status`` is the HTTP status to answer with, ``code`` a short machine-readable word, ``param`` the offending
    field where there is one.
    """

    status = 400
    kind = "invalid_request"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param


class BadRequest(RequestError):
    """The body is not JSON, has a wrong type, or asks for what cannot be expressed."""


class Unauthenticated(RequestError):
    """No key, or one that is not known here."""

    status = 401
    kind = "authentication"


class Forbidden(RequestError):
    """A good key, which does not open this."""

    status = 403
    kind = "permission"


class NotFound(RequestError):
    """Nothing of that name here, or it is not the caller's: the answer is the same for both."""

    status = 404
    kind = "not_found"


class Conflict(RequestError):
    """The request contradicts an earlier one."""

    status = 409
    kind = "conflict"


class Gone(RequestError):
    """A cursor that the stream cannot serve: its frames were trimmed, or never got there. Read from the beginning."""

    status = 410
    kind = "conflict"


class Mismatch(RequestError):
    """An ``Idempotency-Key`` that came before with another request."""

    status = 422
    kind = "invalid_request"

    def __init__(self) -> None:
        super().__init__(
            "this Idempotency-Key was used with another request", code="idempotency_mismatch", param="Idempotency-Key"
        )


class TooLarge(RequestError):
    """The body is larger than this server accepts."""

    status = 413
    kind = "too_large"


class RateLimited(RequestError):
    """The key has used what it may; ``retry_after`` is in seconds."""

    status = 429
    kind = "rate_limit"

    def __init__(self, message: str, *, retry_after: float, code: str) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class Overloaded(RequestError):
    """No room for more work now; ``retry_after`` is in seconds."""

    status = 503
    kind = "overloaded"

    def __init__(self, message: str, *, retry_after: float = 1.0, code: str = "overloaded") -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class ProviderError(TailraceError):
    """A provider could not be reached, refused the request, or failed.

    ``status`` is the HTTP status that tells a client the same, ``kind`` the word of `tailrace.events.ErrorKind`.
    """

    status = 502
    kind = "upstream"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class ConnectError(ProviderError):
    """No usable connection to the provider: name resolution, refusal, reset or TLS verification."""

    kind = "unreachable"


class StatusError(ProviderError):
    """The provider (or a relay) answered with an HTTP error status.

    ``body`` is the decoded error body as far as it could be read, at most 64 KiB of it.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str = "upstream",
        body: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status
        self.kind = kind
        self.body = body


class ProviderTimeout(ProviderError):
    """A deadline passed; ``phase`` is ``connect``, ``first_content``, ``idle`` or ``total``."""

    status = 504
    kind = "timeout"

    def __init__(self, message: str, *, phase: str) -> None:
        super().__init__(message)
        self.phase = phase


class StreamError(TailraceError):
    """A stream that had begun ended otherwise than ``completed``.

    ``partial`` is the `tailrace.events.Message` with everything that came, ``stream_id`` names the stream where a
    relay carried it, ``retryable`` says whether the same request may work when sent again.
    """

    ending = "failed"

    def __init__(
        self,
        message: str,
        *,
        partial: Any = None,
        stream_id: str | None = None,
        retryable: bool = False,
        kind: str = "upstream",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.partial = partial
        self.stream_id = stream_id
        self.retryable = retryable
        self.kind = kind


class StreamCancelled(StreamError):
    """Somebody stopped the stream."""

    ending = "cancelled"


class StreamFailed(StreamError):
    """The provider reported an error in the middle of the stream."""


class StreamTimedOut(StreamError):
    """A deadline passed in the middle of the stream."""

    ending = "timed_out"


class StreamTruncated(StreamError):
    """The provider closed the stream without its closing event."""

    ending = "truncated"


class StreamInterrupted(StreamError):
    """The relay that carried the stream went away before its end."""

    ending = "interrupted"


class StreamGone(StreamInterrupted):
    """The relay has no such stream any more: its time is over, or it lived on a node that is gone.

    What another's key asks for looks the same.
    """


class CursorLost(StreamInterrupted):
    """The relay has the stream, but not the place in it that was read up to.

    Either its first events were trimmed, or the store lost the last ones that had been sent. Going on would leave a gap
    or pass over it, so it is not done: ``partial`` is what came; reading the stream again from 0 gives what is left.
    """


class StreamRestarted(StreamError):
    """The relay began the answer anew, and what the loop that raises this had given belongs to the one before.

    Raised only where restarts were asked for, by loops that cannot say it themselves. ``partial`` is the revoked
    message, ``reason`` the kind of error behind it. The stream goes on: another loop gives the new answer whole.
    """

    def __init__(self, reason: str, *, partial: Any = None, stream_id: str | None = None) -> None:
        message = f"the answer began anew ({reason or 'no reason'}): what came before is revoked"
        super().__init__(message, partial=partial, stream_id=stream_id, retryable=True, kind="interrupted")
        self.reason = reason
