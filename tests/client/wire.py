"""A server on a real socket, in a thread: what it does with a connection is a function of the test's."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from tests.client.relay import STREAM_ID

PROVIDER_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
HEAD = PROVIDER_HEAD.removesuffix(b"\r\n") + f"Tailrace-Stream-Id: {STREAM_ID}\r\n\r\n".encode()


class Connection:
    """One accepted connection, its request read to the end of the head and body."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._some()
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, _ = lines[0].split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(self.headers.get("content-length", "0")):
            body += self._some()
        self.body = body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_json(self, data: bytes) -> None:
        length = len(data)
        self.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (length, data)
        )

    def wait_for_close(self) -> bool:
        """Return True when the client has closed its side, False after ten seconds without that."""
        self.socket.settimeout(10)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _some(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError
        return data


class WireServer:
    """Hands each connection to ``serve``, in a thread of its own, then closes it; ``parsed``: its request read."""

    def __init__(self, serve: Callable[[Any], None], certificate: Path | None = None, *, parsed: bool = True) -> None:
        self._serve = serve
        self._parsed = parsed
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock, self._secured(sock) as connection:
            self._serve(Connection(connection) if self._parsed else connection)

    def _secured(self, sock: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(sock, server_side=True) if self._tls else sock


@contextlib.contextmanager
def pass_on(url: str, cuts: list[int]) -> Iterator[str]:
    """Carry connections to the server at ``url``, each cut after so many bytes of answer; the last are whole."""
    host, _, port = url.removeprefix("http://").partition(":")
    remaining = list(cuts)

    def carry(client: socket.socket) -> None:
        limit = remaining.pop(0) if remaining else None
        with client, socket.create_connection((host, int(port))) as server:
            up = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
            up.start()
            _pump(server, client, limit)
            up.join(20)

    with WireServer(carry, parsed=False) as wire:
        yield wire.url


def _pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    carried = 0
    with contextlib.suppress(OSError):
        while (limit is None or carried < limit) and (data := source.recv(65536)):
            sink.sendall(data if limit is None else data[: limit - carried])
            carried += len(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
