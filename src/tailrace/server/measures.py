"""What is measured: one table, from which both the registry and docs/metrics.md are made."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


class Measure(NamedTuple):
    """One metric. ``live`` ones are read when somebody asks, from what counts anyway; the others add up at ends."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    live: bool = False


WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""From a local model's first token to the default deadline of one that thinks (`Deadlines.first_content`)."""

LENGTHS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""From a one-word answer to the default deadline in all (`Deadlines.total`)."""

STOPS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""The promise is 0.25 here and 1 from another node."""

LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Below 10 ms nobody notices; a block of 50 ms is already a fault."""

MEASURES: tuple[Measure, ...] = (
    Measure(
        "tailrace_generations_total", "counter", ("dialect", "provider", "ending"), "Answers that have ended, by how."
    ),
    Measure(
        "tailrace_attempts_total",
        "counter",
        ("provider", "model", "ending", "error"),
        "Attempts at a provider that have ended; error is the kind of what ended it, empty for none.",
    ),
    Measure(
        "tailrace_first_content_seconds",
        "histogram",
        ("provider",),
        "From a request to the first content of its answer, failed attempts before it included.",
        WAITS,
    ),
    Measure("tailrace_generation_seconds", "histogram", ("provider",), "From a request to its answer's end.", LENGTHS),
    Measure(
        "tailrace_stop_seconds",
        "histogram",
        (),
        "From the end that was asked for to the provider's connection being closed.",
        STOPS,
    ),
    Measure(
        "tailrace_tokens_total",
        "counter",
        ("provider", "model", "kind", "usage"),
        "Tokens: kind is input, output, cache_read, cache_write or reasoning; usage says exact or estimated. "
        "Input includes cached ones, output includes reasoning.",
    ),
    Measure(
        "tailrace_unread_characters_total",
        "counter",
        (),
        "Characters of answers that came while nobody was reading.",
    ),
    Measure("tailrace_frames_total", "counter", ("dialect",), "Events of answers that have ended, as logged."),
    Measure("tailrace_frame_bytes_total", "counter", ("dialect",), "Bytes of these events."),
    Measure(
        "tailrace_refusals_total",
        "counter",
        ("reason",),
        "Requests that were refused before any work had begun.",
    ),
    Measure(
        "tailrace_blocked_on_clients_seconds_total",
        "counter",
        (),
        "Seconds that providers were held back for slow readers, running answers included.",
        live=True,
    ),
    Measure("tailrace_streams_open", "gauge", (), "Answers that are being written.", live=True),
    Measure("tailrace_streams_blocked", "gauge", (), "Of these, those held back for a slow reader now.", live=True),
    Measure("tailrace_draining", "gauge", (), "1 while the server takes no new requests.", live=True),
    Measure("tailrace_logs", "gauge", (), "Stream logs held in this process.", live=True),
    Measure("tailrace_log_bytes", "gauge", (), "Bytes of their events.", live=True),
    Measure(
        "tailrace_log_withheld_bytes",
        "gauge",
        (),
        "Bytes that wait to be stored before any reader may see them.",
        live=True,
    ),
    Measure("tailrace_readers_open", "gauge", (), "Clients that follow a stream now.", live=True),
    Measure(
        "tailrace_readers_total",
        "counter",
        ("how",),
        "Clients that began to follow a stream: first, or resumed.",
        live=True,
    ),
    Measure(
        "tailrace_readers_cut_total",
        "counter",
        ("reason",),
        "Clients that were cut, or whose connection broke in a write.",
        live=True,
    ),
    Measure(
        "tailrace_replayed_bytes_total", "counter", (), "Bytes that were there before their reader came.", live=True
    ),
    Measure("tailrace_heartbeats_total", "counter", (), "Heartbeats written to silent streams.", live=True),
    Measure(
        "tailrace_loop_lag_seconds",
        "histogram",
        (),
        "How late a timer of every 20 ms was: what a blocked event loop costs everybody.",
        LAGS,
    ),
    Measure("tailrace_info", "gauge", ("version",), "Always 1.", live=True),
)
"""Every metric of ours. The process's own (``process_*``) come from prometheus-client."""
