"""What is sent: to a relay, straight to a provider of either dialect, and where the address and the key come from."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

import tailrace
from tailrace.client import Client
from tailrace.dialects import KNOWN_PROVIDERS
from tailrace.errors import BadRequest, ConfigError
from tests.client.colours import connect
from tests.client.relay import FRAMES, Body, Relay

KEY = "sk-canary-77c0ffee"
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}


def chunk(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "model": "m", **fields}).encode() + b"\n\n"


CHAT = (
    chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}])
    + chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
    + chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 2})
    + b"data: [DONE]\n\n"
)


class Provider:
    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Body([self.answer]))


def sent(handler: Any) -> dict[str, Any]:
    body = json.loads(handler.requests[-1].content)
    assert isinstance(body, dict)
    return body


@pytest.mark.anyio
async def test_a_relay_is_asked_in_the_words_of_the_messages_api(colour: str) -> None:
    relay = Relay()
    async with connect(colour, relay, api_key=KEY) as client:
        await client.create(
            model="fast", messages="Hi", system="Be brief.", max_tokens=9, temperature=0.5, tools=[TOOL], top_k=3
        )
    assert sent(relay) == {
        "model": "fast",
        "messages": [{"role": "user", "content": "Hi"}],
        "system": "Be brief.",
        "max_tokens": 9,
        "temperature": 0.5,
        "tools": [TOOL],
        "top_k": 3,
        "stream": True,
    }
    headers = relay.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept"] == "text/event-stream"
    assert headers["accept-encoding"] == "identity"
    assert len(headers["idempotency-key"]) == 32


@pytest.mark.anyio
async def test_each_request_has_its_own_idempotency_key(colour: str) -> None:
    relay = Relay()
    async with connect(colour, relay) as client:
        for _ in range(3):
            await client.create(model="fast", messages="Hi")
    assert len({request.headers["idempotency-key"] for request in relay.requests}) == 3


@pytest.mark.anyio
async def test_a_limit_is_sent_where_the_caller_has_none(colour: str) -> None:
    relay = Relay()
    async with connect(colour, relay) as client:
        await client.create(model="fast", messages="Hi")
        assert sent(relay)["max_tokens"] == 4096
        await client.create(model="fast", messages="Hi", thinking={"type": "enabled", "budget_tokens": 1024})
        assert sent(relay)["max_tokens"] == 4096 + 1024


@pytest.mark.anyio
async def test_an_answer_goes_back_as_the_turn_that_it_was(colour: str) -> None:
    relay = Relay()
    async with connect(colour, relay) as client:
        answer = await client.create(model="fast", messages="Hi")
        turns = [{"role": "user", "content": "Hi"}, answer, {"role": "user", "content": "And?"}]
        await client.create(model="fast", messages=turns)
    messages = sent(relay)["messages"]
    assert [turn["role"] for turn in messages] == ["user", "assistant", "user"]
    assert [block["type"] for block in messages[1]["content"]] == ["thinking", "text", "tool_use"]
    assert messages[1]["content"][0]["signature"] == "c2ln"
    assert messages[1]["content"][2]["input"] == {"up": True}


@pytest.mark.anyio
async def test_anthropic_is_asked_straight(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f" {KEY}\n")
    provider = Provider(b"".join(FRAMES))
    client = connect(colour, provider, provider="anthropic", default_headers={"Anthropic-Beta": "x-1"})
    async with client:
        await client.create(model="claude-haiku-4-5", messages="Hi")
    request = provider.requests[0]
    assert str(request.url) == "https://api.anthropic.com/v1/messages"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-beta"] == "x-1"
    assert "idempotency-key" not in request.headers
    assert sent(provider)["model"] == "claude-haiku-4-5"


@pytest.mark.anyio
async def test_a_chat_provider_gets_the_request_translated(colour: str) -> None:
    provider = Provider(CHAT)
    client = connect(colour, provider, "https://chat.test/v1/", dialect="openai_chat", api_key=KEY)
    async with client:
        message = await client.create(
            model="m", messages="Hi", system="Be brief.", tools=[TOOL], seed=7, reasoning_effort="low"
        )
    assert message.text == "Hi"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (3, 2)
    request = provider.requests[0]
    assert str(request.url) == "https://chat.test/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = sent(provider)
    assert [(turn["role"]) for turn in body["messages"]] in (["system", "user"], ["developer", "user"])
    assert body["tools"][0]["function"]["name"] == "look"
    assert (body["seed"], body["reasoning_effort"], body["stream"]) == (7, "low", True)
    assert body["stream_options"] == {"include_usage": True}
    assert not {"max_tokens", "max_completion_tokens"} & body.keys()


@pytest.mark.anyio
async def test_a_limit_of_the_callers_reaches_a_chat_provider(colour: str) -> None:
    provider = Provider(CHAT)
    async with connect(colour, provider, "https://chat.test/v1", dialect="openai_chat") as client:
        await client.create(model="m", messages="Hi", max_tokens=5)
    assert 5 in (sent(provider).get("max_tokens"), sent(provider).get("max_completion_tokens"))
    assert "authorization" not in provider.requests[0].headers


def test_what_cannot_be_asked_is_refused_before_anything_is_sent() -> None:
    provider = Provider(CHAT)
    client = connect("sync", provider, "https://chat.test/v1", dialect="openai_chat")
    with pytest.raises(BadRequest, match="role"):
        client.stream(model="m", messages=[{"role": "narrator", "content": "Hi"}])
    assert provider.requests == []


def test_the_address_and_key_of_a_relay_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    monkeypatch.setenv("TAILRACE_URL", "http://relay.test:9000/")
    monkeypatch.setenv("TAILRACE_API_KEY", KEY)
    http = httpx2.Client(transport=httpx2.MockTransport(relay))
    with Client(http_client=http) as client:
        client.models()
        Client("http://other.test", api_key="mine", http_client=http).models()
    assert [str(request.url) for request in relay.requests] == [
        "http://relay.test:9000/v1/models",
        "http://other.test/v1/models",
    ]
    assert [request.headers["authorization"] for request in relay.requests] == [f"Bearer {KEY}", "Bearer mine"]


def test_without_any_setting_the_relay_of_this_machine_is_asked() -> None:
    assert repr(Client()) == "<Client of a relay at 127.0.0.1:8484>"


@pytest.mark.parametrize("name", sorted(KNOWN_PROVIDERS))
def test_a_known_provider_needs_only_its_name_and_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = KNOWN_PROVIDERS[name]
    monkeypatch.delenv(known.key_variable, raising=False)
    with pytest.raises(ConfigError, match=known.key_variable):
        Client(provider=name)
    monkeypatch.setenv(known.key_variable, KEY)
    client = Client(provider=name)
    assert repr(client) == f"<Client of a {known.dialect} at {name}>"
    assert KEY not in repr(vars(client))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"provider": "acme"}, "unknown provider 'acme'; known are anthropic"),
        ({"dialect": "anthropic"}, "base_url"),
        ({"dialect": "morse", "base_url": "http://x"}, "unknown dialect 'morse'"),
        ({"base_url": "127.0.0.1:8484"}, "http://"),
        ({"base_url": "ftp://x"}, "'ftp'"),
        ({"base_url": "http://"}, "http://"),
        ({"api_key": f"{KEY}\nX-Evil: 1"}, "no HTTP header"),
        ({"api_key": "clé"}, "no HTTP header"),
    ],
)
def test_a_client_that_goes_nowhere_is_a_configuration_error(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Client(**options)
    assert KEY not in str(caught.value)


def test_a_password_in_the_address_is_not_shown() -> None:
    assert KEY not in repr(Client(f"https://user:{KEY}@relay.test"))


def test_one_call_asks_a_provider_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider = Provider(CHAT)
    http = httpx2.Client(transport=httpx2.MockTransport(provider))
    assert tailrace.ask("openai/gpt-5-mini", "Hi", http_client=http, max_tokens=4) == "Hi"
    with tailrace.stream("openai/ft:gpt/x", "Hi", http_client=http) as answer:
        assert list(answer.text_stream) == ["Hi"]
    assert sent(provider)["model"] == "ft:gpt/x"
    assert provider.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_one_call_closes_the_client_that_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Client] = []
    monkeypatch.setattr(Client, "close", lambda self: closed.append(self))
    answer = tailrace.stream("anthropic/m", "Hi", api_key="k")
    assert closed == []
    answer.close()
    assert len(closed) == 1
    with pytest.raises(BadRequest):
        tailrace.stream("openai/m", [{"role": "narrator", "content": ""}], api_key="k")
    assert len(closed) == 2


@pytest.mark.parametrize("model", ["gpt-5-mini", "anthropic/", "/x", "acme/x", ""])
def test_a_model_without_a_known_provider_is_a_configuration_error(model: str) -> None:
    with pytest.raises(ConfigError, match=r"anthropic"):
        tailrace.ask(model, "Hi", api_key="k")
