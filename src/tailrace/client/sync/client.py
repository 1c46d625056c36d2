"""The synchronous client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import httpx2

from tailrace.client.base_client import BaseClient, Model
from tailrace.client.border import client_arguments
from tailrace.client.commands import Steps
from tailrace.client.request import Messages
from tailrace.client.session import Session
from tailrace.client.sync.link import Link, run
from tailrace.client.sync.stream import Stream
from tailrace.client.sync.watchdog import Watchdog
from tailrace.client.timeouts import Timeout
from tailrace.client.tokens import ViewToken
from tailrace.client.wishes import OnDisconnect
from tailrace.events import Message

T = TypeVar("T")


class Client(BaseClient[httpx2.Client]):
    """Asks a Tailrace server, or a provider; arguments as in `BaseClient`.

    A client may be shared by threads; each stream belongs to one. Used as a context manager, or closed by `close`.
    """

    @cached_property
    def _watchdog(self) -> Watchdog:
        return Watchdog()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
    ) -> Stream:
        """Return the answer as a stream; the request is made when it is entered. ``extra`` are further fields.

        ``output`` asks for a structured answer: a type that pydantic's `TypeAdapter` takes, or a JSON Schema.
        """
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
    def create(self, *, model: str, messages: Messages, output: type[T], **options: Any) -> T: ...

    @overload
    def create(self, *, model: str, messages: Messages, output: None = None, **options: Any) -> Message: ...

    @overload
    def create(self, *, model: str, messages: Messages, output: Any, **options: Any) -> Any: ...

    def create(self, *, model: str, messages: Messages, output: Any = None, **options: Any) -> Any:
        """Return the whole answer: the message, or with ``output`` what `Stream.get_final_output` makes of it.

        Arguments as for `stream`, exceptions as for `Stream.get_final_message` and `Stream.get_final_output`.
        """
        with self.stream(model=model, messages=messages, output=output, **options) as stream:
            return stream.get_final_message() if output is None else stream.get_final_output()

    def resume(
        self, stream_id: str, after: int = 0, *, token: str | None = None, timeout: Timeout | None = None
    ) -> Stream:
        """Return a relay's stream; its events after number ``after`` are handed out, `Stream.message` is whole.

        ``token`` is a view token (see `share`), shown in place of the key; it may allow a stop, too. The stream raises
        `CursorLost` when it ends before ``after``: it is then not what was read.
        """
        return self._stream(self._resuming(stream_id, after, token, timeout))

    def models(self) -> list[Model]:
        """Return the models that can be asked."""
        return self._run(self._models_steps())

    def streams(self) -> list[dict[str, Any]]:
        """Return the relay's description of each of the caller's streams, newest first."""
        return self._run(self._streams_steps())

    def stop(self, stream_id: str, *, token: str | None = None) -> dict[str, Any]:
        """Stop a relay's stream; return its description. Raises `StatusError` 404 when there is none of that id.

        Its ``state`` is ``ended``, or ``stopping`` where another node writes it that has not said yet that it did.
        """
        return self._run(self._stop_steps(stream_id, token))

    def get_message(self, stream_id: str) -> Message:
        """Return the message of a relay's stream so far; raises `NotFound` when only its frames are kept."""
        return self._run(self._message_steps(stream_id))

    def share(self, stream_id: str, *, seconds: int = 300, scope: Literal["read", "stop"] = "read") -> ViewToken:
        """Return a token with which a browser may read the stream, or stop it as well, for so long without the key."""
        return self._run(self._share_steps(stream_id, seconds, scope))

    def close(self) -> None:
        """Close the idle connections, and with them whatever stream is still open."""
        if (http := self._to_close()) is not None:
            http.close()

    def _make_http(self) -> httpx2.Client:
        return httpx2.Client(**client_arguments(self._endpoint))

    def _stream(self, session: Session) -> Stream:
        def stop_remote() -> dict[str, Any]:
            return self.stop(session.stream_id or "", token=session.opening.token)

        return Stream(session, self._link(stop_remote), stop_remote)

    def _link(self, stop_remote: Any = None) -> Link:
        return Link(self._connection(), self._endpoint.name, self._watchdog, stop_remote)

    def _run(self, steps: Steps[T]) -> T:
        return run(steps, self._link())
