"""``tailrace chat``: a conversation."""

from __future__ import annotations

import sys
from typing import Any

from tailrace.cli.options import MaxTokens, ModelName, NoStats, System, Url, examples

EXAMPLES = examples("tailrace chat", "tailrace chat -m fast -s 'You are terse'")

HELP = "/new begins anew · /model NAME asks another model · /bye leaves (as Ctrl-D does) · Ctrl-C stops an answer"


def chat(
    *,
    model: ModelName = None,
    system: System = None,
    max_tokens: MaxTokens = None,
    no_stats: NoStats = False,
    url: Url = None,
) -> int:
    """Talk with a model.

    Each line is a turn; answers appear as they are written. Commands: /new, /model NAME, /help, /bye. Ctrl-C stops an
    answer and keeps what came; at the prompt, two in a row leave.
    """
    from tailrace.cli.target import find

    return Conversation(lambda name: find(name, url), model, system, max_tokens, stats=not no_stats, url=url).run()


class Conversation:
    """The turns so far, and the loop that adds to them. ``find`` says whom to ask for a model."""

    def __init__(
        self,
        find: Any,
        model: str | None,
        system: str | None,
        max_tokens: int | None,
        *,
        stats: bool,
        url: str | None,
    ) -> None:
        self._find = find
        self._target = find(model)
        self._turns: list[Any] = []
        self._options = {"system": system, "max_tokens": max_tokens}
        self._stats = stats
        self._url = url
        self._interrupts = 0

    def run(self) -> int:
        """Read and answer until the end of the input."""
        try:
            return self._turns_of_input()
        finally:
            self._target.client.close()

    def _turns_of_input(self) -> int:
        from tailrace.cli.terminal import aside

        if sys.stdin.isatty():
            aside(f"{self._target.model} · {HELP}")
        while True:
            try:
                line = _read().strip()
            except EOFError:
                return 0
            except KeyboardInterrupt:
                self._interrupts += 1
                if self._interrupts > 1:
                    raise
                aside("\n(Ctrl-C again or /bye leaves)")
                continue
            self._interrupts = 0
            if line == "/bye":
                return 0
            if line.startswith("/"):
                self._command(line)
            elif line:
                self._ask(line)

    def _command(self, line: str) -> None:
        from tailrace.cli.terminal import aside, say
        from tailrace.errors import TailraceError

        name, _, argument = line.partition(" ")
        if name == "/new":
            self._turns.clear()
            aside("a new conversation")
        elif name == "/model" and argument.strip():
            try:
                found = self._find(argument.strip())
            except TailraceError as error:
                say(f"error: {error}")
                return
            self._target.client.close()
            self._target = found
            aside(f"model: {found.model}")
        else:
            say(HELP)

    def _ask(self, line: str) -> None:
        from tailrace.cli.answer import show
        from tailrace.cli.terminal import say
        from tailrace.errors import TailraceError

        turns = [*self._turns, {"role": "user", "content": line}]
        client, model = self._target
        stream = client.stream(model=model, messages=turns, **self._options)
        try:
            show(stream, stats=self._stats, url=self._url)
        except TailraceError as error:
            say(f"error: {error}")
            return
        # What came is kept, whole or not. An answer of nothing at all would be refused as a turn.
        if stream.message.text:
            self._turns = [*turns, stream.message]


def _read() -> str:
    """Return the next line; raises ``EOFError`` at the end. The prompt is shown to people only."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (gives `input` editing and history)
    if sys.stdout.isatty():
        return input("> ")
    sys.stderr.write("> ")
    sys.stderr.flush()
    return input()
