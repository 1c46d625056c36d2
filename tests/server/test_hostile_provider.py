"""Whatever a provider says on its socket, its client gets an honest answer, and soon."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator

import pytest

from tests.server.raw_provider import ANSWER, HEAD, KEY, Rig, chunk, refusal, rig
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

HALF = len(ANSWER) // 2
ERROR = b'{"type":"error","error":{"type":"api_error","message":"boom"}}'
LENGTH = b"content-length: %d\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

WHOLE: dict[str, bytes] = {
    "with its length": HEAD + LENGTH % len(ANSWER) + ANSWER,
    "in chunks": CHUNKED + chunk(ANSWER) + b"0\r\n\r\n",
    "until the end": HEAD + b"\r\n" + ANSWER,
    "in HTTP/1.0": HEAD.replace(b"/1.1", b"/1.0") + b"\r\n" + ANSWER,
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"\r\n" + ANSWER,
    "after 103": b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + HEAD + b"\r\n" + ANSWER,
    "without its last chunk": CHUNKED + chunk(ANSWER),
    "shorter than announced": HEAD + LENGTH % (len(ANSWER) + 10) + ANSWER,
}
"""Answers whose terminal marker comes, whatever the framing around it does."""

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    "no status": b"HTTP/1.1 abc X\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 99 X\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 1000 X\r\n\r\n",
    "a negative length": HEAD + b"content-length: -5\r\n\r\n" + ANSWER,
    "two lengths": HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\n" + ANSWER,
    "a length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(ANSWER),
    "no body": HEAD + b"content-length: 0\r\n\r\n",
    "half, with its length": HEAD + LENGTH % HALF + ANSWER[:HALF],
    "half, shorter than announced": HEAD + LENGTH % len(ANSWER) + ANSWER[:HALF],
    "half, in whole chunks": CHUNKED + chunk(ANSWER[:HALF]) + b"0\r\n\r\n",
    "half, in chunks": CHUNKED + chunk(ANSWER[:HALF]),
    "half, then no chunk": CHUNKED + chunk(ANSWER[:HALF]) + b"zz\r\n",
    "gzip, which was not asked for": HEAD + b"content-encoding: gzip\r\n\r\n" + gzip.compress(ANSWER),
    "a page": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>Please log in</html>",
    "an answer that is not a stream": b'HTTP/1.1 200 OK\r\n\r\n{"type":"message","content":[]}',
    "a switch of protocols": b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "201": refusal("201 Created", ERROR),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "206": b"HTTP/1.1 206 Partial\r\n\r\n" + ANSWER,
    "301": refusal("301 Moved", b"", "location: http://127.0.0.1:1/"),
    "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "600": refusal("600 X", ERROR),
    "999": refusal("999 X", ERROR),
    "a huge header": HEAD + b"x: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "many headers": HEAD + b"x: y\r\n" * 100_000 + b"\r\n" + ANSWER,
    "a huge reason": b"HTTP/1.1 200 " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a header without a colon": HEAD + b"foo\r\n\r\n" + ANSWER,
    "NUL in a header": HEAD + b"foo: a\x00b\r\n\r\n" + ANSWER,
}
"""Answers that are none: 502 while a status can still tell, else an error in the stream."""

REFUSALS: dict[str, tuple[bytes, int, str | None]] = {
    "400 without a body": (refusal("400 X", b""), 400, None),
    "a status that nobody registered": (refusal("599 X", ERROR), 599, None),
    "a page instead of an error": (b"HTTP/1.1 500 X\r\n\r\n<html>" + b"x" * 200_000, 500, None),
    "an error in gzip": (refusal("500 X", gzip.compress(ERROR), "content-encoding: gzip"), 500, None),
    "an error that breaks off": (b"HTTP/1.1 429 X\r\ncontent-length: 999\r\nretry-after: 3\r\n\r\n" + ERROR, 429, "3"),
    "a wait in fractions": (refusal("429 X", ERROR, "retry-after: 1.5"), 429, "2"),
    "an endless wait": (refusal("429 X", ERROR, "retry-after: inf"), 429, None),
    "no number to wait": (refusal("429 X", ERROR, "retry-after: nan"), 429, None),
    "a huge wait": (refusal("429 X", ERROR, "retry-after: 999999999"), 429, "604800"),
    "a negative wait": (refusal("429 X", ERROR, "retry-after: -4"), 429, None),
    "a date": (
        refusal(
            "429 X",
            ERROR,
            "date: Mon, 01 Jan 2024 00:00:00 GMT",
            "retry-after: Mon, 01 Jan 2024 00:00:09 GMT",
        ),
        429,
        "9",
    ),
    "a date without a date": (refusal("429 X", ERROR, "retry-after: Mon, 01 Jan 2024 00:00:09 GMT"), 429, None),
    "a date of another kind": (refusal("429 X", ERROR, "date: tomorrow", "retry-after: soon"), 429, None),
}
"""Refusals: the bytes, the status that clients get, and their ``retry-after``."""


@pytest.fixture
async def house(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Rig]:
    """Nothing that a provider does is an error of the server's own."""
    async with rig() as made:
        yield made
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def outcome(house: Rig, door: str, *, stream: bool) -> tuple[int, bytes, str | None]:
    request = body("ant/m", stream=stream)
    async with asyncio.timeout(10), house.http.post(house.url + DOORS[door], json=request) as response:
        return response.status, await response.read(), response.headers.get("retry-after")


@pytest.mark.parametrize("says", WHOLE.values(), ids=WHOLE.keys())
async def test_an_answer_is_whole_when_its_marker_has_come(house: Rig, says: bytes) -> None:
    house.provider.says = says
    for door in DOORS:
        status, data, _ = await outcome(house, door, stream=True)
        assert status == 200
        _, fold = read(door, data)
        assert fold.ended
        assert fold.error is None
        status, _, _ = await outcome(house, door, stream=False)
        assert status == 200


@pytest.mark.parametrize("says", BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_answer_is_told_as_an_error(house: Rig, says: bytes) -> None:
    house.provider.says = says
    for door in DOORS:
        status, data, _ = await outcome(house, door, stream=True)
        if status == 200:
            _, fold = read(door, data)
            assert fold.error is not None
        else:
            assert status == 502
            assert json.loads(data)
        status, data, _ = await outcome(house, door, stream=False)
        assert status == 502
        assert b"Traceback" not in data


@pytest.mark.parametrize(("says", "status", "wait"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_keeps_its_status(house: Rig, says: bytes, status: int, wait: str | None) -> None:
    house.provider.says = says
    for door in DOORS:
        for stream in (True, False):
            got, data, retry_after = await outcome(house, door, stream=stream)
            assert (got, retry_after) == (status, wait)
            assert json.loads(data)


async def test_a_reset_at_each_byte_of_the_head_is_told_as_an_error(house: Rig) -> None:
    says = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    house.provider.then = "reset"
    for at in range(len(says) + 1):
        house.provider.says = says[:at]
        status, data, _ = await outcome(house, "anthropic", stream=True)
        assert status == 502, at
        assert json.loads(data)["tailrace"]["kind"] in {"unreachable", "truncated", "protocol"}, at


async def test_a_refusal_whose_body_never_ends_is_told_without_it(house: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.engine.http.ERROR_SECONDS", 0.05)
    house.provider.then = "hold"
    house.provider.says = b"HTTP/1.1 401 X\r\ncontent-length: 999\r\n\r\n{"
    status, _, _ = await outcome(house, "openai_chat", stream=True)
    assert status == 401
    async with asyncio.timeout(5):
        while house.provider.open:
            await asyncio.sleep(0)


async def test_a_provider_that_says_more_after_its_end_or_never_closes_is_left(
    house: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailrace.engine.generation.LINGER", 0.05)
    house.provider.then = "hold"
    for more in (b"", b": and another thing\n\n" * 1000, ANSWER):
        house.provider.says = HEAD + b"\r\n" + ANSWER + more
        _, data, _ = await outcome(house, "anthropic", stream=True)
        message, fold = read("anthropic", data)
        assert fold.error is None
        assert message.text == "The hidden."
        async with asyncio.timeout(5):
            while house.provider.open:
                await asyncio.sleep(0)


K = KEY.encode()
EVENT = HEAD + b"\r\n%bevent: error\ndata: %b\n\n"
BEGUN = ANSWER[: ANSWER.index(b"event: content_block_stop")]
ECHOES = {
    "in a refusal": refusal("401 X", b'{"error":{"message":"not %b","code":"%b","param":"%b"}}' % (K, K, K)),
    "in the first event": EVENT % (b"", b'{"type":"error","error":{"type":"api_error","message":"%b"}}' % K),
    "beside an error": EVENT % (BEGUN, b'{"type":"error","error":{"type":"api_error","message":"x"},"by":"%b"}' % K),
    "in the middle": EVENT % (BEGUN, b'{"type":"error","error":{"type":"api_error","message":"not %b"}}' % K),
    "in a chunk": HEAD + b'\r\ndata: {"error":{"message":"not %b","code":"%b"}}\n\n' % (K, K),
}


@pytest.mark.parametrize("provider", ["ant", "oai"])
@pytest.mark.parametrize("says", ECHOES.values(), ids=ECHOES.keys())
async def test_a_key_that_a_provider_repeats_goes_nowhere(
    house: Rig, provider: str, says: bytes, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    house.provider.says = says
    for path in DOORS.values():
        for stream in (True, False):
            async with house.http.post(house.url + path, json=body(f"{provider}/m", stream=stream)) as response:
                text, headers = await response.text(), str(response.headers)
            assert KEY not in text + headers
            stream_id = response.headers["tailrace-stream-id"]
            for more in ("", "/message"):
                async with house.http.get(f"{house.url}/streams/{stream_id}{more}") as response:
                    assert KEY not in await response.text()
    logged = capsys.readouterr()
    assert KEY not in logged.out + logged.err + caplog.text
