"""What the sockets are set to: no Nagle on either side, bounded kernel buffers, proxies from the environment."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tailrace.engine import HttpUpstream, ProviderSpec, Relay
from tailrace.engine.sockets import RECEIVE_BUFFER
from tailrace.server import ServerSpec, bind, make_server, url_of
from tailrace.server.listen import NOTSENT, SEND_BUFFER
from tailrace.simulator import Simulator
from tests.server.conftest import providers
from tests.server.test_doors import body

pytestmark = pytest.mark.anyio


def nodelay(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_nagle_is_off_on_both_sides_and_the_kernels_buffers_are_bounded() -> None:
    """A 40 ms plateau in every event is what the other setting looks like."""
    import aiohttp

    async with Simulator() as sim:
        relay = Relay(providers(sim))
        sock = bind(ServerSpec(port=0))
        ready = asyncio.Event()
        server = make_server(relay, ServerSpec(shutdown_grace=0), ready.set, signals=False)
        running = asyncio.ensure_future(server.serve(sockets=[sock]))
        await ready.wait()
        async with (
            aiohttp.ClientSession() as http,
            http.post(url_of(sock) + "/v1/messages", json=body("ant/sim:tokens=1000,rate=100")) as response,
        ):
            await response.content.readany()
            (connection,) = server.server_state.connections
            accepted = connection.transport.get_extra_info("socket")
            assert nodelay(accepted) == 1
            # Linux doubles what is asked for, to leave room for its own bookkeeping.
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == NOTSENT
            upstream = relay._upstreams["ant"]
            assert isinstance(upstream, HttpUpstream)
            assert upstream._session is not None
            assert upstream._session.connector is not None
            (protocol,) = upstream._session.connector._acquired
            assert protocol.transport is not None
            asking = protocol.transport.get_extra_info("socket")
            assert nodelay(asking) == 1
            most = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
            assert asking.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * min(RECEIVE_BUFFER, most)
        await relay.drain(0)
        server.should_exit = True
        await running
        sock.close()


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://api.example.org/v1", "http://proxy.example.org:3128"),
        ("http://api.example.org/v1", None),
        ("https://inside.example.net", None),
    ],
)
async def test_proxies_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "inside.example.net")
    upstream = HttpUpstream(ProviderSpec(name="x", dialect="anthropic", base_url=url))
    assert upstream._proxy == proxy
