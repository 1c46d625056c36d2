"""``GET /openapi.json``: every route of the server, put together from the tables that the routes are made from.

A route is in the document because it is in the app. What a route means is in `OPERATIONS`, or for doors in `DOORS`;
the form of an error is taken from the dialect that writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from tailrace.dialects import DIALECTS
from tailrace.events import Error
from tailrace.server.auth import CREDENTIAL_HEADERS
from tailrace.server.bodies import BODIES
from tailrace.server.doors import DOORS, DoorSpec
from tailrace.server.errors import NEUTRAL
from tailrace.server.http import Receive, Scope, Send, encode_headers
from tailrace.server.operations import DOOR_PARAMETERS, OPERATIONS, PARAMETERS, Answer, Operation, Schema
from tailrace.server.version import VERSION

EVENTS = tuple(sorted({spec.content_type for spec in DIALECTS.values() if spec.name in BODIES}))
"""The content types that a stream of any dialect may have."""

EVERYWHERE = (403, 421, 500)
"""What any route may answer: another site's page, another host's name, and a bug."""

REFUSED = {
    "4XX": "The request is refused, here or by the provider",
    "5XX": "The provider, the way to it, or this server failed before the answer had begun",
}
"""A door's answer has its provider's status, and that can be any."""

MEANS = {
    400: "What was asked for is not understood",
    401: "A valid key is needed",
    403: "Not for this caller",
    404: "Not there, or not the caller's",
    409: "Not with this configuration",
    410: "The cursor cannot be served: read again from the beginning",
    421: "This server does not answer to that Host",
    500: "A bug",
    503: "What keeps the streams is away, or this node is going away: ask again",
}

IN_THE_URL = "key"
"""The scheme of Google's clients, which may give their key in a door's URL (`tailrace.server.auth`)."""

UNDESCRIBED = Operation("Not described", ())
"""A route that `OPERATIONS` does not know. It is in the document all the same, and a test fails."""

_CONVERTER = re.compile(r"\{(\w+):\w+\}")


class OpenApi:
    """Answers with the document of the routes ``(method, path)``; ``keyed`` is whether keys are configured."""

    def __init__(self, routes: Iterable[tuple[str, str]], *, keyed: bool) -> None:
        self._body = msgspec.json.encode(document(routes, keyed=keyed))

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a GET."""
        headers = {"content-type": "application/json", "content-length": str(len(self._body))}
        await send({"type": "http.response.start", "status": 200, "headers": encode_headers(headers)})
        await send({"type": "http.response.body", "body": self._body})


def document(routes: Iterable[tuple[str, str]], *, keyed: bool) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of ``routes``."""
    doors = {spec.path: spec for spec in DOORS}
    schemes = _schemes()
    optional: list[dict[str, list[str]]] = [] if keyed else [{}]
    paths: dict[str, dict[str, Any]] = {}
    for method, path in routes:
        said = path_of(path)
        door = doors.get(path) if method == "POST" else None
        operation = _door(door) if door else _described(OPERATIONS.get((method, said), UNDESCRIBED))
        if door is not None and door.query_key:
            operation["security"] = [*optional, *({name: []} for name in schemes)]
        paths.setdefault(said, {})[method.lower()] = {"operationId": _id(method, said), **operation}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tailrace",
            "version": VERSION,
            "description": "Carries LLM answers from any provider to any client while they are written.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [*optional, *({name: []} for name in schemes if name != IN_THE_URL)],
        "paths": paths,
        "components": {
            "parameters": {name: _parameter(name) for name in PARAMETERS},
            "schemas": {f"{name}_error": _error_schema(name) for name in BODIES},
            "securitySchemes": schemes,
        },
    }


def path_of(route: str) -> str:
    """Return a route's path as OpenAPI writes it: without the server's own converters."""
    return _CONVERTER.sub(r"{\1}", route)


def _id(method: str, path: str) -> str:
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _described(operation: Operation) -> dict[str, Any]:
    return {
        "summary": operation.summary,
        "parameters": [_reference("parameters", name) for name in operation.parameters],
        **({"requestBody": {"content": {"application/json": {"schema": operation.body}}}} if operation.body else {}),
        "responses": {
            **_answers(operation.answers),
            **{str(status): _refusal(operation.dialect, MEANS[status]) for status in operation.errors},
            **_everywhere(operation.errors),
        },
        **({"security": []} if operation.free else {}),
    }


def _door(spec: DoorSpec) -> dict[str, Any]:
    dialect = DIALECTS[spec.dialect]
    names = [*re.findall(r"\{(\w+)", spec.path), *(["alt"] if "{model" in spec.path else []), *DOOR_PARAMETERS]
    body = BODIES[spec.dialect]
    forms: dict[str, Any] = {"application/json": {"schema": {"type": ["object", "array"]}}}
    forms[dialect.content_type] = {}
    return {
        "summary": f"Begin an answer, asked for in the dialect {spec.dialect}",
        "parameters": [_reference("parameters", name) for name in names],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {
                "description": "The answer: whole, or as a stream where it is asked for",
                "headers": {
                    "Tailrace-Stream-Id": {"schema": {"type": "string"}, "description": "The stream's name"},
                    "Tailrace-Ignored": {
                        "schema": {"type": "string"},
                        "description": "Fields that the provider could not be told",
                    },
                },
                "content": forms,
            },
            **{status: _refusal(spec.dialect, means) for status, means in REFUSED.items()},
            **_everywhere(()),
        },
    }


def _answers(answers: Iterable[Answer]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for status, form, means, schema in answers:
        one = said.setdefault(str(status), {"description": means})
        content = {
            "json": {"application/json": {"schema": schema}},
            # Without a schema: 3.1 does not say whether it would be that of an event or of the whole stream.
            "events": {kind: {} for kind in EVENTS},
            "text": {"text/plain": {"schema": {"type": "string"}}},
            "nothing": {},
        }[form]
        if content:
            one.setdefault("content", {}).update(content)
    return said


def _everywhere(already: Iterable[int]) -> dict[str, Any]:
    return {str(s): _refusal(NEUTRAL, MEANS[s]) for s in EVERYWHERE if s not in already}


def _refusal(dialect: str, means: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _reference("schemas", f"{dialect}_error")}}
    return {"description": means, "content": content}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _parameter(name: str) -> dict[str, Any]:
    said = PARAMETERS[name]
    return {"name": name, "required": said["in"] == "path", **said}


def _schemes() -> dict[str, Any]:
    schemes: dict[str, Any] = {IN_THE_URL: {"type": "apiKey", "in": "query", "name": IN_THE_URL}}
    for header in CREDENTIAL_HEADERS:
        schemes[header] = (
            {"type": "http", "scheme": "bearer"}
            if header == "authorization"
            else {"type": "apiKey", "in": "header", "name": header}
        )
    return schemes


def _error_schema(dialect: str) -> Schema:
    """Return the schema of a dialect's errors: the fields that one without any detail has."""
    return _shape(DIALECTS[dialect].error_body(Error("internal", "…")))


def _shape(value: Any) -> Schema:
    match value:
        case dict():
            return {
                "type": "object",
                "required": list(value),
                "properties": {name: _shape(one) for name, one in value.items()},
            }
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case _:
            # Null here, something elsewhere.
            return {}
