"""What stands in the URL of Google's clients: the model, the form of the answer, the key; and the list of models."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import anyio.to_thread
import pytest
from google import genai
from google.genai import errors, types

from tailrace.engine import Relay, Secret
from tailrace.server import ServerSpec
from tailrace.simulator import Simulator, expected, parse
from tailrace.sse import Decoder
from tailrace.testing import serving
from tests.server.conftest import House, providers
from tests.server.gemini_ways import BODY, clean_environment, client, path
from tests.server.test_doors import read

__all__ = ["clean_environment"]

pytestmark = pytest.mark.anyio


async def test_models_are_listed_for_the_client(house: House) -> None:
    def listed(**options: Any) -> list[str | None]:
        with client(house.url, **options) as asked:
            return [model.name for model in asked.models.list()]

    for version in ("v1", "v1beta"):
        names = await anyio.to_thread.run_sync(partial(listed, api_version=version))
        assert names == ["models/ant/sim", "models/oai/sim"]


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("stream", [True, False])
async def test_the_models_name_may_have_slashes_and_colons(house: House, version: str, stream: bool) -> None:
    model = "ant/sim:tokens=4,seed=7"
    async with house.http.post(house.url + path(model, stream=stream, version=version), json=BODY) as response:
        assert response.status == 200
        assert expected(parse(model)).text.split()[0] in await response.text()
    record = house.sim.requests[-1]
    assert record.scenario is not None
    assert (record.scenario.tokens, record.scenario.seed) == (4, 7)


@pytest.mark.parametrize("query", ["", "?alt=json"])
@pytest.mark.parametrize("provider", ["ant", "oai", "res"])
async def test_a_stream_may_be_had_as_one_array(house: House, provider: str, query: str) -> None:
    """The same answer, element by element: each element is what an event of the other form holds."""
    url = f"{house.url}/v1beta/models/{provider}/sim-tools:tokens=30:streamGenerateContent"
    async with house.http.post(url + query, json=BODY) as response:
        assert response.headers["content-type"] == "application/json"
        data = await response.read()
    elements = json.loads(data)
    message, fold_ = read("gemini", data)
    truth = expected(parse("sim-tools:tokens=30"))
    assert len(elements) > 3
    assert fold_.error is None
    assert message.text == truth.text
    assert [call.input for call in message.tool_calls] == [call.input for call in truth.tool_calls]
    async with house.http.post(url + "?alt=sse", json=BODY) as response:
        events = [json.loads(event.data) for event in Decoder().feed(await response.read())]
    assert len(events) == len(elements)


async def test_an_array_tells_of_an_error_in_its_last_element(house: House) -> None:
    url = f"{house.url}/v1beta/models/ant/sim:tokens=30,fault=cut_event@12:streamGenerateContent"
    async with house.http.post(url, json=BODY) as response:
        elements = json.loads(await response.read())
    assert elements[-1]["error"]["code"] >= 400
    assert elements[-1]["tailrace"]["ending"] == "truncated"


async def test_another_form_is_refused_by_name(house: House) -> None:
    url = house.url + "/v1beta/models/gem/sim:streamGenerateContent?alt=proto"
    async with house.http.post(url, json=BODY) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["details"][0]["fieldViolations"][0]["field"] == "alt"


async def test_what_was_left_out_is_listed(house: House) -> None:
    body = {**BODY, "safety_settings": [{"category": "c", "threshold": "t"}], "generationConfig": {"seed": 5}}
    async with house.http.post(house.url + path("ant/sim"), json=body) as response:
        assert response.headers["tailrace-ignored"] == "seed, safetySettings"


class TestKeys:
    ALICE, BOB = "key-of-alice-0001", "key-of-bob-0002"

    @pytest.fixture
    async def house(self) -> AsyncIterator[House]:
        spec = ServerSpec(port=0, shutdown_grace=0, keys=(Secret(self.ALICE), Secret(self.BOB)))
        async with Simulator() as sim:
            relay = Relay(providers(sim))
            async with serving(relay, spec) as url, aiohttp.ClientSession() as http:
                yield House(url, sim, relay, http)

    @pytest.mark.parametrize("stream", [True, False])
    async def test_the_key_may_stand_in_the_query(self, house: House, stream: bool) -> None:
        door = house.url + path("ant/sim", stream=stream)
        mark = "&" if stream else "?"
        for query, headers, status in [
            (f"{mark}key={self.ALICE}", {}, 200),
            (f"{mark}key=other", {}, 401),
            (f"{mark}key=", {}, 401),
            ("", {}, 401),
            ("", {"x-goog-api-key": self.ALICE}, 200),
            ("", {"authorization": f"Bearer {self.ALICE}"}, 200),
            # A header wins, whether it is right or wrong.
            (f"{mark}key=other", {"x-goog-api-key": self.ALICE}, 200),
            (f"{mark}key={self.ALICE}", {"x-goog-api-key": "other"}, 401),
        ]:
            async with house.http.post(door + query, json=BODY, headers=headers) as response:
                text = await response.text()
                assert response.status == status, (query, headers)
                assert self.ALICE not in text
                if status == 401:
                    assert (await response.json())["error"]["status"] == "UNAUTHENTICATED"

    async def test_a_stream_belongs_to_the_key_however_it_was_given(self, house: House) -> None:
        async with house.http.post(house.url + path("ant/sim") + f"&key={self.ALICE}", json=BODY) as response:
            stream = response.headers["tailrace-stream-id"]
            await response.read()
        for key, status in ((self.ALICE, 200), (self.BOB, 404)):
            headers = {"x-goog-api-key": key}
            async with house.http.get(f"{house.url}/streams/{stream}/message", headers=headers) as response:
                assert response.status == status

    async def test_no_other_door_takes_it_there(self, house: House) -> None:
        body = {"model": "ant/sim", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        async with house.http.post(f"{house.url}/v1/messages?key={self.ALICE}", json=body) as response:
            assert response.status == 401

    async def test_the_client_raises_without_a_good_one(self, house: House) -> None:
        def ask() -> None:
            with genai.Client(api_key="other", http_options=types.HttpOptions(base_url=house.url)) as asked:
                asked.models.generate_content(model="ant/sim", contents="Hello")

        with pytest.raises(errors.ClientError) as caught:
            await anyio.to_thread.run_sync(ask)
        assert caught.value.code == 401
