"""How these tests give commands, and a relay in a thread for them to talk to."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import structlog
from typer.testing import CliRunner

from tailrace.cli.main import app
from tailrace.engine import ProviderSpec, Relay
from tailrace.server import ServerSpec, bind, make_server, url_of
from tailrace.simulator import Simulator, in_thread

UNSET = ("TAILRACE_URL", "TAILRACE_MODEL", "TAILRACE_CONFIG", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def tailrace(*words: str, environ: Mapping[str, str] | None = None, piped: str | bytes = b"") -> Outcome:
    """Give a command in this process. Variables that would lead it elsewhere are unset."""
    variables: dict[str, str | None] = {**dict.fromkeys(UNSET), **(environ or {})}
    result = CliRunner().invoke(app, list(words), env=variables, input=piped, catch_exceptions=False)
    return Outcome(result.exit_code, result.stdout, result.stderr)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the server's log out of the commands' output, which is this process's too."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


class House(NamedTuple):
    url: str
    sim: Simulator


@contextlib.contextmanager
def relay_in_thread() -> Iterator[House]:
    """Serve a relay in front of a simulator: its provider ``sim``, with the model ``sim``."""
    with in_thread() as sim, _silence():
        spec = ServerSpec(port=0, shutdown_grace=0.0)
        sock = bind(spec)
        ready = threading.Event()
        providers = {"sim": ProviderSpec(name="sim", dialect="openai_chat", base_url=f"{sim.url}/v1", models=("sim",))}
        server = make_server(Relay(providers), spec, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        with sock:
            thread.start()
            assert ready.wait(30)
            yield House(url_of(sock), sim)
            server.should_exit = True
            thread.join()
