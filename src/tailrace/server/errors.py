"""Errors as HTTP answers, each in its caller's own dialect."""

from __future__ import annotations

import math

from tailrace.dialects import DIALECTS
from tailrace.errors import RequestError
from tailrace.events import Error
from tailrace.server.http import Send, send_json

NEUTRAL = "anthropic"
"""The dialect of errors where none was chosen: its body has ``error.message``, which the other SDKs read as well."""


def event_of(error: RequestError) -> Error:
    """Return a refused request as the error value that dialects write."""
    return Error(
        error.kind,  # type: ignore[arg-type]
        error.message,
        code=error.code,
        status=error.status,
        retry_after=getattr(error, "retry_after", None),
        data={"param": error.param} if error.param else None,
    )


async def send_error(send: Send, error: Error, dialect: str = NEUTRAL, headers: dict[str, str] | None = None) -> None:
    """Answer with ``error`` in ``dialect``, with its status and, where it is known, ``retry-after``."""
    all_headers = dict(headers or {})
    if error.retry_after is not None:
        all_headers["retry-after"] = str(math.ceil(error.retry_after))
    await send_json(send, error.http_status, DIALECTS[dialect].error_body(error), all_headers)
