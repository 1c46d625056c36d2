"""What goes wrong before an answer begins: which exception, after how many attempts, and what it does not say."""

from __future__ import annotations

import traceback
from typing import Any

import httpx2
import pytest

from tailrace.client import retry
from tailrace.client.retry import LONGEST_DELAY, LONGEST_HINT, Retry, retry_after
from tailrace.errors import (
    BadRequest,
    ConfigError,
    ConnectError,
    LimitExceeded,
    LocalProtocolError,
    NotFound,
    ProviderTimeout,
    RemoteProtocolError,
    StatusError,
    StreamInterrupted,
    TailraceError,
)
from tests.client.colours import connect
from tests.client.relay import STREAM_ID, Body, Relay

ASKED: dict[str, Any] = {"model": "m", "messages": "Hello."}
KEY = "sk-canary-5f2a91"


def refused(status: int, kind: str = "api_error", message: str = "no", **headers: str) -> httpx2.Response:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return httpx2.Response(
        status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "word", "kind", "attempts"),
    [
        (400, "invalid_request_error", "invalid_request", 1),
        (401, "authentication_error", "authentication", 1),
        (402, "billing_error", "billing", 1),
        (403, "permission_error", "permission", 1),
        (404, "not_found_error", "not_found", 1),
        (409, "conflict_error", "conflict", 1),
        (413, "request_too_large", "too_large", 1),
        (408, "timeout_error", "timeout", 3),
        (429, "rate_limit_error", "rate_limit", 3),
        (500, "api_error", "upstream", 3),
        (502, "api_error", "upstream", 3),
        (503, "overloaded_error", "overloaded", 3),
        (504, "timeout_error", "timeout", 3),
        (529, "overloaded_error", "overloaded", 3),
        (307, "", "invalid_request", 1),
    ],
)
async def test_an_http_error_is_a_status_error(colour: str, status: int, word: str, kind: str, attempts: int) -> None:
    relay = Relay(refusals=[refused(status, word, "it says why", retry_after="0") for _ in range(attempts)])
    async with connect(colour, relay) as client:
        with pytest.raises(StatusError, match="it says why") as caught:
            await client.create(**ASKED)
    assert (caught.value.status, caught.value.kind, caught.value.retry_after) == (status, kind, 0.0)
    assert caught.value.body["error"]["message"] == "it says why"
    assert len(relay.requests) == attempts
    keys = {request.headers["idempotency-key"] for request in relay.requests}
    assert len(keys) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "exception", "attempts", "words"),
    [
        (httpx2.ConnectError("[Errno 111]"), ConnectError, 3, "cannot connect"),
        (httpx2.ConnectTimeout("x"), ProviderTimeout, 3, "no connection in time"),
        (httpx2.PoolTimeout("x"), ProviderTimeout, 3, "no connection in time"),
        (httpx2.ReadTimeout("x"), ProviderTimeout, 1, "timed out"),
        (httpx2.ReadError("x"), ConnectError, 3, "connection was lost"),
        (httpx2.WriteError("x"), ConnectError, 3, "connection was lost"),
        (httpx2.CloseError("x"), ConnectError, 3, "connection was lost"),
        (httpx2.RemoteProtocolError("x"), ConnectError, 3, "closed before"),
        (httpx2.ProxyError("x"), ConnectError, 3, "proxy"),
        (httpx2.UnsupportedProtocol("x"), ConfigError, 1, "URL"),
        (httpx2.InvalidURL("x"), ConfigError, 1, "URL"),
        (httpx2.LocalProtocolError(f"Illegal header value b'{KEY}'"), LocalProtocolError, 1, "header"),
        (httpx2.DecodingError("x"), RemoteProtocolError, 1, "compressed"),
        (httpx2.TooManyRedirects("x"), ConnectError, 3, "TooManyRedirects"),
        (ConnectionResetError("x"), ConnectError, 3, "connection was lost"),
    ],
)
async def test_the_http_librarys_exceptions_stop_at_the_border(
    colour: str, error: Exception, exception: type[TailraceError], attempts: int, words: str
) -> None:
    relay = Relay(refusals=[error] * attempts)
    async with connect(colour, relay, "http://relay.test:99", api_key=KEY) as client:
        with pytest.raises(exception, match=words) as caught:
            await client.create(**ASKED)
    assert type(caught.value) is exception
    assert "relay.test:99" in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert len(relay.requests) == attempts


@pytest.mark.anyio
async def test_a_request_that_works_the_second_time_works(colour: str) -> None:
    relay = Relay(refusals=[refused(529), httpx2.ConnectError("x")])
    async with connect(colour, relay) as client:
        assert (await client.create(**ASKED)).text
        relay.refusals = [refused(503), refused(503)]
        assert [model.id for model in await client.models()] == ["fast"]


@pytest.mark.anyio
async def test_nothing_is_sent_again_once_an_answer_has_begun(colour: str) -> None:
    relay = Relay(cuts=[40, *[0] * 20])
    async with connect(colour, relay, max_reconnects=2) as client:
        with pytest.raises(TailraceError):
            await client.create(**ASKED)
    assert relay.paths.count("/v1/messages") == 1


@pytest.mark.anyio
async def test_a_key_that_a_server_quotes_is_not_passed_on(colour: str) -> None:
    relay = Relay(refusals=[refused(401, message=f"the key {KEY} is wrong")])
    async with connect(colour, relay, api_key=KEY) as client:
        with pytest.raises(StatusError) as caught:
            await client.create(**ASKED)
        assert KEY not in repr(client)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.body)
    assert KEY not in shown
    assert "the key … is wrong" in str(caught.value)
    assert relay.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.anyio
async def test_an_error_answer_without_end_is_read_in_part(colour: str) -> None:
    body = Body([b"x" * 10_000] * 1_000)
    relay = Relay(refusals=[httpx2.Response(400, stream=body)])
    async with connect(colour, relay) as client:
        with pytest.raises(StatusError) as caught:
            await client.create(**ASKED)
    assert body.closed
    assert len(caught.value.body) == 64 * 1024


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("response", "exception", "words"),
    [
        ({"content": b"<html>"}, RemoteProtocolError, "not JSON"),
        ({"json": {"data": 3}}, RemoteProtocolError, "list"),
        ({"json": {"data": [{"name": "x"}]}}, RemoteProtocolError, "list"),
        ({"json": [1]}, RemoteProtocolError, "list"),
        ({"content": b""}, RemoteProtocolError, "list"),
        ({"stream": Body([b"["], httpx2.ReadError("cut"))}, ConnectError, "lost"),
        ({"stream": Body([b"["], httpx2.ReadTimeout("slow"))}, ProviderTimeout, "idle"),
        ({"stream": Body([b" " * 2**20] * 65)}, LimitExceeded, "bytes of JSON"),
    ],
)
async def test_a_list_that_cannot_be_read_is_an_error(
    colour: str, response: dict[str, Any], exception: type[TailraceError], words: str
) -> None:
    async with connect(colour, Relay(refusals=[httpx2.Response(200, **response)])) as client:
        with pytest.raises(exception, match=words):
            await client.models()


@pytest.mark.anyio
async def test_a_stream_that_nobody_knows_is_a_status_error(colour: str) -> None:
    async with connect(colour, Relay()) as client:
        with pytest.raises(StatusError) as caught:
            await client.resume("other").open()
        assert caught.value.status == 404
        for call in (client.stop, client.get_message):
            with pytest.raises(StatusError):
                await call("other")
        for wrong in ("", "a/b", "..", "ä", "x" * 300):
            with pytest.raises(NotFound):
                await client.stop(wrong)


@pytest.mark.anyio
@pytest.mark.parametrize("message", [{}, {"message": None}, [1], {"message": {"blocks": 3}}])
async def test_a_message_that_is_not_there_is_an_error(colour: str, message: Any) -> None:
    async with connect(colour, Relay(refusals=[httpx2.Response(200, json=message)])) as client:
        with pytest.raises((NotFound, RemoteProtocolError)):
            await client.get_message(STREAM_ID)


@pytest.mark.anyio
async def test_a_dialect_that_is_not_known_is_an_error(colour: str) -> None:
    async with connect(colour, Relay(dialect="morse")) as client:
        with pytest.raises(RemoteProtocolError, match="morse"):
            await client.create(**ASKED)


@pytest.mark.anyio
async def test_only_a_relay_keeps_streams(colour: str) -> None:
    async with connect(colour, Relay(), provider="openai", api_key="k") as client:
        for call in (client.streams(), client.stop("x"), client.get_message("x")):
            with pytest.raises(ConfigError, match="only a Tailrace server"):
                await call
        with pytest.raises(ConfigError):
            client.resume("x")


@pytest.mark.anyio
async def test_a_closed_client_asks_nothing(colour: str) -> None:
    client = connect(colour, None, "http://127.0.0.1:9")
    await client.close()
    await client.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        client.stream(**ASKED)
    with pytest.raises(LocalProtocolError, match="closed"):
        await client.models()


@pytest.mark.anyio
async def test_a_stream_whose_http_client_was_closed_gives_up_at_once(colour: str) -> None:
    relay = Relay(cuts=[600])
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        await close_http(client)
        with pytest.raises(StreamInterrupted) as caught:
            await stream.get_final_message()
    assert stream.reconnects == 1
    assert isinstance(caught.value.__cause__, LocalProtocolError)


async def close_http(client: Any) -> None:
    http = getattr(client, "inner", client)._http
    if isinstance(http, httpx2.Client):
        http.close()
    else:
        await http.aclose()


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(BadRequest, match="JSON"):
        connect("sync", Relay()).stream(**ASKED, stop_sequences=object())


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Retry:
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.5)
    return Retry(random=lambda: 1.0, max_retries=3, max_reconnects=6)


@pytest.mark.parametrize(
    ("attempt", "status", "headers", "delay"),
    [
        (0, 503, {}, 0.5),
        (1, 503, {}, 1.0),
        (2, 503, {}, 2.0),
        (3, 503, {}, None),
        (0, 400, {}, None),
        (0, 400, {"x-should-retry": "true"}, 0.5),
        (0, 503, {"x-should-retry": "false"}, None),
        (0, 429, {"retry-after": "7"}, 7.25),
        (0, 429, {"retry-after-ms": "1500", "retry-after": "7"}, 1.75),
        (0, 429, {"retry-after": str(LONGEST_HINT + 1)}, None),
        (0, 429, {"retry-after": "-3"}, 0.5),
        (0, 429, {"retry-after": "nan"}, 0.5),
        (0, 429, {"retry-after": "soon"}, 0.5),
    ],
)
def test_when_a_refused_request_is_sent_again(
    half: Retry, attempt: int, status: int, headers: dict[str, str], delay: float | None
) -> None:
    assert half.request(attempt, head=(status, headers)) == delay


def test_reconnecting_waits_longer_each_time_and_never_less_than_asked(half: Retry) -> None:
    assert [half.reconnect(attempt, None) for attempt in range(7)] == [0.5, 1, 2, 4, LONGEST_DELAY, LONGEST_DELAY, None]
    assert half.reconnect(0, 1.0) == 1.25
    assert half.reconnect(0, 1e9) == LONGEST_HINT + 0.25


def test_jitter_spreads_over_half_of_the_delay(half: Retry) -> None:
    assert Retry(random=lambda: 0.0).reconnect(1, None) == 0.5
    assert half.reconnect(1, None) == 1.0


def test_a_date_to_retry_after_is_read_against_the_answers_own_date() -> None:
    date = {"date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}
    assert retry_after(date) == 30.0
    assert retry_after({"retry-after": date["retry-after"]}) is None
    assert retry_after({"date": date["retry-after"], "retry-after": date["date"]}) == 0.0
    assert retry_after({}) is None
