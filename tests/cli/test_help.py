"""Every command is documented, and help costs next to nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
import typer

from tailrace.cli.main import COMMANDS
from tests.cli.commands import tailrace

GROUPS = {"configuration": "config ", "keys": "keys "}
NAMES = [GROUPS.get(function.__module__.rpartition(".")[2], "") + name for _, name, function, _ in COMMANDS]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_says_what_it_does_with_examples_of_itself(name: str) -> None:
    code, out, _ = tailrace(*name.split(), "--help")
    assert code == 0
    assert "Examples:" in out
    assert f"tailrace {name}" in out.partition("Examples:")[2]


@pytest.mark.parametrize(("name", "function"), [(name, row[2]) for name, row in zip(NAMES, COMMANDS, strict=True)])
def test_every_option_and_argument_is_explained(name: str, function: object) -> None:
    assert inspect.getdoc(function)
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters:  # type: ignore[arg-type]
        hint = hints[parameter]
        assert get_origin(hint) is Annotated, parameter
        info = get_args(hint)[1]
        assert isinstance(info, typer.models.ParameterInfo)
        assert info.help, f"{name} {parameter}"


def test_the_overview_lists_every_command() -> None:
    code, out, _ = tailrace("--help")
    assert code == 0
    listed = {line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()}
    assert {name.split()[0] for name in NAMES} <= listed


def test_without_a_command_the_help_is_shown() -> None:
    code, out, err = tailrace()
    assert code == 2
    assert "Commands:" in out + err


def test_the_version_is_one_line() -> None:
    code, out, err = tailrace("--version")
    assert (code, err) == (0, "")
    assert out.startswith("tailrace 0.")
    assert out.count("\n") == 1


@pytest.mark.parametrize("words", [["nonsense"], ["ask", "--nonsense"], ["tail"], ["tail", "x", "--from", "-1"]])
def test_a_wrong_command_line_is_a_usage_error(words: list[str]) -> None:
    code, out, err = tailrace(*words)
    assert (code, out) == (2, "")
    assert "Usage:" in err


def test_help_loads_nothing_that_only_some_command_needs() -> None:
    heavy = ("httpx2", "aiohttp", "pydantic", "uvicorn", "starlette", "structlog", "msgspec", "rich", "xllamacpp")
    script = f"import sys, tailrace.cli.main; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
