"""An attempt: one provider asked once. It decodes, folds and encodes; until its first content nobody is told.

It is the `Source` that an upstream feeds. What a provider says before the first event that a reader waits for (a start,
a role, pings) does not bind anybody: it is held, and only if this attempt goes on to say something does the generation
adopt it. A failure before that leaves no trace in the stream, so another provider may be asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tailrace.dialects import DIALECTS, Decoder, Dialect, Encoder, Received, Reply
from tailrace.engine.failures import FAULT, TRUNCATED, error_event
from tailrace.engine.redaction import holds, redact
from tailrace.engine.spec import ProviderSpec
from tailrace.engine.usage import closing_usage
from tailrace.errors import ProviderError, RemoteProtocolError
from tailrace.events import CONTENT, Error, Event, Fold
from tailrace.structured import ToolGate

if TYPE_CHECKING:
    from tailrace.engine.generation import Generation

HELD_BYTES = 64 * 1024
"""Most bytes of frames held before the first content. Real preambles are below 2 KiB, Responses' with a long
instruction below 50 KiB; a provider that says more is taken to have begun."""


class Attempt:
    """One try. ``eager`` binds the generation at the first frame: its client needs the answer's name at once.

    ``heard`` is called with the first content.
    """

    def __init__(
        self,
        generation: Generation,
        provider: ProviderSpec,
        *,
        door: Dialect,
        reply: Reply,
        gate: ToolGate | None = None,
        eager: bool = False,
        heard: Callable[[], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._generation = generation
        self._gate = gate
        self._eager = eager
        self._heard = heard
        self.provider = provider.name
        spoken = DIALECTS[provider.dialect]
        self._verbatim = door is spoken and not provider.normalise and gate is None
        self._decoder: Decoder = spoken.decoder(provider.quirks)
        self._secrets = provider.secrets
        self.encoder: Encoder = door.encoder(reply)
        self.fold = Fold()
        self.held: list[bytes] = []
        self._held_bytes = 0
        self.begun = False
        """Whether the provider has accepted the request."""
        self.adopted = False
        self.over = False
        self.failure: Error | None = None
        """What ended it before it was adopted; None while it goes on, and ever after it was."""
        self.first_content: float | None = None
        self.deadline: asyncio.Timeout | None = None
        """The timeout around the wait for the first content; lifted when that has come."""
        self.may_restart: Callable[[Error], bool] | None = None
        """Whether somebody else would begin the answer anew after a failure in the middle; None where nobody may."""
        self.task: asyncio.Task[object] | None = None
        self.settle: Callable[[], None] | None = None
        """Closes its row in the ledger, once; called at its end."""

    # ---- what the upstream brings -----------------------------------------------------------------------------

    def accepted(self) -> None:
        """The provider has accepted the request."""
        self.begun = True
        self._generation.accepted()

    async def ready(self) -> None:
        """Wait while nobody can take more."""
        await self._generation.ready()

    def feed(self, data: bytes) -> None:
        """Take bytes of the answer all the way to the readers, once this attempt is the one that they hear."""
        if self.over:
            return
        frames: list[bytes] = []
        try:
            self._take(self._decoder.feed(data), frames)
            # A fault behind good events of the same read is told by the next call (D2): make it now.
            self._take(self._decoder.feed(b""), frames)
        except RemoteProtocolError as error:
            self._end(error_event(error, begun=True), frames)
            return
        self._pass(frames)

    def closed(self) -> None:
        """The provider has closed its answer: complete only if its terminal marker has been seen."""
        if self.over:
            return
        frames: list[bytes] = []
        try:
            self._take(self._decoder.close(), frames)
        except RemoteProtocolError as error:
            self._end(error_event(error, begun=True), frames)
            return
        self._pass(frames)
        if not self.over:
            self._end(TRUNCATED, [])

    def failed(self, error: ProviderError | RemoteProtocolError) -> None:
        """The way to the provider, or the provider, failed."""
        if not self.over:
            self._end(error_event(error, begun=self.begun), [])

    def expired(self, error: Error) -> None:
        """No content came in time."""
        if not self.over:
            self._end(error, [])

    def broken(self) -> None:
        """End it because of a bug on this side."""
        if not self.over:
            self._end(FAULT, [])

    # ---- the push ---------------------------------------------------------------------------------------------

    def _take(self, batch: list[Received], frames: list[bytes]) -> None:
        fold, encoder, verbatim, gate = self.fold, self.encoder, self._verbatim, self._gate
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
            frames += self.encoder.encode(usage)

    def _content(self) -> None:
        now = self._loop.time()
        if self.first_content is None:
            self.first_content = now
            if self._heard is not None:
                self._heard()
            if self.deadline is not None:
                self.deadline.reschedule(None)
        self._generation.content(now)

    def _pass(self, frames: list[bytes]) -> None:
        if self.fold.ended:
            self._end(self.fold.error, frames)
        elif self.adopted:
            self._generation.append(frames)
        else:
            self._hold(frames)
            if self.first_content is not None or (self._eager and self.held) or self._held_bytes > HELD_BYTES:
                self._commit()

    def _hold(self, frames: list[bytes]) -> None:
        self.held += frames
        self._held_bytes += sum(map(len, frames))

    def _commit(self) -> None:
        if self._generation.adopt(self):
            self.adopted = True
            self._generation.append(self.release())
        else:
            self.over = True

    def release(self) -> list[bytes]:
        """Return what was held, which from now on belongs to the stream."""
        held, self.held = self.held, []
        return held

    def _end(self, failure: Error | None, frames: list[bytes]) -> None:
        """End by ``failure``, or well. ``frames``, good ones from before it, are paid for: the readers get them."""
        self.over = True
        if not self.adopted:
            self._hold(frames)
            if failure is not None and self.first_content is None:
                self._fail(failure)
                return
            if not self._generation.adopt(self):
                return
            self.adopted = True
            frames = self.release()
        if failure is not None and self.may_restart is not None and self.may_restart(failure):
            self._generation.restart(failure, frames)
            self._fail(failure)
            return
        self._generation.finish(failure, frames)

    def _fail(self, failure: Error) -> None:
        """Leave no ending but a reason, and let go of the connection: what it may still bring is of no use."""
        self.failure = failure
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(self._loop.time())


def _bytes(received: Received) -> bytes:
    return received.raw if isinstance(received.raw, bytes) else received.raw.data
