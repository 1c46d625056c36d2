r"""Gemini's other streamed form: one JSON array whose elements arrive one by one, for a URL without ``alt=sse``.

The log keeps events; this turns them into elements on their way out. Each write of a reader holds whole events, so
nothing is buffered. A stream that is cut leaves the array open, as its events would end without their last one.

Source: Google's API without ``alt``, as recorded: ``[{…}\n,\r\n{…}\n]``, content type ``application/json``.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from tailrace.server.http import Send

_EVENTS = b"text/event-stream"


class ArraySend:
    """An ASGI ``send`` that writes a stream of events as a JSON array; every other answer passes as it is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._streaming = False
        self._before = b"["

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        """Send ``message``, in the other form when it is part of a stream."""
        if message["type"] == "http.response.start":
            headers = message["headers"]
            self._streaming = any(name == b"content-type" and value.startswith(_EVENTS) for name, value in headers)
            if self._streaming:
                kept = [header for header in headers if header[0] != b"content-type"]
                message = {**message, "headers": [*kept, (b"content-type", b"application/json")]}
        elif self._streaming:
            message = {**message, "body": self._elements(message["body"], more=message.get("more_body", False))}
        await self._send(message)

    def _elements(self, events: bytes, *, more: bool) -> bytes:
        # A heartbeat is a bare line feed: white space between two elements, too.
        pieces = [b"\n"] if events and not events.strip() else []
        for event in events.split(b"\n\n"):
            if data := event.strip().removeprefix(b"data: "):
                pieces += (self._before, data, b"\n")
                self._before = b",\r\n"
        if not more:
            pieces.append(b"]" if self._before != b"[" else b"[]")
        return b"".join(pieces)
