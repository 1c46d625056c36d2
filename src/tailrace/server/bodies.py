"""What a request's body must hold, door by door, as JSON Schema: what our parsers check, and nothing more.

The SDKs send many more fields, and a provider may know some that we do not: whatever is not named here may be there.
Each is held against its parser by a test (tests/server/test_openapi.py).
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}

PARTS: Schema = {"type": "array", "items": {"type": "object"}}
CONTENT: Schema = {"anyOf": [NAME, PARTS]}


def _body(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": item}


def _message(roles: tuple[str, ...], required: tuple[str, ...] = ("role",), **more: Schema) -> Schema:
    return _body(required, role={"type": "string", "enum": list(roles)}, **more)


BODIES: dict[str, Schema] = {
    "anthropic": _body(
        ("model", "max_tokens", "messages"),
        model=NAME,
        max_tokens={"type": "integer", "minimum": 0, "maximum": 2**53},
        messages=_list_of(_message(("user", "assistant"), ("role", "content"), content=CONTENT)),
        system=CONTENT,
        temperature=NUMBER,
        tools={"type": "array", "items": {"type": "object"}},
        stream=FLAG,
    ),
    "openai_chat": _body(
        ("model", "messages"),
        model=NAME,
        messages=_list_of(_message(("system", "developer", "user", "assistant", "tool", "function"), content=CONTENT)),
        temperature=NUMBER,
        tools={"type": "array", "items": {"type": "object"}},
        stream=FLAG,
    ),
    "openai_responses": _body(
        ("model", "input"),
        model=NAME,
        input={"anyOf": [NAME, _list_of({"type": "object"})]},
        instructions=TEXT,
        temperature=NUMBER,
        tools={"type": "array", "items": {"type": "object"}},
        background=FLAG,
        stream=FLAG,
    ),
    "gemini": _body(
        ("contents",),
        contents=_list_of(
            _message(
                ("user", "model", "function"), (), parts={"type": "array", "items": _body((), text=TEXT), "minItems": 1}
            )
        ),
        generationConfig={"type": "object"},
    ),
    "ollama": _body(
        ("model", "messages"),
        model=NAME,
        messages=_list_of(_message(("system", "user", "assistant", "tool"), content=TEXT)),
        options={"type": "object"},
        stream={**FLAG, "default": True},
    ),
    "ai_sdk": _body(
        ("messages",),
        model=NAME,
        id=TEXT,
        messages=_list_of(
            _message(
                ("system", "user", "assistant"),
                ("role", "parts"),
                id=TEXT,
                parts={"type": "array", "items": _body(("type",), type=NAME, text=TEXT)},
            )
        ),
        stream={**FLAG, "default": True},
    ),
    "ag_ui": _body(
        ("threadId", "runId", "messages"),
        model=NAME,
        threadId=NAME,
        runId=NAME,
        messages=_list_of(
            _message(("system", "developer", "user", "assistant", "tool", "activity", "reasoning"), content=CONTENT)
        ),
        forwardedProps={"type": "object"},
        stream={**FLAG, "default": True},
    ),
    "plain": {
        **_body(
            (),
            model=NAME,
            prompt=NAME,
            messages=_list_of(
                {**_message(("user", "assistant", "system"), ("role", "content"), content=NAME)}
                | {"additionalProperties": False}
            ),
            system=TEXT,
            max_tokens={"type": "integer", "minimum": 1, "maximum": 2**53},
            temperature=NUMBER,
            stream={**FLAG, "default": True},
        ),
        "oneOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
        "additionalProperties": False,
    },
}
"""Dialect → schema of its requests. A Gemini URL names the model; front ends need not name one."""
