"""Every route with every credential: who gets in, who is told what. F23, and the advisories about it.

| advisory | test |
|---|---|
| Open WebUI CVE-2026-44563 (routes without the check) | `test_every_route_asks_for_a_key_and_for_one_that_opens_it` |
| Open WebUI CVE-2026-45339 (a limit held for one header only) | `test_each_form_of_a_key_is_the_same_key` |
| CVE-2026-42208 (SQL injection in the key check) | `test_odd_credentials_are_refused_without_a_trace` |
| CVE-2026-35029 (configuration written over HTTP) | `test_no_route_writes_keys_or_configuration` |
| CVE-2026-49468, CVE-2026-48710 (authorisation by ``Host``) | `test_the_host_decides_nothing` |
| CVE-2026-47101 (unknown and privileged fields) | `test_bodies_of_our_own_take_nothing_that_they_do_not_know` |
| GHSA-84j6-jc92-77jm (SSE replay by another stream's cursor) | `test_a_cursor_of_another_stream_opens_only_ones_own` |
| GHSA-69x8-hrgq-fjj8 (a hash is a credential) | `test_neither_digest_nor_name_of_a_key_gets_in` |
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from tailrace.server import key_digest
from tailrace.server.auth import CREDENTIAL_HEADERS
from tests.server.conftest import House
from tests.server.key_house import (
    ADMIN,
    ALICE,
    BOB,
    CLOSED,
    FORMS,
    READER,
    Door,
    begin,
    filled,
    headers,
    key_house,
    routes,
    status,
)

pytestmark = pytest.mark.anyio

ROUTES = routes()
ASKING = [door for door in ROUTES if door.method == "POST" and "unknown" not in door.path.replace("models/unknown", "")]
OPERATIONS = {"/metrics"}
QUESTION: dict[str, Any] = {
    "model": "ant/sim",
    "max_tokens": 20,
    "messages": [{"role": "user", "content": "Hi"}],
}

ODD = [
    "", " ", "' OR '1'='1", "' OR 1=1--", '" OR ""="', "'; DROP TABLE keys;--", "' UNION SELECT NULL--",
    "1' AND SLEEP(5)#",     "admin'/*", "%27%20OR%201=1", "*", "%", "_", "null", "undefined", "true", "anonymous",
    "[object Object]", "{}", "../../etc/passwd", "${jndi:ldap://x}", "{{7*7}}", "Bearer", f"Basic {ALICE}",
    f"{ALICE},{BOB}", "cl\xe9", "\xff\xfe", "x" * 10_000, key_digest(ALICE), ALICE[:-1], ALICE + "x", ALICE.upper(),
    "vt1.", "vt1.a.b",
]  # fmt: skip


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with key_house() as found:
        yield found


def test_the_walk_sees_the_routes_there_are() -> None:
    assert {door.id for door in ROUTES} >= {
        "POST /v1/messages", "POST /v1/chat/completions", "POST /v1/responses", "POST /api/chat", "POST /ui/chat",
        "POST /ag-ui", "POST /stream", "POST /v1beta/models/unknown:streamGenerateContent", "GET /v1/responses/unknown",
        "POST /v1/responses/unknown/cancel", "GET /ui/chat/unknown/stream", "POST /ui/chat/unknown/stop",
        "GET /v1/models", "GET /v1beta/models", "GET /api/tags", "GET /api/version", "GET /streams",
        "GET /streams/unknown", "GET /streams/unknown/fields", "GET /streams/unknown/message",
        "POST /streams/unknown/stop", "POST /streams/unknown/tokens",
    }  # fmt: skip
    assert len(ASKING) >= 11


@pytest.mark.parametrize("door", ROUTES, ids=lambda door: door.id)
async def test_every_route_asks_for_a_key_and_for_one_that_opens_it(house: House, door: Door) -> None:
    """CVE-2026-44563: no route is forgotten, since the application's own list is walked."""
    before = len(house.sim.requests)
    body = QUESTION if door.method == "POST" else None
    assert await status(house, door.method, door.path, {}, body) == 401
    assert await status(house, door.method, f"{door.path}?token=vt1.read-99999999999.{'A' * 43}", {}, body) in {
        401,
        404,
    }
    assert await status(house, door.method, door.path, headers("no-such-key"), body) == 401
    assert await status(house, door.method, door.path, headers(CLOSED), body) == 403
    assert len(house.sim.requests) == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("door", ROUTES, ids=lambda door: door.id)
async def test_each_form_of_a_key_is_the_same_key(house: House, door: Door, form: str) -> None:
    """CVE-2026-45339: what is refused in one header is refused in each, and so is what is let in."""
    body = QUESTION if door.method == "POST" else None
    assert await status(house, door.method, door.path, headers(CLOSED, form), body) == 403
    assert await status(house, door.method, door.path, headers("no-such-key", form), body) == 401
    assert await status(house, door.method, door.path, headers(key_digest(ALICE), form), body) == 401
    if door not in ASKING:
        good = ADMIN if door.path in OPERATIONS else ALICE
        assert await status(house, door.method, door.path, headers(good, form), body) in {200, 204, 400, 404}


@pytest.mark.parametrize("form", [*FORMS, "?key"])
@pytest.mark.parametrize("door", ROUTES, ids=lambda door: door.id)
async def test_odd_credentials_are_refused_without_a_trace(
    house: House, door: Door, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """CVE-2026-42208: whatever is put where a key is expected is a wrong key, and nothing more."""
    body = QUESTION if door.method == "POST" else None
    with structlog.testing.capture_logs() as lines, caplog.at_level(logging.DEBUG):
        # All of them at one route, some at each of the others: those all ask the same place.
        for value in ODD if door.path == "/streams" else ODD[ROUTES.index(door) % 7 :: 7]:
            path, head = door.path, {}
            if form == "?key":
                path = f"{door.path}?key={quote(value.encode('latin-1'))}"
            else:
                head = headers(value, form)
            refused = {401, 404} if "vt1" in value else {401, 414, 431} if len(value) > 1000 else {401}
            assert await status(house, door.method, path, head, body) in refused
    assert [line for line in lines if line["log_level"] != "debug"] == []
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("value", [b"a\0b", b"x" * 1_000_000, b"\xf0\x9f", b"\x01"], ids=["NUL", "1 MB", "UTF-8", "^A"])
async def test_what_no_client_library_sends(house: House, value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    host, port = house.url.removeprefix("http://").split(":")
    for name in CREDENTIAL_HEADERS:
        reader, writer = await asyncio.open_connection(host, int(port))
        head = b"GET /streams HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        try:
            writer.write(head + name.encode() + b": Bearer " + value + b"\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            answer = b""
        finally:
            writer.close()
        assert answer.partition(b"\r\n")[0].split(b" ")[1:2] in ([b"401"], [b"400"], [b"431"], [])
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("form", FORMS)
async def test_two_keys_in_one_header_are_none(house: House, form: str) -> None:
    name, value = next(iter(headers(ALICE, form).items()))
    for second in (value, next(iter(headers(BOB, form).values())), "x"):
        assert await status(house, "GET", "/streams", [(name, value), (name, second)]) == 401
        assert await status(house, "GET", "/streams", [(name, second), (name, value)]) == 401


async def test_a_key_in_the_url_counts_where_googles_clients_put_it_and_nowhere_else(house: House) -> None:
    for door in ROUTES:
        body = QUESTION if door.method == "POST" else None
        got = await status(house, door.method, f"{door.path}?key={ALICE}", {}, body)
        assert (got == 401) is not (door.path.startswith(("/v1beta/", "/v1/models/"))), door.id


@pytest.mark.parametrize("door", ASKING, ids=lambda door: door.id)
async def test_a_key_opens_its_doors_and_asks_its_models(house: House, door: Door) -> None:
    said = 200 if door.path == "/v1/messages" else 403
    assert await status(house, "POST", door.path, headers(READER), QUESTION) == said
    before = len(house.sim.requests)
    for model in ("oai/sim", "res/sim", "no-such/model", "*/sim", "ANT/sim", "oai/ant/sim"):
        async with house.http.post(
            house.url + "/v1/messages", json={**QUESTION, "model": model}, headers=headers(READER)
        ) as response:
            text = await response.text()
            assert (response.status, json.loads(text)["tailrace"]["code"]) == (403, "model_not_allowed")
            assert "oai" not in text
    assert len(house.sim.requests) == before


async def test_lists_of_models_hold_what_the_key_may_ask(house: House) -> None:
    async def names(path: str, key: str, field: str, name: str) -> set[str]:
        async with house.http.get(house.url + path, headers=headers(key)) as response:
            assert response.status == 200
            return {entry[name] for entry in (await response.json())[field]}

    assert await names("/v1/models", READER, "data", "id") == {"ant/sim"}
    assert await names("/v1/models", READER, "models", "name") == {"models/ant/sim"}
    assert await names("/v1/models", ALICE, "data", "id") == {"ant/sim", "oai/sim"}
    assert await names("/api/tags", ALICE, "models", "name") == {"ant/sim", "oai/sim"}
    for path in ("/api/tags", "/api/version", "/v1beta/models"):
        assert await status(house, "GET", path, headers(READER)) == 403


async def test_an_operations_key_opens_operations_and_no_door(house: House) -> None:
    for path in OPERATIONS:
        assert await status(house, "GET", path, headers(ADMIN)) == 200
        assert await status(house, "GET", path, headers(ALICE)) == 403
    for door in ASKING:
        assert await status(house, "POST", door.path, headers(ADMIN), QUESTION) == 403


OF_A_STREAM = [door for door in ROUTES if door.path.startswith(("/streams/", "/v1/responses/", "/ui/chat/"))]


@pytest.mark.parametrize("door", OF_A_STREAM, ids=lambda door: door.id)
async def test_what_is_anothers_is_as_unknown_as_what_is_not_there(house: House, door: Door) -> None:
    """F23: every route, credential and owner. The answers do not differ in a byte."""
    name = await _something_of(house, ALICE, door.path)
    for key in (BOB, READER):
        answers = []
        for asked in (name, "unknown"):
            path = door.path.replace("unknown", asked)
            async with house.http.request(door.method, house.url + path, headers=headers(key)) as response:
                answers.append((response.status, (await response.text()).replace(asked, "X")))
        assert answers[0] == answers[1]
        # A chat that is nobody's is one in which nothing is being written.
        closed = key == READER and not door.path.startswith("/streams/")
        assert answers[0][0] == (403 if closed else 204 if door.path.startswith("/ui/chat/") else 404)
    own = await status(house, door.method, door.path.replace("unknown", name), headers(ALICE))
    assert own in {200, 201, 204}


async def _something_of(house: House, key: str, path: str) -> str:
    if path.startswith("/streams/"):
        return await begin(house, key)
    if path.startswith("/ui/chat/"):
        return "chat-of-alice"
    body = {"model": "res/sim", "input": "Hi", "stream": False, "background": True}
    async with house.http.post(house.url + "/v1/responses", json=body, headers=headers(key)) as response:
        return str((await response.json())["id"])


async def test_a_live_chat_is_its_owners(house: House) -> None:
    body = {"id": "shared-name", "model": "ant/sim:rate=5,tokens=500", "messages": [
        {"role": "user", "id": "1", "parts": [{"type": "text", "text": "Hi"}]}
    ]}  # fmt: skip
    async with house.http.post(house.url + "/ui/chat", json=body, headers=headers(ALICE)) as response:
        assert response.status == 200
        await response.content.readany()
        assert await status(house, "GET", "/ui/chat/shared-name/stream", headers(BOB)) == 204
        assert await status(house, "POST", "/ui/chat/shared-name/stop", headers(BOB)) == 204
        stream = response.headers["tailrace-stream-id"]
        assert await status(house, "POST", f"/streams/{stream}/stop", headers(BOB)) == 404
        assert house.relay.live == 1
        assert await status(house, "POST", "/ui/chat/shared-name/stop", headers(ALICE)) == 200


async def test_a_cursor_of_another_stream_opens_only_ones_own(house: House) -> None:
    """GHSA-84j6-jc92-77jm: what is replayed is the stream in the path, whatever the cursor was given for."""
    long = await begin(house, BOB, "/stream", model="ant/sim:tokens=60")
    short = await begin(house, ALICE, "/stream", model="ant/sim:tokens=5")
    theirs = await _read(house, long, BOB, "0")
    own = await _read(house, short, ALICE, "0")
    assert (theirs[0], own[0]) == (200, 200)
    for cursor in range(0, 70, 3):
        code, text = await _read(house, short, ALICE, str(cursor))
        assert code in {200, 204, 410}
        assert text == "" or own[1].endswith(text.removeprefix("retry: 1000\n")) or code == 410
        assert (await _read(house, long, ALICE, str(cursor)))[0] == 404
    for text_cursor in (long, f"{long}:3", f"../{long}", "0x1", "-1", "1e3", "٣", f"3\t{long}"):
        code, text = await _read(house, short, ALICE, text_cursor.encode("utf-8").decode("latin-1"))
        assert code == 400
        assert long not in text


async def _read(house: House, stream: str, key: str, cursor: str) -> tuple[int, str]:
    head = {**headers(key), "last-event-id": cursor}
    async with house.http.get(f"{house.url}/streams/{stream}", headers=head) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("door", ROUTES, ids=lambda door: door.id)
@pytest.mark.parametrize("host", [
    "x/health/live?y=", "localhost/health/live?", "localhost#/health/live", "localhost@evil", "evil.example",
    "/health/live", "localhost:80/health/live", "localhost\\health",
])  # fmt: skip
async def test_the_host_decides_nothing(house: House, door: Door, host: str) -> None:
    """CVE-2026-49468, CVE-2026-48710: no name in ``Host`` makes a path another one."""
    assert await status(house, door.method, door.path, {"host": host}) == 421
    assert (
        await status(house, door.method, door.path, {"x-forwarded-host": host, "x-original-url": "/health/live"}) == 401
    )
    assert (
        await status(house, door.method, door.path, {"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1"})
        == 401
    )


async def test_paths_that_only_look_free_are_not(house: House) -> None:
    for path in ("/streams/", "//streams", "/health/live/../../streams", "/health/../streams", "/%73treams", "/STREAMS",
                 "/streams;/health/live", "/health/live%2f..%2f..%2fstreams", "/streams?x=/health/live"):  # fmt: skip
        async with house.http.get(house.url + path, allow_redirects=False) as response:
            assert response.status in {401, 404, 405, 307}, path


def test_no_route_writes_keys_or_configuration() -> None:
    """CVE-2026-35029: what may be asked over HTTP is answers, streams and views of these."""
    writing = {door.path for door in ROUTES if door.method != "GET"} - {door.path for door in ASKING}
    assert writing == {
        "/v1/responses/unknown/cancel",
        "/ui/chat/unknown/stop",
        "/streams/unknown/stop",
        "/streams/unknown/tokens",
    }


@pytest.mark.parametrize(
    "field", ["admin", "role", "owner", "scope ", "allowed_routes", "models", "seconds_", "__proto__"]
)
async def test_bodies_of_our_own_take_nothing_that_they_do_not_know(house: House, field: str) -> None:
    """CVE-2026-47101: a field that is not known is refused, so that none can turn out to have meant something."""
    stream = await begin(house, ALICE)
    for path in (f"/streams/{stream}/stop", f"/streams/{stream}/tokens"):
        for value in (True, "admin", ["/*"], None):
            assert await status(house, "POST", path, headers(ALICE), {field: value}) == 400
        assert await status(house, "POST", path, headers(ALICE), [{}]) == 400
        assert await status(house, "POST", path, headers(ALICE), "x" * 10_000) == 413
        assert await status(house, "POST", path, headers(ALICE), {}) in {200, 201}
        assert await status(house, "POST", path, headers(ALICE)) in {200, 201}


async def test_neither_digest_nor_name_of_a_key_gets_in(house: House) -> None:
    """GHSA-69x8-hrgq-fjj8: what a configuration or a list shows of a key is no key."""
    for value in (
        key_digest(ALICE),
        key_digest(ALICE).upper(),
        key_digest(key_digest(ALICE)),
        f"sha256:{key_digest(ALICE)}",
    ):
        for form in FORMS:
            assert await status(house, "GET", "/streams", headers(value, form)) == 401
    assert filled("/streams/{stream_id}") == "/streams/unknown"
