"""What the client does where it cannot simply go on: a place that is lost, a stream that is gone, an answer anew."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

import tailrace
from tailrace.client import Reset, session
from tailrace.client.commands import read
from tailrace.client.wishes import Cancel, Drain
from tailrace.errors import BadRequest, ConfigError, CursorLost, RequestError, StatusError, StreamGone, StreamRestarted
from tailrace.events import MessageEnd, TextDelta
from tests.client.colours import connect
from tests.client.relay import (
    FRAMES,
    HEARTBEAT,
    START,
    STOP,
    STREAM_ID,
    TEXT_START,
    Body,
    Relay,
    finish,
    frame,
    stamped,
    text,
)

pytestmark = pytest.mark.anyio
ASKED: dict[str, Any] = {"model": "m", "messages": "Why is the sky blue?"}
PROVIDER: dict[str, Any] = {"base_url": "https://provider.test", "dialect": "anthropic", "api_key": "sk-test"}
TOKEN = "vt1.read-1900000000.c2VjcmV0"

RESET = frame("tailrace.reset", reason="truncated")
CLOSE = frame("content_block_stop", index=0)


def answer(*words: str) -> list[bytes]:
    return [START, TEXT_START, *(text(word, 0) for word in words), CLOSE, finish(), STOP]


RESTARTED = [START, TEXT_START, text("Grass is ", 0), text("gr", 0), RESET, *answer("The sky ", "is blue.")]


async def drained(items: AsyncIterator[Any], into: list[Any] | None = None) -> None:
    """Read ``items`` to their end, which may be an exception; what came before it is in ``into``."""
    async for item in items:
        if into is not None:
            into.append(item)


def refused(status: int, code: str) -> httpx2.Response:
    body = {"type": "error", "error": {"type": "api_error", "message": "no"}, "tailrace": {"code": code}}
    return httpx2.Response(status, json=body)


# ---- the place is lost, or the stream -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (410, "cursor_reset", CursorLost),
        (410, "cursor_trimmed", CursorLost),
        (404, "stream_not_found", StreamGone),
    ],
)
async def test_a_relay_that_cannot_go_on_is_no_ending_to_pass_over(
    colour: str, status: int, code: str, kind: type[tailrace.StreamError]
) -> None:
    relay = Relay(cuts=[900])
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        relay.refusals = [refused(status, code)]
        with pytest.raises(kind) as caught:
            await drained(stream.text_stream)
        assert (stream.ending, type(caught.value)) == ("interrupted", kind)
        assert caught.value.partial == stream.message
        assert caught.value.partial.thinking
        assert isinstance(caught.value.__cause__, StatusError)
        assert caught.value.__cause__.status == status
    # It was asked once: waiting brings nothing back.
    assert len(relay.requests) == 2


async def test_what_was_read_of_a_longer_stream_is_not_passed_over(colour: str) -> None:
    relay = Relay(answer("Short."))
    async with connect(colour, relay) as client:
        async with client.resume(STREAM_ID, len(relay.frames)) as stream:
            assert [event async for event in stream] == []
        assert stream.ending == "completed"
        async with client.resume(STREAM_ID, len(relay.frames) + 1) as stream:
            told: list[Any] = []
            with pytest.raises(CursorLost, match="ended with event 6, before event 7"):
                await drained(stream, told)
            # One event says it, none is passed off as new.
            assert [event.ending for event in told] == ["interrupted"]
        assert stream.ending == "interrupted"
        assert stream.message.text == "Short."


async def test_a_relay_lost_while_it_is_caught_up_with_is_only_lost(colour: str) -> None:
    relay = Relay(cuts=[300, *[0] * 20])
    async with connect(colour, relay, max_reconnects=2) as client, client.resume(STREAM_ID, 12) as stream:
        with pytest.raises(tailrace.StreamInterrupted, match="did not come back") as caught:
            await stream.get_final_message()
    assert type(caught.value) is tailrace.StreamInterrupted


# ---- a connection that died without a word --------------------------------------------------------------------------


async def test_a_silent_connection_is_left_and_the_stream_read_on(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    silences: list[float | None] = []

    def silent(request: httpx2.Request) -> httpx2.Response:
        if not relay.requests:
            relay.requests.append(request)
            head = {"tailrace-stream-id": STREAM_ID}
            return httpx2.Response(200, headers=head, stream=Body([stamped(FRAMES[:4])], httpx2.ReadTimeout("silent")))
        return relay(request)

    def reads(seconds: float | None) -> Any:
        silences.append(seconds)
        return original(seconds)

    original = read
    monkeypatch.setattr(session, "read", reads)
    async with connect(colour, silent) as client, client.stream(**ASKED) as stream:
        assert (await stream.get_final_message()).text == "Because blue scatters — привет 🌊."
    assert stream.reconnects == 1
    assert set(silences) <= {session.SILENT_SECONDS, session.TAIL_SECONDS}
    assert relay.requests[1].headers["last-event-id"] == "4"


async def test_a_shorter_deadline_of_the_answer_still_counts(colour: str) -> None:
    def silent(_request: httpx2.Request) -> httpx2.Response:
        body = Body([stamped(FRAMES[:8]), HEARTBEAT], httpx2.ReadTimeout("silent"))
        return httpx2.Response(200, headers={"tailrace-stream-id": STREAM_ID}, stream=body)

    patience = tailrace.Timeout(idle=session.SILENT_SECONDS / 2)
    async with connect(colour, silent) as client, client.stream(**ASKED, timeout=patience) as stream:
        with pytest.raises(tailrace.StreamTimedOut):
            await stream.get_final_message()


# ---- the answer begins anew -----------------------------------------------------------------------------------------


async def test_the_events_say_that_the_answer_began_anew(colour: str) -> None:
    relay = Relay(RESTARTED)
    async with connect(colour, relay) as client, client.stream(**ASKED, restarts=True) as stream:
        events = [event async for event in stream]
    place = events.index(Reset("truncated"))
    assert "".join(event.text for event in events[:place] if isinstance(event, TextDelta)) == "Grass is gr"
    assert "".join(event.text for event in events[place:] if isinstance(event, TextDelta)) == "The sky is blue."
    assert isinstance(events[-1], MessageEnd)
    assert (stream.message.text, stream.revoked.text) == ("The sky is blue.", "Grass is gr")
    assert relay.requests[0].headers["tailrace-restart"] == "accept"


async def test_text_that_was_given_is_revoked_by_an_exception_and_comes_anew_in_another_loop(colour: str) -> None:
    async with connect(colour, Relay(RESTARTED)) as client, client.stream(**ASKED, restarts=True) as stream:
        pieces: list[str] = []
        with pytest.raises(StreamRestarted) as caught:
            await drained(stream.text_stream, pieces)
        assert "".join(pieces) == caught.value.partial.text == "Grass is gr"
        assert (caught.value.reason, caught.value.stream_id) == ("truncated", STREAM_ID)
        assert stream.ending is None
        assert [piece async for piece in stream.text_stream] == ["The sky ", "is blue."]
    assert stream.ending == "completed"


async def test_what_is_whole_only_at_the_end_is_that_of_the_new_answer(colour: str) -> None:
    async with connect(colour, Relay(RESTARTED)) as client:
        assert (await client.create(**ASKED, restarts=True)).text == "The sky is blue."
    nothing_given = [START, RESET, *answer("Blue.")]
    async with connect(colour, Relay(nothing_given)) as client, client.stream(**ASKED, restarts=True) as stream:
        assert [piece async for piece in stream.text_stream] == ["Blue."]


async def test_a_document_and_its_fields_are_revoked_like_text(colour: str) -> None:
    relay = Relay([START, TEXT_START, text('{"a": [1, 2', 0), RESET, *answer('{"a": ', "[3]}")])
    async with connect(colour, relay) as client:
        for how in ("partial", "fields"):
            async with client.stream(**ASKED, restarts=True) as stream:
                read = (lambda: stream.partial(dict)) if how == "partial" else stream.fields
                with pytest.raises(StreamRestarted):
                    await drained(read())
                values = [value async for value in read()]
                assert values, how
                assert stream.message.text == '{"a": [3]}'


async def test_a_call_that_was_handed_out_is_revoked_and_one_that_was_not_is_never_seen(colour: str) -> None:
    def call(index: int, arguments: str, *, whole: bool) -> list[bytes]:
        block = {"type": "tool_use", "id": f"t{index}", "name": "look", "input": {}}
        start = frame("content_block_start", index=index, content_block=block)
        delta = frame("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": arguments})
        return [start, delta, *([frame("content_block_stop", index=index)] if whole else [])]

    after = [START, *call(0, '{"up": false}', whole=True), finish("tool_use"), STOP]
    for whole in (True, False):
        relay = Relay([START, *call(0, '{"up": true}', whole=whole), RESET, *after])
        async with connect(colour, relay) as client, client.stream(**ASKED, restarts=True) as stream:
            if whole:
                calls: list[Any] = []
                with pytest.raises(StreamRestarted):
                    await drained(stream.tool_calls(), calls)
                assert [given.input for given in calls] == [{"up": True}]
            assert [given.input async for given in stream.tool_calls()] == [{"up": False}]


async def test_a_restart_over_broken_connections_at_every_byte(colour: str) -> None:
    whole = stamped(RESTARTED)
    async with connect(colour, Relay(RESTARTED)) as client, client.stream(**ASKED) as stream:
        expected = [event async for event in stream]
    for cut in range(0, len(whole), 23):
        async with connect(colour, Relay(RESTARTED, cuts=[cut])) as client, client.stream(**ASKED) as stream:
            assert [event async for event in stream] == expected, cut
        assert stream.message.text == "The sky is blue."


async def test_a_fresh_client_reads_on_after_the_restart(colour: str) -> None:
    async with connect(colour, Relay(RESTARTED)) as client, client.resume(STREAM_ID, 5) as stream:
        assert [piece async for piece in stream.text_stream] == ["The sky ", "is blue."]
        assert stream.message.text == "The sky is blue."


async def test_a_restart_that_cannot_be_read_is_an_error(colour: str) -> None:
    broken = b"event: tailrace.reset\ndata: [\n\n"
    async with connect(colour, Relay([START, broken])) as client, client.stream(**ASKED) as stream:
        with pytest.raises(tailrace.StreamFailed, match=r"tailrace\.reset cannot be read"):
            await stream.get_final_message()


# ---- wishes and keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "header"),
    [
        ("cancel", "cancel"),
        ("detach", "detach"),
        ("drain", "drain"),
        (Cancel(seconds=5), "cancel; seconds=5"),
        (Drain(), "drain"),
        (Drain(tokens=0), "drain; tokens=0"),
        (Drain(seconds=30, tokens=500), "drain; seconds=30; tokens=500"),
        (None, None),
    ],
)
async def test_what_a_disconnect_does_is_said_in_a_header(colour: str, wish: Any, header: str | None) -> None:
    relay = Relay()
    async with connect(colour, relay) as client:
        await client.create(**ASKED, on_disconnect=wish)
    assert relay.requests[0].headers.get("tailrace-on-disconnect") == header
    assert "on_disconnect" not in json.loads(relay.requests[0].content)


@pytest.mark.parametrize(
    "options",
    [
        {"on_disconnect": "leave"},
        {"on_disconnect": Cancel(seconds=-1)},
        {"on_disconnect": Drain(seconds=1.5)},  # type: ignore[arg-type]
        {"on_disconnect": Drain(tokens=True)},
        {"on_disconnect": Drain(tokens=1_000_000_000)},
        {"idempotency_key": ""},
        {"idempotency_key": " k"},
        {"idempotency_key": "k\n"},
        {"idempotency_key": "ключ"},
        {"idempotency_key": "k" * 256},
    ],
)
async def test_wishes_that_a_relay_would_refuse_are_never_sent(colour: str, options: dict[str, Any]) -> None:
    relay = Relay()
    async with connect(colour, relay) as client:
        with pytest.raises(BadRequest) as caught:
            client.stream(**ASKED, **options)
    assert isinstance(caught.value, RequestError)
    assert caught.value.param in options
    assert relay.requests == []


@pytest.mark.parametrize("option", [{"on_disconnect": "detach"}, {"idempotency_key": "k"}, {"restarts": True}])
async def test_a_provider_grants_no_wishes(colour: str, option: dict[str, Any]) -> None:
    async with connect(colour, Relay(), **PROVIDER) as client:
        with pytest.raises(ConfigError, match="is a provider"):
            client.stream(**ASKED, **option)


async def test_a_request_that_got_no_answer_is_sent_again_under_the_same_key(colour: str) -> None:
    relay = Relay(refusals=[httpx2.ReadError("reset"), httpx2.RemoteProtocolError("closed")])
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        await stream.get_final_message()
    keys = [request.headers["idempotency-key"] for request in relay.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len({request.content for request in relay.requests}) == 1


async def test_the_callers_own_key_is_sent_and_the_answer_says_whether_it_joined(colour: str) -> None:
    class Joining(Relay):
        def _follow(self, after: int) -> httpx2.Response:
            response = super()._follow(after)
            if self.paths.count("/v1/messages") > 1:
                response.headers["Idempotent-Replayed"] = "true"
            return response

    relay = Joining()
    async with connect(colour, relay) as client:
        for joined in (False, True):
            async with client.stream(**ASKED, idempotency_key="order 7") as stream:
                await stream.get_final_message()
            assert stream.joined is joined
    assert [request.headers["idempotency-key"] for request in relay.requests] == ["order 7", "order 7"]


async def test_another_request_under_the_same_key_is_refused_at_once(colour: str) -> None:
    relay = Relay(refusals=[refused(422, "idempotency_mismatch")])
    async with connect(colour, relay) as client:
        with pytest.raises(StatusError) as caught:
            await client.create(**ASKED, idempotency_key="order 7")
    assert caught.value.status == 422
    assert len(relay.requests) == 1


# ---- tokens ---------------------------------------------------------------------------------------------------------


async def test_a_view_token_stands_for_the_key_wherever_its_stream_is_asked_for(colour: str) -> None:
    relay = Relay(cuts=[900])
    async with connect(colour, relay, api_key="sk-owner") as client:
        async with client.resume(STREAM_ID, token=TOKEN) as stream:
            await anext(stream)
            await stream.stop()
            await stream.get_final_message()
        await client.stop(STREAM_ID, token=TOKEN)
    assert relay.paths == [f"/streams/{STREAM_ID}", f"/streams/{STREAM_ID}/stop"] * 2
    assert {request.headers["authorization"] for request in relay.requests} == {f"Bearer {TOKEN}"}
    assert TOKEN not in repr(stream)


async def test_a_token_is_asked_for_and_keeps_itself_out_of_logs(colour: str) -> None:
    asked: list[httpx2.Request] = []

    def relay(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        said = {"token": TOKEN, "stream": STREAM_ID, "scope": "stop", "expires": 1_900_000_000}
        return httpx2.Response(201, json=said)

    async with connect(colour, relay, api_key="sk-owner") as client:
        token = await client.share(STREAM_ID, seconds=60, scope="stop")
    assert (token.token, token.scope, token.expires) == (TOKEN, "stop", 1_900_000_000)
    assert TOKEN not in repr(token)
    (request,) = asked
    assert (request.method, request.url.path) == ("POST", f"/streams/{STREAM_ID}/tokens")
    assert json.loads(request.content) == {"seconds": 60, "scope": "stop"}
    assert request.headers["authorization"] == "Bearer sk-owner"
    assert request.headers["content-type"] == "application/json"


async def test_a_stop_that_another_node_has_not_confirmed_is_told_as_it_is(colour: str) -> None:
    class Elsewhere(Relay):
        def _stop(self) -> httpx2.Response:
            self.stops += 1
            return httpx2.Response(200, json={"id": STREAM_ID, "state": "stopping", "ending": None})

    relay = Elsewhere()
    async with connect(colour, relay) as client:
        assert (await client.stop(STREAM_ID))["state"] == "stopping"
        async with client.stream(**ASKED) as stream:
            await anext(stream)
            await stream.stop()
            # What was asked to stop may still end by itself: it is read to whatever end it has.
            assert (await stream.get_final_message()).text
    assert stream.ending == "completed"
