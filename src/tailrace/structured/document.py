"""A document that is already there, held to its shape."""

from __future__ import annotations

from typing import Any

from tailrace.errors import InvalidOutput, JSONError
from tailrace.partial_json import Parser
from tailrace.structured.shapes import shape


def check_document(text: str, of: Any) -> Any:
    """Return what ``text`` says, when it is a complete JSON document of the shape ``of`` (see `shape`).

    Raises `InvalidOutput` otherwise, and `BadRequest` when ``of`` is no shape. As in `Follower`, repeated keys are
    refused.
    """
    wanted = shape(of)
    parser = Parser(duplicate_keys="error")
    try:
        parser.feed(text)
        value = parser.close()
    except JSONError as error:
        raise InvalidOutput(f"not JSON: {error}") from error
    return wanted.whole(value)
