"""Where a client talks to: a relay, or a provider with nothing between; with which dialect and which key.

Resolution order, first one wins: the argument, the environment variable, the default. Nothing here shows a key: it
is kept out of every ``repr`` and taken out of every message that a server sends back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tailrace.client.retry import retry_after
from tailrace.dialects import DIALECTS, KNOWN_PROVIDERS, Dialect, KnownProvider, Quirks
from tailrace.errors import ConfigError, StatusError

DEFAULT_URL = "http://127.0.0.1:8484"
"""Where `tailrace serve` and `tailrace demo` listen."""

RELAY_DIALECT = "anthropic"
"""The relay's door that a client asks at: it carries thinking, tools and usage."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

# Where each dialect lists its models, below the base URL as the provider's own SDK takes it.
_MODELS = {"anthropic": "/v1/models", "openai_chat": "/models", "gemini": "/v1beta/models"}


class Endpoint:
    """One server, and how to speak to it.

    ``relay`` says that it is a Tailrace server; ``dialect`` is what requests are written in.
    """

    __slots__ = ("_default_headers", "_key", "base_url", "dialect", "loopback", "name", "plain", "quirks", "relay")

    def __init__(
        self,
        *,
        base_url: str,
        dialect: str | None,
        api_key: str | None,
        default_headers: Mapping[str, str] | None = None,
        name: str | None = None,
        quirks: Quirks | None = None,
    ) -> None:
        """Raises `ConfigError` for an unknown dialect, a base URL that is no http(s) URL, or an unusable key."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the base URL must begin with http:// or https://, not {parts.scheme or 'nothing'!r}")
        if dialect is not None and dialect not in DIALECTS:
            raise ConfigError(f"unknown dialect {dialect!r}; there are {', '.join(sorted(DIALECTS))}")
        self.base_url = base_url.rstrip("/")
        self.relay = dialect is None
        self.dialect: Dialect = DIALECTS[dialect or RELAY_DIALECT]
        self.plain = parts.scheme == "http"
        self.loopback = parts.hostname in _LOOPBACK
        # Without user and password, which a URL may carry.
        self.name = name or parts.netloc.rpartition("@")[2]
        self.quirks = quirks or Quirks()
        self._key = _usable(api_key)
        self._default_headers = {key.lower(): value for key, value in (default_headers or {}).items()}

    def __repr__(self) -> str:
        return f"{'relay' if self.relay else self.dialect.name} at {self.name}"

    def url(self, path: str) -> str:
        """Return the whole URL of ``path`` (which begins with a slash)."""
        return self.base_url + path

    @property
    def models_path(self) -> str:
        """Where the models are listed; raises `ConfigError` when this dialect has no such list."""
        try:
            return _MODELS[self.dialect.name]
        except KeyError:
            raise ConfigError(f"a provider of the dialect {self.dialect.name} lists no models") from None

    def headers(self, **more: str) -> dict[str, str]:
        """Return the headers of a request, the key among them; ``more`` with underscores for hyphens."""
        own = {name.replace("_", "-"): value for name, value in more.items()}
        if self.relay:
            auth = {"authorization": f"Bearer {self._key}"} if self._key else {}
        else:
            auth = self.dialect.headers(self._key, self._default_headers)
        return {
            "user-agent": "tailrace-python",
            # A compressing middlebox holds bytes back until it has enough of them.
            "accept-encoding": "identity",
            **auth,
            **self._default_headers,
            **own,
        }

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> StatusError:
        """Return the exception for an answer that is an HTTP error; the key is taken out of its message."""
        error = self.dialect.read_error(status, body)
        hint = retry_after(headers)
        return StatusError(
            self.redacted(error.message),
            status=status,
            kind=error.kind,
            body=_json_or_text(self.redacted(body.decode("utf-8", "replace"))),
            retry_after=error.retry_after if hint is None else hint,
        )

    def redacted(self, text: str) -> str:
        """Return ``text`` without the key: some providers quote it when they refuse it."""
        return text.replace(self._key, "…") if self._key else text


def relay_endpoint(base_url: str | None, api_key: str | None, default_headers: Mapping[str, str] | None) -> Endpoint:
    """Return the relay that the arguments or ``TAILRACE_URL`` and ``TAILRACE_API_KEY`` name."""
    return Endpoint(
        base_url=base_url or os.environ.get("TAILRACE_URL") or DEFAULT_URL,
        dialect=None,
        api_key=api_key or os.environ.get("TAILRACE_API_KEY"),
        default_headers=default_headers,
    )


def provider_endpoint(
    provider: str,
    base_url: str | None,
    api_key: str | None,
    dialect: str | None,
    default_headers: Mapping[str, str] | None,
) -> Endpoint:
    """Return a well-known provider, its key from the environment variable that its own SDK reads."""
    known = known_provider(provider)
    key = api_key or os.environ.get(known.key_variable)
    if not key:
        raise ConfigError(
            f"no key for {known.name}: pass api_key or set {known.key_variable}", where=known.key_variable
        )
    return Endpoint(
        base_url=base_url or known.base_url,
        dialect=dialect or known.dialect,
        api_key=key,
        default_headers=default_headers,
        name=known.name,
        quirks=known.quirks,
    )


def known_provider(name: str) -> KnownProvider:
    """Return the provider of that name; raise `ConfigError`, with the names there are, for another."""
    try:
        return KNOWN_PROVIDERS[name]
    except KeyError:
        raise ConfigError(f"unknown provider {name!r}; known are {', '.join(sorted(KNOWN_PROVIDERS))}") from None


def _usable(key: str | None) -> str | None:
    """Return the key without the white space that files and shells add.

    It is checked here because the HTTP library would quote an impossible header value in its exception.
    """
    key = (key or "").strip()
    if not all("!" <= character <= "~" for character in key):
        raise ConfigError("the API key has a character that no HTTP header can carry")
    return key or None


def _json_or_text(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return body or None
