"""One call, no server: straight at a well-known provider, with its key from the environment."""

from __future__ import annotations

from typing import Any

from tailrace.client.endpoint import known_provider
from tailrace.client.request import Messages
from tailrace.client.sync.client import Client
from tailrace.client.sync.stream import Stream
from tailrace.errors import ConfigError

CLIENT_OPTIONS = frozenset({"api_key", "base_url", "max_retries", "default_headers", "http_client"})
"""Options that are for the client; all others are for the request."""


def stream(model: str, messages: Messages, **options: Any) -> Stream:
    """Return the answer of ``provider/model`` as a stream, to be used as a context manager.

    ``options`` are those of `Client` (``api_key``, ``base_url``, ``max_retries``, ``default_headers``,
    ``http_client``) and of `Client.stream`. Raises `ConfigError` when the name begins with no known provider, or
    there is no key for it.
    """
    client, name = _client(model, options)
    try:
        answer = client.stream(model=name, messages=messages, **options)
    except BaseException:
        client.close()
        raise
    answer.also_close(client.close)
    return answer


def ask(model: str, messages: Messages, **options: Any) -> str:
    """Return the text of the whole answer of ``provider/model``; arguments as for `stream`.

    Raises what `Client.create` raises.
    """
    with stream(model, messages, **options) as answer:
        return answer.get_final_text()


def _client(model: str, options: dict[str, Any]) -> tuple[Client, str]:
    provider, slash, name = model.partition("/")
    if not slash or not name:
        raise ConfigError(f"{model!r} names no provider; write provider/model, as in anthropic/claude-haiku-4-5")
    known_provider(provider)
    own = {option: options.pop(option) for option in CLIENT_OPTIONS & options.keys()}
    return Client(provider=provider, **own), name
