"""Whole answers that must be documents: 200 only with one that is valid, else asked again, else 422 with what came."""

from __future__ import annotations

from tailrace.errors import InvalidOutput
from tailrace.events import Error, Message, Request, TextPart, Turn
from tailrace.structured import check_document

ANY_OBJECT = {"type": "object"}
"""What a client asks for that wants JSON and names no schema."""


def objection(request: Request, message: Message) -> str | None:
    """Return why ``message`` is not the document that ``request`` asked for; None when it is, or none was asked for.

    A message that calls a tool is not yet an answer, and passes.
    """
    if request.output is None or message.tool_calls:
        return None
    try:
        check_document(message.text, ANY_OBJECT if request.output.schema is None else request.output.schema)
    except InvalidOutput as error:
        return str(error)
    return None


def asking_again(message: Message, reason: str) -> tuple[Turn, ...]:
    """Return the turns that ask for a valid document after ``message``, which was none."""
    again = f"That is not the document that was asked for: {reason}. Answer with the valid JSON document only."
    said = (Turn("assistant", (TextPart(message.text),)),) if message.text else ()
    return (*said, Turn("user", (TextPart(again),)))


def refusal(message: Message, reason: str) -> Error:
    """Return the error for an answer that is not the document; what came goes with it."""
    return Error("protocol", reason, code="invalid_output", status=422, data={"output": message.text})
