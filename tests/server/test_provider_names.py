"""Names that do not resolve, or not now, or to somewhere else: told in time, and nobody else waits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest

from tailrace.engine import Deadlines, Policy, ProviderSpec, Relay, Retry, RouteSpec, Target
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

Answer = Callable[[], str]


class Names:
    """What the system's resolver says about names under ``.test``; all others it is asked itself."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(host, str) or not host.endswith(".test"):
            return self._real(host, port, *args, **options)
        self.asked.append(host)
        address = self.answers[host]()
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))]

    def hang(self) -> str:
        """Answer when the test is over."""
        self.over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    @staticmethod
    def fails(code: int) -> Answer:
        def answer() -> str:
            raise socket.gaierror(code, "no")

        return answer


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.over.set()


def at(url: str, connect: float = 0.3) -> Relay:
    spec = ProviderSpec(name="p", dialect="anthropic", base_url=url)
    policy = Policy(deadlines=Deadlines(connect=connect), retry=Retry(attempts=1))
    return Relay({"p": spec}, {"r": RouteSpec(name="r", targets=(Target("p", "sim"),), policy=policy)})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (socket.EAI_NONAME, "the host name does not resolve"),
        (socket.EAI_AGAIN, "no name server knows about the host name"),
        (socket.EAI_FAIL, "the host name does not resolve"),
    ],
)
async def test_a_name_without_an_address_is_502(names: Names, code: int, words: str) -> None:
    names.answers["gone.test"] = names.fails(code)
    async with (
        serving(at("http://gone.test")) as url,
        aiohttp.ClientSession() as http,
        http.post(url + "/v1/messages", json=body("r")) as response,
    ):
        assert response.status == 502
        assert words in await response.text()


async def test_what_is_no_name_at_all_is_502(names: Names) -> None:
    async with (
        serving(at(f"http://{'a' * 70}.example")) as url,
        aiohttp.ClientSession() as http,
        http.post(url + "/v1/messages", json=body("r")) as response,
    ):
        assert response.status == 502
        assert "the host name does not resolve" in await response.text()


async def test_a_look_up_that_hangs_is_504_and_the_loop_goes_on(names: Names) -> None:
    names.answers["slow.test"] = names.hang
    gaps: list[float] = []

    async def beat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    async with serving(at("http://slow.test")) as url, aiohttp.ClientSession() as http:
        beating = asyncio.create_task(beat())
        began = time.monotonic()

        async def ask() -> tuple[int, str]:
            async with http.post(url + "/v1/messages", json=body("r")) as response:
                return response.status, await response.text()

        answers = await asyncio.gather(*(ask() for _ in range(20)))
        beating.cancel()
    assert {status for status, _ in answers} == {504}
    assert all("no connection within 0.3 s" in text for _, text in answers)
    assert time.monotonic() - began < 3
    assert names.asked == ["slow.test"]  # one thread, however many wait for it
    assert max(gaps) < 0.3


async def test_a_hundred_hanging_names_hold_nobody_else_up(names: Names) -> None:
    async with Simulator() as sim:
        port = sim.url.rpartition(":")[2]
        names.answers["well.test"] = lambda: "127.0.0.1"
        specs = {"well": ProviderSpec(name="well", dialect="anthropic", base_url=f"http://well.test:{port}")}
        for number in range(100):
            names.answers[f"slow{number}.test"] = names.hang
            specs[f"p{number}"] = ProviderSpec(
                name=f"p{number}", dialect="anthropic", base_url=f"http://slow{number}.test"
            )
        async with serving(Relay(specs)) as url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            hanging = [
                asyncio.create_task(http.post(url + "/v1/messages", json=body(f"p{number}/m"))) for number in range(100)
            ]
            async with asyncio.timeout(20):
                while len(names.asked) < 100:
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(5), http.post(url + "/v1/messages", json=body("well/sim")) as response:
                _, fold = read("anthropic", await response.read())
            assert fold.ended
            # What everything else in the process may need is not held up either.
            async with asyncio.timeout(2):
                await asyncio.to_thread(int)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_provider_that_moves_is_found_again(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.engine.http.NAME_SECONDS", 0)
    here = "127.0.0.2"
    names.answers["moves.test"] = lambda: here
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(contextlib.AsyncExitStack())
        old = await first.enter_async_context(Simulator("127.0.0.2"))
        port = int(old.url.rpartition(":")[2])
        new = await stack.enter_async_context(Simulator("127.0.0.3", port))
        url = await stack.enter_async_context(serving(at(f"http://moves.test:{port}")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for host in (old.host, new.host):
            here = host
            async with http.post(url + "/v1/messages", json=body("r")) as response:
                assert response.status == 200
                await response.read()
            await first.aclose()
        assert (len(old.requests), len(new.requests)) == (1, 1)
