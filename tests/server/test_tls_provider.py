"""TLS towards a provider: nothing is said before its certificate was checked, and an end without a farewell is none."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tailrace.engine import http as engine_http
from tests.server.raw_provider import ANSWER, HEAD, KEY, Rig, rig
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[trustme.CA]:
    """An authority that this machine trusts, for the length of a test."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    engine_http._trust.cache_clear()
    yield made
    engine_http._trust.cache_clear()


def served(authority: trustme.CA, name: str = "127.0.0.1", until: dt.datetime | None = None) -> ssl.SSLContext:
    """Return a server's context with a certificate for ``name``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=until).configure_cert(context)
    return context


async def asked(house: Rig, door: str = "anthropic") -> tuple[int, str]:
    async with asyncio.timeout(20), house.http.post(house.url + DOORS[door], json=body("ant/m")) as response:
        return response.status, await response.text()


async def test_a_certificate_that_holds(authority: trustme.CA) -> None:
    async with rig(context=served(authority)) as house:
        house.provider.says = HEAD + b"\r\n" + ANSWER
        status, text = await asked(house)
        assert status == 200
        assert read("anthropic", text.encode())[1].ended
        assert house.provider.heard == 1


@pytest.mark.parametrize("why", ["of its own signing", "for another host", "expired"])
async def test_a_certificate_that_does_not_hold_hears_nothing(authority: trustme.CA, why: str) -> None:
    context = {
        "of its own signing": lambda: served(trustme.CA()),
        "for another host": lambda: served(authority, "api.example.org"),
        "expired": lambda: served(authority, until=PAST),
    }[why]()
    async with rig(context=context) as house:
        house.provider.says = HEAD + b"\r\n" + ANSWER
        for door in DOORS:
            status, text = await asked(house, door)
            assert status == 502
            assert "the server's certificate is not trusted" in text
            assert KEY not in text
        assert house.provider.heard == 0


class Canary:
    """A plain socket where TLS is expected: keeps every byte that it is told, and answers with ``says``."""

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.heard = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(2)
                self.heard += sock.recv(65536)
                sock.sendall(self.says)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize(
    "says",
    [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\x00\x7a\x02", bytes(300)],
    ids=["cut", "plain HTTP", "an alert", "half a greeting", "NUL"],
)
async def test_a_handshake_that_breaks_off_is_told_and_has_told_nothing(says: bytes) -> None:
    canary = Canary(says)
    try:
        async with rig(url=canary.url) as house:
            for door in DOORS:
                status, text = await asked(house, door)
                assert status == 502, text
                assert "secure connection" in text or "connection was lost" in text or "cannot connect" in text
        assert canary.heard
        assert KEY.encode() not in canary.heard
        assert b"POST" not in canary.heard
    finally:
        canary.close()


async def test_an_end_without_a_farewell_is_no_end(authority: trustme.CA) -> None:
    """No close_notify, no length, no chunks: whoever can cut the line could have done it (RFC 8446 section 6.1)."""
    half = ANSWER[: ANSWER.index(b"event: content_block_stop")]
    for framing in (b"", b"connection: close\r\n"):
        for version in (b"1.0", b"1.1"):
            async with rig(context=served(authority)) as house:
                house.provider.says = HEAD.replace(b"1.1", version) + framing + b"\r\n" + half
                house.provider.then = "reset"
                for door in DOORS:
                    status, text = await asked(house, door)
                    assert status == 200
                    _, fold = read(door, text.encode())
                    assert fold.error is not None, (door, framing, version)
                    assert fold.error.ending == "truncated"


async def test_the_keys_of_a_connection_are_not_written_down(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.txt"))
    engine_http._trust.cache_clear()
    async with rig(context=served(authority)) as house:
        house.provider.says = HEAD + b"\r\n" + ANSWER
        assert (await asked(house))[0] == 200
    assert not (tmp_path / "keys.txt").exists()


async def test_old_versions_are_not_spoken(authority: trustme.CA) -> None:
    context = served(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with rig(context=context) as house:
        assert (await asked(house))[0] == 502
        assert house.provider.heard == 0
