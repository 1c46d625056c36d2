"""Options that several commands have, and how examples are shown in their help."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Url: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="TAILRACE_URL",
        help="Address of a Tailrace server; a key for it goes into TAILRACE_API_KEY.",
        metavar="URL",
    ),
]
ModelName: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="TAILRACE_MODEL",
        help="A route, provider/model, or a model's own name. Default: the server's first.",
        metavar="MODEL",
    ),
]
System: TypeAlias = Annotated[
    str | None, typer.Option("--system", "-s", help="Instructions for the model.", metavar="TEXT")
]
MaxTokens: TypeAlias = Annotated[
    int | None, typer.Option("--max-tokens", min=1, help="Longest answer, in tokens.", metavar="N")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="JSON Lines instead of text.")]
NoStats: TypeAlias = Annotated[bool, typer.Option("--no-stats", help="No figures on stderr at the end.")]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help="Install the local model without asking, if it is missing.")
]


def examples(*lines: str) -> str:
    """Return the part of a help text that shows how a command is used."""
    # \b keeps the help formatter from joining the lines.
    return "\n".join(["\b", "Examples:", *(f"  {text}" for text in lines)])
