"""From a running generation, or a stored log, to one client's HTTP answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tailrace.dialects import DIALECTS, Dialect
from tailrace.engine import Generation, Limits, Opened, Relay
from tailrace.errors import BadRequest, RequestError
from tailrace.events import Error, Turn
from tailrace.log import StreamLog
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
    generation: Generation, receive: Receive, send: Send, *, limits: Limits, headers: dict[str, str]
) -> None:
    """Answer a POST by streaming: with the true status while that is still possible, then frame by frame."""
    gone = watch_disconnect(receive)
    # Counted as a reader from the first moment, so that a client that leaves before the first token is noticed.
    generation.attach(gone)
    try:
        await asyncio.wait(
            {gone, generation.committed}, timeout=limits.open_early_after, return_when=asyncio.FIRST_COMPLETED
        )
        if gone.done():
            return
        if generation.error is not None and generation.first_content is None:
            await refuse(generation, send, headers)
            return
        sink = _sink(generation.log, generation, send, limits, after=0)
        await _follow(sink, gone, send, {**stream_headers(generation.log, generation.door), **headers})
    finally:
        generation.detach(gone)
        gone.cancel()


async def answer_whole(
    opened: Opened,
    receive: Receive,
    send: Send,
    *,
    headers: dict[str, str],
    again: Callable[[tuple[Turn, ...]], Opened],
) -> None:
    """Answer a POST with the whole message, or with the error that kept it from being whole.

    ``again`` begins the answer anew with further turns, where the route allows that of an answer that was to be a
    document and is none.
    """
    gone = watch_disconnect(receive)
    try:
        generation = await _whole(opened.generation, gone)
        reason = _objection(opened, generation)
        if reason is not None and opened.repair:
            # Where there can be no second attempt the first one's fault is what the client hears.
            with contextlib.suppress(RequestError):
                opened = again(asking_again(opened.generation.message(), reason))
                generation = await _whole(opened.generation, gone)
                reason = _objection(opened, generation)
        if generation is None:
            return
        headers = {"tailrace-stream-id": generation.log.info.id, **headers}
        if reason is not None:
            await send_document_error(send, generation, reason, headers)
        elif generation.ending != "completed":
            await refuse(generation, send, headers)
        else:
            log, door = generation.log, generation.door
            last, _ = log.read(log.tail - 1, 1)
            body = door.whole_body(last) or door.message_body(generation.message(), generation.reply)
            await send_json(send, 200, body, headers)
    finally:
        gone.cancel()


async def _whole(generation: Generation, gone: asyncio.Task[None]) -> Generation | None:
    """Wait for the end; return None when the client has gone before it."""
    generation.attach(gone)
    try:
        await asyncio.wait({gone, generation.over}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        generation.detach(gone)
    return None if gone.done() and generation.ending is None else generation


def _objection(opened: Opened, generation: Generation | None) -> str | None:
    if generation is None or generation.ending != "completed":
        return None
    return objection(opened.request, generation.message())


async def send_document_error(send: Send, generation: Generation, reason: str, headers: dict[str, str]) -> None:
    """Answer 422 in the client's dialect; what came instead of the document is in ``tailrace.output``."""
    error = refusal(generation.message(), reason)
    body = generation.door.error_body(error)
    body["tailrace"] = {**body.get("tailrace", {}), **error.data}
    await send_json(send, error.http_status, body, headers)


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
        sink = _sink(log, generation, send, relay.limits, after=after)
        await _follow(sink, gone, send, headers, first=RETRY if dialect.ids else b"")
    finally:
        gone.cancel()


async def answer_fields(relay: Relay, log: StreamLog, after: int, receive: Receive, send: Send) -> None:
    """Answer a GET by the paths of the stream's JSON as they grow, after event ``after`` of that stream of its own."""
    limits = relay.limits
    fields = FieldsView(log, max_bytes=limits.log_bytes, max_frames=limits.log_frames)
    view = fields.view
    headers = {"content-type": "text/event-stream", **dict(STREAM_HEADERS), "tailrace-stream-id": log.info.id}
    gone = watch_disconnect(receive)
    try:
        if after > view.tail:
            raise BadRequest(f"the cursor {after} is ahead of the stream", code="cursor_ahead", param="after")
        if view.ending is not None and after >= view.tail:
            await send({"type": "http.response.start", "status": 204, "headers": encode_headers(headers)})
            await send({"type": "http.response.body", "body": b""})
            return
        generation = relay.generation(log.info.id) if log.ending is None else None
        sink = _sink(view, generation, send, limits, after=after, heartbeat=comment("hb"))
        await _follow(sink, gone, send, headers, first=RETRY)
    finally:
        fields.close()
        gone.cancel()


def _sink(
    log: StreamLog,
    generation: Generation | None,
    send: Send,
    limits: Limits,
    *,
    after: int,
    heartbeat: bytes | None = None,
) -> AsgiSink:
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


async def refuse(generation: Generation, send: Send, headers: dict[str, str]) -> None:
    """Answer with the error that ended ``generation``, and its status."""
    error = generation.error or Error("internal", "the answer ended without a reason")
    log = generation.log
    await send_error(send, error, generation.door.name, {"tailrace-stream-id": log.info.id, **headers})
