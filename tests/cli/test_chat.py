from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tailrace.cli import chat
from tests.cli.commands import House, relay_in_thread, tailrace


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with relay_in_thread() as found:
        yield found


def talk(house: House, *lines: str, model: str = "sim/sim:tokens=2") -> tuple[int, str, str]:
    return tailrace("chat", "--url", house.url, "-m", model, "-s", "be terse", piped="".join(f"{x}\n" for x in lines))


def asked(house: House, count: int) -> list[list[tuple[str, str]]]:
    """Return the turns of the last ``count`` requests, as the provider saw them."""
    bodies = [json.loads(record.body) for record in house.sim.requests[-count:]]
    return [[(turn["role"], turn["content"]) for turn in body["messages"]] for body in bodies]


def test_each_turn_is_asked_with_those_before_it(house: House) -> None:
    code, out, err = talk(house, "one", "", "two")
    assert code == 0
    first, second = out.splitlines()
    assert asked(house, 2) == [
        [("system", "be terse"), ("user", "one")],
        [("system", "be terse"), ("user", "one"), ("assistant", first), ("user", "two")],
    ]
    assert second
    assert err.count("TTFT") == 2


def test_a_new_conversation_forgets_and_bye_leaves(house: House) -> None:
    code, _, err = talk(house, "one", "/new", "two", "/bye", "three")
    assert code == 0
    assert asked(house, 1) == [[("system", "be terse"), ("user", "two")]]
    assert "a new conversation" in err


def test_another_model_takes_the_conversation_over(house: House) -> None:
    code, _, err = talk(house, "one", "/model sim/sim:tokens=3", "two")
    assert code == 0
    assert "model: sim/sim:tokens=3" in err
    assert len(asked(house, 1)[0]) == 4


def test_a_turn_that_failed_is_not_kept(house: House) -> None:
    code, out, err = talk(house, "one", "/model sim/sim", "two", model="sim/sim:fault=status@500")
    assert code == 0
    assert "error: " in err
    assert asked(house, 1) == [[("system", "be terse"), ("user", "two")]]
    assert out.strip()


@pytest.mark.parametrize("line", ["/help", "/nonsense", "/model"])
def test_other_commands_show_what_there_is(house: House, line: str) -> None:
    code, out, err = talk(house, line)
    assert (code, out) == (0, "")
    assert chat.HELP in err


def test_two_ctrl_c_at_the_prompt_leave_and_one_does_not(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs: list[str | None] = [None, "/new", None, None, "never read"]

    def read() -> str:
        line = inputs.pop(0)
        if line is None:
            raise KeyboardInterrupt
        return line

    monkeypatch.setattr(chat, "_read", read)
    code, _, err = talk(house)
    assert code == 130
    assert inputs == ["never read"]
    assert err.count("Ctrl-C again or /bye leaves") == 2
