"""Answers that are no stream: compressed ones, documents, pages. Each is named, and nothing is unpacked."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tailrace.engine import Relay
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.conftest import providers
from tests.server.raw_provider import ANSWER, HEAD, KEY, Rig, chunk, rig
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

ZSTD = b"\x28\xb5\x2f\xfd" + bytes(40)
BROTLI = b"\x0b\x02\x80" + bytes(40)  # no magic of its own (RFC 7932)
BOMB = gzip.compress(bytes(64 * 1024 * 1024), 9)


def labelled(encoding: str, data: bytes) -> bytes:
    return HEAD + f"content-encoding: {encoding}\r\n\r\n".encode() + data


COMPRESSED: dict[str, tuple[bytes, str]] = {
    "gzip": (labelled("gzip", gzip.compress(ANSWER)), "in gzip"),
    "x-gzip": (labelled("x-gzip", gzip.compress(ANSWER)), "in x-gzip"),
    "deflate": (labelled("deflate", zlib.compress(ANSWER)), "in deflate"),
    "br": (labelled("br", BROTLI), "in br"),
    "zstd": (labelled("zstd", ZSTD), "in zstd"),
    "gzip without a label": (HEAD + b"\r\n" + gzip.compress(ANSWER), "in gzip"),
    "gzip, one byte at first": (
        HEAD
        + b"transfer-encoding: chunked\r\n\r\n"
        + chunk(gzip.compress(ANSWER)[:1])
        + chunk(gzip.compress(ANSWER)[1:]),
        "in gzip",
    ),
    "zstd without a label": (HEAD + b"\r\n" + ZSTD, "in zstd"),
    "gzip labelled as identity": (labelled("identity", gzip.compress(ANSWER)), "in gzip"),
    "gzip labelled as br": (labelled("br", gzip.compress(ANSWER)), "in br"),
    "identity labelled as gzip": (labelled("gzip", ANSWER), "in gzip"),
    "twice": (labelled("gzip, br", BROTLI), "in gzip, br"),
    "in two fields": (HEAD + b"content-encoding: gzip\r\ncontent-encoding: br\r\n\r\n" + BROTLI, "in gzip,br"),
    "a bomb": (labelled("gzip", BOMB), "in gzip"),
    "a bomb without a label": (HEAD + b"\r\n" + BOMB, "in gzip"),
    "a label of nothing we would repeat": (labelled("<script>" + "a" * 100, ANSWER), "in an encoding"),
}
"""Answers that nobody asked for, and how they are named."""

DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "a page": (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>Please log in</html>", "a web page"),
    "a page that claims to be a stream": (HEAD + b"\r\n\r\n\r\n<!doctype html><p>Hello", "a web page"),
    "JSON": (
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"type":"message","content":[]}',
        "one JSON document",
    ),
    "an array": (b"HTTP/1.1 200 OK\r\n\r\n[1, 2]", "one JSON document"),
    "half of some JSON": (b'HTTP/1.1 200 OK\r\n\r\n{"type":"mess', "one JSON document"),
    "deep JSON": (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000, "one JSON document"),
    "a byte order mark, then JSON": (b"HTTP/1.1 200 OK\r\n\r\n\xef\xbb\xbf{}", "one JSON document"),
    "an error with 200": (
        b'HTTP/1.1 200 OK\r\n\r\n{"error":{"type":"api_error","message":"out of tea"}}',
        "out of tea",
    ),
    "an error in a word": (b'HTTP/1.1 200 OK\r\n\r\n{"error":"out of tea"}', "out of tea"),
    "an error with a key in it": (b'HTTP/1.1 200 OK\r\n\r\n{"error":{"message":"not %b!"}}' % KEY.encode(), "not …!"),
}

UNUSUAL: dict[str, bytes] = {
    "labelled as identity": labelled("identity", ANSWER),
    "an empty label": labelled("", ANSWER),
    "no content type": b"HTTP/1.1 200 OK\r\n\r\n" + ANSWER,
    "labelled as JSON": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + ANSWER,
    "empty lines first": HEAD + b"\r\n\n\n\n" + ANSWER,
    "a comment first": HEAD + b"\r\n: {hello}\n\n" + ANSWER,
    "a byte order mark first": HEAD + b"\r\n\xef\xbb\xbf" + ANSWER,
}
"""Streams all the same."""


@pytest.fixture
async def house() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


@pytest.mark.parametrize(("says", "words"), [*COMPRESSED.values(), *DOCUMENTS.values()], ids=[*COMPRESSED, *DOCUMENTS])
async def test_what_is_no_stream_is_named(house: Rig, says: bytes, words: str) -> None:
    house.provider.says = says
    for path in DOORS.values():
        for stream in (True, False):
            async with (
                asyncio.timeout(10),
                house.http.post(house.url + path, json=body("ant/m", stream=stream)) as response,
            ):
                text = await response.text()
            assert response.status == 502
            assert words in json.loads(text)["error"]["message"] if path != "/stream" else words in text
            assert KEY not in text
    async with asyncio.timeout(5):
        while house.provider.open:
            await asyncio.sleep(0)


async def test_a_bomb_is_not_unpacked(house: Rig) -> None:
    house.provider.says = COMPRESSED["a bomb"][0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(8):
        async with house.http.post(house.url + "/v1/messages", json=body("ant/m")) as response:
            assert response.status == 502
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024  # kilobytes, on Linux


@pytest.mark.parametrize("says", UNUSUAL.values(), ids=UNUSUAL.keys())
async def test_unusual_streams_are_streams(house: Rig, says: bytes) -> None:
    house.provider.says = says
    async with house.http.post(house.url + "/v1/messages", json=body("ant/m")) as response:
        data = await response.read()
    _, fold = read("anthropic", data)
    assert fold.ended
    assert fold.error is None


async def test_no_encoding_is_asked_for_whatever_the_client_takes() -> None:
    headers = {"accept-encoding": "gzip, br, zstd"}
    async with Simulator() as sim, serving(Relay(providers(sim))) as url, aiohttp.ClientSession() as http:
        async with http.post(url + "/v1/messages", json=body("ant/sim"), headers=headers) as response:
            await response.read()
        (record,) = sim.requests
        assert record.headers["accept-encoding"] == "identity"
