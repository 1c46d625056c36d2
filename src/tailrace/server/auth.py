"""Who is asking: the one place that reads a credential.

Every header form that the official SDKs use is accepted, and only the first that is present counts. Keys are
compared as SHA-256 digests in constant time; a stream's owner is that digest, never the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs

from tailrace.engine import Secret
from tailrace.errors import Unauthenticated

ANONYMOUS = "anonymous"
"""The owner of every stream while no keys are configured."""

CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""Headers that carry a key, in order of precedence; none of them is ever passed on to a provider."""


class Keyring:
    """The keys that clients may present."""

    def __init__(self, keys: Iterable[Secret]) -> None:
        self._digests = tuple(_digest(key.reveal()) for key in keys)

    @property
    def needed(self) -> bool:
        """Whether a key must be presented."""
        return bool(self._digests)

    def identify(self, headers: Mapping[str, str], query: bytes = b"") -> str:
        """Return the owner that the request's headers (lower case) prove; raises `Unauthenticated`.

        ``query`` is the URL's, for doors whose clients may put ``key`` there; a header wins.
        """
        if not self._digests:
            return ANONYMOUS
        presented = _digest(_credential(headers) or _in_query(query))
        # Every digest is compared, so that the time taken does not tell which one came close.
        if sum(hmac.compare_digest(presented, known) for known in self._digests) == 0:
            raise Unauthenticated("a valid key is needed", code="invalid_api_key")
        return presented


def _credential(headers: Mapping[str, str]) -> str:
    for name in CREDENTIAL_HEADERS:
        value = headers.get(name)
        if value:
            scheme, _, rest = value.partition(" ")
            return rest.strip() if name == "authorization" and scheme.lower() == "bearer" else value
    return ""


def _in_query(query: bytes) -> str:
    values = parse_qs(query.decode("latin-1")).get("key")
    return values[-1] if values else ""


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
