"""``tailrace ask`` and what follows a stream, against a relay in front of a simulator."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tailrace.cli import answer
from tailrace.cli.answer import show
from tailrace.cli.exits import Exit
from tailrace.client import Client
from tailrace.events import Message, TextDelta, fold, wire
from tailrace.simulator import Scenario, expected
from tests.cli.commands import House, Outcome, relay_in_thread, tailrace


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A relay before a simulator; its tests share it, so each asks for a stream of its own."""
    with relay_in_thread() as found:
        yield found


def ask(house: House, model: str, *words: str, **more: Any) -> Outcome:
    return tailrace("ask", "--url", house.url, "-m", model, *words, "hello", **more)


def wanted(name: str, **scenario: Any) -> Message:
    return expected(Scenario(name=name, **scenario))


def test_the_answer_is_all_there_is_on_stdout(house: House) -> None:
    code, out, err = ask(house, "sim/sim:tokens=7,seed=3")
    assert code == 0
    assert out.rstrip("\n") == wanted("sim", tokens=7, seed=3).text.rstrip("\n")
    assert out.endswith("\n")
    assert "TTFT" in err
    assert "(exact)" in err


def test_without_figures_stderr_is_empty(house: House) -> None:
    assert ask(house, "sim/sim:tokens=3", "--no-stats").err == ""


def test_usage_that_never_came_is_not_said_to_be_exact(house: House) -> None:
    code, _, err = ask(house, "sim/sim:tokens=3,fault=no_usage")
    assert code == 0
    assert "exact" not in err
    assert "tokens" in err


def test_without_a_model_the_first_one_is_taken_and_named(house: House) -> None:
    code, out, err = tailrace("ask", "--url", house.url, "hello")
    assert code == 0
    assert out
    assert err.startswith("model: sim/sim\n")


def test_the_variable_leads_to_the_server_too(house: House) -> None:
    assert tailrace("ask", "hello", environ={"TAILRACE_URL": house.url, "TAILRACE_MODEL": "sim/sim"}).code == 0


def test_piped_text_is_added_to_the_words(house: House) -> None:
    assert tailrace("ask", "--url", house.url, "-s", "be terse", "look:", piped="some\nlines\n").code == 0
    record = house.sim.requests[-1]
    assert json.loads(record.body)["messages"] == [
        {"role": "system", "content": "be terse"},
        {"role": "user", "content": "look:\n\nsome\nlines"},
    ]


def test_json_lines_are_the_events_between_a_version_and_the_ending(house: House) -> None:
    code, out, err = ask(house, "sim/sim-tool:tokens=4", "--json", "--no-stats")
    assert (code, err) == (0, "")
    first, *middle, last = out.splitlines()
    assert json.loads(first)["version"] == wire.VERSION
    assert json.loads(first)["stream"]
    assert fold(wire.decode(line) for line in middle).tool_calls
    said = json.loads(last)
    assert (said["type"], said["ending"], said["usage_label"]) == ("end", "completed", "exact")


@pytest.mark.parametrize(
    ("model", "code", "message"),
    [
        ("sim/sim:tokens=9,fault=cut_event@5", 3, "error: "),
        ("sim/sim:tokens=9,fault=no_terminator", 3, "error: "),
        ("sim/sim:tokens=9,fault=error@3", 3, "error: "),
        ("sim/sim:fault=status@401", 4, "error: "),
        ("sim/sim:fault=status@500", 3, "error: "),
        ("sim/nonsense", 2, "error: no model 'nonsense' here"),
        ("nonsense", 2, "error: no model or route 'nonsense' here; known: sim/sim"),
    ],
)
def test_each_failure_has_its_exit_code_and_one_sentence(house: House, model: str, code: int, message: str) -> None:
    found = ask(house, model)
    assert found.code == code
    assert message in found.err
    assert "Traceback" not in found.err


def test_the_text_of_an_answer_that_was_cut_is_kept(house: House) -> None:
    code, out, err = ask(house, "sim/sim:tokens=9,seed=2,fault=cut_event@5")
    assert code == 3
    assert out.strip()
    assert wanted("sim", tokens=9, seed=2).text.startswith(out.rstrip("\n"))
    assert "truncated" in err


def test_a_simulated_refusal_or_nothing_at_all_leaves_no_blank_line(house: House) -> None:
    code, out, _ = ask(house, "sim/sim:tokens=0")
    assert (code, out.strip()) == (0, "")


def test_nothing_asked_is_a_usage_error(house: House) -> None:
    code, out, err = tailrace("ask", "--url", house.url)
    assert (code, out) == (2, "")
    assert "nothing was asked" in err


def test_piped_bytes_that_are_no_text_are_refused(house: House) -> None:
    code, _, err = tailrace("ask", "--url", house.url, piped=b"\xff\xfe")
    assert code == 2
    assert "not UTF-8" in err


def test_the_first_ctrl_c_stops_the_answer_and_keeps_what_came(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []

    def put(text: str) -> None:
        shown.append(text)
        if len(shown) == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(answer, "put", put)
    with Client(house.url) as client:
        stream = client.stream(model="sim/sim:tokens=500,rate=50", messages="hello")
        code = show(stream)
    assert code == Exit.INTERRUPTED
    assert stream.ending == "cancelled"
    assert 2 <= len(shown) < 400
    err = capfd.readouterr().err
    assert "stopping" in err
    assert "cancelled" in err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_ctrl_c_leaves_and_says_how_to_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def put(_: str) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(answer, "put", put)
    with Client(house.url) as client:
        stream = client.stream(model="sim/sim:tokens=500,rate=50", messages="hello")
        with pytest.raises(KeyboardInterrupt):
            show(stream, url=house.url)
    hint = f"resume: tailrace tail {stream.stream_id} --from {stream.cursor} --url {house.url}\n"
    assert capfd.readouterr().err.endswith(hint)


def test_an_answer_that_nobody_reads_is_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(answer, "put", put)
    with Client(house.url) as client:
        stream = client.stream(model="sim/sim:tokens=500,rate=50", messages="hello")
        with pytest.raises(BrokenPipeError):
            show(stream)
        found = {entry["id"]: entry["ending"] for entry in client.streams()}
    assert found[stream.stream_id or ""] == "cancelled"


def test_a_stream_can_be_followed_from_any_event_listed_and_stopped_again(house: House) -> None:
    first, *lines = ask(house, "sim/sim:tokens=6", "--json", "--no-stats").out.splitlines()
    name = json.loads(first)["stream"]
    whole = tailrace("tail", name, "--url", house.url, "--json", "--no-stats").out.splitlines()
    assert whole[1:-1] == lines[:-1]
    words = [event.text for event in map(wire.decode, lines[:-1]) if isinstance(event, TextDelta)]
    cursor = json.loads(lines[-1])["cursor"]
    code, out, _ = tailrace("tail", name, "--from", str(cursor - 1), "--url", house.url)
    assert code == 0
    assert len(out) < len("".join(words))
    listed = tailrace("ls", "--url", house.url, "--json").out.splitlines()
    assert json.loads(listed[0])["id"] == name
    assert name in tailrace("ls", "--url", house.url).out
    code, out, _ = tailrace("stop", name, "--url", house.url)
    assert (code, out) == (0, f"{name}  completed\n")


@pytest.mark.parametrize("command", ["tail", "stop"])
def test_a_stream_that_is_not_there_is_named_as_that(house: House, command: str) -> None:
    code, out, err = tailrace(command, "nowhere", "--url", house.url)
    assert (code, out) == (2, "")
    assert "no stream" in err


def test_models_are_listed_with_what_they_are(house: House) -> None:
    assert tailrace("models", "--url", house.url).out == "sim/sim\n"
    assert json.loads(tailrace("models", "--url", house.url, "--json").out)["id"] == "sim/sim"
