"""From a running generation, or a stored log, to one client's HTTP answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tailrace.dialects import DIALECTS, Dialect
from tailrace.engine import Generation, Opened, Relay, Retold
from tailrace.errors import Gone, Overloaded, RequestError
from tailrace.events import Error, Turn
from tailrace.log import StreamLog, begun, ended, when
from tailrace.server.documents import asking_again, objection, refusal
from tailrace.server.errors import send_error
from tailrace.server.fields import FieldsView
from tailrace.server.http import STREAM_HEADERS, Receive, Send, encode_headers, send_json, watch_disconnect
from tailrace.server.sink import AsgiSink
from tailrace.sse import comment

RETRY = b"retry: 1000\n"
"""Asks an EventSource to wait a second before it reconnects; a line inside the first event, which every client
survives, where an event of its own would break some."""


EXTRA_HEADERS: dict[str, dict[str, str]] = {
    # Version of the protocol; clients of other languages look for it, the SDK's own does not.
    "ai_sdk": {"x-vercel-ai-ui-message-stream": "v1"},
}
"""Dialect → headers of its streams that no other has."""


def stream_headers(log: StreamLog, dialect: Dialect) -> dict[str, str]:
    """Return the headers of a streamed answer."""
    return {
        "content-type": dialect.content_type,
        **dict(STREAM_HEADERS),
        "tailrace-stream-id": log.info.id,
        "tailrace-dialect": dialect.name,
        **EXTRA_HEADERS.get(dialect.name, {}),
    }


async def answer_stream(
    relay: Relay, log: StreamLog, receive: Receive, send: Send, *, headers: dict[str, str], open_early_after: float
) -> None:
    """Answer a POST by streaming: with the true status while that is still possible, then frame by frame.

    Nothing having come for ``open_early_after`` seconds, the status is 200 whatever follows.
    """
    gone = watch_disconnect(receive)
    generation = relay.generation(log.info.id)
    # Counted as a reader from the first moment, so that a client that leaves before the first token is noticed.
    if generation is not None:
        generation.attach(gone)
    try:
        with when(log, begun) as ready:
            await asyncio.wait({gone, ready}, timeout=open_early_after, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return
        if log.severed:
            raise MOVED
        if log.ending is not None:
            told = relay.told(log)
            if told.error is not None and told.nothing_said:
                await refuse(told, send, headers)
                return
        sink = _sink(relay, log, generation if log.ending is None else None, send, after=0, resumed=False)
        await _follow(sink, gone, send, {**stream_headers(log, DIALECTS[log.info.dialect]), **headers})
    finally:
        if generation is not None:
            generation.detach(gone)
        gone.cancel()


MOVED = Overloaded("this node is going away and another one writes the answer: ask again", code="moved")
"""What is told instead of an answer that can no longer be followed here."""


async def answer_whole(
    relay: Relay,
    opened: Opened,
    receive: Receive,
    send: Send,
    *,
    headers: dict[str, str],
    again: Callable[[tuple[Turn, ...]], Awaitable[Opened]],
) -> None:
    """Answer a POST with the whole message, or with the error that kept it from being whole.

    ``again`` begins the answer anew with further turns, where the route allows that of an answer that was to be a
    document and is none.
    """
    gone = watch_disconnect(receive)
    try:
        told = await _whole(relay, opened.log, gone)
        reason = _objection(opened, told)
        if told is not None and reason is not None and opened.repair:
            # Where there can be no second attempt the first one's fault is what the client hears.
            with contextlib.suppress(RequestError):
                opened = await again(asking_again(told.message(), reason))
                told = await _whole(relay, opened.log, gone)
                reason = _objection(opened, told)
        if told is None:
            return
        headers = {"tailrace-stream-id": told.log.info.id, **headers}
        if reason is not None:
            await send_document_error(send, told, reason, headers)
        elif told.ending != "completed":
            await refuse(told, send, headers)
        else:
            log, door = told.log, told.door
            last, _ = log.read(log.tail - 1, 1)
            body = door.whole_body(last) or door.message_body(told.message(), told.reply)
            await send_json(send, 200, body, headers)
    finally:
        gone.cancel()


async def _whole(relay: Relay, log: StreamLog, gone: asyncio.Task[None]) -> Generation | Retold | None:
    """Wait for the end; return None when the client has gone before it."""
    generation = relay.generation(log.info.id)
    if generation is not None:
        generation.attach(gone)
    try:
        with when(log, ended) as ready:
            await asyncio.wait({gone, ready}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if generation is not None:
            generation.detach(gone)
    if log.ending is None:
        if gone.done():
            return None
        raise MOVED
    return relay.told(log)


def _objection(opened: Opened, told: Generation | Retold | None) -> str | None:
    if told is None or told.ending != "completed":
        return None
    return objection(opened.request, told.message())


async def send_document_error(send: Send, told: Generation | Retold, reason: str, headers: dict[str, str]) -> None:
    """Answer 422 in the client's dialect; what came instead of the document is in ``tailrace.output``."""
    error = refusal(told.message(), reason)
    body = told.door.error_body(error)
    body["tailrace"] = {**body.get("tailrace", {}), **error.data}
    await send_json(send, error.http_status, body, headers)


def check_cursor(log: StreamLog, after: int, param: str = "after") -> None:
    """Raise `Gone` when ``log`` cannot be read after ``after``: it must be read again from its beginning."""
    if after > log.tail:
        # Not one that was given out and lost: only what is stored is sent. But a store can lose what it had.
        raise Gone(f"the stream has no event {after}: its last is {log.tail}", code="cursor_reset", param=param)
    if after < log.first:
        raise Gone(f"the events before {log.first + 1} are gone", code="cursor_trimmed", param=param)


async def answer_resume(relay: Relay, log: StreamLog, after: int, receive: Receive, send: Send) -> None:
    """Answer a GET by replaying what comes after ``after`` and following the stream to its end."""
    dialect = DIALECTS[log.info.dialect]
    headers = stream_headers(log, dialect)
    if log.ending is not None and after >= log.tail:
        # 204 tells an EventSource to stop reconnecting (HTML Standard, "server-sent events").
        await send({"type": "http.response.start", "status": 204, "headers": encode_headers(headers)})
        await send({"type": "http.response.body", "body": b""})
        return
    generation = relay.generation(log.info.id) if log.ending is None else None
    gone = watch_disconnect(receive)
    try:
        sink = _sink(relay, log, generation, send, after=after)
        await _follow(sink, gone, send, headers, first=RETRY if dialect.ids else b"")
    finally:
        gone.cancel()


async def answer_fields(relay: Relay, log: StreamLog, after: int, receive: Receive, send: Send) -> None:
    """Answer a GET by the paths of the stream's JSON as they grow, after event ``after`` of that stream of its own."""
    limits = relay.limits
    check_cursor(log, 0)
    fields = FieldsView(log, max_bytes=limits.log_bytes, max_frames=limits.log_frames)
    view = fields.view
    headers = {"content-type": "text/event-stream", **dict(STREAM_HEADERS), "tailrace-stream-id": log.info.id}
    gone = watch_disconnect(receive)
    try:
        check_cursor(view, after)
        if view.ending is not None and after >= view.tail:
            await send({"type": "http.response.start", "status": 204, "headers": encode_headers(headers)})
            await send({"type": "http.response.body", "body": b""})
            return
        generation = relay.generation(log.info.id) if log.ending is None else None
        sink = _sink(relay, view, generation, send, after=after, heartbeat=comment("hb"))
        await _follow(sink, gone, send, headers, first=RETRY)
    finally:
        fields.close()
        gone.cancel()


def _sink(
    relay: Relay,
    log: StreamLog,
    generation: Generation | None,
    send: Send,
    *,
    after: int,
    resumed: bool = True,
    heartbeat: bytes | None = None,
) -> AsgiSink:
    limits = relay.limits
    return AsgiSink(
        log,
        send,
        after=after,
        generation=generation,
        high_water=limits.high_water,
        low_water=limits.low_water,
        stall=limits.reader_stall,
        heartbeat=DIALECTS[log.info.dialect].heartbeat if heartbeat is None else heartbeat,
        interval=limits.heartbeat,
        readers=relay.readers,
        resumed=resumed,
    )


async def _follow(
    sink: AsgiSink, gone: asyncio.Task[None], send: Send, headers: dict[str, str], first: bytes = b""
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": encode_headers(headers)})
    try:
        sink.open(first)
        await asyncio.wait({gone, sink.finished}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sink.close()
    if sink.complete and not gone.done():
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def refuse(told: Generation | Retold, send: Send, headers: dict[str, str]) -> None:
    """Answer with the error that ended the stream, and its status."""
    error = told.error or Error("internal", "the answer ended without a reason")
    await send_error(send, error, told.door.name, {"tailrace-stream-id": told.log.info.id, **headers})
