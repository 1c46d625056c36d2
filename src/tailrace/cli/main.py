"""The commands, in the order of their help. What a command needs is imported when it runs: ``--help`` stays quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from tailrace.cli import ask, chat, configuration, demo, keys, serve, simulate, streams, usage
from tailrace.cli.exits import guarded
from tailrace.cli.options import examples

app = typer.Typer(
    name="tailrace",
    no_args_is_help=True,
    # Plain help: it pipes, greps and reads the same everywhere, and saves a quarter of a second.
    rich_markup_mode=None,
    # A traceback with local variables would show keys.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("tailrace demo", "tailrace serve", 'tailrace ask "Why is the sky blue?"'),
)
config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, epilog=configuration.CHECK_EXAMPLES)
keyring = typer.Typer(no_args_is_help=True, rich_markup_mode=None, epilog=keys.NEW_EXAMPLES)

COMMANDS: tuple[tuple[typer.Typer, str, Callable[..., int | None], str], ...] = (
    (app, "demo", demo.demo, demo.EXAMPLES),
    (app, "serve", serve.serve, serve.EXAMPLES),
    (app, "ask", ask.ask, ask.EXAMPLES),
    (app, "chat", chat.chat, chat.EXAMPLES),
    (app, "tail", streams.tail, streams.TAIL_EXAMPLES),
    (app, "stop", streams.stop, streams.STOP_EXAMPLES),
    (app, "ls", streams.ls, streams.LS_EXAMPLES),
    (app, "models", streams.models, streams.MODELS_EXAMPLES),
    (app, "usage", usage.usage, usage.EXAMPLES),
    (app, "simulate", simulate.simulate, simulate.EXAMPLES),
    (keyring, "new", keys.new, keys.NEW_EXAMPLES),
    (config, "check", configuration.check, configuration.CHECK_EXAMPLES),
    (config, "schema", configuration.schema, configuration.SCHEMA_EXAMPLES),
)

for _app, _name, _function, _examples in COMMANDS:
    _app.command(_name, epilog=_examples)(guarded(_function))
app.add_typer(keyring, name="keys", help="Make keys for clients.")
app.add_typer(config, name="config", help="Check a configuration; print its schema.")


def _show_version(wanted: bool) -> None:
    if wanted:
        from tailrace import __version__
        from tailrace.cli.terminal import line

        line(f"tailrace {__version__}")
        raise typer.Exit


@app.callback()
def tailrace(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Carry an LLM's answer from any provider to any client while it is being written."""


def run() -> None:
    """Run the command line; never returns."""
    app()
