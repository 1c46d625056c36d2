"""The local model: one thread that answers one request after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tailrace.demo.availability import MODEL
from tailrace.demo.handover import Handover
from tailrace.demo.request import DONE, event, failure, refused
from tailrace.demo.runtime import Runtime, load
from tailrace.errors import ConnectError, StatusError

WAITING = 8
"""Requests that may wait for the one that is answered: the last of them starts within some two minutes."""

RETRY_AFTER = 5.0
"""Seconds to tell who comes when all places are taken: about the time of one short answer."""


class LocalModel:
    """The weights, loaded by `load` or with the first request, and the thread that computes.

    The methods belong to one event loop's thread; what they start runs in the worker. ``loader`` is what makes the
    runtime of the weights.
    """

    def __init__(self, weights: Path, *, waiting: int = WAITING, loader: Callable[[Path], Runtime] = load) -> None:
        self._weights = weights
        self._places = 1 + waiting
        self._loader = loader
        self._runtime: Runtime | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tailrace-local-model")
        self._jobs: dict[Future[None], Handover] = {}

    def load(self) -> None:
        """Load the weights now; raises `ConnectError`.

        The runtime holds the interpreter's lock meanwhile, for about half a second: a server calls this before it
        listens, so that no connection has to wait for it.
        """
        self._thread.submit(self._loaded).result()

    def start(self, request: dict[str, Any], handover: Handover) -> Future[None]:
        """Have ``request`` answered into ``handover``; the result is None or a `ProviderError`.

        ``handover`` is told the end whatever happens, also when the model is closed before the request's turn.
        Raises `StatusError` (503) when too many wait already.
        """
        if len(self._jobs) >= self._places:
            raise StatusError(
                f"the local model answers one request at a time, and {self._places - 1} are waiting already",
                status=503,
                kind="overloaded",
                retry_after=RETRY_AFTER,
            )
        job = self._thread.submit(self._answer, request, handover)
        self._jobs[job] = handover

        def over(job: Future[None]) -> None:
            self._jobs.pop(job, None)
            handover.finish()

        job.add_done_callback(over)
        return job

    def close(self) -> None:
        """Stop what runs, drop what waits, and let the weights go; blocks until the thread has left."""
        for handover in list(self._jobs.values()):
            handover.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._runtime = None

    def _answer(self, request: dict[str, Any], handover: Handover) -> None:
        """Answer one request; runs in the worker thread."""
        if handover.stopped:
            return
        runtime = self._loaded()
        errors: list[Mapping[str, Any]] = []

        def take(chunk: dict[str, Any]) -> bool:
            if "error" in chunk:
                errors.append(chunk["error"])
                return True
            return not handover.put(event(chunk))

        try:
            runtime.handle_chat_completions(request, take)
        except (ValueError, RuntimeError) as error:
            # What cannot be made a prompt of: wrong types, images, a broken schema.
            raise refused(f"the local model: {self._redacted(error)}") from None
        if errors:
            raise failure(errors[0])
        handover.put(DONE)

    def _loaded(self) -> Runtime:
        # Only ever in the one worker thread, so it cannot happen twice at once.
        if self._runtime is None:
            try:
                self._runtime = self._loader(self._weights)
            except (ImportError, RuntimeError, OSError) as error:
                raise ConnectError(f"the local model could not be loaded: {self._redacted(error)}") from None
        return self._runtime

    def _redacted(self, error: Exception) -> str:
        return str(error).replace(str(self._weights), MODEL)
