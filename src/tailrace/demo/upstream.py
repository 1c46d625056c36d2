"""The local model as a provider: what the engine asks of every upstream, kept without knowing the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from tailrace.demo.handover import Handover
from tailrace.demo.model import LocalModel
from tailrace.demo.request import prepare
from tailrace.errors import ConnectError


class Call(Protocol):
    """What is asked: an OpenAI chat request."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The request's JSON."""


class Source(Protocol):
    """Where the answer's bytes go."""

    def accepted(self) -> None:
        """Say that the request will be answered."""

    def feed(self, data: bytes) -> None:
        """Hand over the next bytes."""

    async def ready(self) -> None:
        """Wait until the next bytes are wanted."""


class LocalUpstream:
    """Brings the local model's answers as a provider of the ``openai_chat`` dialect would: as server-sent events.

    The engine's contract for upstreams holds: a reader that is held up holds the model up (its thread waits once a
    few chunks lie ready; at most one context of tokens is ever computed ahead), and cancelling stops the model
    within a token, or within one batch of the prompt.
    """

    def __init__(self, model: LocalModel) -> None:
        self._model = model

    async def run(self, call: Call, source: Source) -> None:
        """Bring one answer; raises `ProviderError`."""
        handover = Handover()
        job = self._model.start(prepare(call.body), handover)
        try:
            await self._pump(handover, source)
        finally:
            handover.stop()
            await _left(job)
        if job.cancelled():
            raise ConnectError("the local model is being shut down")
        job.result()

    async def aclose(self) -> None:
        """Let the model go."""
        await asyncio.to_thread(self._model.close)

    async def _pump(self, handover: Handover, source: Source) -> None:
        accepted = False
        while (data := await handover.take()) is not None:
            if not accepted:
                source.accepted()
                accepted = True
            if data:
                source.feed(data)
                await source.ready()


async def _left(job: Future[None]) -> None:
    """Wait until the worker has left ``job``, however often this task is cancelled meanwhile."""
    if job.cancel():
        return  # It was still waiting for its turn.
    loop, left = asyncio.get_running_loop(), asyncio.Event()
    job.add_done_callback(lambda _: loop.call_soon_threadsafe(left.set))
    again: asyncio.CancelledError | None = None
    while not left.is_set():
        try:
            await left.wait()
        except asyncio.CancelledError as error:
            again = error
    if again is not None:
        raise again
