"""One answer, from the request to its ending: the decisions, with no connection, clock or lock of its own.

A session is driven through `Session.run` (see `tailrace.client.commands`): the same generator serves the synchronous
and the asynchronous client. What it promises, over however many connections:

S1. The caller gets each event once, in order; the message so far is what the delivered events add up to.
S2. The last event is a `MessageEnd` or an `Error`. There is no third way to end.
S3. A request is repeated only while no byte of an answer has come; a relay's stream is read on from its last number;
    a provider's stream that breaks off is ``truncated``.
S4. Stopping never loses text: what a relay still sends (usage, the ending) is read, what a provider sent is kept.
S5. A relay that no longer has what comes next is left with a `StreamInterrupted` that says why; nothing is skipped.
S6. Where the relay begins the answer anew, a `Reset` is the only event that says so, and the message begins anew too.
"""

from __future__ import annotations

from collections.abc import Callable

from tailrace.client.answer import Answer
from tailrace.client.commands import (
    Close,
    Deliver,
    Failure,
    Head,
    Opened,
    Send,
    Signal,
    Steps,
    StopRemote,
    Wait,
    read,
    send,
)
from tailrace.client.endpoint import Endpoint
from tailrace.client.exchange import failure, open_answer, refusal
from tailrace.client.frames import Feed, ProviderFeed, RelayFeed
from tailrace.client.opening import Opening, ask, attach
from tailrace.client.reset import Reset, StreamEvent
from tailrace.client.retry import Retry, retry_after
from tailrace.client.timeouts import Patience, Timeout, Timing
from tailrace.dialects import DIALECTS, Dialect, Quirks
from tailrace.errors import (
    ConnectError,
    CursorLost,
    ProviderError,
    ProviderTimeout,
    RemoteProtocolError,
    StatusError,
    StreamCancelled,
    StreamError,
    StreamGone,
    TailraceError,
)
from tailrace.events import CONTENT, Ending, Error, ErrorKind, Event, Message

SOON = 0.001
"""Seconds for a request whose deadline passed while it was prepared: the HTTP library takes no 0."""

TAIL_SECONDS = 0.25
"""Longest wait for the end of the body after the answer's own end: it lets the connection be used again. Servers
that keep it open are left at once; their answer is complete already."""

SILENT_SECONDS = 60.0
"""Longest silence of a relay's connection before it counts as lost: its heartbeats come every 15 s. So a connection
that died without a word is left long before the answer's own deadlines, and read on by another."""

_LOST: dict[int, type[StreamError]] = {404: StreamGone, 410: CursorLost}
"""Status of a relay that is asked to go on → what it means for the answer."""

_NO_STREAM = frozenset({"text/html", "application/json"})
"""What a wrong base URL answers with status 200. Other types are let through: some servers stream as text/plain."""


class Session:
    """The state of one answer; `run` is what changes it, and `stop_wanted` is what a caller may set at any time."""

    def __init__(
        self, opening: Opening, endpoint: Endpoint, *, timeout: Timeout, retry: Retry, clock: Callable[[], float]
    ) -> None:
        self.opening = opening
        self.answer = Answer()
        self.response: Head | None = None
        self.stream_id = opening.stream_id
        self.cursor = 0
        self.joined = False
        self.revoked: Message | None = None
        self.stop_wanted = False
        self.stop_sent = False
        self.reconnects = 0
        self._endpoint = endpoint
        self._retry = retry
        self._clock = clock
        self._patience = Patience(timeout, clock())
        self._feed: Feed = ProviderFeed(endpoint.dialect.decoder(endpoint.quirks))
        self._fruitless = 0

    # What a caller may ask at any time.

    @property
    def resumable(self) -> bool:
        """Whether a relay keeps the stream, so that it can be read on and stopped by its id."""
        return self._endpoint.relay and self.stream_id is not None

    @property
    def unnamed(self) -> bool:
        """Whether a relay has yet to say which stream this is: a stop has to wait for that."""
        return self._endpoint.relay and self.response is None

    @property
    def timing(self) -> Timing:
        """The figures so far."""
        return self._patience.timing(self.answer.fold.usage.output_tokens)

    def left(self) -> None:
        """Say that the caller reads no further. An answer that it stopped is cancelled, read to its end or not."""
        if self.answer.ending is None and self.stop_wanted:
            self.answer.ending = "cancelled"

    # The course of it.

    def run(self) -> Steps[None]:
        """Bring the answer; what it raises, it raises before `Opened`."""
        self._patience.begin(self._clock())
        head = yield from self._open()
        self._opened(head)
        yield Opened()
        if head.status == 204:
            yield from self._give_up("the relay has nothing of this stream", None)
        while self.answer.ending is None:
            cause = yield from self._follow()
            if self.answer.ending is None:
                yield from self._broken(cause)
        yield from self._leave()

    def _behind(self) -> Steps[None]:
        """The stream ended before the number that the caller says to have read: it was another, or lost its end."""
        words = f"the stream ended with event {self.cursor}, before event {self.opening.after} that was read of it"
        self.answer.lost = CursorLost
        error = Error("interrupted", words, ending="interrupted")
        self.answer.end(error)
        yield Deliver(error)

    def _open(self) -> Steps[Head]:
        try:
            head = yield from open_answer(self._request, self._endpoint, self._retry, given_up=lambda: self.stop_wanted)
        except TailraceError as error:
            if not self.stop_wanted:
                raise
            self.answer.ending = "cancelled"
            raise self._cancelled() from error
        self._waited()
        return head

    def _cancelled(self) -> StreamCancelled:
        empty = self.answer.fold.message()
        return StreamCancelled("stopped before the answer began", partial=empty, kind="cancelled")

    def _request(self) -> Send:
        """Return the request to make now: for an answer, or for the rest of the one that a relay keeps."""
        self._waited()
        left, _ = self._patience.remaining(self._patience.last)
        connect, limit = self._patience.connect, None if left is None else max(left, SOON)
        if self.stream_id is None:
            return ask(self.opening, self._endpoint, connect=connect, read=limit)
        return attach(
            self.stream_id,
            self._endpoint,
            position=self._feed.position,
            connect=connect,
            read=limit,
            token=self.opening.token,
        )

    def _waited(self) -> None:
        """Count the time since the last look at the clock as waiting."""
        now = self._clock()
        self._patience.waited(now - self._patience.last, now)

    def _opened(self, head: Head) -> None:
        self.response = head
        self.joined = head.headers.get("idempotent-replayed") == "true"
        media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type in _NO_STREAM:
            raise RemoteProtocolError(f"{self._endpoint.name}: answered with {media_type}, not with a stream")
        if not self._endpoint.relay:
            return
        self.stream_id = self.stream_id or head.headers.get("tailrace-stream-id")
        name = head.headers.get("tailrace-dialect", self._endpoint.dialect.name)
        dialect: Dialect | None = DIALECTS.get(name)
        if dialect is None:
            raise RemoteProtocolError(f"the relay answered in a dialect that is not known here: {name!r}")
        # What calls itself no stream is a server of that dialect, not a relay: it can be read, not resumed.
        if self.stream_id is not None:
            self._feed = RelayFeed(lambda: dialect.decoder(Quirks()))

    def _follow(self) -> Steps[TailraceError | None]:
        """Read one connection to the end of the answer or of the connection; return what broke it."""
        while self.answer.ending is None:
            if self.stop_wanted and not self.stop_sent:
                yield from self._stop()
                continue
            outcome = yield from self._read()
            if isinstance(outcome, bytes):
                yield from self._take(outcome)
            elif outcome is Signal.TIMED_OUT:
                if not self.stop_wanted or self.stop_sent:
                    yield from self._timed_out()
            else:
                return outcome.error if isinstance(outcome, Failure) else None
        return None

    def _read(self) -> Steps[bytes | Failure | Signal]:
        # What passed since the last read was the caller's time.
        self._patience.last = self._clock()
        left, _ = self._patience.remaining(self._patience.last)
        if left is not None and left <= 0:
            return Signal.TIMED_OUT
        limited = self.resumable and (left is None or left > SILENT_SECONDS)
        outcome = yield from read(SILENT_SECONDS if limited else left)
        self._waited()
        if limited and outcome is Signal.TIMED_OUT and not (self.stop_wanted and not self.stop_sent):
            # It did answer: a silent connection is no failed attempt to find the relay.
            self._fruitless = 0
            return Failure(ConnectError(f"{self._endpoint.name}: the connection was silent for {SILENT_SECONDS:g} s"))
        return outcome

    def _take(self, data: bytes) -> Steps[None]:
        try:
            for number, events in self._feed.feed(data):
                yield from self._hand_out(number, events)
                if self.answer.ending is not None:
                    if number < self.opening.after:
                        yield from self._behind()
                    return
        except RemoteProtocolError as error:
            yield from self._fail("protocol", str(error), "failed", error)

    def _hand_out(self, number: int, events: tuple[StreamEvent, ...]) -> Steps[None]:
        self._fruitless = 0
        for place, event in enumerate(events, 1):
            if self.answer.ending is not None:
                return
            if isinstance(event, Reset):
                self.revoked, self.answer = self.answer.fold.message(), Answer()
                self._patience.anew()
            else:
                self._absorb(event)
            if place == len(events):
                self.cursor = number
            if number > self.opening.after or not number:
                yield Deliver(event)
        self.cursor = max(self.cursor, number)

    def _absorb(self, event: Event) -> None:
        self.answer.add(event)
        if isinstance(event, CONTENT):
            self._patience.content()

    # Stopping, breaking, ending.

    def _stop(self) -> Steps[None]:
        if not self.resumable:
            yield from self._fail("cancelled", "stopped by the caller", "cancelled", None)
            return
        outcome = yield StopRemote()
        # 404: the relay has forgotten the stream, so there is nothing left to stop.
        if isinstance(outcome, Failure) and not _has_status(outcome.error, 404):
            yield from self._give_up("the relay could not be asked to stop", outcome.error)
        self.stop_sent = True

    def _broken(self, cause: TailraceError | None) -> Steps[None]:
        """The connection is gone and the answer has not ended."""
        try:
            for number, events in self._feed.disconnected():
                yield from self._hand_out(number, events)
        except RemoteProtocolError as error:
            yield from self._fail("protocol", str(error), "failed", error)
        if self.answer.ending is not None:
            return
        if self.stop_wanted and not self.stop_sent:
            yield from self._stop()
        elif not self.resumable:
            yield from self._fail(
                "truncated", "the provider closed the stream without ending it", "truncated", cause, retryable=True
            )
        if self.answer.ending is None:
            yield from self._reattach(cause)

    def _reattach(self, cause: TailraceError | None) -> Steps[None]:
        """Find the relay again and read on after the last number seen."""
        hint = self._feed.retry if isinstance(self._feed, RelayFeed) else None
        while True:
            delay = self._retry.reconnect(self._fruitless, hint)
            if delay is None:
                yield from self._give_up("the relay went away and did not come back", cause)
                return
            self._fruitless += 1
            yield Wait(delay)
            if self.stop_wanted and not self.stop_sent:
                yield from self._stop()
            self._waited()
            left, _ = self._patience.remaining(self._patience.last)
            if left is not None and left <= 0 and self.answer.ending is None:
                yield from self._timed_out()
            if self.answer.ending is not None:
                return
            self.reconnects += 1
            outcome = yield from send(self._request())
            self._waited()
            if isinstance(outcome, Head) and outcome.status == 200:
                self.response = outcome
                return
            if isinstance(outcome, Head) and outcome.status == 204:
                yield from self._give_up("the relay has no more of this stream, and no ending of it", cause)
                return
            if isinstance(outcome, Head):
                hint = retry_after(outcome.headers)
                error: StatusError = yield from refusal(outcome, self._endpoint)
                if outcome.status < 500 and outcome.status not in (408, 429):
                    self.answer.lost = _LOST.get(outcome.status)
                    yield from self._give_up(f"the relay gives the stream no more: {error.message}", error)
                    return
                cause = error
            else:
                cause = failure(outcome, self._endpoint, "first_content")
                if not isinstance(cause, ProviderError):
                    yield from self._give_up("the relay cannot be asked any more", cause)
                    return

    def _timed_out(self) -> Steps[None]:
        _, phase = self._patience.remaining(self._clock())
        words = phase.replace("_", " ")
        cause = ProviderTimeout(f"{self._endpoint.name}: timed out ({words})", phase=phase)
        yield from self._fail("timeout", f"the {words} deadline passed", "timed_out", cause, retryable=True)

    def _give_up(self, message: str, cause: TailraceError | None) -> Steps[None]:
        yield from self._fail("interrupted", message, "interrupted", cause, retryable=True)

    def _fail(
        self, kind: ErrorKind, message: str, ending: Ending, cause: Exception | None, *, retryable: bool = False
    ) -> Steps[None]:
        """End the answer with an error of our own."""
        self.answer.cause = cause
        yield Close()
        event = Error(kind, message, ending=ending, retryable=retryable)
        self._absorb(event)
        yield Deliver(event)

    def _leave(self) -> Steps[None]:
        if self.answer.ending == "completed":
            yield from read(TAIL_SECONDS)
        yield Close()


def _has_status(error: TailraceError, status: int) -> bool:
    return isinstance(error, StatusError) and error.status == status
