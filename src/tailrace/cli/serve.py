"""``tailrace serve``: the server."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli.configuration import ConfigFile, read_settings
from tailrace.cli.options import Yes, examples

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.config import Settings
    from tailrace.engine import Relay
    from tailrace.server import Seat

EXAMPLES = examples(
    "tailrace serve",
    "OPENAI_API_KEY=… tailrace serve --port 9000",
    "tailrace serve --config /etc/tailrace.toml --workers 4",
    "TAILRACE__LIMITS__TTL=60 tailrace serve",
)

Host = Annotated[str | None, typer.Option("--host", metavar="HOST", help="Address to listen on.")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, metavar="PORT", help="0 takes any free port. Default: 8484.")
]


Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-w",
        min=1,
        metavar="N",
        help="Processes that share the address; needs a log in Redis. Default: 1.",
    ),
]


def serve(
    *, config: ConfigFile = None, host: Host = None, port: Port = None, workers: Workers = None, yes: Yes = False
) -> int:
    """Run the server.

    Without a configuration, the keys found in the environment make their providers (ANTHROPIC_API_KEY,
    OPENAI_API_KEY, GEMINI_API_KEY, …); without keys, a small local model answers. TAILRACE__SECTION__KEY variables
    go over the file. SIGTERM and Ctrl-C let running answers finish for a while; a second one ends at once. With
    several workers SIGHUP reads the configuration again and replaces them one by one.
    """
    from tailrace.cli.logs import set_up

    settings = read_settings(config, host, port, workers)
    set_up(settings.logging, settings.hidden)
    code = _many(settings, config, yes=yes) if settings.server.workers > 1 else _one(settings, yes=yes)
    # What is left is taking an interpreter apart, a second on a busy machine: part of the time that was promised.
    sys.stderr.flush()
    os._exit(code)


def _one(settings: Settings, *, yes: bool) -> int:
    from tailrace import server
    from tailrace.cli.compose import composed

    with composed(settings, yes=yes) as relay:
        server.serve(relay, settings.server, on_ready=lambda url: _greet(url, _sources(settings, relay)))
    return 0


def _many(settings: Settings, config: Path | None, *, yes: bool) -> int:
    from tailrace.errors import ConfigError
    from tailrace.server import Supervisor, bind, url_of

    spec = settings.server
    if settings.log.backend == "memory":
        raise ConfigError(
            f"{spec.workers} workers need one log that all of them can read, or a stream could be resumed only in the "
            'process that began it: set [log] backend = "redis" and url = "redis://…", or run one worker'
        )
    if settings.local:
        from tailrace.cli.compose import ready_for

        # Before there are workers, who could ask nobody, and would all ask.
        ready_for(settings, yes=yes)

    def renewed() -> partial[None]:
        return partial(_work, read_settings(config, spec.host, spec.port, spec.workers))

    with bind(spec, settings.limits.reader_stall) as sock:
        return Supervisor(
            partial(_work, settings),
            sock,
            count=spec.workers,
            grace=spec.shutdown_grace,
            on_ready=lambda sources: _greet(url_of(sock), f"{spec.workers} workers · {sources}"),
            renewed=renewed,
        ).run()


def _work(settings: Settings, seat: Seat) -> None:
    """Run in each worker."""
    import structlog

    from tailrace.cli.compose import composed
    from tailrace.cli.exits import outcome
    from tailrace.cli.logs import set_up

    set_up(settings.logging, settings.hidden)
    structlog.contextvars.bind_contextvars(worker=seat.number)

    def serving() -> None:
        with composed(settings) as relay:
            seat.serve(relay, settings.server, _sources(settings, relay))

    sys.exit(outcome(serving))


def _greet(url: str, about: str) -> None:
    from tailrace.cli.terminal import say

    say(f"tailrace listens on {url} · {about}")
    say(f"page {url}/ · OpenAI base_url {url}/v1 · Anthropic base_url {url} · Ctrl-C ends")


def _sources(settings: Settings, relay: Relay) -> str:
    badges = {
        name: " [local]" if spec.local else " [simulated]" if spec.simulated else ""
        for name, spec in relay.router.providers.items()
    }
    providers = ", ".join(f"{name}{badge}" for name, badge in badges.items())
    return f"{settings.source or 'no configuration file'}: {providers}"
