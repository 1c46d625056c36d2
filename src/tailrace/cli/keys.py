"""``tailrace keys``: a new key for a client, and the table that lets it in."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

import typer

from tailrace.cli.options import examples

PREFIX = "trk_"
"""What our keys begin with, so that scanners for leaked secrets, and our own redaction, know one when they see it."""

BYTES = 32
"""Random bytes of a key: so many that its digest needs no salt and no slow hash."""

NEW_EXAMPLES = examples(
    "tailrace keys new alice",
    "tailrace keys new alice >> keys.toml   # the table goes into the file, the key stays on the screen",
    "tailrace keys new grafana --admin --door openai_chat --model 'fast' --tokens-per-day 100000",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Several = list[str] | None


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What logs and figures call it.")],
    *,
    model: Annotated[
        Several, typer.Option("--model", metavar="GLOB", help="May ask only these; can be repeated.")
    ] = None,
    door: Annotated[Several, typer.Option("--door", metavar="DIALECT", help="May speak only these.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Opens operations such as /metrics.")] = False,
    streams: Annotated[int | None, typer.Option("--streams", min=1, metavar="N", help="Answers at once.")] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option("--requests-per-minute", min=1, metavar="N", help="Requests a minute.")
    ] = None,
    tokens_per_day: Annotated[
        int | None, typer.Option("--tokens-per-day", min=1, metavar="N", help="Tokens a day, in and out.")
    ] = None,
) -> int:
    """Make a key. It is shown once, on stderr; the table for the configuration, without it, goes to stdout."""
    from tailrace.cli.terminal import line, say
    from tailrace.server import key_digest

    if not _NAME.fullmatch(name):
        raise typer.BadParameter("letters, digits, '_' and '-' only, and at most 64 of them", param_hint="NAME")
    key = PREFIX + secrets.token_urlsafe(BYTES)
    limits = {"streams": streams, "requests_per_minute": requests_per_minute, "tokens_per_day": tokens_per_day}
    line(f"[keys.{name}]")
    line(f'sha256 = "{key_digest(key)}"')
    for what, values in (("models", model), ("doors", door)):
        if values:
            line(f"{what} = {_list(values)}")
    if admin:
        line("admin = true")
    for what, most in limits.items():
        if most is not None:
            line(f"{what} = {most}")
    say(f"the key of {name}, shown only now: {key}")
    return 0


def _list(values: list[str]) -> str:
    import json

    # A JSON string is a TOML one (TOML 1.0, "String": the same escapes), but for DEL, which no name has.
    return json.dumps(values)
