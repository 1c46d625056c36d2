"""What may be asked of the local model, and what its answers look like on the way out.

The runtime takes a hundred fields, some of which would have it tell file names and prompts or write files. Only
what the OpenAI dialect's own clients send is passed on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tailrace.demo.availability import MODEL
from tailrace.errors import StatusError

MAX_TOKENS = 512
"""Tokens of an answer to a request that sets no limit: the model tends to go on for ever, and 512 take some 15 s."""

_PASSED_ON = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "min_p", "n",
        "parallel_tool_calls", "presence_penalty", "repeat_penalty", "response_format", "seed", "stop",
        "stream_options", "temperature", "tool_choice", "tools", "top_k", "top_logprobs", "top_p",
    }
)  # fmt: skip

# Fields that change nothing about an answer of this model.
_MEANINGLESS = frozenset(
    {
        "metadata", "model", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier", "store",
        "stream", "user",
    }
)  # fmt: skip


def prepare(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the runtime's request for the OpenAI request ``body``; raises `StatusError` (400) for unknown fields."""
    unknown = sorted(set(body) - _PASSED_ON - _MEANINGLESS)
    if unknown:
        raise refused(f"the local model does not take {', '.join(unknown)}")
    request = {name: value for name, value in body.items() if name in _PASSED_ON and value is not None}
    # `return_progress`: a sign of life for each batch of the prompt, so that a stop is heard while it is read.
    request |= {"stream": True, "return_progress": True}
    if "max_tokens" not in request and "max_completion_tokens" not in request:
        request["max_tokens"] = MAX_TOKENS
    return request


def refused(message: str) -> StatusError:
    """Return the error for a request that this model cannot be asked."""
    return StatusError(message, status=400, kind="invalid_request")


def failure(error: Mapping[str, Any]) -> StatusError:
    """Return the error that the runtime's error object (``code``, ``message``, ``type``) says."""
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return StatusError(
        f"the local model: {error.get('message', 'unknown error')}",
        status=status,
        kind="invalid_request" if status < 500 else "upstream",
        body=dict(error),
    )


def event(chunk: dict[str, Any]) -> bytes:
    """Return one chunk of the runtime as a server-sent event; empty for those that only report progress.

    The runtime names the model by its file's path: the name that clients know goes there instead.
    """
    if "prompt_progress" in chunk:
        return b""
    if "model" in chunk:
        chunk["model"] = MODEL
    return b"data: %s\n\n" % json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode()


DONE = b"data: [DONE]\n\n"
