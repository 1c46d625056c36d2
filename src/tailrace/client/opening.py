"""How a session begins, and the two requests it can make: ask for an answer, or read a relay's stream on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailrace.client.commands import Send
from tailrace.client.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a session is for.

    With ``path`` and ``content``: a request to be answered. With ``stream_id``: a relay's stream to be read; events
    up to number ``after`` are taken into the message but not handed out again. ``ignored`` are the fields that the
    provider was not told, because its dialect has no word for them. ``output`` and ``schemas`` (of tools, by name) are
    what the answer is held to on this side. ``wishes`` are headers of a request to a relay; ``token`` is shown to it
    in place of the key.
    """

    path: str = ""
    content: bytes | None = None
    stream_id: str | None = None
    after: int = 0
    ignored: tuple[str, ...] = ()
    request_id: str = ""
    wishes: Mapping[str, str] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)
    output: Any = None
    schemas: Mapping[str, Any] = field(default_factory=dict)


def ask(opening: Opening, endpoint: Endpoint, *, connect: float | None, read: float | None) -> Send:
    """Return the request for an answer."""
    more = {"content_type": "application/json", "accept": "text/event-stream"}
    if endpoint.relay:
        # A repeated request joins the first one's stream: one answer, one bill.
        more["idempotency_key"] = opening.request_id
        more |= opening.wishes
    return Send(
        method="POST",
        url=endpoint.url(opening.path),
        headers=endpoint.headers(**more),
        connect=connect,
        read=read,
        content=opening.content,
    )


def attach(
    stream_id: str,
    endpoint: Endpoint,
    *,
    position: int,
    connect: float | None,
    read: float | None,
    token: str | None = None,
) -> Send:
    """Return the request for what a relay's stream has after frame ``position``."""
    more = {"accept": "text/event-stream", **shown(token)}
    if position:
        more["last_event_id"] = str(position)
    return Send(
        method="GET",
        url=endpoint.url(f"/streams/{stream_id}"),
        headers=endpoint.headers(**more),
        connect=connect,
        read=read,
    )


def shown(token: str | None) -> dict[str, str]:
    """Return the header that shows a view token in place of the key; none for None."""
    return {"authorization": f"Bearer {token}"} if token else {}
