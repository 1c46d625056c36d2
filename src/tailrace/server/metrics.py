"""``GET /metrics`` for Prometheus, counted for each app: nothing here is shared by a process.

Nothing is counted for an event or a read. Ends are added up as the engine reports them; what stands somewhere anyway
(who reads, how long providers were held back, what the logs hold) is read when somebody asks.
"""

from __future__ import annotations

import asyncio

from prometheus_client import ProcessCollector

from tailrace.engine import Ended, Relay
from tailrace.errors import RequestError
from tailrace.ledger import Attempt, Outcome
from tailrace.server.access import Access
from tailrace.server.errors import event_of, send_error
from tailrace.server.http import Receive, Scope, Send, encode_headers
from tailrace.server.lag import LoopLag
from tailrace.server.tally import Tally, Values, text_of
from tailrace.server.version import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every Prometheus reads (prometheus.io/docs/instrumenting/exposition_formats)."""

MAX_WORDS = 64
"""Most values of a label that is a word of the code: the words are few, and stay few if one is ever made up."""

OTHER = "other"
"""What a name that is not configured is counted under: clients choose names, and each would be a series of its own."""


class Metrics:
    """Counts what ``relay`` reports, and shows it to those who may see it.

    ``worker`` is this process's number among several on one address, from 1 on, or 0 where it is alone.
    """

    def __init__(self, relay: Relay, access: Access, worker: int = 0) -> None:
        self._relay = relay
        self._access = access
        self._models = _configured(relay)
        self._words: set[str] = set()
        self._tally = Tally()
        self._process = ProcessCollector(registry=None)
        self._worker = worker
        self._blocked = 0.0
        self.lag = LoopLag(lambda late: self._tally.observe("tailrace_loop_lag_seconds", late))
        relay.observers.add(self)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer with all metrics, in Prometheus' text format."""
        try:
            self._access.operate(scope)
        except RequestError as error:
            await send_error(send, event_of(error))
            return
        # The process's figures are files under /proc: not the loop's to wait for.
        ours = text_of(self._tally.families(self._live()), self._worker)
        body = ours + await asyncio.to_thread(lambda: text_of(self._process.collect(), self._worker))
        headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), "cache-control": "no-store"}
        if self._worker:
            # On a connection that stays open it would be the same worker that is asked for ever.
            headers["connection"] = "close"
        await send({"type": "http.response.start", "status": 200, "headers": encode_headers(headers)})
        await send({"type": "http.response.body", "body": body})

    # ---- what the engine reports ------------------------------------------------------------------------------

    def attempt_ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """Count an attempt and its tokens."""
        provider = attempt.provider
        model = attempt.model if (provider, attempt.model) in self._models else OTHER
        self._tally.count("tailrace_attempts_total", provider, model, outcome.ending, self._word(outcome.error or ""))
        usage = outcome.usage
        figures = {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cache_read": usage.cache_read_tokens,
            "cache_write": usage.cache_write_tokens,
            "reasoning": usage.reasoning_tokens,
        }
        for kind, count in figures.items():
            if count:
                self._tally.count("tailrace_tokens_total", provider, model, kind, outcome.label, by=count)

    def ended(self, ended: Ended) -> None:
        """Count an answer."""
        tally = self._tally
        tally.count("tailrace_generations_total", ended.door, ended.provider, ended.ending)
        tally.count("tailrace_frames_total", ended.door, by=ended.frames)
        tally.count("tailrace_frame_bytes_total", ended.door, by=ended.size)
        tally.count("tailrace_unread_characters_total", by=ended.unread)
        tally.observe("tailrace_generation_seconds", ended.seconds, ended.provider)
        if ended.first_content is not None:
            tally.observe("tailrace_first_content_seconds", ended.first_content, ended.provider)
        self._blocked += ended.blocked

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self._tally.count("tailrace_refusals_total", self._word(reason))

    def released(self, seconds: float) -> None:
        """Count a stop's way to the provider."""
        self._tally.observe("tailrace_stop_seconds", seconds)

    def _word(self, word: str) -> str:
        if word not in self._words:
            if len(self._words) >= MAX_WORDS:
                return OTHER
            self._words.add(word)
        return word

    # ---- what is read when somebody asks ----------------------------------------------------------------------

    def _live(self) -> dict[str, Values]:
        relay, readers = self._relay, self._relay.readers
        running = relay.running
        held = relay.store.held()
        return {
            "tailrace_blocked_on_clients_seconds_total": {
                (): self._blocked + sum(generation.flow.blocked_seconds for generation in running)
            },
            "tailrace_streams_open": {(): len(running)},
            "tailrace_streams_blocked": {(): sum(generation.flow.paused for generation in running)},
            "tailrace_draining": {(): int(relay.draining)},
            "tailrace_logs": {(): held.logs},
            "tailrace_log_bytes": {(): held.size},
            "tailrace_log_withheld_bytes": {(): sum(generation.log.backlog for generation in running)},
            "tailrace_readers_open": {(): readers.open},
            "tailrace_readers_total": {("first",): readers.first, ("resumed",): readers.resumed},
            "tailrace_readers_cut_total": {(self._word(reason),): count for reason, count in readers.cut.items()},
            "tailrace_replayed_bytes_total": {(): readers.replayed},
            "tailrace_heartbeats_total": {(): readers.heartbeats},
            "tailrace_info": {(VERSION,): 1},
        }


def _configured(relay: Relay) -> frozenset[tuple[str, str]]:
    """Return the provider and model of every target and every listed model."""
    router = relay.router
    targets = {(target.provider, target.model) for route in router.routes.values() for target in route.targets}
    listed = {(spec.name, model) for spec in router.providers.values() for model in spec.models}
    return frozenset(targets | listed)
