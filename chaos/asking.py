"""How a client of each dialect asks: its path and its JSON, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

WORDS = [{"role": "user", "content": "What does the river carry?"}]
PARTS = [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "What does the river carry?"}]}]


class Asking(NamedTuple):
    """``path`` for a model, and ``body`` for it."""

    path: Callable[[str], str]
    body: Callable[[str], dict[str, Any]]


def _fixed(path: str, **fields: Any) -> Asking:
    return Asking(lambda _model: path, lambda model: {"model": model, "stream": True, **fields})


ASKING: dict[str, Asking] = {
    "anthropic": _fixed("/v1/messages", max_tokens=4096, messages=WORDS),
    "openai_chat": _fixed("/v1/chat/completions", messages=WORDS, stream_options={"include_usage": True}),
    "openai_responses": _fixed("/v1/responses", input="What does the river carry?"),
    "gemini": Asking(
        lambda model: f"/v1beta/models/{quote(model, safe='')}:streamGenerateContent?alt=sse",
        lambda _model: {"contents": [{"role": "user", "parts": [{"text": "What does the river carry?"}]}]},
    ),
    "ollama": _fixed("/api/chat", messages=WORDS),
    "ai_sdk": _fixed("/ui/chat", id="chat", messages=PARTS),
    "ag_ui": _fixed(
        "/ag-ui",
        threadId="thread",
        runId="run",
        messages=[{"id": "1", **WORDS[0]}],
        tools=[],
        context=[],
        state={},
        forwardedProps={},
    ),
    "plain": _fixed("/stream", prompt="What does the river carry?"),
}
"""``client dialect → how it asks``."""


def asked(dialect: str, model: str) -> tuple[str, bytes]:
    """Return the path and the body of a request for ``model``."""
    asking = ASKING[dialect]
    return asking.path(model), json.dumps(asking.body(model)).encode()
