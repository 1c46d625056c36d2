"""Server-sent events to bytes, in the one form that every known client reads.

The standard allows more than its readers do: clients have been seen to fail on CR and CRLF, on ``data:``
without the space, and on an ``event`` line that follows ``data``. So: LF only, one space after the colon,
``retry`` and ``id`` first, then ``event``, then ``data``, then the blank line.
"""

from __future__ import annotations

from tailrace.errors import LocalProtocolError
from tailrace.sse.event import MAX_RETRY_DIGITS


def encode(
    data: bytes | str,
    *,
    event: str | None = None,
    id: str | None = None,  # noqa: A002 - the field's own name
    retry: int | None = None,
) -> bytes:
    """Return one whole event, its blank line included.

    ``data`` becomes one ``data`` line per line in it, whether CR, LF or CRLF ends them; a reader joins them
    with LF. ``retry`` is in milliseconds. Raises `LocalProtocolError` for an ``event`` or ``id`` with a line
    break or NUL (a reader would see another field, or drop the id), for a ``retry`` that readers ignore, and
    for text that UTF-8 cannot carry.
    """
    body = _utf8(data) if isinstance(data, str) else data
    if body.find(b"\r") >= 0:  # `in` takes twice as long: it first asks whether the pattern is an integer
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if body.find(b"\n") >= 0:
        body = body.replace(b"\n", b"\ndata: ")
    if event is not None:
        body = b"event: %b\ndata: %b\n\n" % (_one_line("event", event), body)
    else:
        body = b"data: %b\n\n" % body
    if id is not None:
        body = b"id: %b\n%b" % (_one_line("id", id), body)
    if retry is not None:
        body = b"retry: %d\n%b" % (_milliseconds(retry), body)
    return body


def comment(text: str = "") -> bytes:
    """Return a comment line, which every reader skips; no blank line follows it.

    It is without a blank line because a widespread client, once it has seen an ``id``, takes every blank line
    for an event with empty data. Raises `LocalProtocolError` for text with a line break.
    """
    if "\n" in text or "\r" in text:
        raise LocalProtocolError("a comment is one line")
    return b": %b\n" % _utf8(text) if text else b":\n"


def _one_line(field: str, value: str) -> bytes:
    if "\n" in value or "\r" in value or "\0" in value:
        raise LocalProtocolError(f"a line break or NUL in the {field} of an event")
    return _utf8(value)


def _milliseconds(retry: int) -> int:
    if not 0 <= retry < 10**MAX_RETRY_DIGITS:
        raise LocalProtocolError(f"a retry of {retry} ms")
    return retry


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError("text with a lone surrogate has no UTF-8 form") from error
