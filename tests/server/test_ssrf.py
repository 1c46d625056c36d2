"""Where a request goes is the configuration's to say: nothing that a client sends can change it (CVE-2024-6587)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from tests.server.conftest import UPSTREAM_KEY, House
from tests.server.test_doors import DOORS, body

pytestmark = pytest.mark.anyio


class Canary(NamedTuple):
    """A server that must never hear anything."""

    url: str
    heard: list[bytes]


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield Canary(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard)


FIELDS = (
    "api_base", "base_url", "api_url", "endpoint", "url", "host", "proxy", "api_key", "api_version",
    "custom_llm_provider", "azure_endpoint", "organization", "region", "aws_bedrock_runtime_endpoint",
    "vertex_location", "http_options", "extra_body", "extra_headers", "litellm_params", "metadata", "callback_url",
    "webhook", "redirect_uri", "server_url",
)  # fmt: skip
"""What other relays read, or SDKs would merge in."""

HEADERS = (
    "x-forwarded-host", "x-forwarded-server", "x-forwarded-for", "forwarded", "x-original-url", "x-rewrite-url",
    "x-host", "x-api-base", "api-base", "base-url", "helicone-target-url", "x-portkey-custom-host", "cf-aig-endpoint",
    "openai-base-url", "anthropic-base-url", "x-upstream", "destination", "referer", "via", "x-real-ip",
)  # fmt: skip
"""What other relays route by."""


def values(url: str) -> list[Any]:
    return [url, url.removeprefix("http://"), {"base_url": url, "api_base": url, "url": url}, [url]]


async def ask(house: House, path: str, asked: dict[str, Any], headers: dict[str, str] | None = None) -> str:
    async with house.http.post(house.url + path, json=asked, headers=headers) as response:
        return await response.text()


@pytest.mark.parametrize("door", DOORS.values())
async def test_no_field_of_a_body_names_another_host(house: House, canary: Canary, door: str) -> None:
    for field in FIELDS:
        for value in values(canary.url):
            said = await ask(house, door, {**body("ant/sim:tokens=3"), field: value})
            assert UPSTREAM_KEY not in said
    assert canary.heard == []


@pytest.mark.parametrize("door", DOORS.values())
async def test_no_header_names_another_host(house: House, canary: Canary, door: str) -> None:
    for provider in ("ant", "oai"):
        asked = body(f"{provider}/sim:tokens=3")
        for name in HEADERS:
            for value in (canary.url, canary.url.removeprefix("http://"), f"for=x;host={canary.url}"):
                assert UPSTREAM_KEY not in await ask(house, door, asked, {name: value})
    assert canary.heard == []
    assert all(record.headers["host"] == house.sim.url.removeprefix("http://") for record in house.sim.requests)


@pytest.mark.parametrize("door", DOORS.values())
async def test_no_query_names_another_host(house: House, canary: Canary, door: str) -> None:
    for field in FIELDS:
        await ask(house, f"{door}?{field}={canary.url}", body("ant/sim:tokens=3"))
    assert canary.heard == []


@pytest.mark.parametrize("door", DOORS.values())
async def test_no_model_is_an_address(house: House, canary: Canary, door: str) -> None:
    host = canary.url.removeprefix("http://")
    before = len(house.sim.requests)
    for model in (
        canary.url, f"{canary.url}/sim", f"ant@{host}/sim", f"//{host}/sim", f"{host}/sim", f"http:/{host}", "../sim",
    ):  # fmt: skip
        async with house.http.post(house.url + door, json=body(model, stream=False)) as response:
            assert response.status in {400, 404}, await response.text()
    assert canary.heard == []
    assert len(house.sim.requests) == before


@pytest.mark.parametrize(
    "model",
    ["ant/sim:tokens=3@{host}", "ant/..//{host}/sim", "ant/sim?x=http://{host}", "ant/sim#@{host}", "ant/\\\\{host}"],
)
@pytest.mark.parametrize("door", [*DOORS.values(), "/v1beta/models/{model}:generateContent"])
async def test_no_model_of_a_provider_leaves_it(house: House, canary: Canary, door: str, model: str) -> None:
    name = model.format(host=canary.url.removeprefix("http://"))
    await ask(house, door.format(model=name), {**body(name, stream=False), "contents": [{"parts": [{"text": "x"}]}]})
    assert canary.heard == []


async def test_no_target_of_a_request_is_asked(house: House, canary: Canary) -> None:
    port = int(house.url.rpartition(":")[2])
    data = json.dumps(body("ant/sim:tokens=3")).encode()
    for target in (canary.url + "/v1/messages", canary.url.replace("http", "https"), f"//{canary.url[7:]}/v1/messages"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % target.encode())
        writer.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        answer = await reader.read()
        assert answer.split()[1] in {b"400", b"404"}
        writer.close()
    assert canary.heard == []
    assert house.sim.requests == []


async def test_no_redirect_is_followed(canary: Canary) -> None:
    from tests.server.raw_provider import refusal, rig

    async with rig() as house:
        for status in ("301 X", "302 X", "303 X", "307 X", "308 X"):
            house.provider.says = refusal(status, b"", f"location: {canary.url}/v1/messages")
            async with house.http.post(house.url + "/v1/messages", json=body("ant/m")) as response:
                assert response.status == 502
                assert "a redirect, which is not followed" in await response.text()
    assert canary.heard == []
