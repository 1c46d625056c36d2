"""``tailrace usage``: what the ledger has, read from its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tailrace.cli.configuration import ConfigFile, read_settings
from tailrace.cli.options import Json, examples

if TYPE_CHECKING:
    from tailrace.ledger import Row

EXAMPLES = examples(
    "tailrace usage",
    "tailrace usage --stream dQw4w9WgXcQ",
    "tailrace usage --limit 1000 --json | jq -s 'map(.outcome.usage.output_tokens // 0) | add'",
)

UNKNOWN = "-"

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, metavar="N", help="At most so many.")]
Stream = Annotated[str | None, typer.Option("--stream", metavar="ID", help="Only the attempts of this stream.")]


def usage(*, config: ConfigFile = None, stream: Stream = None, limit: Limit = 20, as_json: Json = False) -> int:
    """Show the ledger: one line for each attempt at a provider, the newest first.

    Read from this machine's file, whether a server runs or not. A dash is a figure that nobody said; ~ is an estimate.
    """
    import msgspec

    from tailrace.cli.terminal import line, say
    from tailrace.errors import ConfigError
    from tailrace.ledger import read

    ledger = read_settings(config).ledger
    if ledger.backend == "none":
        raise ConfigError('no ledger is kept: ledger.backend is "none"')
    found = read(ledger.file, stream=stream, limit=limit)
    for row in found:
        line(msgspec.json.encode(row).decode() if as_json else _line(row))
    if not found and not as_json:
        say("no attempts")
    return 0


def _line(row: Row) -> str:
    from datetime import datetime

    attempt, outcome = row.attempt, row.outcome
    began = datetime.fromtimestamp(attempt.started).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    target = f"{attempt.provider}/{attempt.model}"
    if outcome is None:
        return f"{began}  {'running':<11}  {target}"
    usage = outcome.usage
    estimated = "~" if outcome.label == "estimated" else ""
    tokens = f"{_figure(usage.input_tokens, estimated)} in  {_figure(usage.output_tokens, estimated)} out"
    seconds = f"{UNKNOWN:>7}" if outcome.seconds is None else f"{outcome.seconds:6.1f}s"
    return (
        f"{began}  {outcome.ending:<11}  {seconds}  {tokens}  {target}{f'  {outcome.error}' if outcome.error else ''}"
    )


def _figure(value: int | None, mark: str) -> str:
    return f"{UNKNOWN if value is None else f'{mark}{value}':>8}"
