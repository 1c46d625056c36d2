"""The simulator without an event loop of one's own."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request

import msgspec
import pytest

from tailrace.errors import LocalProtocolError
from tailrace.simulator import Scenario, Simulator, bytes_of, in_thread, run
from tests.simulator.reading import request_body


def ask(url: str) -> bytes:
    request = urllib.request.Request(
        url + "/v1/messages",
        msgspec.json.encode(request_body("anthropic", "sim")),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        body: bytes = response.read()
    return body


def test_in_a_thread() -> None:
    scenario = Scenario(shape="tool")
    with in_thread(scenario) as simulator:
        assert ask(simulator.url) == bytes_of(scenario, "anthropic")
        simulator.wait(lambda s: s.stats()["completed"] == 1)
        with pytest.raises(TimeoutError):
            simulator.wait(lambda s: s.stats()["completed"] == 2, timeout=0.01)
    with pytest.raises(OSError):
        ask(simulator.url)


def test_only_a_running_simulator_is_waited_for() -> None:
    with pytest.raises(LocalProtocolError):
        Simulator().wait(lambda _: True)


def test_a_port_that_is_taken_is_an_error_in_the_callers_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError), in_thread(port=taken.getsockname()[1]):
            pass
        with pytest.raises(OSError):
            run(port=taken.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_for_the_command_line_it_serves_until_a_signal(number: signal.Signals) -> None:
    told: list[str] = []

    def ready(url: str) -> None:
        told.append(url)
        os.kill(os.getpid(), number)

    run(on_ready=ready)
    assert len(told) == 1
    assert told[0].startswith("http://127.0.0.1:")
