"""A relay's stream over broken connections: no gap, no repeat, one ending."""

from __future__ import annotations

from random import Random
from typing import Any

import httpx2
import pytest

from tailrace.client.commands import Deliver, Head, Outcome, Read, Send, Signal
from tailrace.client.endpoint import Endpoint
from tailrace.client.opening import Opening
from tailrace.client.reset import StreamEvent
from tailrace.client.retry import Retry
from tailrace.client.session import Session
from tailrace.client.timeouts import Timeout
from tailrace.errors import StreamFailed, StreamInterrupted
from tailrace.events import Event, fold
from tests.client.colours import connect
from tests.client.relay import FRAMES, HEARTBEAT, START, STOP, STREAM_ID, Body, Relay, frame, stamped, text

WHOLE = stamped(FRAMES)
ASKED: dict[str, Any] = {"model": "m", "messages": "Why is the sky blue?"}


async def _events(colour: str, relay: Any, **options: Any) -> list[Event]:
    async with connect(colour, relay, **options) as client, client.stream(**ASKED) as stream:
        return [event async for event in stream]


def _session() -> Session:
    endpoint = Endpoint(base_url="http://relay", dialect=None, api_key=None)
    opening = Opening(path="/v1/messages", content=b"{}")
    return Session(
        opening, endpoint, timeout=Timeout(), retry=Retry(random=lambda: 0.0, max_reconnects=8), clock=lambda: 0.0
    )


def _driven(session: Session, connections: list[bytes], piece: int = 1 << 20) -> list[StreamEvent]:
    """Drive ``session`` with one body after another, each in such pieces and ended by the connection's end."""
    events: list[StreamEvent] = []
    steps = session.run()
    sent: list[Send] = []
    rest: list[bytes] = []
    outcome: Outcome | None = None
    while True:
        try:
            command = next(steps) if outcome is None else steps.send(outcome)
        except StopIteration:
            return events
        outcome = Signal.DONE
        if isinstance(command, Send):
            after = int(command.headers.get("last-event-id", 0))
            body = stamped(FRAMES, after)[: len(connections[len(sent)])]
            rest = [body[place : place + piece] for place in range(0, len(body), piece)][::-1]
            sent.append(command)
            outcome = Head(200, {"tailrace-stream-id": STREAM_ID})
        elif isinstance(command, Read):
            outcome = rest.pop() if rest else Signal.END
        elif isinstance(command, Deliver):
            events.append(command.event)


def test_cut_at_every_byte_the_same_events_follow() -> None:
    whole = _driven(_session(), [WHOLE])
    assert len(whole) == 20
    for cut in range(len(WHOLE)):
        session = _session()
        assert _driven(session, [WHOLE[:cut], WHOLE]) == whole, cut
        assert session.cursor == len(FRAMES)


def test_whatever_the_cuts_and_the_pieces_the_same_events_follow() -> None:
    whole = _driven(_session(), [WHOLE])
    rng = Random(11)
    for _ in range(150):
        cuts = [rng.randrange(len(WHOLE)) for _ in range(rng.randrange(8))]
        piece = rng.choice([1, 3, 17, 256])
        assert _driven(_session(), [*(WHOLE[:cut] for cut in cuts), WHOLE], piece) == whole, (cuts, piece)


@pytest.mark.anyio
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_cut_again_and_again_the_same_events_follow(colour: str, reset: bool) -> None:
    whole = await _events(colour, Relay())
    for first in range(0, len(WHOLE), 97):
        relay = Relay(cuts=[first, 400, 0, 301], reset=reset, step=50)
        async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
            assert [event async for event in stream] == whole
            assert stream.message == fold(whole)
            assert stream.ending == "completed"
        assert relay.paths == ["/v1/messages", *[f"/streams/{STREAM_ID}"] * stream.reconnects]
        assert all(body.closed for body in relay.bodies)


@pytest.mark.anyio
async def test_a_fresh_client_reads_the_stream_from_any_number_on(colour: str) -> None:
    async with connect(colour, Relay(cuts=[333])) as client:
        async with client.resume(STREAM_ID) as stream:
            whole = [event async for event in stream]
        message = stream.message
        by_number: list[int] = []
        for after in range(len(FRAMES) + 1):
            async with client.resume(STREAM_ID, after) as stream:
                events = [event async for event in stream]
            assert events == whole[len(whole) - len(events) :]
            assert stream.message == message
            assert stream.cursor == len(FRAMES)
            by_number.append(len(events))
    assert by_number[0] == len(whole)
    assert by_number[-1] == 0
    assert by_number == sorted(by_number, reverse=True)


@pytest.mark.anyio
async def test_the_cursor_is_that_of_the_events_handed_out(colour: str) -> None:
    async with connect(colour, Relay()) as client:
        async with client.stream(**ASKED) as stream:
            seen = [(event, stream.cursor) async for event in stream]
        whole_frames = 0
        before = 0
        for place, (_, cursor) in enumerate(seen, 1):
            # In the middle of a frame that says several events the cursor is still that of the frame before.
            if cursor == before:
                continue
            before = cursor
            whole_frames += 1
            async with client.resume(STREAM_ID, cursor) as rest:
                assert [event async for event in rest] == [event for event, _ in seen[place:]]
    assert whole_frames == len(FRAMES)


@pytest.mark.anyio
async def test_frames_that_come_again_are_skipped(colour: str) -> None:
    class Stubborn(Relay):
        """Replays from the beginning whatever is asked."""

        def _follow(self, after: int) -> httpx2.Response:
            return super()._follow(0)

    assert await _events(colour, Stubborn(cuts=[900, 1500])) == await _events(colour, Relay())


@pytest.mark.anyio
async def test_heartbeats_and_retry_hints_between_frames_change_nothing(colour: str) -> None:
    noisy = b"retry: 1000\n" + b"".join(
        HEARTBEAT + b": hb\n" + b"id: %d\n%b" % (number, one) + HEARTBEAT for number, one in enumerate(FRAMES, 1)
    )

    def relay(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"tailrace-stream-id": STREAM_ID}, stream=Body([noisy]))

    assert await _events(colour, relay) == await _events(colour, Relay())


@pytest.mark.anyio
async def test_a_lost_connection_is_looked_for_a_limited_number_of_times(colour: str) -> None:
    relay = Relay(cuts=[500, *[0] * 20])
    async with connect(colour, relay, max_reconnects=4) as client:
        stream = client.stream(**ASKED)
        with pytest.raises(StreamInterrupted, match="did not come back") as caught:
            await stream.get_final_message()
    assert len(relay.requests) == 5
    assert stream.ending == "interrupted"
    assert caught.value.stream_id == STREAM_ID
    assert caught.value.retryable
    assert caught.value.partial == stream.message


@pytest.mark.anyio
async def test_new_frames_renew_the_patience_for_reconnecting(colour: str) -> None:
    relay = Relay(cuts=[300] * 100)
    relay.frames = [START, *FRAMES[1:]]
    async with connect(colour, relay, max_reconnects=1) as client, client.stream(**ASKED) as stream:
        await stream.get_final_message()
    assert stream.reconnects > 5


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "ending", "words"),
    [
        (204, "interrupted", "no more of this stream"),
        (404, "interrupted", "no such stream"),
        (401, "interrupted", "no such stream"),
        (400, "interrupted", "no such stream"),
        (503, "completed", ""),
        (429, "completed", ""),
        (httpx2.ConnectError("refused"), "completed", ""),
        (httpx2.ReadTimeout("slow"), "completed", ""),
        (httpx2.RemoteProtocolError("cut"), "completed", ""),
    ],
)
async def test_what_the_relay_says_on_reconnecting_decides(
    colour: str, answer: int | Exception, ending: str, words: str
) -> None:
    refusal: httpx2.Response | Exception
    if isinstance(answer, int):
        body = {"type": "error", "error": {"type": "api_error", "message": "no such stream"}}
        refusal = httpx2.Response(answer, json=body, headers={"retry-after": "0"})
    else:
        refusal = answer
    relay = Relay(cuts=[600])
    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        relay.refusals = [refusal]
        if ending == "completed":
            assert (await stream.get_final_message()).text == "Because blue scatters — привет 🌊."
        else:
            with pytest.raises(StreamInterrupted, match=words):
                await stream.get_final_message()
        assert stream.ending == ending


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (b"id: 2\n" + text("x"), "event 2 after event 0"),
        (b"id: 1\n" + START + b"id: 3\n" + STOP, "event 3 after event 1"),
        (b"id: one\n" + START, "not a number"),
        ("id: ¹\n".encode() + START, "not a number"),
    ],
)
async def test_a_gap_is_an_error_and_never_read_over(colour: str, frames: bytes, words: str) -> None:
    def relay(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"tailrace-stream-id": STREAM_ID}, stream=Body([frames]))

    async with connect(colour, relay) as client, client.stream(**ASKED) as stream:
        with pytest.raises(StreamFailed, match=words) as caught:
            await stream.get_final_message()
    assert caught.value.kind == "protocol"


@pytest.mark.anyio
async def test_the_stream_is_decoded_in_the_dialect_that_the_relay_names(colour: str) -> None:
    def chunk(**fields: Any) -> bytes:
        return frame("x", **fields).partition(b"\n")[2]

    frames = [
        chunk(id="c1", model="m", choices=[{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]),
        chunk(id="c1", model="m", choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        b"data: [DONE]\n\n",
    ]
    relay = Relay(frames, cuts=[150], dialect="openai_chat")
    async with connect(colour, relay) as client, client.resume(STREAM_ID) as stream:
        assert await stream.get_final_text() == "Hi"
    assert stream.reconnects == 1
