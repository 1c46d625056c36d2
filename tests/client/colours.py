"""The synchronous client in the asynchronous one's clothes, so that each test is written once and runs on both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import httpx2

from tailrace.client import AsyncClient, Client, Stream

COLOURS = ("sync", "async")
AWAITED = (
    "create", "models", "streams", "stop", "share", "get_message", "close", "open", "get_final_message",
    "get_final_text", "get_final_output",
)  # fmt: skip
ITERATED = ("partial", "fields", "tool_calls")


class InAsync:
    """Calls of ``inner`` that take time, as coroutines; everything else as it is."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if name in AWAITED:

            async def call(*args: Any, **options: Any) -> Any:
                return value(*args, **options)

            return call
        if name in ITERATED:

            async def each(*args: Any, **options: Any) -> AsyncIterator[Any]:
                for one in value(*args, **options):
                    yield one

            return each
        return value


class StreamInAsync(InAsync):
    async def __aenter__(self) -> Self:
        self.inner.__enter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.inner.__exit__(*error)

    def __aiter__(self) -> StreamInAsync:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self.inner)
        except StopIteration:
            raise StopAsyncIteration from None

    @property
    async def text_stream(self) -> AsyncIterator[str]:
        for text in self.inner.text_stream:
            yield text


class ClientInAsync(InAsync):
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.inner.__exit__(*error)

    def stream(self, **asked: Any) -> StreamInAsync:
        stream: Stream = self.inner.stream(**asked)
        return StreamInAsync(stream)

    def resume(self, *args: Any, **options: Any) -> StreamInAsync:
        return StreamInAsync(self.inner.resume(*args, **options))


def connect(
    colour: str,
    handler: Callable[[httpx2.Request], httpx2.Response] | None = None,
    base_url: str | None = None,
    **options: Any,
) -> Any:
    """Return a client of that colour whose requests ``handler`` answers (None: the network)."""
    if handler is not None:
        transport = httpx2.MockTransport(handler)
        kinds: dict[str, Any] = {"sync": httpx2.Client, "async": httpx2.AsyncClient}
        options["http_client"] = kinds[colour](transport=transport)
    if colour == "sync":
        return ClientInAsync(Client(base_url, **options))
    return AsyncClient(base_url, **options)
