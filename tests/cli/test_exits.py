from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

from tailrace import errors
from tailrace.cli.exits import Exit, code_of, guarded

CODES: list[tuple[errors.TailraceError, int]] = [
    (errors.TailraceError("x"), 1),
    (errors.ConfigError("x"), 1),
    (errors.StreamCancelled("x"), 1),
    (errors.BadRequest("x"), 2),
    (errors.NotFound("x"), 2),
    (errors.StatusError("x", status=404, kind="not_found"), 2),
    (errors.StatusError("x", status=400, kind="invalid_request"), 2),
    (errors.StatusError("x", status=500), 3),
    (errors.StatusError("x", status=429, kind="rate_limit"), 3),
    (errors.ConnectError("x"), 3),
    (errors.ProviderTimeout("x", phase="connect"), 3),
    (errors.RemoteProtocolError("x"), 3),
    (errors.StreamFailed("x"), 3),
    (errors.StreamTruncated("x", kind="truncated"), 3),
    (errors.StreamTimedOut("x", kind="timeout"), 3),
    (errors.StreamInterrupted("x", kind="interrupted"), 3),
    (errors.Unauthenticated("x"), 4),
    (errors.StatusError("x", status=401, kind="authentication"), 4),
    (errors.StatusError("x", status=403, kind="permission"), 4),
    (errors.StreamFailed("x", kind="authentication"), 4),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda value: f"{type(value).__name__}")
def test_each_error_has_its_exit_code(error: errors.TailraceError, code: int) -> None:
    assert code_of(error) == code


def exit_of(raising: BaseException | None, result: int | None = None) -> int:
    def command() -> int | None:
        if raising is not None:
            raise raising
        return result

    with pytest.raises(typer.Exit) as caught:
        guarded(command)()
    return caught.value.exit_code


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_s_result_is_its_exit_code(result: int | None, code: int) -> None:
    assert exit_of(None, result) == code


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(errors.ConnectError("nobody there")) == Exit.UPSTREAM
    assert capsys.readouterr() == ("", "error: nobody there\n")


def test_every_problem_of_a_configuration_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    problems = (errors.ConfigError("a", where="f:1"), errors.ConfigError("b", where="f:2"))
    assert exit_of(errors.ConfigError("a\nb", problems=problems)) == Exit.FAILED
    assert capsys.readouterr().err == "error: f:1: a\nerror: f:2: b\n"


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(KeyboardInterrupt()) == Exit.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_bug_is_not_hidden() -> None:
    def command() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded(command)()


def test_a_reader_that_leaves_is_met_with_silence() -> None:
    script = (
        "from tailrace.cli.exits import guarded\nfrom tailrace.cli.terminal import line\nimport typer\n"
        "def command():\n    while True: line('x' * 1000)\n"
        "try: guarded(command)()\nexcept typer.Exit as end: raise SystemExit(end.exit_code)"
    )
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert os.read(read, 10) == b"x" * 10
    os.close(read)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (Exit.NO_READER, b"")
