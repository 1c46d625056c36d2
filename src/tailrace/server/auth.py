"""Who is asking: the one place that reads a credential.

Every header form that the official SDKs use is accepted, and only the first kind that is present counts; a kind that is
there twice counts as a wrong key, because whoever looked at the request before may have looked at the other one. Where
a request is for is never looked at here: the doors are asked, and they go by the path that routed them.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from tailrace.server.http import Scope
from tailrace.server.tokens import PREFIX

CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""Headers that carry a key, in order of precedence; none of them is ever passed on to a provider."""

NO_KEY = b""
"""Stands for a credential that cannot be one."""


def presented_key(scope: Scope, *, in_query: bool = False) -> bytes | None:
    """Return the key that a request presents, as it came; None when there is none, `NO_KEY` for two at once.

    ``in_query``: whether this door's clients may put ``key`` into the URL; a header wins.
    """
    for wanted in CREDENTIAL_HEADERS:
        values = [value for name, value in scope["headers"] if name.lower() == wanted.encode()]
        if any(values):
            return _key(wanted, values[0]) if len(values) == 1 else NO_KEY
    return _in_query(scope, "key") if in_query else None


def presented_token(scope: Scope) -> str | None:
    """Return the view token that a request presents, as a bearer or as ``?token=``; None when it presents none.

    Another key in a header wins over a token in the URL.
    """
    key = presented_key(scope)
    if key is not None:
        return key.decode("latin-1") if key.startswith(PREFIX.encode()) else None
    token = _in_query(scope, "token")
    return None if token is None else token.decode("latin-1")


def _key(name: str, value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    return rest.strip() if name == "authorization" and scheme.lower() == b"bearer" else value


def _in_query(scope: Scope, name: str) -> bytes | None:
    values = parse_qs(scope.get("query_string", b"").decode("latin-1"), encoding="latin-1").get(name)
    if not values:
        return None
    return values[0].encode("latin-1") if len(values) == 1 else NO_KEY
