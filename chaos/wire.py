"""What a client of each dialect sees on the wire, read by hand, so that the product's decoders do not judge themselves.

A *frame* is one whole wire event: for server-sent events all up to a blank line, else one line. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

Verdict: TypeAlias = Literal["done", "error"]

RETRY = b"retry: "


WITHOUT_IDS = frozenset({"gemini", "ollama"})
"""Dialects whose clients would not survive ``id:`` lines."""


class Frame(NamedTuple):
    """One event as it came: its number (its ``id:`` line's, else counted), and its bytes.

    0 is an event without a number in a dialect that has them: last words that are in no log.
    """

    number: int
    data: bytes


def split(body: bytes, dialect: str) -> tuple[list[bytes], bytes]:
    """Return the whole events in ``body`` and what is left after the last of them."""
    mark = b"\n" if dialect == "ollama" else b"\n\n"
    *whole, rest = body.split(mark)
    return [event + mark for event in whole], rest


def frames(body: bytes, dialect: str, after: int = 0) -> list[Frame]:
    """Return the whole frames in ``body``, heartbeats left out; those without an id are counted from ``after``."""
    found: list[Frame] = []
    number = after
    for event in split(body, dialect)[0]:
        data = bare(event, dialect)
        if not data or is_heartbeat(data, dialect):
            continue
        if data.startswith(b"id: "):
            digits = data[4:].partition(b"\n")[0]
            number = int(digits) if digits.isdigit() else -1
        elif dialect in WITHOUT_IDS:
            number += 1
        else:
            found.append(Frame(0, data))
            continue
        found.append(Frame(number, data))
    return found


def bare(event: bytes, dialect: str) -> bytes:
    """Return an event without what stands before it for others: comments, empty lines, the time to wait."""
    data = event
    while dialect != "ollama" and data.startswith((b":", b"\n", RETRY)):
        data = data.partition(b"\n")[2]
    return data if data.strip(b"\n") else b""


def is_heartbeat(data: bytes, dialect: str) -> bool:
    """Whether a bare event is one of those that only keep a connection awake: no number, no content."""
    if dialect == "anthropic":
        return data.startswith(b"event: ping\n")
    return dialect == "ollama" and data.startswith(b'{"model":"","created_at":"1970-01-01T00:00:00Z"')


def heartbeats(body: bytes, dialect: str) -> int:
    """Return how many heartbeats are in ``body``."""
    if dialect == "gemini":
        return sum(len(run) - 2 for run in re.findall(rb"\n{3,}", b"\n\n" + body))
    if dialect in {"anthropic", "ollama"}:
        return sum(is_heartbeat(event, dialect) for event in split(body, dialect)[0])
    return body.count(b": hb\n")


def payload(data: bytes, dialect: str) -> Any:
    """Return the JSON of a frame, or None where it has none."""
    text = data
    if dialect != "ollama":
        text = next((line[6:] for line in data.split(b"\n") if line.startswith(b"data: ")), b"")
    try:
        return json.loads(text)
    except ValueError:
        return None


def verdict(data: bytes, dialect: str) -> Verdict | None:
    """Say whether a frame ends the answer: as a success, as a failure, or (None) not at all."""
    if dialect in {"openai_chat", "ai_sdk", "plain"} and data.endswith(b"data: [DONE]\n\n"):
        return "done"
    if dialect == "plain":
        return "error" if b"event: error\n" in data else None
    value = payload(data, dialect)
    return _VERDICTS[dialect](value) if isinstance(value, dict) else None


def _typed(done: str, error: str) -> Callable[[dict[str, Any]], Verdict | None]:
    verdicts: dict[str, Verdict] = {done: "done", error: "error"}
    return lambda value: verdicts.get(value.get("type", ""))


def _responses(value: dict[str, Any]) -> Verdict | None:
    kind = value.get("type")
    if kind in {"response.completed", "response.incomplete"}:
        return "done"
    return "error" if kind in {"error", "response.failed", "response.cancelled"} else None


def _gemini(value: dict[str, Any]) -> Verdict | None:
    if "error" in value:
        return "error"
    return "done" if any(c.get("finishReason") for c in value.get("candidates", ())) else None


def _ollama(value: dict[str, Any]) -> Verdict | None:
    return "error" if "error" in value else "done" if value.get("done") else None


def _chat(value: dict[str, Any]) -> Verdict | None:
    return "error" if value.get("error") else None


_VERDICTS: dict[str, Callable[[dict[str, Any]], Verdict | None]] = {
    "anthropic": _typed("message_stop", "error"),
    "openai_chat": _chat,
    "openai_responses": _responses,
    "gemini": _gemini,
    "ollama": _ollama,
    "ai_sdk": _typed("", "error"),
    "ag_ui": _typed("RUN_FINISHED", "RUN_ERROR"),
}


class Content(NamedTuple):
    """What frames say: the answer's text, its calls' arguments, the last figure of output tokens, the error's words."""

    text: str
    arguments: str
    output_tokens: int | None
    estimated: bool
    ending: str | None
    retryable: bool


def content(datas: list[bytes], dialect: str) -> Content:
    """Return what ``datas``, frames of ``dialect``, say together."""
    text: list[str] = []
    arguments: list[str] = []
    tokens: int | None = None
    ending: str | None = None
    retryable = estimated = False
    for data in datas:
        value = payload(data, dialect)
        if isinstance(value, str) and dialect == "plain":
            text.append(value)
        if not isinstance(value, dict):
            continue
        for kind, piece in _SAID[dialect](value) if dialect in _SAID else ():
            (text if kind == "text" else arguments).append(piece)
        counted = _tokens(value)
        if counted is not None:
            tokens = counted
        estimated = estimated or b"estimated" in data
        if verdict(data, dialect) == "error":
            ending, retryable = _failure(value)
    return Content("".join(text), "".join(arguments), tokens, estimated, ending, retryable)


Pieces: TypeAlias = Iterator[tuple[Literal["text", "arguments"], str]]


def _anthropic_said(value: dict[str, Any]) -> Pieces:
    delta = value.get("delta") or {}
    if delta.get("type") == "text_delta":
        yield "text", delta["text"]
    if delta.get("type") == "input_json_delta":
        yield "arguments", delta["partial_json"]


def _chat_said(value: dict[str, Any]) -> Pieces:
    for choice in value.get("choices") or ():
        delta = choice.get("delta") or {}
        if delta.get("content"):
            yield "text", delta["content"]
        for call in delta.get("tool_calls") or ():
            yield "arguments", (call.get("function") or {}).get("arguments") or ""


def _responses_said(value: dict[str, Any]) -> Pieces:
    if value.get("type") == "response.output_text.delta":
        yield "text", value["delta"]
    if value.get("type") == "response.function_call_arguments.delta":
        yield "arguments", value["delta"]


def _gemini_said(value: dict[str, Any]) -> Pieces:
    for candidate in value.get("candidates") or ():
        for part in (candidate.get("content") or {}).get("parts") or ():
            if not part.get("thought"):
                yield "text", part.get("text", "")


def _ollama_said(value: dict[str, Any]) -> Pieces:
    yield "text", (value.get("message") or {}).get("content") or ""


def _ai_sdk_said(value: dict[str, Any]) -> Pieces:
    if value.get("type") == "text-delta":
        yield "text", value["delta"]
    if value.get("type") == "tool-input-delta":
        yield "arguments", value["inputTextDelta"]


def _ag_ui_said(value: dict[str, Any]) -> Pieces:
    if value.get("type") == "TEXT_MESSAGE_CONTENT":
        yield "text", value["delta"]
    if value.get("type") == "TOOL_CALL_ARGS":
        yield "arguments", value["delta"]


_SAID: dict[str, Callable[[dict[str, Any]], Pieces]] = {
    "anthropic": _anthropic_said,
    "openai_chat": _chat_said,
    "openai_responses": _responses_said,
    "gemini": _gemini_said,
    "ollama": _ollama_said,
    "ai_sdk": _ai_sdk_said,
    "ag_ui": _ag_ui_said,
}

_COUNTS = ("output_tokens", "completion_tokens", "candidatesTokenCount", "eval_count", "outputTokens")
"""The dialects' names for the tokens of an answer."""


def _tokens(value: Any) -> int | None:
    """Return the count of output tokens anywhere in ``value``; the last one wins."""
    found: int | None = None
    if isinstance(value, dict):
        for name, inner in value.items():
            deeper = inner if name in _COUNTS and isinstance(inner, int) else _tokens(inner)
            found = found if deeper is None else deeper
    elif isinstance(value, list):
        for inner in value:
            deeper = _tokens(inner)
            found = found if deeper is None else deeper
    return found


def _failure(value: dict[str, Any]) -> tuple[str | None, bool]:
    """Return the ending that an error event names, and whether it says that trying again may work."""
    said = value.get("tailrace") or (value.get("metadata") or {}).get("tailrace") or value
    return said.get("ending"), bool(said.get("retryable"))
