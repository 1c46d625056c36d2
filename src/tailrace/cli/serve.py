"""``tailrace serve``: the server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli.configuration import ConfigFile, read_settings
from tailrace.cli.options import Yes, examples

if TYPE_CHECKING:
    from tailrace.config import Settings
    from tailrace.engine import Relay

EXAMPLES = examples(
    "tailrace serve",
    "OPENAI_API_KEY=… tailrace serve --port 9000",
    "tailrace serve --config /etc/tailrace.toml",
    "TAILRACE__LIMITS__TTL=60 tailrace serve",
)

Host = Annotated[str | None, typer.Option("--host", metavar="HOST", help="Address to listen on.")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, metavar="PORT", help="0 takes any free port. Default: 8484.")
]


def serve(*, config: ConfigFile = None, host: Host = None, port: Port = None, yes: Yes = False) -> int:
    """Run the server.

    Without a configuration, the keys found in the environment make their providers (ANTHROPIC_API_KEY,
    OPENAI_API_KEY, GEMINI_API_KEY, …); without keys, a small local model answers. TAILRACE__SECTION__KEY variables
    go over the file. SIGTERM and Ctrl-C let running answers finish for a while; a second one ends at once.
    """
    from tailrace import server
    from tailrace.cli.compose import composed
    from tailrace.cli.logs import set_up
    from tailrace.cli.terminal import say

    settings = read_settings(config, host, port)
    set_up(settings.logging)
    with composed(settings, yes=yes) as relay:

        def ready(url: str) -> None:
            say(f"tailrace listens on {url} · {_sources(settings, relay)}")
            say(f"page {url}/ · OpenAI base_url {url}/v1 · Anthropic base_url {url} · Ctrl-C ends")

        # Ctrl-C is how one ends a server: it has been heard and answered by then.
        with contextlib.suppress(KeyboardInterrupt):
            server.serve(relay, settings.server, on_ready=ready)
    return 0


def _sources(settings: Settings, relay: Relay) -> str:
    badges = {
        name: " [local]" if spec.local else " [simulated]" if spec.simulated else ""
        for name, spec in relay.router.providers.items()
    }
    providers = ", ".join(f"{name}{badge}" for name, badge in badges.items())
    return f"{settings.source or 'no configuration file'}: {providers}"
