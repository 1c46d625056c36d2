"""What a caller sees of one answer, in both colours."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tailrace.client import Timing
from tailrace.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    StreamCancelled,
    StreamError,
    StreamFailed,
    StreamInterrupted,
    StreamTimedOut,
    StreamTruncated,
)
from tailrace.events import Error, Fold, MessageEnd, MessageStart, TextDelta, Usage, UsageReport
from tests.client.colours import connect
from tests.client.relay import (
    FRAMES,
    START,
    STREAM_ID,
    TEXT_START,
    WORDS,
    Body,
    Relay,
    finish,
    frame,
    text,
)

ASKED: dict[str, Any] = {"model": "m", "messages": "Why is the sky blue?"}
PROVIDER: dict[str, Any] = {"base_url": "https://provider.test", "dialect": "anthropic", "api_key": "sk-test"}


def provider(*chunks: Any, error: Exception | None = None) -> Any:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Body(chunks, error))

    return handler


async def read(stream: Any, how: str) -> None:
    if how == "events":
        async for _ in stream:
            pass
    elif how == "text_stream":
        async for _ in stream.text_stream:
            pass
    else:
        await getattr(stream, how)()


def failing(ending: str, **more: Any) -> bytes:
    return frame(
        "error",
        error={"type": "overloaded_error", "message": "too busy"},
        tailrace={"ending": ending, "kind": "overloaded", "retryable": True, **more},
    )


@pytest.mark.anyio
async def test_text_arrives_piece_by_piece_and_adds_up(colour: str) -> None:
    async with connect(colour, Relay()) as client, client.stream(**ASKED) as stream:
        pieces = [piece async for piece in stream.text_stream]
    assert pieces == WORDS
    assert "".join(pieces) == stream.message.text == await stream.get_final_text()


@pytest.mark.anyio
async def test_words_of_refusal_are_not_text(colour: str) -> None:
    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
        return b"data: " + json.dumps({"id": "c", "model": "m", "choices": choices}).encode() + b"\n\n"

    answer = provider(
        chunk({"content": "Well, "}) + chunk({"refusal": "no."}) + chunk({}, "stop") + b"data: [DONE]\n\n"
    )
    client = connect(colour, answer, "https://chat.test/v1", dialect="openai_chat")
    async with client, client.stream(**ASKED) as stream:
        pieces = [piece async for piece in stream.text_stream]
    assert pieces == ["Well, "]
    assert stream.message.text == "Well, "
    assert "no." in repr(stream.message.blocks)


@pytest.mark.anyio
async def test_the_final_message_holds_all_that_was_said(colour: str) -> None:
    async with connect(colour, Relay()) as client, client.stream(**ASKED) as stream:
        message = await stream.get_final_message()
    assert message.thinking == "Sun, air … "
    assert [call.input for call in message.tool_calls] == [{"up": True}]
    assert message.stop_reason == "tool_use"
    assert message.usage == stream.usage == Usage(9, 12)
    assert stream.ending == "completed"


@pytest.mark.anyio
async def test_the_message_so_far_is_what_was_handed_out(colour: str) -> None:
    async with connect(colour, Relay()) as client, client.stream(**ASKED) as stream:
        sofar = Fold()
        async for event in stream:
            sofar.add(event)
            assert stream.message == sofar.message()
    assert isinstance(event, MessageEnd)


@pytest.mark.anyio
async def test_create_returns_the_whole_message(colour: str) -> None:
    relay = Relay(cuts=[700])
    async with connect(colour, relay) as client:
        message = await client.create(**ASKED, max_tokens=50)
    assert message.text == "".join(WORDS)
    assert all(body.closed for body in relay.bodies)


@pytest.mark.anyio
async def test_a_stream_needs_no_with_block(colour: str) -> None:
    async with connect(colour, Relay()) as client:
        stream = client.stream(**ASKED)
        with pytest.raises(LocalProtocolError, match="not open yet"):
            _ = stream.response
        assert await stream.get_final_text() == "".join(WORDS)
        await stream.close()
        await stream.close()


@pytest.mark.anyio
async def test_the_response_is_known_once_the_stream_is_open(colour: str) -> None:
    async with connect(colour, Relay()) as client, client.stream(**ASKED) as stream:
        assert stream.response.status == 200
        assert stream.response.headers["tailrace-dialect"] == "anthropic"
        assert stream.stream_id == STREAM_ID
        assert (stream.cursor, stream.ending, stream.message.blocks) == (0, None, ())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ending", "exception"),
    [
        ("failed", StreamFailed),
        ("cancelled", StreamCancelled),
        ("timed_out", StreamTimedOut),
        ("truncated", StreamTruncated),
        ("interrupted", StreamInterrupted),
        ("completed", StreamFailed),
    ],
)
@pytest.mark.parametrize("how", ["events", "text_stream", "get_final_message", "get_final_text"])
async def test_an_ending_that_is_no_success_is_raised(
    colour: str, ending: str, exception: type[StreamError], how: str
) -> None:
    relay = Relay([START, TEXT_START, text("Because", 0), failing(ending)])
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        with pytest.raises(exception, match="too busy") as caught:
            await read(stream, how)
    error = caught.value
    assert error.ending == stream.ending != "completed"
    assert error.partial.text == "Because"
    assert (error.stream_id, error.kind, error.retryable) == (STREAM_ID, "overloaded", True)
    with pytest.raises(exception):
        await stream.get_final_message()
    with pytest.raises(exception):
        await anext(stream)


@pytest.mark.anyio
async def test_the_error_is_the_last_event_before_it_is_raised(colour: str) -> None:
    relay = Relay([START, failing("failed")])
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        events = [await anext(stream) for _ in range(3)]
        with pytest.raises(StreamFailed):
            await anext(stream)
    assert {type(event) for event in events[:2]} == {MessageStart, UsageReport}
    assert isinstance(events[2], Error)


@pytest.mark.anyio
@pytest.mark.parametrize("error", [None, httpx2.ReadError("reset"), httpx2.RemoteProtocolError("cut")])
async def test_a_provider_that_breaks_off_is_truncated(colour: str, error: Exception | None) -> None:
    frames = b"".join(FRAMES)
    for cut in range(0, len(frames) - 2, 37):
        async with connect(colour, provider(frames[:cut], error=error), **PROVIDER) as client:
            stream = client.stream(**ASKED)
            with pytest.raises(StreamTruncated) as caught:
                await stream.get_final_message()
        assert stream.ending == "truncated"
        assert caught.value.partial == stream.message
        assert caught.value.stream_id is None
        assert (caught.value.__cause__ is None) == (error is None)


@pytest.mark.anyio
async def test_a_server_that_names_no_stream_is_read_as_a_provider(colour: str) -> None:
    async with connect(colour, provider(START, TEXT_START, text("Be", 0))) as client:
        stream = client.stream(**ASKED)
        with pytest.raises(StreamTruncated):
            await stream.get_final_message()


@pytest.mark.anyio
async def test_what_no_rule_allows_ends_the_answer_as_failed(colour: str) -> None:
    frames = [START, TEXT_START, text("Because", 0), START, text("more", 0)]
    async with connect(colour, Relay(frames)) as client, client.stream(**ASKED) as stream:
        with pytest.raises(StreamFailed) as caught:
            await stream.get_final_message()
    assert caught.value.kind == "protocol"
    assert caught.value.partial.text == "Because"
    assert isinstance(caught.value.__cause__, RemoteProtocolError)


@pytest.mark.anyio
@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "application/json"])
async def test_an_answer_that_is_no_stream_is_refused(colour: str, media_type: str) -> None:
    def website(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": media_type}, content=b"<html>hello</html>")

    async with connect(colour, website) as client:
        with pytest.raises(RemoteProtocolError, match="not with a stream"):
            await client.create(**ASKED)


@pytest.mark.anyio
async def test_leaving_early_closes_the_connection_and_claims_no_ending(colour: str) -> None:
    relay = Relay(step=40)
    async with connect(colour, relay) as client:
        async with client.stream(**ASKED) as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        assert relay.bodies[0].closed
        assert stream.ending is None
        assert relay.stops == 0


@pytest.mark.anyio
async def test_timing_counts_content_and_uses_the_providers_tokens(colour: str) -> None:
    now = 100.0

    def after(seconds: float, data: bytes) -> Any:
        def chunk() -> bytes:
            nonlocal now
            now += seconds
            return data

        return chunk

    chunks = [
        after(1.0, START + TEXT_START),
        after(0.5, text("a", 0)),
        after(2.0, text("b", 0)),
        after(4.0, frame("content_block_stop", index=0) + finish(tokens=20) + frame("message_stop")),
    ]
    client = connect(colour, provider(*chunks), clock=lambda: now, **PROVIDER)
    async with client, client.stream(**ASKED) as stream:
        assert stream.timing == Timing(ttft=None, elapsed=0.0, tokens_per_second=None)
        await stream.get_final_message()
    assert stream.timing == Timing(ttft=1.5, elapsed=7.5, tokens_per_second=10.0)


@pytest.mark.anyio
async def test_a_stream_says_where_it_is(colour: str) -> None:
    async with connect(colour, Relay()) as client, client.stream(**ASKED) as stream:
        kind = "Stream" if colour == "sync" else "AsyncStream"
        shown = getattr(stream, "inner", stream)
        assert repr(shown) == f"<{kind} {STREAM_ID}: open at 0>"
        await stream.get_final_message()
        assert repr(shown) == f"<{kind} {STREAM_ID}: completed at 18>"


@pytest.mark.anyio
async def test_lists_models_and_streams_and_messages(colour: str) -> None:
    async with connect(colour, Relay()) as client:
        assert [(model.id, model.data["tailrace"]) for model in await client.models()] == [("fast", {"local": True})]
        assert await client.streams() == [{"id": STREAM_ID, "state": "live"}]
        assert (await client.get_message(STREAM_ID)).id == "msg_1"
        assert (await client.stop(STREAM_ID))["ending"] == "cancelled"
