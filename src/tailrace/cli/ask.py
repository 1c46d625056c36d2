"""``tailrace ask``: one question, its answer as it is written."""

from __future__ import annotations

from typing import Annotated

import typer

from tailrace.cli.options import Json, MaxTokens, ModelName, NoStats, System, Url, examples

EXAMPLES = examples(
    'tailrace ask "Why is the sky blue?"',
    "tailrace ask -m anthropic/claude-haiku-4-5 Write a haiku",
    'git diff | tailrace ask -s "You review code" "What is wrong here?"',
    "tailrace ask --json Hello | jq -r 'select(.type == \"text_delta\").text'",
)


def ask(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="PROMPT", help="The question; piped text is added to it.")
    ] = None,
    *,
    model: ModelName = None,
    system: System = None,
    max_tokens: MaxTokens = None,
    as_json: Json = False,
    no_stats: NoStats = False,
    url: Url = None,
) -> int:
    """Ask a model; its answer appears as it is written.

    Asks the server at --url (or TAILRACE_URL); else, for provider/model with that provider's key in the environment,
    the provider itself; else the server on this machine. Ctrl-C stops the answer and keeps what came, a second one
    leaves at once. Exit codes: 0 ok, 1 failed, 2 usage, 3 upstream, 4 auth, 130 interrupted.
    """
    from tailrace.cli.answer import show
    from tailrace.cli.prompt import prompt_of
    from tailrace.cli.target import find

    prompt = prompt_of(words or [])
    client, name = find(model, url)
    with client:
        stream = client.stream(model=name, messages=prompt, system=system, max_tokens=max_tokens)
        return show(stream, as_json=as_json, stats=not no_stats, url=url)
