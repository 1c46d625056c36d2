"""A generation: one request being answered, until it ends. The middle of the push.

`feed` takes a provider's bytes and, before it returns, has decoded them, folded the events, written the frames of
the client's dialect, appended these to the log and thereby handed them to every reader: one turn of the event loop,
no task, timer or queue for an event. What may happen next is decided in `tailrace.engine.lifecycle`; this file acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from tailrace.dialects import DIALECTS, Decoder, Dialect, Encoder, Received, Reply
from tailrace.engine.deadlines import Expired, Watch
from tailrace.engine.failures import FAULT, error_event, timeout_event, trace
from tailrace.engine.flow import Flow
from tailrace.engine.lifecycle import Lifecycle, Signal
from tailrace.engine.redaction import holds, redact
from tailrace.engine.spec import Policy, ProviderSpec
from tailrace.engine.usage import closing_usage
from tailrace.errors import ProviderError, RemoteProtocolError
from tailrace.events import CONTENT, Ending, Error, Event, Fold, Message
from tailrace.log import StreamLog
from tailrace.structured import ToolGate

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

_log = structlog.get_logger("tailrace.generation")


class Generation:
    """One answer on its way from a provider to its readers.

    It is the `Source` that an upstream feeds. ``door`` is the dialect its clients speak; ``gate`` holds tool calls
    back until they are complete and valid, where the client asked for that. Times come from the running loop's clock.
    """

    def __init__(
        self,
        log: StreamLog,
        *,
        door: Dialect,
        provider: ProviderSpec,
        reply: Reply,
        policy: Policy,
        on_end: Callable[[Generation], None],
        gate: ToolGate | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.log = log
        self.door = door
        self.reply = reply
        self.flow = Flow(self._loop.time)
        self.fold = Fold()
        self.task: asyncio.Task[None] | None = None
        self.error: Error | None = None
        self.started = self._loop.time()
        self.first_content: float | None = None
        self._gate = gate
        self._listen_to(provider)
        self._encoder: Encoder = door.encoder(reply)
        self._life = Lifecycle(policy)
        self._watch = Watch(policy.deadlines, self.started)
        self._readers: set[object] = set()
        self._on_end = on_end
        self.committed: asyncio.Future[None] = self._loop.create_future()
        """Done once content has come or the generation has ended: until then an HTTP status can still tell."""
        self.over: asyncio.Future[None] = self._loop.create_future()
        """Done at the end. Wait for both with `asyncio.wait`, which never cancels them."""
        self._absence: asyncio.TimerHandle | None = None
        self._deadline: asyncio.Handle | None = None
        self._check_deadlines()

    def __repr__(self) -> str:
        info = self.log.info
        return f"<Generation {info.id[:8]}… {info.model} {self.ending or self._life.phase}, {self.log.tail} frames>"

    # ---- what clients ask -------------------------------------------------------------------------------------

    @property
    def ending(self) -> Ending | None:
        """How it ended, or None while it goes on."""
        return self._life.ending

    def message(self) -> Message:
        """Return the message as far as it has come."""
        return self.fold.message()

    def attach(self, reader: object) -> None:
        """Count ``reader`` in."""
        self._readers.add(reader)
        self._count_readers()

    def detach(self, reader: object) -> None:
        """Count ``reader`` out; when it was the last, the policy's grace begins."""
        self._readers.discard(reader)
        self.flow.drained(reader)
        self._count_readers()

    def stop(self) -> None:
        """End it now: the upstream is closed, what came is kept, every reader is told. Idempotent."""
        self._end("stop", Error("cancelled", "the answer was stopped", ending="cancelled"))

    def shut_down(self) -> None:
        """End it because this process is going away."""
        self._end(
            "shutdown",
            Error("interrupted", "the relay is shutting down", ending="interrupted", retryable=True),
        )

    # ---- what the upstream brings -----------------------------------------------------------------------------

    def accepted(self) -> None:
        """The provider has accepted the request."""
        self._life.on("accept")

    async def ready(self) -> None:
        """Wait while a slow reader holds the flow."""
        if self.flow.paused:
            await self.flow.ready()
            self._watch.held(self._loop.time())

    def feed(self, data: bytes) -> None:
        """Take bytes of the answer all the way to the readers."""
        if self._life.ending is not None:
            return
        frames: list[bytes] = []
        try:
            self._take(self._decoder.feed(data), frames)
            # A fault behind good events of the same read is told by the next call (D2): make it now.
            self._take(self._decoder.feed(b""), frames)
        except RemoteProtocolError as error:
            self._fail(error, frames)
            return
        self._append(frames)

    def upstream_closed(self) -> None:
        """The provider has closed its answer: complete only if its terminal marker has been seen."""
        if self._life.ending is not None:
            return
        frames: list[bytes] = []
        try:
            self._take(self._decoder.close(), frames)
        except RemoteProtocolError as error:
            self._fail(error, frames)
            return
        self._append(frames)
        self._end(
            "closed",
            Error("truncated", "the provider closed the answer before its end", ending="truncated", retryable=True),
        )

    def upstream_failed(self, error: ProviderError | RemoteProtocolError) -> None:
        """The way to the provider, or the provider, failed."""
        self._fail(error, [])

    def broken(self) -> None:
        """End it because of a bug on this side."""
        self._end("fail", FAULT)

    def retarget(self, provider: ProviderSpec) -> bool:
        """Turn to another provider; False when it is too late because one has accepted, or all is over."""
        if self._life.phase != "waiting":
            return False
        self._listen_to(provider)
        return True

    def _listen_to(self, provider: ProviderSpec) -> None:
        spoken = DIALECTS[provider.dialect]
        self._verbatim = self.door is spoken and not provider.normalise and self._gate is None
        self._decoder: Decoder = spoken.decoder(provider.quirks)
        self._secrets = provider.secrets

    # ---- the push ---------------------------------------------------------------------------------------------

    def _take(self, batch: list[Received], frames: list[bytes]) -> None:
        fold, encoder, verbatim, gate = self.fold, self._encoder, self._verbatim, self._gate
        for received in batch:
            as_it_came = verbatim
            for said in received.events if gate is None else self._gated(gate, received):
                event = said
                if isinstance(event, Error):
                    self._close_usage(frames)
                    event = redact(event, self._secrets)
                    as_it_came = verbatim and not holds(_bytes(received), self._secrets)
                fold.add(event)
                if isinstance(event, CONTENT):
                    self._content()
                if not as_it_came:
                    frames += encoder.encode(event)
            if as_it_came:
                frames += encoder.verbatim(received)

    def _gated(self, gate: ToolGate, received: Received) -> list[Event]:
        """Return what the gate lets through. What it holds back has come all the same: no timer may call it silence."""
        passed: list[Event] = []
        for event in received.events:
            if isinstance(event, CONTENT):
                self._content()
            passed += gate.take(event)
        return passed

    def _close_usage(self, frames: list[bytes]) -> None:
        """Before a provider's own error: the figures that an answer begins with are not those that it ends with."""
        usage = closing_usage(self.fold)
        self.fold.add(usage)
        if not self._verbatim:
            frames += self._encoder.encode(usage)

    def _content(self) -> None:
        now = self._loop.time()
        self._watch.content(now)
        if self.first_content is None:
            self.first_content = now
            self._life.on("content")
            # The timer waits for the first content, which may take far longer than one gap after it.
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self._loop.call_soon(self._check_deadlines)

    def _append(self, frames: list[bytes]) -> None:
        if self.fold.ended:
            failure = self.fold.error
            self._end("terminal" if failure is None else SIGNALS[failure.ending], failure, frames)
            return
        try:
            self.log.append(frames)
        except RemoteProtocolError as error:
            self._fail(error, frames)
            return
        if self.first_content is not None and not self.committed.done():
            self.committed.set_result(None)

    def _fail(self, error: ProviderError | RemoteProtocolError, frames: list[bytes]) -> None:
        """End by ``error``; ``frames``, good ones from before it, have been paid for: the readers get them."""
        failure = error_event(error, begun=self._life.phase != "waiting")
        self._end(SIGNALS[failure.ending], failure, frames)

    # ---- the end ----------------------------------------------------------------------------------------------

    def _end(self, signal: Signal, error: Error | None, frames: Sequence[bytes] = ()) -> None:
        """End by ``signal``, with ``frames`` and then, unless these say it, with ``error``."""
        step = self._life.on(signal)
        if step is None or step.ending is None:
            return
        self.error = error
        self.log.close(step.ending, [*frames, *self._closing(error)])
        for timer in (self._absence, self._deadline):
            if timer is not None:
                timer.cancel()
        if self.task is not None and not self.task.done():
            if step.ending == "completed":
                self._loop.call_later(LINGER, self.task.cancel)
            else:
                self.task.cancel()
        for waiter in (self.committed, self.over):
            if not waiter.done():
                waiter.set_result(None)
        self._on_end(self)

    def _closing(self, error: Error | None) -> list[bytes]:
        """Return the frames that say ``error``; none when the provider's own have said how it ended."""
        if error is None or self.fold.ended:
            return []
        usage = closing_usage(self.fold)
        self.fold.add(usage)
        self.fold.add(error)
        try:
            return [*self._encoder.encode(usage), *self._encoder.encode(error)]
        except Exception as bug:  # noqa: BLE001 - it must not keep a stream from ending, or from saying how
            _log.error("encoder_bug", dialect=self.door.name, exception=trace(bug))
            return self.door.encoder(self.reply).encode(error)

    # ---- timers -----------------------------------------------------------------------------------------------

    def _count_readers(self) -> None:
        if self._absence is not None:
            self._absence.cancel()
            self._absence = None
        grace = self._life.readers(len(self._readers))
        if grace is not None:
            self._absence = self._loop.call_later(grace, self._abandon)

    def _abandon(self) -> None:
        self._end("abandon", Error("cancelled", "every reader left and none came back", ending="cancelled"))

    def _check_deadlines(self) -> None:
        if self.flow.paused:
            self._watch.held(self._loop.time())
        found = self._watch.check(self._loop.time())
        if isinstance(found, Expired):
            self._end("deadline", timeout_event(found))
        elif found is not None:
            self._deadline = self._loop.call_later(found, self._check_deadlines)


def _bytes(received: Received) -> bytes:
    return received.raw if isinstance(received.raw, bytes) else received.raw.data
