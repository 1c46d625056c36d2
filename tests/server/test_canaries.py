"""F24: secrets that are planted everywhere turn up nowhere.

A real ``tailrace serve`` that logs at ``debug`` is given canaries: a provider's key and header, clients' keys, the
secret behind view tokens, a token, prompts, headers, a key in a URL. Its provider repeats whatever it was sent in its
errors. It is driven through answers, refusals, crashes and nonsense, in every dialect; then all that came out of it is
searched for each canary, as it is, in base64, in hex, and by its first characters.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tailrace.server import key_digest
from tailrace.simulator import bytes_of, parse
from tests.cli.processes import SECONDS, environ

pytestmark = pytest.mark.anyio


def canary(prefix: str = "") -> str:
    return prefix + secrets.token_hex(16)


class Canaries(NamedTuple):
    """What must not be seen."""

    provider: str
    header: str
    alice: str
    bob: str
    wrong: str
    token_key: str
    cookie: str
    custom: str
    prompt: str
    """Which only whoever wrote it may see again."""
    token: str = ""


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield each form in which ``secret`` would be one: its name, and its bytes."""
    raw = secret.encode()
    yield "as it is", raw
    yield "first characters", raw[:12]
    yield "hex", raw.hex()[:24].encode()
    for lead in range(3):
        # Where the secret stands in a text decides how its characters fall into base64's groups.
        whole = base64.b64encode(b"\0" * lead + raw)
        yield f"base64 from {lead}", whole[4 if lead else 0 : 20]


class Provider:
    """Answers as the model's name says, and repeats the whole request in its errors."""

    def __init__(self, dialect: str) -> None:
        self._good = bytes_of(parse("sim:tokens=3"), dialect)
        self.asked = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            body = await reader.readexactly(int(length[1])) if length else b""
            self.asked += 1
            writer.write(self._says(head, body))
            await writer.drain()
        writer.close()

    def _says(self, head: bytes, body: bytes) -> bytes:
        model = str(json.loads(body)["model"])
        echo = json.dumps(
            {"error": {"type": "x", "message": (head + body).decode("latin-1"), "code": head.decode("latin-1")}}
        )
        events = (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\nx-echo: %b\r\n\r\n"
            % head[:40].split(b"\r")[0]
        )
        if model.startswith("status-"):
            data = echo.encode()
            return b"HTTP/1.1 %b X\r\ncontent-length: %d\r\n\r\n%b" % (model[7:].encode(), len(data), data)
        if model == "error-event":
            return events + b"event: error\ndata: %b\n\n" % echo.encode()
        if model == "junk":
            return events + b"data: {%b\n\n" % (head + body).replace(b"\r\n", b" ")
        return events + (b"event: PLANT-FEED\n\n" if model == "plant" else self._good)


PLANTS = """
import tailrace.engine.attempt as attempt, tailrace.server.doors as doors, os, logging
KEY = os.environ["CANARY_PROVIDER"]
old_feed = attempt.Attempt.feed
def feed(self, data):
    if b"PLANT-FEED" in data:
        raise RuntimeError("planted in the engine: Bearer " + KEY)
    return old_feed(self, data)
attempt.Attempt.feed = feed
old_read = doors.Door._read
async def read(self, scope, receive, identity):
    found = {name: value for name, value in scope["headers"] if name != b"x-custom"}
    if b"x-plant" in found:
        if found[b"x-plant"] == b"log":
            logging.getLogger("planted").error("a library says %s of %s", KEY, found)
        raise RuntimeError(f"planted in the server: {KEY} {found} {scope['query_string']}")
    return await old_read(self, scope, receive, identity)
doors.Door._read = read
"""


class House(NamedTuple):
    url: str
    process: subprocess.Popen[bytes]
    canaries: Canaries
    provider: Provider
    folder: Path


PREFIXES = ("sk-", "h-", "trk_", "b-", "w-", "t-", "c-", "x-", "say ")


@pytest.fixture(params=["text", "json"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    marks = Canaries(*map(canary, PREFIXES))
    provider = Provider("anthropic")
    server = await asyncio.start_server(provider.answer, "127.0.0.1", 0)
    (tmp_path / "tailrace.toml").write_text(config(server.sockets[0].getsockname()[1], marks, request.param))
    variables = {
        "CANARY_PROVIDER": marks.provider,
        "CANARY_HEADER": marks.header,
        "CANARY_BOB": marks.bob,
        "CANARY_TOKEN_KEY": marks.token_key,
    }
    program = [sys.executable, "-c", f"{PLANTS}\nfrom tailrace.cli.main import run; run()"]
    out, err = (tmp_path / "stdout").open("wb"), (tmp_path / "stderr").open("wb")
    with out, err:
        process = subprocess.Popen(
            [*program, "serve", "--config", str(tmp_path / "tailrace.toml")],
            stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environ(**variables),
        )  # fmt: skip
    try:
        url = await listening(process, tmp_path / "stderr")
        yield House(url, process, marks, provider, tmp_path)
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)
        server.close()


def config(port: int, marks: Canaries, form: str) -> str:
    return f"""
[server]
port = 0
token_key = "env:CANARY_TOKEN_KEY"
shutdown_grace = 1
[keys.alice]
sha256 = "{key_digest(marks.alice)}"
requests_per_minute = 1000
[keys.bob]
key = "env:CANARY_BOB"
admin = true
[providers.ant]
dialect = "anthropic"
base_url = "http://127.0.0.1:{port}"
api_key = "env:CANARY_PROVIDER"
headers = {{"x-secret" = "env:CANARY_HEADER"}}
[routes.mine]
targets = ["ant/ok"]
[limits]
body = 20_000
breaker_failures = 0
[ledger]
path = "ledger.sqlite3"
[logging]
level = "debug"
format = "{form}"
"""


async def listening(process: subprocess.Popen[bytes], said: Path) -> str:
    deadline = time.monotonic() + SECONDS
    while not (found := re.search(rb"listens on (http://[0-9.:]+)", said.read_bytes())):
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return found[1].decode()


def bodies(model: str, prompt: str) -> dict[str, dict[str, Any]]:
    said = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    parts = [{"text": prompt}]
    chat = [{"role": "user", "id": "1", "parts": [{"type": "text", "text": prompt}]}]
    run = {"threadId": "t", "runId": "r", "tools": [], "context": [], "state": {}, "forwardedProps": {}}
    return {
        "/v1/messages": {**said, "max_tokens": 9},
        "/v1/chat/completions": said,
        "/v1/responses": {"model": model, "input": prompt},
        "/api/chat": said,
        f"/v1beta/models/{model}:streamGenerateContent": {"contents": [{"role": "user", "parts": parts}]},
        "/ui/chat": {"model": model, "id": "chat", "messages": chat},
        "/ag-ui": {"model": model, **run, "messages": [{"id": "1", "role": "user", "content": prompt}]},
        "/stream": said,
    }


FAILING = ("status-400", "status-401", "status-429", "status-500", "error-event", "junk", "plant")
MODELS = ["ant/ok", "mine", *(f"ant/{how}" for how in FAILING)]


class Heard:
    """All that the server answered, to whom."""

    def __init__(self, house: House, http: aiohttp.ClientSession) -> None:
        self._house = house
        self._http = http
        self.answers: list[tuple[str, str, bytes]] = []
        self.statuses: set[int] = set()

    async def ask(self, who: str, method: str, path: str, body: Any = None, **head: str) -> dict[str, str]:
        marks = self._house.canaries
        key = {"alice": marks.alice, "bob": marks.bob, "wrong": marks.wrong, "nobody": ""}[who]
        headers = {
            "cookie": marks.cookie,
            "x-custom": marks.custom,
            **({"authorization": f"Bearer {key}"} if key else {}),
            **head,
        }
        # A connection may be closed on a body that is refused.
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.request(method, self._house.url + path, json=body, headers=headers) as response:
                data = b""
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    data = await response.read()
                self.answers.append((who, f"{method} {path}", str(dict(response.headers)).encode() + data))
                self.statuses.add(response.status)
                return {**{k.lower(): v for k, v in response.headers.items()}, "body": data.decode(errors="replace")}
        return {}


async def test_secrets_turn_up_nowhere(house: House) -> None:
    marks = house.canaries
    # Crashes close their connections: each request has one of its own.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        heard = Heard(house, http)
        streams = []
        for model in MODELS:
            for streamed in (True, False):
                for path, body in bodies(model, marks.prompt).items():
                    answer = await heard.ask("alice", "POST", path, {**body, "stream": streamed})
                    streams.append(answer.get("tailrace-stream-id", ""))
        stream = next(filter(None, streams))
        token = json.loads((await heard.ask("alice", "POST", f"/streams/{stream}/tokens", {}))["body"])["token"]
        heard.answers.pop()
        marks = marks._replace(token=token.rpartition(".")[2])
        await _misused(heard, marks, token, stream)
        for name in ("server", "log"):
            for path, body in bodies("ant/ok", marks.prompt).items():
                await heard.ask("alice", "POST", f"{path}?key={marks.wrong}", body, **{"x-plant": name})
        seen = {f"{who}: {what}": data for who, what, data in heard.answers} | {
            "ps": await asyncio.to_thread(ps, house.process.pid)
        }
        assert {200, 400, 401, 404, 413, 422, 429, 500} <= heard.statuses
        assert house.provider.asked > 100
    house.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(house.process.wait, SECONDS)
    seen |= {
        file.name: file.read_bytes() for file in house.folder.rglob("*") if file.is_file() and file.suffix != ".toml"
    }
    assert seen["stderr"].count(b"planted in the server") >= 16
    assert seen["stderr"].count(b"planted in the engine") >= 16
    assert b"a library says" in seen["stderr"]
    assert b"generation_ended" in seen["stderr"]
    assert seen["ledger.sqlite3"].startswith(b"SQLite")
    found = [
        f"{field} ({form}) in {place}"
        for place, data in seen.items()
        for field, secret in marks._asdict().items()
        # An answer may repeat to its own client what that client said: its prompt, and a header in an error.
        if not (place.startswith("alice: ") and field in {"prompt", "custom"})
        for form, written in forms(secret)
        if written in data
    ]
    assert found == []


SHOWN = (
    "/streams", "/v1/models", "/api/tags", "/v1beta/models", "/metrics", "/openapi.json", "/health/ready", "/nowhere",
    "/v1/responses/x", "/ui/chat/chat/stream",
)  # fmt: skip


async def _misused(heard: Heard, marks: Canaries, token: str, stream: str) -> None:
    """Ask what is refused, and what others may see."""
    some = bodies("ant/ok", marks.prompt)
    for who in ("wrong", "nobody"):
        for path, body in some.items():
            await heard.ask(who, "POST", f"{path}?key={marks.wrong}", body)
    own = (f"/streams/{stream}", f"/streams/{stream}/message", f"/streams/{stream}/fields")
    for path in (*SHOWN, *own):
        for who in ("bob", "wrong", "nobody"):
            await heard.ask(who, "GET", f"{path}?key={marks.wrong}")
    for path in (f"/streams/{stream}", f"/streams/{stream}/message"):
        await heard.ask("nobody", "GET", f"{path}?token={token}x")
        await heard.ask("nobody", "GET", f"/streams/other?token={token}")
    await heard.ask("alice", "GET", f"/streams/{stream}/message?token={token}")
    for path, body in some.items():
        await heard.ask("alice", "POST", path, {**body, "padding": "x" * 30_000})
        await heard.ask("alice", "POST", path, [marks.prompt])
        await heard.ask("alice", "POST", path, {**body, "messages": marks.prompt})
        for other in ("first", "second"):
            same = {**body, "model": "ant/ok", "metadata": {"user_id": other}}
            await heard.ask("alice", "POST", path, same, **{"idempotency-key": f"one-of-{path}"})


def ps(pid: int) -> bytes:
    return subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=True).stdout


def test_the_search_finds_what_is_there() -> None:
    """The checker is checked: a canary is found wherever it stands, in each of its forms."""
    secret = canary("sk-")
    for text in (
        f"x{secret}y",
        secret[:12],
        base64.b64encode(f"ab{secret}".encode()).decode(),
        base64.b64encode(f"abc{secret}".encode()).decode(),
        base64.b64encode(f"abcd{secret}".encode()).decode(),
        secret.encode().hex(),
    ):
        assert any(written in text.encode() for _, written in forms(secret)), text
    assert not any(written in os.urandom(100_000) for _, written in forms(secret))
