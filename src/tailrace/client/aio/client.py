"""The asynchronous client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx2

from tailrace.client.aio.link import Link, run
from tailrace.client.aio.stream import AsyncStream
from tailrace.client.base_client import BaseClient, Model
from tailrace.client.border import client_arguments
from tailrace.client.commands import Steps
from tailrace.client.request import Messages
from tailrace.client.session import Session
from tailrace.client.timeouts import Timeout
from tailrace.client.tokens import ViewToken
from tailrace.client.wishes import OnDisconnect
from tailrace.events import Message

T = TypeVar("T")


class AsyncClient(BaseClient[httpx2.AsyncClient]):
    """Asks a Tailrace server, or a provider, from an asyncio event loop; as `tailrace.Client`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def stream(
        self,
        *,
        model: str,
        messages: Messages,
        system: str | Sequence[Mapping[str, Any]] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        output: Any = None,
        on_disconnect: OnDisconnect | None = None,
        idempotency_key: str | None = None,
        restarts: bool = False,
        timeout: Timeout | None = None,
        **extra: Any,
    ) -> AsyncStream:
        """As `tailrace.Client.stream`; the request is made when the stream is entered."""
        session = self._asking(
            timeout,
            model=model,
            messages=messages,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            tools=tools,
            output=output,
            on_disconnect=on_disconnect,
            idempotency_key=idempotency_key,
            restarts=restarts,
            extra=extra,
        )
        return self._stream(session)

    @overload
    async def create(self, *, model: str, messages: Messages, output: type[T], **options: Any) -> T: ...

    @overload
    async def create(self, *, model: str, messages: Messages, output: None = None, **options: Any) -> Message: ...

    @overload
    async def create(self, *, model: str, messages: Messages, output: Any, **options: Any) -> Any: ...

    async def create(self, *, model: str, messages: Messages, output: Any = None, **options: Any) -> Any:
        """As `tailrace.Client.create`."""
        async with self.stream(model=model, messages=messages, output=output, **options) as stream:
            return await (stream.get_final_message() if output is None else stream.get_final_output())

    def resume(
        self, stream_id: str, after: int = 0, *, token: str | None = None, timeout: Timeout | None = None
    ) -> AsyncStream:
        """As `tailrace.Client.resume`."""
        return self._stream(self._resuming(stream_id, after, token, timeout))

    async def models(self) -> list[Model]:
        """As `tailrace.Client.models`."""
        return await self._run(self._models_steps())

    async def streams(self) -> list[dict[str, Any]]:
        """As `tailrace.Client.streams`."""
        return await self._run(self._streams_steps())

    async def stop(self, stream_id: str, *, token: str | None = None) -> dict[str, Any]:
        """As `tailrace.Client.stop`."""
        return await self._run(self._stop_steps(stream_id, token))

    async def get_message(self, stream_id: str) -> Message:
        """As `tailrace.Client.get_message`."""
        return await self._run(self._message_steps(stream_id))

    async def share(self, stream_id: str, *, seconds: int = 300, scope: Literal["read", "stop"] = "read") -> ViewToken:
        """As `tailrace.Client.share`."""
        return await self._run(self._share_steps(stream_id, seconds, scope))

    async def close(self) -> None:
        """As `tailrace.Client.close`."""
        if (http := self._to_close()) is not None:
            await http.aclose()

    def _make_http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**client_arguments(self._endpoint))

    def _stream(self, session: Session) -> AsyncStream:
        async def stop_remote() -> dict[str, Any]:
            return await self.stop(session.stream_id or "", token=session.opening.token)

        return AsyncStream(session, self._link(stop_remote), stop_remote)

    def _link(self, stop_remote: Any = None) -> Link:
        return Link(self._connection(), self._endpoint.name, stop_remote)

    async def _run(self, steps: Steps[T]) -> T:
        return await run(steps, self._link())
