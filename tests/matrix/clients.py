"""How a client of each dialect asks: its path and its JSON, written by hand, so that no dialect proves itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.matrix.features import (
    CALL_ID,
    DESCRIPTION,
    FORM,
    INPUT,
    LIMIT,
    PIXEL,
    QUESTION,
    RESULT,
    SCHEMA,
    SYSTEM,
    TOOL,
    Wish,
)


class Client(NamedTuple):
    """``path`` for a model and whether to stream; ``body`` for these and a wish."""

    path: Callable[[str, bool], str]
    body: Callable[[str, Wish, bool], dict[str, Any]]


def _at(path: str) -> Callable[[str, bool], str]:
    return lambda _model, _stream: path


# ---- Anthropic ----------------------------------------------------------------------------------------------------


def _anthropic(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    question = {"role": "user", "content": QUESTION}
    tools = [{"name": TOOL, "description": DESCRIPTION, "input_schema": SCHEMA}]
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    call = {"type": "tool_use", "id": CALL_ID, "name": TOOL, "input": INPUT}
    result = {"type": "tool_result", "tool_use_id": CALL_ID, "content": RESULT}
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096},
        "tool": {"tools": tools},
        "tool result": {
            "tools": tools,
            "messages": [question, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}],
        },
        "image": {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": QUESTION}, {"type": "image", "source": source}]}
            ]
        },
        "schema": {"output_config": {"format": {"type": "json_schema", "schema": FORM}}},
        "limit": {"max_tokens": LIMIT},
    }
    return {
        "model": model,
        "max_tokens": 100,
        "system": SYSTEM,
        "messages": [question],
        "stream": stream,
        **wishes[wish],
    }


# ---- OpenAI -------------------------------------------------------------------------------------------------------


def _chat(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    system = {"role": "system", "content": SYSTEM}
    question = {"role": "user", "content": QUESTION}
    tools = [{"type": "function", "function": {"name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA}}]
    call = {"id": CALL_ID, "type": "function", "function": {"name": TOOL, "arguments": json.dumps(INPUT)}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {"reasoning_effort": "high"},
        "tool": {"tools": tools},
        "tool result": {
            "tools": tools,
            "messages": [
                system,
                question,
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": CALL_ID, "content": RESULT},
            ],
        },
        "image": {"messages": [system, {"role": "user", "content": [{"type": "text", "text": QUESTION}, image]}]},
        "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": FORM}}},
        "limit": {"max_completion_tokens": LIMIT},
    }
    streaming = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return {"model": model, "messages": [system, question], **streaming, **wishes[wish]}


def _responses(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    question = {"role": "user", "content": QUESTION}
    tools = [{"type": "function", "name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA, "strict": False}]
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {"reasoning": {"effort": "high", "summary": "auto"}},
        "tool": {"tools": tools},
        "tool result": {
            "tools": tools,
            "input": [
                question,
                {"type": "function_call", "call_id": CALL_ID, "name": TOOL, "arguments": json.dumps(INPUT)},
                {"type": "function_call_output", "call_id": CALL_ID, "output": RESULT},
            ],
        },
        "image": {"input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}, image]}]},
        "schema": {"text": {"format": {"type": "json_schema", "name": "answer", "schema": FORM}}},
        "limit": {"max_output_tokens": LIMIT},
    }
    return {"model": model, "instructions": SYSTEM, "input": [question], "stream": stream, **wishes[wish]}


# ---- Gemini and Ollama --------------------------------------------------------------------------------------------


def _gemini(_model: str, wish: Wish, _stream: bool) -> dict[str, Any]:
    question = {"role": "user", "parts": [{"text": QUESTION}]}
    tools = [{"functionDeclarations": [{"name": TOOL, "description": DESCRIPTION, "parametersJsonSchema": SCHEMA}]}]
    call = {"functionCall": {"id": CALL_ID, "name": TOOL, "args": INPUT}}
    result = {"functionResponse": {"id": CALL_ID, "name": TOOL, "response": {"result": RESULT}}}
    image = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048}}},
        "tool": {"tools": tools},
        "tool result": {
            "tools": tools,
            "contents": [question, {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}],
        },
        "image": {"contents": [{"role": "user", "parts": [{"text": QUESTION}, image]}]},
        "schema": {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": FORM}},
        "limit": {"generationConfig": {"maxOutputTokens": LIMIT}},
    }
    return {"systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": [question], **wishes[wish]}


def _gemini_path(model: str, stream: bool) -> str:
    return f"/v1beta/models/{model}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"


def _ollama(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    system = {"role": "system", "content": SYSTEM}
    question = {"role": "user", "content": QUESTION}
    tools = [{"type": "function", "function": {"name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA}}]
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {"think": True},
        "tool": {"tools": tools},
        "tool result": {
            "tools": tools,
            "messages": [
                system,
                question,
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"function": {"name": TOOL, "arguments": INPUT}}],
                },
                {"role": "tool", "tool_name": TOOL, "content": RESULT},
            ],
        },
        "image": {"messages": [system, {**question, "images": [PIXEL]}]},
        "schema": {"format": FORM},
        "limit": {"options": {"num_predict": LIMIT}},
    }
    return {"model": model, "messages": [system, question], "stream": stream, **wishes[wish]}


# ---- front ends ---------------------------------------------------------------------------------------------------

ADDED_SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": FORM}}}
"""Their protocols have no word for it: what an application adds by itself is some provider's word."""


def _ai_sdk(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    text = {"type": "text", "text": QUESTION}
    question = {"id": "m1", "role": "user", "parts": [text]}
    tools = {TOOL: {"description": DESCRIPTION, "parameters": SCHEMA}}
    call = {
        "type": f"tool-{TOOL}",
        "toolCallId": CALL_ID,
        "state": "output-available",
        "input": INPUT,
        "output": RESULT,
    }
    image = {"type": "file", "mediaType": "image/png", "url": f"data:image/png;base64,{PIXEL}"}
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {"reasoning": "high"},
        "tool": {"tools": tools},
        "tool result": {
            "tools": tools,
            "messages": [question, {"id": "m2", "role": "assistant", "parts": [{"type": "step-start"}, call]}],
        },
        "image": {"messages": [{**question, "parts": [text, image]}]},
        "schema": ADDED_SCHEMA,
        "limit": {"maxOutputTokens": LIMIT},
    }
    added = {"model": model, "system": SYSTEM, "stream": stream, **wishes[wish]}
    return {"id": "chat", "trigger": "submit-message", "messages": [question], **added}


def _ag_ui(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    system = {"id": "s", "role": "system", "content": SYSTEM}
    question = {"id": "q", "role": "user", "content": QUESTION}
    call = {"id": CALL_ID, "type": "function", "function": {"name": TOOL, "arguments": json.dumps(INPUT)}}
    image = {"type": "image", "source": {"type": "data", "value": PIXEL, "mimeType": "image/png"}}
    props: dict[Wish, dict[str, Any]] = {
        "thinking": {"reasoning": "high"},
        "schema": ADDED_SCHEMA,
        "limit": {"maxOutputTokens": LIMIT},
    }
    rows: dict[Wish, list[dict[str, Any]]] = {
        "tool result": [
            question,
            {"id": "a", "role": "assistant", "toolCalls": [call]},
            {"id": "t", "role": "tool", "toolCallId": CALL_ID, "content": RESULT},
        ],
        "image": [{**question, "content": [{"type": "text", "text": QUESTION}, image]}],
    }
    tool = {"name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA}
    return {
        "threadId": "thread",
        "runId": "run",
        "state": {},
        "messages": [system, *rows.get(wish, [question])],
        "tools": [tool] if wish in {"tool", "tool result"} else [],
        "context": [],
        "forwardedProps": {"model": model, **props.get(wish, {})},
        "stream": stream,
    }


# ---- our own ------------------------------------------------------------------------------------------------------


def _plain(model: str, wish: Wish, stream: bool) -> dict[str, Any]:
    """Where the feed has no word, another dialect's: it must be refused by name, not overlooked."""
    wishes: dict[Wish, dict[str, Any]] = {
        "nothing": {},
        "thinking": {},  # nothing has to be asked: a model that thinks does
        "tool": {"tools": []},
        "tool result": {"messages": [{"role": "user", "content": QUESTION}, {"role": "tool", "content": RESULT}]},
        "image": {"images": [PIXEL]},
        "schema": {"response_format": {}},
        "limit": {"max_tokens": LIMIT},
    }
    asked = {"prompt": QUESTION} if wish != "tool result" else {}
    return {"model": model, "system": SYSTEM, "stream": stream, **asked, **wishes[wish]}


CLIENTS: dict[str, Client] = {
    "anthropic": Client(_at("/v1/messages"), _anthropic),
    "openai_chat": Client(_at("/v1/chat/completions"), _chat),
    "openai_responses": Client(_at("/v1/responses"), _responses),
    "gemini": Client(_gemini_path, _gemini),
    "ollama": Client(_at("/api/chat"), _ollama),
    "ai_sdk": Client(_at("/ui/chat"), _ai_sdk),
    "ag_ui": Client(_at("/ag-ui"), _ag_ui),
    "plain": Client(_at("/stream"), _plain),
}
"""``dialect → its client``."""
