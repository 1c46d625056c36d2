"""The synchronous client on real sockets: a blocked read that must end, from another thread or a signal."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tailrace.client import Client, Stream, Timeout
from tailrace.client.sync.watchdog import Watchdog
from tailrace.errors import ConnectError, ProviderTimeout, StreamCancelled, StreamTimedOut
from tailrace.events import Error, TextDelta
from tests.client.relay import CANCELLED, START, TEXT_START, finish, stamped, text
from tests.client.wire import HEAD, PROVIDER_HEAD, Connection, WireServer

ASKED: dict[str, Any] = {"model": "m", "messages": "Go on for ever."}
PROVIDER: dict[str, Any] = {"dialect": "anthropic", "api_key": "sk-test"}
BEGUN = START + TEXT_START + text("so far", 0)


class Stalled:
    """Begins an answer, then says nothing; notes that the client has hung up."""

    def __init__(self) -> None:
        self.hung_up = threading.Event()

    def __call__(self, connection: Connection) -> None:
        connection.send(PROVIDER_HEAD + BEGUN)
        if connection.wait_for_close():
            self.hung_up.set()


class StallingRelay:
    """Begins a stream and says nothing until it is stopped; then goes on to the final usage on any connection."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.asked: list[str] = []

    def __call__(self, connection: Connection) -> None:
        self.asked.append(f"{connection.method} {connection.headers.get('last-event-id', '')}".strip())
        if connection.path.endswith("/stop"):
            self.stopped.set()
            connection.send_json(b'{"id": "x", "ending": "cancelled"}')
            return
        frames = [START, TEXT_START, text("so far", 0), finish("end_turn", 44), CANCELLED]
        after = int(connection.headers.get("last-event-id", "0"))
        connection.send(HEAD + stamped(frames[:3], after))
        self.stopped.wait(10)
        connection.send(stamped(frames, max(after, 3)))


def while_reading(stream: Stream, action: Callable[[], object]) -> threading.Thread:
    """Start a thread that waits until ``stream`` is being read, then does ``action``."""

    def run() -> None:
        while stream._link.reader is None or len(stream.message.text) < len("so far"):
            threading.Event().wait(0.001)
        action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def on_signal() -> Iterator[Callable[[Any], Callable[[], None]]]:
    """Sets a signal's handler; returns how to send that signal to this process."""
    before = signal.getsignal(signal.SIGUSR1)

    def arrange(handler: Any) -> Callable[[], None]:
        signal.signal(signal.SIGUSR1, handler)
        return lambda: os.kill(os.getpid(), signal.SIGUSR1)

    yield arrange
    signal.signal(signal.SIGUSR1, before)


def test_another_thread_stops_a_provider_that_says_nothing() -> None:
    provider = Stalled()
    with WireServer(provider) as server, Client(server.url, **PROVIDER) as client:
        with client.stream(**ASKED) as stream:
            stopper = while_reading(stream, stream.stop)
            events = list(stream)
            stopper.join()
        assert provider.hung_up.wait(10)
    assert isinstance(events[-1], Error)
    assert (stream.ending, stream.message.text) == ("cancelled", "so far")


def test_another_thread_stops_a_relays_stream_and_the_reader_gets_the_rest() -> None:
    relay = StallingRelay()
    with WireServer(relay) as server, Client(server.url) as client, client.stream(**ASKED) as stream:
        stopper = while_reading(stream, stream.stop)
        list(stream)
        stopper.join()
    assert (stream.ending, stream.usage.output_tokens, stream.reconnects) == ("cancelled", 44, 0)
    assert relay.asked == ["POST", "POST"]


@pytest.mark.parametrize("kind", ["relay", "provider"])
def test_a_signal_handler_stops_the_stream_that_it_interrupted(kind: str, on_signal: Any) -> None:
    relay, provider = StallingRelay(), Stalled()
    with WireServer(relay if kind == "relay" else provider) as server:
        options = {} if kind == "relay" else PROVIDER
        with Client(server.url, **options) as client, client.stream(**ASKED) as stream:
            sent_from_handler: list[bool] = []

            def handler(*_: object) -> None:
                stream.stop()
                sent_from_handler.append(stream._session.stop_sent)

            sender = while_reading(stream, on_signal(handler))
            events = list(stream)
            sender.join()
            # The interrupted read may hold the locks of the connection pool.
            assert sent_from_handler == [False]
        assert kind == "relay" or provider.hung_up.wait(10)
    assert (stream.ending, stream.message.text) == ("cancelled", "so far")
    assert isinstance(events[-1], Error)
    if kind == "relay":
        assert stream.usage.output_tokens == 44
        assert relay.stopped.is_set()


@pytest.mark.parametrize("kind", ["relay", "provider"])
def test_a_stream_broken_off_by_ctrl_c_can_be_stopped_and_read_on(kind: str, on_signal: Any) -> None:
    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    relay, provider = StallingRelay(), Stalled()
    with WireServer(relay if kind == "relay" else provider) as server:
        options = {} if kind == "relay" else PROVIDER
        with Client(server.url, **options) as client, client.stream(**ASKED) as stream:
            seen = [next(stream) for _ in range(4)]
            with pytest.raises(KeyboardInterrupt):
                interrupted(stream, on_signal(handler))
            stream.stop()
            seen += list(stream)
        assert kind == "relay" or provider.hung_up.wait(10)
    assert isinstance(seen[-1], Error)
    assert (stream.ending, stream.message.text) == ("cancelled", "so far")
    if kind == "relay":
        assert stream.usage.output_tokens == 44
        assert relay.asked == ["POST", "POST", "GET 3"]
    with pytest.raises(StreamCancelled):
        stream.get_final_message()


def interrupted(stream: Stream, send: Callable[[], None]) -> None:
    sender = while_reading(stream, send)
    try:
        next(stream)
    finally:
        sender.join()


def test_a_silent_provider_is_left_at_the_idle_deadline() -> None:
    provider = Stalled()
    timeout = Timeout(first_content=30.0, idle=0.1)
    with WireServer(provider) as server, Client(server.url, timeout=timeout, **PROVIDER) as client:
        with client.stream(**ASKED) as stream, pytest.raises(StreamTimedOut, match="idle") as caught:
            stream.get_final_message()
        assert provider.hung_up.wait(10)
    assert caught.value.partial.text == "so far"


def test_a_head_that_does_not_come_is_left_at_the_first_content_deadline() -> None:
    hung_up = threading.Event()

    def mute(connection: Connection) -> None:
        if connection.wait_for_close():
            hung_up.set()

    timeout = Timeout(first_content=0.1)
    with WireServer(mute) as server, Client(server.url, timeout=timeout, **PROVIDER) as client:
        with pytest.raises(ProviderTimeout) as caught:
            client.create(**ASKED)
        assert hung_up.wait(10)
    assert caught.value.phase == "first_content"


def test_a_provider_that_drips_pings_is_left_too() -> None:
    def dripping(connection: Connection) -> None:
        connection.send(PROVIDER_HEAD + BEGUN)
        while not done.wait(0.02):
            connection.send(b'event: ping\ndata: {"type": "ping"}\n\n')

    done = threading.Event()
    with WireServer(dripping) as server, Client(server.url, timeout=Timeout(idle=0.2), **PROVIDER) as client:
        with client.stream(**ASKED) as stream, pytest.raises(StreamTimedOut):
            stream.get_final_message()
        done.set()


def test_one_thread_watches_all_reads_and_ends_when_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.client.sync.watchdog._LINGER", 0.01)
    watchdog = Watchdog()
    fired = threading.Event()
    late, soon = watchdog.guard(lambda: None), watchdog.guard(fired.set)
    late.arm(60.0)
    watcher = watchdog._thread
    assert watcher is not None
    soon.arm(0.01)
    assert fired.wait(10)
    assert soon.fired
    assert not late.fired
    assert watchdog._thread is watcher
    late.disarm()
    soon.arm(60.0)
    soon.disarm()
    assert not late.fired
    watchdog.guard(lambda: None).arm(0.01)
    watcher.join(10)
    assert watchdog._thread is None


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("openssl is not installed")
    pem = tmp_path / "server.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, *subject, "-keyout", pem, "-out", tmp_path / "cert"], check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + (tmp_path / "cert").read_bytes())
    return pem


def test_a_stop_ends_a_read_behind_tls(certificate: Path) -> None:
    provider = Stalled()
    context = ssl.create_default_context(cafile=str(certificate))
    with WireServer(provider, certificate) as server, httpx2.Client(verify=context) as http:
        client = Client(server.url, http_client=http, **PROVIDER)
        with client.stream(**ASKED) as stream:
            stopper = while_reading(stream, stream.stop)
            list(stream)
            stopper.join()
        assert provider.hung_up.wait(10)
    assert (stream.ending, stream.message.text) == ("cancelled", "so far")


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with WireServer(Stalled(), certificate) as server:
        client = Client(server.url, max_retries=0, **PROVIDER)
        with client, pytest.raises(ConnectError, match="certificate is not trusted"):
            client.create(**ASKED)


def test_threads_share_a_client() -> None:
    whole = [START, TEXT_START, text("word", 0)]

    def answering(connection: Connection) -> None:
        frames = [*whole, b'event: content_block_stop\ndata: {"type": "content_block_stop", "index": 0}\n\n']
        connection.send(HEAD + stamped([*frames, finish(), b'event: message_stop\ndata: {"type": "message_stop"}\n\n']))

    texts: list[str] = []
    with WireServer(answering) as server, Client(server.url) as client:
        threads = [threading.Thread(target=lambda: texts.append(client.create(**ASKED).text)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert texts == ["word"] * 8


def test_events_arrive_while_the_answer_is_being_written() -> None:
    said = threading.Semaphore(0)

    def writing(connection: Connection) -> None:
        connection.send(PROVIDER_HEAD + START + TEXT_START)
        for word in ("one", "two", "three"):
            assert said.acquire(timeout=10)
            connection.send(text(word, 0))

    words: list[str] = []
    with WireServer(writing) as server, Client(server.url, **PROVIDER) as client, client.stream(**ASKED) as stream:
        said.release()
        for event in stream:
            if isinstance(event, TextDelta):
                words.append(event.text)
                if len(words) == 3:
                    break
                said.release()
    assert words == ["one", "two", "three"]
