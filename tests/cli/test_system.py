"""The command line as people meet it: processes, terminals, signals, pipes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tailrace.cli.exits import Exit
from tailrace.simulator import Simulator, in_thread
from tests.cli.processes import SECONDS, TAILRACE, AtTerminal, Running, environ, running

pytestmark = pytest.mark.system

NO_LOCAL_MODEL = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "xllamacpp" else find(name, *more)
"""


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with in_thread() as found:
        yield found


def provider(sim: Simulator) -> dict[str, str]:
    """Return the variables that make ``sim`` a server's one provider."""
    return {
        "TAILRACE__PROVIDERS__SIM__DIALECT": "anthropic",
        "TAILRACE__PROVIDERS__SIM__BASE_URL": sim.url,
        "TAILRACE__PROVIDERS__SIM__MODELS": "sim",
        "TAILRACE__SERVER__SHUTDOWN_GRACE": "0",
    }


@pytest.fixture
def relay(sim: Simulator) -> Iterator[Running]:
    with running("serve", "--port", "0", variables=provider(sim)) as found:
        yield found


def run(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*TAILRACE, *words], stdin=subprocess.DEVNULL, capture_output=True, env=environ(), timeout=SECONDS
    )


SLOW = "sim/sim:tokens=2000,rate=20"


def test_ctrl_c_at_a_terminal_stops_the_answer_and_keeps_it(relay: Running, sim: Simulator) -> None:
    with AtTerminal("ask", "--url", relay.url, "-m", SLOW, "hello") as at:
        at.until(r"[a-z]+ [a-z]+ [a-z]+")
        at.type("\x03")
        at.until(r"stopping \(Ctrl-C again to leave at once\)")
        assert at.ended() == Exit.INTERRUPTED
        assert re.search(r"TTFT .*cancelled", at.screen)
    sim.wait(lambda simulator: simulator.requests[-1].state == "closed_by_client")


def test_a_second_ctrl_c_leaves_at_once_and_says_how_to_come_back(sim: Simulator, relay: Running) -> None:
    # A relay that no longer answers: the stop cannot reach it.
    with AtTerminal("ask", "--url", relay.url, "-m", SLOW, "hello") as at:
        at.until(r"[a-z]+ [a-z]+ [a-z]+")
        relay.process.send_signal(signal.SIGSTOP)
        try:
            at.type("\x03")
            at.until("stopping")
            at.type("\x03")
            assert at.ended() == Exit.INTERRUPTED
        finally:
            relay.process.send_signal(signal.SIGCONT)
        name, cursor = re.findall(r"resume: tailrace tail (\S+) --from (\d+)", at.screen)[0]
    stopped = run("stop", name, "--url", relay.url)
    assert (stopped.returncode, stopped.stderr) == (Exit.OK, b"")
    rest = run("tail", name, "--from", cursor, "--url", relay.url)
    assert (rest.returncode, b"cancelled" in rest.stderr) == (Exit.FAILED, True), rest


def test_colours_are_for_terminals_and_data_is_for_stdout(relay: Running) -> None:
    reading, writing = os.pipe()
    with AtTerminal("ask", "--url", relay.url, "-m", "sim/sim:tokens=5", "hello", piped_out=writing) as at:
        os.close(writing)
        with os.fdopen(reading, "rb") as out:
            data = out.read()
        assert at.ended() == Exit.OK
        assert "\x1b[2mTTFT" in at.screen
    assert data.strip()
    assert b"\x1b" not in data
    assert data.decode().strip() not in at.screen


def test_a_pipe_that_closes_stops_the_answer_in_silence(relay: Running, sim: Simulator) -> None:
    process = subprocess.Popen(
        [*TAILRACE, "ask", "--url", relay.url, "-m", SLOW, "hello"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(SECONDS) == Exit.NO_READER
    process.stderr.close()


def test_a_server_that_dies_leaves_the_words_and_the_way_back(sim: Simulator, relay: Running) -> None:
    with AtTerminal("ask", "--url", relay.url, "-m", SLOW, "hello") as at:
        at.until(r"[a-z]+ [a-z]+ [a-z]+")
        relay.process.kill()
        relay.process.wait(SECONDS)
        at.until("the connection was lost; looking for the relay again")
        # Another one in its place knows nothing of the stream.
        with running("serve", "--port", relay.url.rpartition(":")[2], variables=provider(sim)):
            at.until("resume: tailrace tail")
            assert at.ended() == Exit.UPSTREAM
    assert re.search(r"TTFT .*interrupted", at.screen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_ends_when_told_to(relay: Running, number: signal.Signals) -> None:
    relay.process.send_signal(number)
    _, rest = relay.process.communicate(timeout=SECONDS)
    assert relay.process.returncode == Exit.OK
    assert "Traceback" not in rest


def test_the_simulator_is_a_server_of_its_own() -> None:
    with running("simulate", "--port", "0", "--rate", "0", "--tokens", "4") as simulator:
        done = run("ask", "--url", simulator.url, "-m", "any-model", "hello")
        assert done.returncode == 0
        assert len(done.stdout.split()) >= 2
        done = run("simulate", "--port", simulator.url.rpartition(":")[2])
        assert done.returncode == Exit.FAILED
        assert b"cannot listen" in done.stderr


def test_the_simulator_lists_what_can_go_wrong() -> None:
    done = run("simulate", "--faults")
    assert done.returncode == 0
    assert b"cut_event" in done.stdout
    assert run("simulate", "--fault", "nonsense").returncode == Exit.USAGE


def test_a_demo_without_the_model_says_that_it_is_simulated() -> None:
    with running("demo", "--port", "0", prelude=NO_LOCAL_MODEL) as demo:
        said = "".join(demo.said)
        assert "the local model cannot run here" in said
        assert "pip install" in said
        assert "[simulated]" in said
        done = run("models", "--url", demo.url)
        assert b"simulated/sim  [simulated]\n" in done.stdout


def test_a_server_without_keys_says_who_answers() -> None:
    with running("serve", "--port", "0", prelude=NO_LOCAL_MODEL) as server:
        assert "[simulated]" in "".join(server.said)
        done = run("ask", "--url", server.url, "--max-tokens", "3", "hello")
        assert done.returncode == 0
        assert b"[simulated]" in done.stderr


def test_a_demo_streams_a_real_answer_and_ends() -> None:
    from tailrace.demo import available

    if not available() and not os.environ.get("CI"):
        pytest.skip(available().reason)
    done = run("demo", "--once")
    assert done.returncode == 0
    assert b"blue" in done.stdout
    assert b"local/smollm2-135m" in done.stderr
    assert b"simulated" not in done.stderr
    assert re.search(rb"TTFT .* tokens/s .* out \(exact\)", done.stderr)


def test_a_demo_stops_its_first_answer_and_goes_on_serving() -> None:
    with AtTerminal("demo", "--port", "0") as at:
        if "Install them" in at.until(r"asked: .*\n[\s\S]*[a-z]+ [a-z]+|Install them"):
            at.type("n\n")
        at.until(r"asked: .*\n[\s\S]*[a-z]+ [a-z]+ [a-z]+")
        at.type("\x03")
        at.until(r"chat page: http://")
        assert re.search(r"cancelled", at.screen)
        at.type("\x03")
        assert at.ended() == Exit.OK
        assert "Traceback" not in at.screen
