"""A generation: one request being answered, until it ends. The middle of the push.

An attempt (`tailrace.engine.attempt`) brings frames of the client's dialect; the generation appends them to the log and
thereby hands them to every reader: one turn of the event loop, no task, timer or queue for an event. What may happen
next is decided in `tailrace.engine.lifecycle`; this file acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from tailrace.dialects import Dialect, Encoder, Reply
from tailrace.engine.attempt import Attempt
from tailrace.engine.audience import Audience
from tailrace.engine.deadlines import Expired, Watch
from tailrace.engine.failures import CANCELLED, DESERTED, LOG_LOST, SHUTTING_DOWN, error_event, timeout_event, trace
from tailrace.engine.flow import Flow
from tailrace.engine.lifecycle import Lifecycle, Signal
from tailrace.engine.observer import Unread
from tailrace.engine.restart import reset_frame
from tailrace.engine.spec import Policy
from tailrace.engine.usage import closing_usage
from tailrace.errors import RemoteProtocolError
from tailrace.events import Ending, Error, Fold, Message
from tailrace.log import StreamLog

SIGNALS: dict[Ending, Signal] = {
    "failed": "fail",
    "truncated": "closed",
    "timed_out": "deadline",
    "cancelled": "stop",
    "interrupted": "shutdown",
}
"""The signal that brings each ending: a relay behind a relay passes its ending on unchanged."""

LINGER = 1.0
"""Seconds a finished connection may take to reach its end of input, so that it can be used again."""

BACKLOG_HIGH, BACKLOG_LOW = 256 * 1024, 64 * 1024
"""Bytes appended to a log and not yet stored at which the provider is paused, and at which it goes on: what a model
says in minutes, so only a store that is away is ever waited for."""

_log = structlog.get_logger("tailrace.generation")


class Generation:
    """One answer on its way from a provider to its readers.

    ``door`` is the dialect its clients speak. ``elsewhere``, where several nodes share the logs, tells whether another
    one has readers of it. Times come from the running loop's clock.
    """

    def __init__(
        self,
        log: StreamLog,
        *,
        door: Dialect,
        reply: Reply,
        policy: Policy,
        on_end: Callable[[Generation], None],
        elsewhere: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.log = log
        self.door = door
        self.reply = reply
        self.policy = policy
        self.flow = Flow(self._loop.time)
        self.task: asyncio.Task[None] | None = None
        self.error: Error | None = None
        self.started = self._loop.time()
        self.ended_at: float | None = None
        self.attempt: Attempt | None = None
        """The attempt whose words the readers hear; None before the first content."""
        self.trying: list[Attempt] = []
        """The attempts that are under way before that, in the order in which they began."""
        self._fold = Fold()
        self._encoder: Encoder = door.encoder(reply)
        self._life = Lifecycle(policy)
        self._watch = Watch(policy.deadlines, self.started)
        self._audience = Audience(
            self._life,
            policy,
            characters=lambda: self.fold.characters,
            abandon=lambda: self._end("abandon", DESERTED),
            elsewhere=elsewhere,
        )
        self._on_end = on_end
        self._named = False
        self.bound: asyncio.Future[None] = self._loop.create_future()
        """Done once an attempt has been adopted, or all is over."""
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Done at the end. Wait for both with `asyncio.wait`, which never cancels them."""
        self._deadline: asyncio.Handle | None = None
        self._check_deadlines()

    def __repr__(self) -> str:
        info = self.log.info
        return f"<Generation {info.id[:8]}… {info.model} {self.ending or self._life.phase}, {self.log.count} frames>"

    # ---- what clients ask -------------------------------------------------------------------------------------

    @property
    def ending(self) -> Ending | None:
        """How it ended, or None while it goes on."""
        return self._life.ending

    @property
    def fold(self) -> Fold:
        """What has been said so far."""
        return self.attempt.fold if self.attempt is not None else self._fold

    @property
    def first_content(self) -> float | None:
        """When the first content came; None before it."""
        return self.attempt.first_content if self.attempt is not None else None

    @property
    def nothing_said(self) -> bool:
        """Whether no content has come: an HTTP status can still tell what went wrong."""
        return self.first_content is None

    def message(self) -> Message:
        """Return the message as far as it has come."""
        return self.fold.message()

    def attach(self, reader: object) -> None:
        """Count ``reader`` in."""
        self._audience.add(reader)

    def detach(self, reader: object) -> None:
        """Count ``reader`` out; when it was the last, the policy says what follows."""
        self.flow.left(reader)
        self._audience.discard(reader)

    @property
    def unread(self) -> Unread:
        """What came while nobody was reading."""
        return self._audience.unread

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return len(self._audience)

    def stop(self) -> None:
        """End it now: the upstream is closed, what came is kept, every reader is told. Idempotent."""
        self._end("stop", CANCELLED)

    def revoke(self) -> None:
        """End it because the key that it was begun with is no longer good."""
        text = "the key of this answer was taken away"
        self._end("stop", Error("authentication", text, code="key_revoked", ending="cancelled"))

    def shut_down(self) -> None:
        """End it because this process is going away."""
        self._end("shutdown", SHUTTING_DOWN)

    def log_lost(self) -> bytes:
        """End it because its log can no longer be written; return the words that tell its readers.

        A fresh encoder says them: what the readers have seen is behind what this one has written.
        """
        self._end("shutdown", LOG_LOST)
        return b"".join(self.door.encoder(self.reply).encode(LOG_LOST))

    # ---- what an attempt brings -------------------------------------------------------------------------------

    def begin(self, attempt: Attempt) -> None:
        """Begin ``attempt``, beside another or after one that failed."""
        self.trying.append(attempt)
        self._life.on("retry")

    def accepted(self) -> None:
        """A provider has accepted the request."""
        self._life.on("accept")

    async def ready(self) -> None:
        """Wait while the flow is paused."""
        if self.flow.paused:
            await self.flow.ready()
            self._watch.held(self._loop.time())

    def content(self, now: float) -> None:
        """Content has come at ``now``."""
        if not self._watch.has_content:
            # The timer waits for the total, which may be far longer than one gap.
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self._loop.call_soon(self._check_deadlines)
        self._watch.content(now)

    def adopt(self, attempt: Attempt) -> bool:
        """Make ``attempt`` the one that the readers hear; False when that is another, or all is over."""
        if self.attempt is not None or self._life.phase == "ended":
            return False
        self.attempt = attempt
        self._encoder = attempt.encoder
        self._life.on("accept")
        self._life.on("content")
        self._wake(self.bound)
        return True

    def append(self, frames: list[bytes]) -> None:
        """Append ``frames`` of the adopted attempt."""
        if self._life.phase == "ended":
            return
        if not self._named:
            self._name(frames)
        try:
            self.log.append(frames)
        except RemoteProtocolError as error:
            self.finish(error_event(error, begun=True), frames)
            return
        if self.log.backlog > BACKLOG_HIGH and not self.flow.holds(self.log):
            self._wait_for_store()
        if self._audience.has_enough:
            self._end("abandon", DESERTED)

    def finish(self, failure: Error | None, frames: Sequence[bytes] = ()) -> None:
        """End as an attempt ended: by ``failure``, or well; ``frames`` came before that."""
        self._end("terminal" if failure is None else SIGNALS[failure.ending], failure, frames)

    def restart(self, failure: Error, frames: Sequence[bytes]) -> None:
        """Void what came, for readers who can take that, and be ready for another attempt."""
        self._life.on("restart")
        self.attempt = None
        self._fold = Fold()
        self._encoder = self.door.encoder(self.reply)
        self._watch.restart()
        self.bound = self._loop.create_future()
        self.append([*frames, reset_frame(failure)])

    def give_up(self, failure: Error) -> None:
        """End before any content by the failure of the last attempt, or of what had to come before one."""
        last = self.trying[-1] if self.trying else None
        if last is not None and last.failure is failure and self.adopt(last):
            self.finish(failure, last.release())
        else:
            self.finish(failure)

    # ---- the end ----------------------------------------------------------------------------------------------

    def _end(self, signal: Signal, error: Error | None, frames: Sequence[bytes] = ()) -> None:
        """End by ``signal``, with ``frames`` and then, unless these say it, with ``error``."""
        asked = next((attempt for attempt in self.trying if not attempt.over), None)
        if asked is not None and self.adopt(asked):
            # What a provider said before it was cut short counts: its name for the answer, the tokens of the prompt.
            frames = [*asked.release(), *frames]
        step = self._life.on(signal)
        if step is None or step.ending is None:
            return
        self.error = error
        self.ended_at = self._loop.time()
        last = [*frames, *self._closing(error)]
        if not self._named:
            self._name(last)
        self.log.close(step.ending, last)
        for attempt in self.trying:
            attempt.over = True
            if attempt.settle is not None:
                attempt.settle()
        self._audience.close()
        if self._deadline is not None:
            self._deadline.cancel()
        if self.task is not None and not self.task.done():
            if step.ending == "completed":
                self._loop.call_later(LINGER, self.task.cancel)
            else:
                self.task.cancel()
        self._wake(self.bound)
        self._wake(self.over)
        self._on_end(self)

    def _closing(self, error: Error | None) -> list[bytes]:
        """Return the frames that say ``error``; none when the provider's own have said how it ended."""
        fold = self.fold
        if error is None or fold.ended:
            return []
        usage = closing_usage(fold)
        fold.add(usage)
        fold.add(error)
        try:
            return [*self._encoder.encode(usage), *self._encoder.encode(error)]
        except Exception as bug:  # noqa: BLE001 - it must not keep a stream from ending, or from saying how
            _log.error("encoder_bug", dialect=self.door.name, exception=trace(bug))
            return self.door.encoder(self.reply).encode(error)

    def _name(self, frames: Sequence[bytes]) -> None:
        """Let the owner find the stream by the name that its first frame gives the answer."""
        if frames:
            self._named = True
            name = self.door.public_name(frames[0])
            if name is not None:
                self.log.call(name)

    def _wake(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    # ---- timers -----------------------------------------------------------------------------------------------

    def _check_deadlines(self) -> None:
        if self.flow.paused:
            self._watch.held(self._loop.time())
        found = self._watch.check(self._loop.time(), self.fold.characters)
        if isinstance(found, Expired):
            error = timeout_event(found)
            if self.attempt is not None and found.kind != "total":
                self.attempt.expired(error)
            else:
                self._end("deadline", error)
            if self.ending is None:
                self._deadline = self._loop.call_soon(self._check_deadlines)
        elif found is not None:
            self._deadline = self._loop.call_later(found, self._check_deadlines)

    def _wait_for_store(self) -> None:
        """Hold the provider until the store has caught up."""
        gate = self.log
        self.flow.close(gate)

        def look() -> None:
            if gate.backlog <= BACKLOG_LOW or gate.ending is not None:
                unwatch()
                self.flow.open(gate)

        unwatch = gate.watch(look)
        look()
