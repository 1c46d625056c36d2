"""The synchronous client in the asynchronous one's clothes, so that each test is written once and runs on both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from tailrace.client import AsyncClient, Client, Stream

COLOURS = ("sync", "async")
AWAITED = ("create", "models", "streams", "stop", "get_message", "close", "open", "get_final_message", "get_final_text")


class Awaitable_:
    """Calls of ``inner`` that take time, as coroutines; everything else as it is."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if name in AWAITED:

            async def call(*args: Any, **options: Any) -> Any:
                return value(*args, **options)

            return call
        return value


class StreamInAsync(Awaitable_):
    async def __aenter__(self) -> StreamInAsync:
        self.inner.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
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


class ClientInAsync(Awaitable_):
    async def __aenter__(self) -> ClientInAsync:
        return self

    async def __aexit__(self, *error: Any) -> None:
        self.inner.__exit__(*error)

    def stream(self, **asked: Any) -> StreamInAsync:
        stream: Stream = self.inner.stream(**asked)
        return StreamInAsync(stream)

    def resume(self, *args: Any, **options: Any) -> StreamInAsync:
        return StreamInAsync(self.inner.resume(*args, **options))


def connect(colour: str, handler: Callable[[httpx2.Request], httpx2.Response] | None = None, **options: Any) -> Any:
    """Return a client of that colour whose requests ``handler`` answers (None: the network)."""
    if handler is None:
        return ClientInAsync(Client(**options)) if colour == "sync" else AsyncClient(**options)
    transport = httpx2.MockTransport(handler)
    if colour == "sync":
        return ClientInAsync(Client(http_client=httpx2.Client(transport=transport), **options))
    return AsyncClient(http_client=httpx2.AsyncClient(transport=transport), **options)
