"""Keys that are taken away while their answers run: F23, "revoked → cut ≤ 5 s"."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from tailrace.config import load
from tailrace.engine import Limits
from tailrace.server import key_digest
from tests.server.conftest import House
from tests.server.key_house import ALICE, BOB, begin, headers, key_house, status

pytestmark = pytest.mark.anyio

WITHIN = 5.0
"""The promise, in seconds."""

LONG = "ant/sim:rate=20,tokens=2000"
QUESTION: dict[str, Any] = {"model": LONG, "max_tokens": 4000, "messages": [{"role": "user", "content": "Hi"}]}


class Keys:
    """A configuration with a file of keys, which tests rewrite."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.toml"
        self._config = folder / "tailrace.toml"
        self._config.write_text('[server]\nport = 0\nkeys_file = "keys.toml"\nshutdown_grace = 0\n')
        self.write(ALICE, BOB)
        self.spec = load(self._config, {}).server

    def write(self, *keys: str, more: str = "") -> None:
        tables = [f'[keys.k{at}]\nsha256 = "{key_digest(key)}"\n' for at, key in enumerate(keys)]
        new = self.file.with_suffix(".new")
        new.write_text("".join(tables) + more)
        new.replace(self.file)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
async def house(keys: Keys) -> AsyncIterator[House]:
    async with key_house(keys.spec, limits=Limits(heartbeat=0)) as found:
        yield found


@contextlib.asynccontextmanager
async def asking(
    house: House, key: str, path: str = "/v1/messages", **more: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    body = {**QUESTION, "stream": True, **more}
    async with house.http.post(house.url + path, json=body, headers=headers(key)) as response:
        assert response.status == 200
        await response.content.readany()
        yield response


async def rest(response: aiohttp.ClientResponse) -> bytes:
    """Read to the end, clean or not."""
    data = b""
    with contextlib.suppress(aiohttp.ClientPayloadError):
        async for part in response.content.iter_any():
            data += part
    return data


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/stream"])
async def test_a_key_that_is_taken_away_ends_its_answers_everywhere(house: House, keys: Keys, path: str) -> None:
    async with asking(house, ALICE, path) as mine, asking(house, BOB, path) as other:
        stream = f"{house.url}/streams/{mine.headers['tailrace-stream-id']}"
        async with house.http.get(stream, headers=headers(ALICE)) as reader:
            keys.write(BOB)
            began = time.monotonic()
            told = await asyncio.wait_for(asyncio.gather(rest(mine), rest(reader)), WITHIN)
            assert time.monotonic() - began < WITHIN
        for words in told:
            assert b"taken away" in words
            assert b"message_stop" not in words
            assert b"[DONE]" not in words.rstrip()[-8:] or path != "/stream"
        async with house.http.get(stream, headers=headers(ALICE)) as refused:
            assert refused.status == 401
        async with house.http.get(stream, headers=headers(BOB)) as foreign:
            assert foreign.status == 404
        assert await other.content.readany()
        assert house.relay.live == 1
    await house.sim.until(lambda sim: [r.state for r in sim.requests].count("closed_by_client") >= 1)


async def test_who_waits_for_a_whole_answer_is_told_as_well(house: House, keys: Keys) -> None:
    async def whole() -> tuple[int, str]:
        async with house.http.post(house.url + "/v1/messages", json=QUESTION, headers=headers(ALICE)) as response:
            return response.status, await response.text()

    waiting = asyncio.ensure_future(whole())
    await house.sim.until(lambda sim: len(sim.requests) == 1)
    keys.write(BOB)
    code, text = await asyncio.wait_for(waiting, WITHIN)
    assert code == 401
    assert "key_revoked" in text


async def test_who_takes_nothing_is_cut(house: House, keys: Keys) -> None:
    """The words of the end cannot reach a client that does not read: its request ends all the same."""
    stream = await begin(house, ALICE, model="ant/sim:tokens=6000,rate=0")
    host, port = house.url.removeprefix("http://").split(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((host, int(port)))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    try:
        head = f"GET /streams/{stream} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {ALICE}\r\n\r\n"
        writer.write(head.encode())
        await reader.readline()
        await until(lambda: visits() == 1)
        keys.write(BOB)
        await until(lambda: visits() == 0)
    finally:
        writer.transport.abort()


def visits() -> int:
    """How many requests for ``/streams/…`` are being answered in this process."""
    return sum(map(_answers, asyncio.all_tasks()))


def _answers(task: asyncio.Task[Any]) -> bool:
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        if getattr(coroutine, "__qualname__", "").endswith("answer_resume"):
            return True
        coroutine = getattr(coroutine, "cr_await", None)
    return False


async def until(true: Any, seconds: float = WITHIN) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_token_ends_with_the_key_of_whoever_made_it(house: House, keys: Keys) -> None:
    stream = await begin(house, ALICE)
    path = f"/streams/{stream}"
    async with house.http.post(f"{house.url}{path}/tokens", headers=headers(ALICE)) as made:
        token = (await made.json())["token"]
    assert await status(house, "GET", f"{path}/message?token={token}", {}) == 200
    keys.write(BOB)
    await gone(house, ALICE)
    async with house.http.get(f"{house.url}{path}/message?token={token}") as response:
        assert (response.status, (await response.json())["tailrace"]["code"]) == (401, "token_revoked")


async def gone(house: House, key: str) -> None:
    deadline = time.monotonic() + WITHIN
    while await status(house, "GET", "/streams", headers(key)) != 401:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def come(house: House, key: str) -> None:
    deadline = time.monotonic() + WITHIN
    while await status(house, "GET", "/streams", headers(key)) == 401:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_keys_come_and_change_without_a_restart(house: House, keys: Keys) -> None:
    stream = await begin(house, ALICE)
    await gone(house, "a-new-key-0009")
    keys.write(ALICE, "a-new-key-0009", more='doors = ["openai_chat"]\n')
    await come(house, "a-new-key-0009")
    assert await status(house, "POST", "/v1/messages", headers("a-new-key-0009"), QUESTION) == 403
    assert await status(house, "GET", f"/streams/{stream}/message", headers(ALICE)) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        "[keys",
        "[keys.x]\n",
        '[keys.x]\nsha256 = "short"\n',
        "[server]\nport = 1\n",
        '[keys.x]\nkey = "env:NOT_SET"\n',
        None,
    ],
)
async def test_a_file_that_is_wrong_changes_nothing_and_is_said(house: House, keys: Keys, wrong: str | None) -> None:
    with structlog.testing.capture_logs() as lines:
        if wrong is None:
            keys.file.unlink()
        else:
            keys.write(BOB, more=wrong)
        await until(lambda: any(line["event"] == "keys_not_read" for line in lines))
        assert await status(house, "GET", "/streams", headers(ALICE)) == 200
        keys.write(BOB)
        await gone(house, ALICE)
    (said,) = [line for line in lines if line["event"] == "keys_not_read"]
    assert said["log_level"] == "error"
    assert "keys.toml" in str(said["problems"])


async def test_a_file_that_is_written_in_two_pieces_takes_no_key_away(house: House, keys: Keys) -> None:
    whole = keys.file.read_text()
    with structlog.testing.capture_logs() as lines:
        with keys.file.open("w") as file:
            for at in range(0, len(whole), 40):
                file.write(whole[at : at + 40])
                file.flush()
                await asyncio.sleep(0.1)
                assert await status(house, "GET", "/streams", headers(ALICE)) == 200
        await until(lambda: any(line["event"] == "keys_read" for line in lines))
    assert [line["gone"] for line in lines if line["event"] == "keys_read"] == [0]
    assert await status(house, "GET", "/streams", headers(BOB)) == 200


async def test_an_empty_file_locks_everybody_out(house: House, keys: Keys) -> None:
    keys.write()
    await gone(house, ALICE)
    for head in ({}, headers(BOB), headers("anonymous")):
        assert await status(house, "GET", "/streams", head) == 401
