"""How a stream ended is never a lie: cuts, errors and refusals, told in the caller's own dialect."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from tailrace.simulator import bytes_of, frames_of, parse
from tests.server.conftest import UPSTREAM_KEY, House
from tests.server.test_doors import DOORS, body, read

pytestmark = pytest.mark.anyio

DIALECT = {"ant": "anthropic", "oai": "openai_chat"}
SHORT = "tokens=3"
CUT_EVENTS = len(frames_of(parse(f"sim:{SHORT}"), "anthropic"))
BODY_BYTES = len(bytes_of(parse(f"sim:{SHORT}"), "anthropic"))


async def outcome(house: House, door: str, model: str) -> tuple[int, bytes]:
    async with asyncio.timeout(20), house.http.post(house.url + DOORS[door], json=body(model)) as response:
        return response.status, await response.read()


def claims_success(door: str, status: int, data: bytes) -> bool:
    if status != 200:
        return False
    _, fold = read(door, data)
    return fold.ended and fold.error is None


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_cut_at_every_event_is_never_a_success(house: House, door: str, provider: str) -> None:
    dialect = "anthropic" if provider == "ant" else "openai_chat"
    events = len(frames_of(parse(f"sim:{SHORT}"), dialect))
    for at in range(events):
        status, data = await outcome(house, door, f"{provider}/sim:{SHORT},fault=cut_event@{at}")
        assert not claims_success(door, status, data), (at, data)
        if status == 200:
            _, fold = read(door, data)
            assert fold.error is not None
            assert fold.error.ending == "truncated", (at, data)
            assert fold.error.retryable


@pytest.mark.parametrize("kind", ["cut", "rst"])
async def test_cut_at_every_byte_is_never_a_success(house: House, kind: str) -> None:
    terminal = bytes_of(parse(f"sim:{SHORT}"), "anthropic").rindex(b"event: message_stop")

    async def one(at: int) -> None:
        status, data = await outcome(house, "openai_chat", f"ant/sim:{SHORT},fault={kind}@{at}")
        # Once the whole terminal event has come the answer is complete, whatever happens to the socket then.
        if at < BODY_BYTES - 1:
            assert not claims_success("openai_chat", status, data), (at, data)

    assert 0 < terminal < BODY_BYTES
    offsets = list(range(BODY_BYTES))
    for batch in range(0, len(offsets), 40):
        await asyncio.gather(*(one(at) for at in offsets[batch : batch + 40]))


@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
async def test_an_error_event_of_the_provider_is_told_in_the_clients_dialect(house: House, door: str) -> None:
    for provider in ("ant", "oai"):
        status, data = await outcome(house, door, f"{provider}/sim:tokens=20,fault=error@8")
        assert status == 200
        _, fold = read(door, data)
        assert fold.error is not None
        assert fold.error.ending == "failed"
        assert fold.message().text


@pytest.mark.parametrize("provider", ["ant", "oai"])
@pytest.mark.parametrize("door", ["anthropic", "openai_chat"])
async def test_the_figures_before_an_error_are_not_the_final_ones(house: House, door: str, provider: str) -> None:
    """The simulator begins with one output token, as Anthropic does, and fails after seven."""
    request = body(f"{provider}/sim:tokens=20,fault=error@9")
    if door == "openai_chat":
        request["stream_options"] = {"include_usage": True}
    async with house.http.post(house.url + DOORS[door], json=request) as response:
        message, _ = read(door, await response.read())
        stream_id = response.headers["tailrace-stream-id"]
    async with house.http.get(f"{house.url}/streams/{stream_id}/message") as response:
        kept = (await response.json())["message"]
    assert kept["usage_label"] == "estimated"
    assert kept["usage"]["output_tokens"] > 1
    # The same dialect is passed on as it came.
    if DIALECT[provider] != door:
        assert message.usage_label == "estimated"
        assert message.usage.output_tokens == kept["usage"]["output_tokens"]


@pytest.mark.parametrize(
    ("upstream", "status", "anthropic_type", "openai_type"),
    [
        ("401", 401, "authentication_error", None),
        ("429:7", 429, "rate_limit_error", None),
        ("500", 500, "api_error", None),
        ("529", 529, "overloaded_error", None),
    ],
)
@pytest.mark.parametrize("provider", ["ant", "oai"])
async def test_a_refusal_keeps_its_status_and_retry_after(
    house: House, provider: str, upstream: str, status: int, anthropic_type: str, openai_type: None
) -> None:
    model = f"{provider}/sim:fault=status@{upstream}" if "@" in upstream else f"{provider}/sim:fault=status={upstream}"
    for stream in (True, False):
        async with house.http.post(house.url + "/v1/messages", json=body(model, stream=stream)) as response:
            assert response.status == status
            answer = await response.json()
            if ":" in upstream:
                assert response.headers["retry-after"] == "7"
        assert answer["type"] == "error"
        if not (provider == "oai" and status == 529):
            assert answer["error"]["type"] == anthropic_type
        async with house.http.post(house.url + "/v1/chat/completions", json=body(model, stream=stream)) as response:
            assert response.status == status
            answer = await response.json()
        assert set(answer["error"]) >= {"message", "type", "code"}


@pytest.mark.parametrize("fault", ["junk@5", "badutf8@5", "huge_line"])
async def test_bytes_that_no_rule_allows_fail_the_stream_and_keep_what_came(house: House, fault: str) -> None:
    status, data = await outcome(house, "anthropic", f"oai/sim:tokens=20,fault={fault}")
    assert not claims_success("anthropic", status, data)


async def test_a_provider_that_is_not_there(house: House) -> None:
    await house.sim.__aexit__(None, None, None)
    for door in ("anthropic", "openai_chat"):
        async with house.http.post(house.url + DOORS[door], json=body("ant/sim")) as response:
            assert response.status == 502
            text = await response.text()
        assert "ant" in text
        assert "Traceback" not in text
    await house.sim.__aenter__()


BAD_REQUESTS: dict[str, tuple[bytes, int]] = {
    "not json": (b"{", 400),
    "an array": (b"[]", 400),
    "not utf-8": (b'{"model": "\xff"}', 400),
    "deep": (b"[" * 100_000, 400),
    "no model": (json.dumps({"messages": [], "max_tokens": 1}).encode(), 400),
    "a wrong type": (json.dumps({"model": 7, "messages": [], "max_tokens": 1}).encode(), 400),
    "messages of the wrong type": (json.dumps({"model": "ant/sim", "messages": "x", "max_tokens": 1}).encode(), 400),
    "an unknown model": (json.dumps(body("nobody/x")).encode(), 404),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("data", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
async def test_bad_input_gets_a_clear_answer(house: House, door: str, data: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}
    async with house.http.post(house.url + DOORS[door], data=data, headers=headers) as response:
        text = await response.text()
        assert response.status == status, text
    answer = json.loads(text)
    message = answer["error"]["message"] if isinstance(answer.get("error"), dict) else answer["message"]
    assert len(message) > 10
    assert "Traceback" not in text
    assert UPSTREAM_KEY not in text
    if status == 404:
        assert "ant/sim" in message


async def test_a_body_over_the_limit_is_413(house: House) -> None:
    async with house.http.post(
        house.url + "/v1/messages",
        data=io.BytesIO(b" " * (house.relay.limits.body + 1)),
        headers={"content-type": "application/json"},
    ) as response:
        assert response.status == 413
        assert (await response.json())["error"]["type"] == "request_too_large"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/messages", 405)])
async def test_wrong_doors(house: House, method: str, path: str, status: int) -> None:
    async with house.http.request(method, house.url + path) as response:
        assert response.status == status
