from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from tailrace.cli import terminal

EVIL = "a\x1b[31mred\x1b]52;c;Zm9v\x07\x9b2J\rb\x08\x7f\tc\nd"
TAME = "a\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}]52;c;Zm9v"


class Screen(io.StringIO):
    """A terminal, or what stands in for one, that counts how often it was flushed."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self.flushes = 0
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def flush(self) -> None:
        self.flushes += 1


@pytest.mark.parametrize("write", [terminal.put, terminal.line])
def test_each_piece_is_flushed(monkeypatch: pytest.MonkeyPatch, write: Callable[[str], None]) -> None:
    out = Screen(tty=False)
    monkeypatch.setattr(sys, "stdout", out)
    for number, piece in enumerate(["a", "b"], 1):
        write(piece)
        assert out.flushes == number


def test_control_characters_of_an_answer_cannot_act_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Screen(tty=True)
    monkeypatch.setattr(sys, "stdout", out)
    terminal.put(EVIL)
    assert out.getvalue().startswith(TAME)
    assert {character for character in out.getvalue() if character < " "} == {"\t", "\n"}


def test_data_that_is_not_shown_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Screen(tty=False)
    monkeypatch.setattr(sys, "stdout", out)
    terminal.put(EVIL)
    assert out.getvalue() == EVIL


def test_a_message_from_elsewhere_cannot_act_either(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Screen(tty=True)
    monkeypatch.setattr(sys, "stderr", err)
    terminal.say(EVIL)
    assert "\x1b" not in err.getvalue()


@pytest.mark.parametrize(
    ("tty", "environ", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": ""}, True),  # no-color.org: "when present and not an empty string"
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tty: bool, environ: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    err = Screen(tty=tty)
    monkeypatch.setattr(sys, "stderr", err)
    terminal.aside("figures")
    assert err.getvalue() == ("\x1b[2mfigures\x1b[0m\n" if coloured else "figures\n")


def test_what_the_terminal_cannot_show_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    terminal.put("blå \ud83d")
    assert raw.getvalue() == b"bl? ?"
