"""What the synchronous and the asynchronous client have in common: everything that does not wait."""

from __future__ import annotations

import random
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from tailrace.client.commands import Steps
from tailrace.client.endpoint import Endpoint, provider_endpoint, relay_endpoint
from tailrace.client.exchange import call
from tailrace.client.opening import Opening
from tailrace.client.request import opening
from tailrace.client.retry import Retry
from tailrace.client.session import Session
from tailrace.client.timeouts import Timeout
from tailrace.client.tokens import ViewToken
from tailrace.errors import ConfigError, LocalProtocolError, NotFound, RemoteProtocolError
from tailrace.events import Message

Http = TypeVar("Http")

_STREAM_ID = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)


class Model(msgspec.Struct, frozen=True):
    """A model that can be asked; ``data`` is the server's own description of it."""

    id: str
    data: dict[str, Any] = {}


class BaseClient(ABC, Generic[Http]):
    """Where to, how patiently, and over which HTTP client.

    :param base_url: a Tailrace server's, else ``TAILRACE_URL``, else ``http://127.0.0.1:8484``; with ``provider`` or
        ``dialect``, the provider's, as its own SDK takes it.
    :param api_key: else ``TAILRACE_API_KEY``, or the variable of the well-known ``provider``.
    :param provider: a name of `tailrace.dialects.KNOWN_PROVIDERS`: asked straight, with no server between.
    :param dialect: what the server at ``base_url`` speaks; it is then a provider, not a Tailrace server.
    :param timeout: see `Timeout`; a single call may have its own.
    :param max_retries: repetitions of a request of which no byte of an answer has come.
    :param max_reconnects: attempts in a row to read a relay's stream on.
    :param default_headers: sent with each request.
    :param http_client: an ``httpx2`` client to use instead of one of our own; it is not closed here.
    :param clock: monotonic seconds.
    :param rng: numbers in [0, 1) that spread retries.

    Raises `ConfigError` when these do not say where to go, or with which key.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        provider: str | None = None,
        dialect: str | None = None,
        timeout: Timeout | None = None,
        max_retries: int = 2,
        max_reconnects: int = 8,
        default_headers: Mapping[str, str] | None = None,
        http_client: Http | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
    ) -> None:
        if provider is not None:
            self._endpoint = provider_endpoint(provider, base_url, api_key, dialect, default_headers)
        elif dialect is not None:
            if base_url is None:
                raise ConfigError("a dialect alone says not where to go: give a base_url too, or a provider")
            self._endpoint = Endpoint(
                base_url=base_url, dialect=dialect, api_key=api_key, default_headers=default_headers
            )
        else:
            self._endpoint = relay_endpoint(base_url, api_key, default_headers)
        self._timeout = timeout or Timeout()
        self._retry = Retry(random=rng, max_retries=max_retries, max_reconnects=max_reconnects)
        self._clock = clock
        self._http = http_client
        self._owns_http = http_client is None
        self._closed = False
        self._making = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of a {self._endpoint!r}>"

    @abstractmethod
    def _make_http(self) -> Http:
        """Return an HTTP client of this colour."""

    def _connection(self) -> Http:
        """Return the HTTP client, made when it is first needed; raises `LocalProtocolError` after ``close``."""
        with self._making:
            if self._closed:
                raise LocalProtocolError("the client is closed")
            if self._http is None:
                self._http = self._make_http()
            return self._http

    def _to_close(self) -> Http | None:
        """Mark the client as closed; return what there is to close, once."""
        with self._making:
            self._closed = True
            http, self._http = self._http, None
            return http if self._owns_http else None

    def _session(self, begin: Opening, timeout: Timeout | None) -> Session:
        return Session(begin, self._endpoint, timeout=timeout or self._timeout, retry=self._retry, clock=self._clock)

    def _asking(self, timeout: Timeout | None, **asked: Any) -> Session:
        return self._session(opening(self._endpoint, **asked), timeout)

    def _resuming(self, stream_id: str, after: int, token: str | None, timeout: Timeout | None) -> Session:
        self._need_relay()
        return self._session(Opening(stream_id=_safe(stream_id), after=after, token=token), timeout)

    def _need_relay(self) -> None:
        if not self._endpoint.relay:
            raise ConfigError(f"{self._endpoint.name} is a provider: only a Tailrace server keeps streams")

    # Calls that generate nothing.

    def _models_steps(self) -> Steps[list[Model]]:
        found = yield from call(self._endpoint, self._retry, "GET", self._endpoint.models_path)
        return _models(found)

    def _streams_steps(self) -> Steps[list[dict[str, Any]]]:
        self._need_relay()
        return _entries((yield from call(self._endpoint, self._retry, "GET", "/streams")))

    def _stop_steps(self, stream_id: str, token: str | None) -> Steps[dict[str, Any]]:
        self._need_relay()
        path = f"/streams/{_safe(stream_id)}/stop"
        said = yield from call(self._endpoint, self._retry, "POST", path, token=token)
        return said if isinstance(said, dict) else {}

    def _share_steps(self, stream_id: str, seconds: int, scope: str) -> Steps[ViewToken]:
        self._need_relay()
        path = f"/streams/{_safe(stream_id)}/tokens"
        asked = {"seconds": seconds, "scope": scope}
        said = yield from call(self._endpoint, self._retry, "POST", path, body=asked)
        try:
            return msgspec.convert(said, ViewToken)
        except msgspec.ValidationError as error:
            raise RemoteProtocolError(f"{self._endpoint.name}: not a view token: {error}") from error

    def _message_steps(self, stream_id: str) -> Steps[Message]:
        self._need_relay()
        said = yield from call(self._endpoint, self._retry, "GET", f"/streams/{_safe(stream_id)}/message")
        if not isinstance(said, dict) or said.get("message") is None:
            raise NotFound("the relay has only the stream left, not its message; resume it from 0")
        try:
            return msgspec.convert(said["message"], Message)
        except msgspec.ValidationError as error:
            raise RemoteProtocolError(f"{self._endpoint.name}: not a message: {error}") from error


def _models(found: Any) -> list[Model]:
    listed = found.get("models") if isinstance(found, dict) and "data" not in found else None
    if not isinstance(listed, list):
        return [Model(str(entry["id"]), entry) for entry in _entries(found)]
    # Google's form. Its names are paths.
    named = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
    return [Model(entry["name"].removeprefix("models/"), entry) for entry in named]


def _entries(found: Any) -> list[dict[str, Any]]:
    entries = found.get("data") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "id" in e for e in entries):
        raise RemoteProtocolError("the server's list is not a list of objects with an id")
    return entries


def _safe(stream_id: str) -> str:
    """Return ``stream_id``; raise `NotFound` for what cannot be one: it becomes part of a path."""
    if _STREAM_ID.fullmatch(stream_id) is None:
        raise NotFound("no stream has such an id")
    return stream_id
