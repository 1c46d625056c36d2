"""Keys, ownership, hosts and origins: who may do what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tailrace.engine import Relay, Secret
from tailrace.errors import ConfigError
from tailrace.server import ServerSpec, bind
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.conftest import House, providers
from tests.server.test_doors import DOORS, body

pytestmark = pytest.mark.anyio

ALICE, BOB = "key-of-alice-0001", "key-of-bob-0002"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    spec = ServerSpec(
        port=0, shutdown_grace=0, keys=(Secret(ALICE), Secret(BOB)), cors_origins=("https://app.example.org",)
    )
    async with Simulator() as sim:
        relay = Relay(providers(sim))
        async with serving(relay, spec) as url, aiohttp.ClientSession() as http:
            yield House(url, sim, relay, http)


def headers_for(form: str, key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if form == "authorization" else {form: key}


FORMS = ["authorization", "x-api-key", "x-goog-api-key", "api-key"]
STREAM_DOORS = [("GET", ""), ("GET", "/message"), ("POST", "/stop")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("door", DOORS.values())
async def test_every_door_takes_every_form_of_a_good_key_and_no_bad_one(house: House, door: str, form: str) -> None:
    request = body("ant/sim")
    for key, status in [
        (ALICE, 200),
        (BOB, 200),
        ("", 401),
        (ALICE[:-1], 401),
        (ALICE + "x", 401),
        ("' OR '1'='1", 401),
    ]:
        async with house.http.post(house.url + door, json=request, headers=headers_for(form, key)) as response:
            text = await response.text()
            assert response.status == status, (key, text)
            assert ALICE not in text
    async with house.http.post(house.url + door, json=request) as response:
        assert response.status == 401


async def test_a_stream_is_its_owners_only(house: House) -> None:
    async with house.http.post(
        house.url + "/v1/messages", json=body("ant/sim"), headers={"x-api-key": ALICE}
    ) as response:
        await response.read()
    stream_id = response.headers["tailrace-stream-id"]
    for method, path in STREAM_DOORS:
        url = f"{house.url}/streams/{stream_id}{path}"
        async with house.http.request(method, url, headers={"x-api-key": BOB}) as foreign:
            foreign_text = (await foreign.text()).replace(stream_id, "X")
            assert foreign.status == 404
        async with house.http.request(method, url.replace(stream_id, "unknown"), headers={"x-api-key": BOB}) as unknown:
            assert (unknown.status, (await unknown.text()).replace("unknown", "X")) == (404, foreign_text)
        async with house.http.request(method, url) as nobody:
            assert nobody.status == 401
        async with house.http.request(method, url, headers={"authorization": f"Bearer {ALICE}"}) as own:
            assert own.status in {200, 204}
    for key, count in [(ALICE, 1), (BOB, 0)]:
        async with house.http.get(house.url + "/streams", headers={"x-api-key": key}) as listed:
            assert len((await listed.json())["data"]) == count


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8484", 200),
        ("[::1]:8484", 200),
        ("evil.example.org", 421),
        ("x/health?y=", 421),
        ("localhost@evil.example.org", 421),
        ("", 421),
    ],
)
async def test_only_our_own_hosts_are_answered(house: House, host: str, status: int) -> None:
    async with house.http.get(house.url + "/health/live", headers={"host": host}) as response:
        assert response.status == status


async def test_a_page_of_an_allowed_origin_may_call_and_read_the_streams_name(house: House) -> None:
    preflight = {"origin": "https://app.example.org", "access-control-request-method": "POST"}
    async with house.http.options(house.url + "/v1/messages", headers=preflight) as response:
        assert response.headers["access-control-allow-origin"] == "https://app.example.org"
    headers = {"origin": "https://app.example.org", "x-api-key": ALICE}
    async with house.http.post(house.url + "/v1/messages", json=body("ant/sim"), headers=headers) as response:
        await response.read()
        assert "tailrace-stream-id" in response.headers["access-control-expose-headers"].lower()
    async with house.http.get(house.url + "/health/live", headers={"origin": "https://evil.example.org"}) as response:
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:5173", 200),
        ("http://127.0.0.1:8484", 200),
        ("http://[::1]:8484", 200),
        ("https://app.example.org", 200),
        ("https://evil.example.org", 403),
        ("http://localhost.evil.example.org", 403),
        ("http://localhost@evil.example.org", 403),
        ("https://app.example.org.evil.example.org", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_without_keys_pages_of_other_sites_may_begin_nothing(origin: str | None, status: int) -> None:
    """A form or a ``no-cors`` fetch needs no preflight: refusing to let its page read would come too late."""
    spec = ServerSpec(port=0, shutdown_grace=0, cors_origins=("https://app.example.org",))
    headers = {"content-type": "text/plain"} if origin is None else {"content-type": "text/plain", "origin": origin}
    async with Simulator() as sim:
        relay = Relay(providers(sim))
        async with serving(relay, spec) as url, aiohttp.ClientSession() as http:
            for path in DOORS.values():
                request = http.post(url + path, data=json.dumps(body("ant/sim")), headers=headers)
                async with request as response:
                    assert response.status == status
                    await response.read()
        assert len(sim.requests) == (len(DOORS) if status == 200 else 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "127.example.org", "localhost.example.org"])
def test_nothing_wider_than_loopback_is_bound_without_keys(host: str) -> None:
    with pytest.raises(ConfigError, match="without keys"):
        bind(ServerSpec(host=host, port=0))


def test_an_address_that_is_taken_is_said_clearly() -> None:
    with bind(ServerSpec(port=0)) as taken, pytest.raises(ConfigError, match="in use"):
        bind(ServerSpec(port=taken.getsockname()[1]))


async def test_health_says_when_no_more_work_is_taken(house: House) -> None:
    async with house.http.get(house.url + "/health/ready") as response:
        assert (response.status, (await response.json())["status"]) == (200, "ready")
    house.relay.draining = True
    async with house.http.get(house.url + "/health/ready") as response:
        assert (response.status, (await response.json())["status"]) == (503, "draining")
    async with house.http.post(
        house.url + "/v1/messages", json=body("ant/sim"), headers={"x-api-key": ALICE}
    ) as response:
        assert response.status == 503
        assert response.headers["retry-after"] == "1"
    async with house.http.get(house.url + "/health/live") as response:
        assert response.status == 200
