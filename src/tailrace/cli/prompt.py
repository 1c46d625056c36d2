"""What is asked: the words of the command line, and what is piped in."""

from __future__ import annotations

import sys

from tailrace.errors import BadRequest

MAX_PIPED = 32 * 1024 * 1024
"""Most bytes read from stdin: what a server takes in one request."""


def prompt_of(words: list[str]) -> str:
    """Return the prompt: ``words``, then stdin where that is no terminal. Raises `BadRequest` when both are empty."""
    parts = [" ".join(words).strip(), _piped().strip("\n")]
    prompt = "\n\n".join(part for part in parts if part)
    if not prompt:
        raise BadRequest("nothing was asked: give the prompt as words, or pipe it in")
    return prompt


def _piped() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    data = sys.stdin.buffer.read(MAX_PIPED + 1)
    if len(data) > MAX_PIPED:
        raise BadRequest(f"more than {MAX_PIPED} bytes were piped in")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("what was piped in is not UTF-8 text") from error
