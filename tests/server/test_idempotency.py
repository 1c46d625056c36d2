"""One key, one upstream call: a repeated request joins the stream of the first."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tailrace.simulator import expected, parse
from tests.server.conftest import House
from tests.server.test_doors import body, read

pytestmark = pytest.mark.anyio

KEY = {"idempotency-key": "one-and-only"}
DOORS = [("/v1/messages", "anthropic"), ("/v1/chat/completions", "openai_chat"), ("/stream", "plain")]


async def post(
    house: House, path: str, request: dict[str, Any], headers: dict[str, str] = KEY
) -> tuple[int, bytes, dict[str, str]]:
    async with house.http.post(house.url + path, json=request, headers=headers) as response:
        return response.status, await response.read(), {k.lower(): v for k, v in response.headers.items()}


@pytest.mark.parametrize(("path", "dialect"), DOORS)
async def test_fifty_at_once_are_one_call_and_one_answer(house: House, path: str, dialect: str) -> None:
    request = body("ant/sim:tokens=30,rate=300")
    answers = await asyncio.gather(*(post(house, path, request) for _ in range(50)))
    assert {status for status, _, _ in answers} == {200}
    assert len({data for _, data, _ in answers}) == 1
    assert len({headers["tailrace-stream-id"] for _, _, headers in answers}) == 1
    assert sum("idempotent-replayed" in headers for _, _, headers in answers) == 49
    assert len(house.sim.requests) == 1
    if dialect != "plain":
        message, fold = read(dialect, answers[0][1])
        assert fold.ended
        assert message.text == expected(parse("sim:tokens=30")).text


async def test_a_whole_answer_is_joined_too_while_it_is_made_and_after(house: House) -> None:
    request = body("ant/sim:tokens=30,rate=300", stream=False)
    first, second = await asyncio.gather(*(post(house, "/v1/messages", request) for _ in range(2)))
    third = await post(house, "/v1/messages", request)
    assert first[1] == second[1] == third[1]
    assert len(house.sim.requests) == 1


async def test_another_request_with_the_same_key_is_refused(house: House) -> None:
    await post(house, "/v1/messages", body("ant/sim"))
    status, data, _ = await post(house, "/v1/messages", body("ant/sim:tokens=3"))
    assert status == 422
    assert json.loads(data)["error"]["type"] == "invalid_request_error"
    status, _, _ = await post(house, "/v1/chat/completions", body("ant/sim"))
    assert status == 422
    assert len(house.sim.requests) == 1


async def test_the_order_of_the_fields_does_not_make_another_request(house: House) -> None:
    request = body("ant/sim")
    await post(house, "/v1/messages", request)
    status, _, headers = await post(house, "/v1/messages", dict(reversed(request.items())))
    assert status == 200
    assert headers["idempotent-replayed"] == "true"


async def test_keys_are_their_owners(house: House) -> None:
    await post(house, "/v1/messages", body("ant/sim"))
    await post(house, "/v1/messages", body("ant/sim"), {"idempotency-key": "another"})
    assert len(house.sim.requests) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_before_any_content_does_not_hold_the_key(house: House, stream: bool) -> None:
    for _ in range(2):
        status, _, headers = await post(house, "/v1/messages", body("ant/sim:fault=status@529", stream=stream))
        assert status == 529
        assert "idempotent-replayed" not in headers
    assert len(house.sim.requests) == 2


async def test_a_failure_after_content_is_replayed_as_it_was(house: House) -> None:
    request = body("ant/sim:tokens=20,fault=cut_event@8")
    first = await post(house, "/v1/messages", request)
    second = await post(house, "/v1/messages", request)
    assert first[1] == second[1]
    _, fold = read("anthropic", second[1])
    assert fold.error is not None
    assert fold.error.ending == "truncated"
    assert len(house.sim.requests) == 1


async def test_a_request_that_was_refused_before_it_began_does_not_hold_the_key(house: House) -> None:
    status, _, _ = await post(house, "/v1/messages", body("nobody/x"))
    assert status == 404
    status, _, _ = await post(house, "/v1/messages", body("ant/sim"))
    assert status == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9\u0085"])
async def test_a_key_that_cannot_be_is_refused(house: House, key: str) -> None:
    async with house.http.post(
        house.url + "/v1/messages", json=body("ant/sim"), headers={"Idempotency-Key": key}
    ) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"
    assert house.sim.requests == []


@pytest.mark.parametrize(
    "value",
    ["never", "cancel; tokens=3", "detach; seconds=1", "drain; seconds=-1", "drain; seconds=x", "cancel; seconds"],
)
async def test_a_wish_for_the_disconnect_that_cannot_be_is_refused(house: House, value: str) -> None:
    async with house.http.post(
        house.url + "/v1/messages", json=body("ant/sim"), headers={"Tailrace-On-Disconnect": value}
    ) as response:
        assert response.status == 400
        assert "Tailrace-On-Disconnect" in (await response.json())["error"]["message"]
    assert house.sim.requests == []


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("cancel; seconds=0", "closed_by_client"),
        ("detach", "completed"),
        ("drain; seconds=30; tokens=5000", "completed"),
        ("drain; seconds=30; tokens=5", "closed_by_client"),
    ],
)
async def test_what_a_disconnect_does_is_the_clients_choice(house: House, value: str, state: str) -> None:
    response = await house.http.post(
        house.url + "/v1/messages",
        json=body("ant/sim:tokens=120,rate=200"),
        headers={"Tailrace-On-Disconnect": value},
    )
    await response.content.readany()
    response.close()
    (record,) = house.sim.requests
    async with asyncio.timeout(10):
        await record.closed.wait()
    assert record.state == state
