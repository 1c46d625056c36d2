"""``tailrace demo``: a real answer through the real server, with no key and no network."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli.options import Yes, examples

if TYPE_CHECKING:
    from tailrace.engine import Relay
    from tailrace.server import Server, ServerSpec

EXAMPLES = examples("tailrace demo", "tailrace demo --once", "tailrace demo --port 9000 --yes")

QUESTION = "Why is the sky blue? Answer in two sentences."
MAX_TOKENS = 200
TEMPERATURE = 0.0
"""The likeliest words: with so small a model the others are seldom better, and a first answer should be its best."""


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the first answer.")] = False,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, metavar="PORT", help="Default: 8484, or a free one if that is taken."),
    ] = None,
    yes: Yes = False,
) -> int:
    """See it work: a small language model on this machine, answering through the server, its log and the client.

    Streams a first answer into the terminal, then serves the chat page and every API until Ctrl-C. Needs no key and no
    network; if the model's two packages are missing it asks before it installs them, and otherwise says that the
    simulator stands in.
    """
    from tailrace.cli.compose import composed, first_model
    from tailrace.cli.logs import set_up
    from tailrace.cli.terminal import aside, say
    from tailrace.config import Logging, load

    set_up(Logging(level="warning"))
    # Keys in the environment play no part: this is the local model's demonstration, and costs nothing.
    settings = load(None, {})
    with composed(settings, yes=yes) as relay, _running(relay, settings.server, port) as (url, server, over):
        model, spec = first_model(relay)
        badge = "[simulated] " if spec.simulated else ""
        aside(f"{badge}{model} · {url} · asked: {QUESTION}\n")
        code = _first_answer(url, model)
        if once:
            return code
        with _signals(server):
            say(f"\n{badge}chat page: {url}/   (Ctrl-C ends)")
            aside(f"from another terminal:  tailrace ask --url {url} 'Tell me a joke'")
            over.wait()
    return 0


def _first_answer(url: str, model: str) -> int:
    from tailrace.cli.answer import show
    from tailrace.client import Client

    with Client(url) as client:
        return show(client.stream(model=model, messages=QUESTION, max_tokens=MAX_TOKENS, temperature=TEMPERATURE))


@contextlib.contextmanager
def _running(relay: Relay, spec: ServerSpec, port: int | None) -> Iterator[tuple[str, Server, threading.Event]]:
    """Run the server in a thread of its own: the main one is the terminal's, where Ctrl-C arrives."""
    import msgspec

    from tailrace.errors import ConfigError
    from tailrace.server import bind, make_server, url_of

    try:
        sock = bind(msgspec.structs.replace(spec, port=spec.port if port is None else port))
    except ConfigError:
        if port is not None:
            raise
        sock = bind(msgspec.structs.replace(spec, port=0))
    settled, over = threading.Event(), threading.Event()
    server = make_server(relay, spec, settled.set)

    def body() -> None:
        try:
            server.run(sockets=[sock])
        finally:
            over.set()
            settled.set()

    thread = threading.Thread(target=body, name="tailrace-server", daemon=True)
    with sock:
        thread.start()
        settled.wait()
        if over.is_set():
            raise ConfigError("the server could not start; its words are above")
        try:
            yield url_of(sock), server, over
        finally:
            _end(server)
            thread.join()


def _end(server: Server) -> None:
    server.handle_exit(signal.SIGTERM, None)


@contextlib.contextmanager
def _signals(server: Server) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the server in an orderly way while the main thread waits; a second one forces it."""

    def ended(number: int, frame: FrameType | None) -> None:
        server.handle_exit(number, frame)

    before = {number: signal.signal(number, ended) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
