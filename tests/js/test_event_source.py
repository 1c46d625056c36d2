"""An EventSource, which resumes by itself: cut in the middle it misses nothing, and at the end it closes for good."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import msgspec
import pytest

from tailrace.simulator import bytes_of, expected, parse
from tests.js.node import run
from tests.server.conftest import House
from tests.server.key_house import ALICE, headers, key_house

pytestmark = [pytest.mark.anyio, pytest.mark.system]


class Seen(msgspec.Struct):
    """What the script prints: events as name, id and data; how often it connected and how often it was told off."""

    events: list[tuple[str, str, str]]
    opened: int
    errors: int


class Proxy:
    """A TCP proxy that cuts each connection after so many bytes of the answer, the last of ``budgets`` for ever."""

    def __init__(self, target: str, budgets: list[int]) -> None:
        address = urlsplit(target)
        self._host, self._port = address.hostname, address.port
        self._budgets = budgets
        self.requests: list[bytes] = []
        self.url = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        left = self._budgets[min(len(self.requests), len(self._budgets) - 1)]
        self.requests.append(request)
        upstream, out = await asyncio.open_connection(self._host, self._port)
        # One request for each connection, so that each one can be cut.
        out.write(
            re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", request).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        )
        while left > 0 and (data := await upstream.read(left)):
            writer.write(data)
            left -= len(data)
            # What lies in the kernel's buffers would be lost with a reset: the cut is a FIN after these bytes.
            await writer.drain()
        for end in (writer, out):
            end.close()

    def cursors(self) -> list[str | None]:
        """Return the ``Last-Event-ID`` of each request."""
        heads = [request.decode().lower().split("\r\n") for request in self.requests]
        named = [dict(line.split(": ", 1) for line in head[1:] if line) for head in heads]
        return [headers.get("last-event-id") for headers in named]


async def follow(house: House, path: str, model: str, names: list[str], budgets: list[int]) -> tuple[Seen, Proxy]:
    """Begin an answer, leave it at once, and have an EventSource follow it through a proxy that cuts."""
    body = {"model": model, "max_tokens": 9, "stream": True, "prompt": "Hello"}
    if path != "/stream":
        body["messages"] = [{"role": "user", "content": body.pop("prompt")}]
    async with house.http.post(house.url + path, json=body) as response:
        assert response.status == 200, await response.text()
        stream_id = response.headers["tailrace-stream-id"]
        proxy = Proxy(house.url, budgets)
        async with proxy.listening():
            printed = await run("event-source.mjs", f"{proxy.url}/streams/{stream_id}", *names)
    return msgspec.json.decode(printed, type=Seen), proxy


async def test_cut_in_the_middle_it_reads_the_plain_feed_to_its_end(house: House) -> None:
    model = "ant/sim:tokens=60,rate=100"
    seen, proxy = await follow(house, "/stream", model, ["message"], [1500, 1 << 30])
    *texts, (_, _, done) = seen.events
    assert done == "[DONE]"
    assert "".join(json.loads(data) for _, _, data in texts) == expected(parse(model)).text
    assert [number for _, number, _ in seen.events] == [str(n) for n in range(1, len(seen.events) + 1)]
    # A stream cut in the middle, its rest, and the 204 after which it gives up.
    first, second, last = proxy.cursors()
    assert first is None
    assert second is not None
    assert 0 < int(second) < len(seen.events)
    assert last == str(len(seen.events))
    assert seen.opened == 2
    assert len(house.sim.requests) == 1


async def test_stopped_in_the_middle_it_hears_why_and_closes_for_good(house: House) -> None:
    model = "ant/sim:tokens=4000,rate=200"
    body = {"model": model, "prompt": "Hello"}
    async with house.http.post(house.url + "/stream", json=body) as response:
        stream_id = response.headers["tailrace-stream-id"]
        proxy = Proxy(house.url, [900, 1 << 30])
        async with proxy.listening():
            reading = asyncio.ensure_future(
                run("event-source.mjs", f"{proxy.url}/streams/{stream_id}", "message", "error")
            )
            async with asyncio.timeout(30):
                while len(proxy.requests) < 2:  # it has been cut, and has come back
                    await asyncio.sleep(0.01)
            async with house.http.post(f"{house.url}/streams/{stream_id}/stop") as stopped:
                assert (await stopped.json())["ending"] == "cancelled"
            seen = msgspec.json.decode(await reading, type=Seen)
    *texts, (name, number, error) = seen.events
    assert (name, json.loads(error)["ending"]) == ("error", "cancelled")
    assert [int(at) for _, at, _ in seen.events] == list(range(1, int(number) + 1))
    assert expected(parse(model)).text.startswith("".join(json.loads(data) for _, _, data in texts))
    assert proxy.cursors()[-1] == number


async def test_a_view_token_in_the_url_is_enough_and_comes_along_when_it_reconnects() -> None:
    model = "ant/sim:tokens=60,rate=100"
    async with key_house() as house:
        owner = headers(ALICE)
        body = {"model": model, "prompt": "Hello"}
        async with house.http.post(house.url + "/stream", json=body, headers=owner) as response:
            stream = f"/streams/{response.headers['tailrace-stream-id']}"
        async with house.http.post(f"{house.url}{stream}/tokens", json={"seconds": 60}, headers=owner) as response:
            token = (await response.json())["token"]
        proxy = Proxy(house.url, [900, 1 << 30])
        async with proxy.listening():
            printed = await run("event-source.mjs", f"{proxy.url}{stream}?token={token}", "message")
            without = await run("event-source.mjs", f"{proxy.url}{stream}", "message")
    seen = msgspec.json.decode(printed, type=Seen)
    assert "".join(json.loads(data) for _, _, data in seen.events[:-1]) == expected(parse(model)).text
    assert seen.opened == 2
    assert msgspec.json.decode(without, type=Seen) == Seen([], 0, 1)


async def test_named_events_of_a_finished_answer(house: House) -> None:
    model = "ant/sim-thinking"
    data = bytes_of(parse(model), "anthropic").decode()
    names = [line.removeprefix("event: ") for line in data.splitlines() if line.startswith("event: ")]
    seen, _ = await follow(house, "/v1/messages", model, sorted(set(names)), [1 << 30])
    assert [name for name, _, _ in seen.events] == names
    assert [number for _, number, _ in seen.events] == [str(n) for n in range(1, len(names) + 1)]
    assert seen.opened == 1
