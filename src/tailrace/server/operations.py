"""What every route that is not a door takes and answers: one line each, read by `tailrace.server.openapi`."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from tailrace.server.errors import NEUTRAL
from tailrace.server.tokens import MAX_SECONDS

Schema: TypeAlias = dict[str, Any]
Form: TypeAlias = Literal["json", "events", "text", "nothing"]


class Answer(NamedTuple):
    """A success: its status, what its body is, and for JSON its schema."""

    status: int
    form: Form
    means: str
    schema: Schema = {}  # noqa: RUF012 - never changed


class Operation(NamedTuple):
    """A route: ``errors`` are the statuses it can fail with beside those of every route, in ``dialect``.

    ``free`` routes need no key. ``body`` is the schema of a JSON body, which may be left out.
    """

    summary: str
    answers: tuple[Answer, ...]
    errors: tuple[int, ...] = ()
    parameters: tuple[str, ...] = ()
    dialect: str = NEUTRAL
    free: bool = False
    body: Schema = {}  # noqa: RUF012 - never changed


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SCOPE: Schema = {"enum": ["read", "stop"]}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}

ENDINGS = ("completed", "cancelled", "failed", "timed_out", "truncated", "interrupted")

STREAM: Schema = _object(
    id=_TEXT,
    model=_TEXT,
    dialect=_TEXT,
    created={"type": "number", "description": "Unix seconds"},
    state={"enum": ["live", "ended"]},
    ending={"enum": [*ENDINGS, None]},
    frames=_COUNT,
)
"""A stream as it is described to its owner."""

_MODELS = Answer(200, "json", "Routes and listed models", _object(object=_TEXT, data=_OBJECTS, models=_OBJECTS))
_FOLLOWED = Answer(200, "events", "Its events after the cursor, then what follows, to its end")
_OVER = Answer(204, "nothing", "Nothing more will come: do not reconnect")
_STATE = _object(status=_TEXT, streams=_COUNT)

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/v1/responses/{response_id}"): Operation(
        "A response so far or, with stream=true, its events",
        (Answer(200, "json", "The response", {"type": "object"}), Answer(200, "events", "Its events"), _OVER),
        (400, 401, 404, 410, 503),
        ("response_id", "stream", "starting_after"),
        "openai_responses",
    ),
    ("POST", "/v1/responses/{response_id}/cancel"): Operation(
        "End a response now",
        (Answer(200, "json", "The response as far as it came", {"type": "object"}),),
        (401, 404, 503),
        ("response_id",),
        "openai_responses",
    ),
    ("GET", "/ui/chat/{chat_id}/stream"): Operation(
        "Follow a chat's live answer from its beginning",
        (_FOLLOWED, Answer(204, "nothing", "Nothing is being written")),
        (401, 404, 503),
        ("chat_id",),
        "ai_sdk",
    ),
    ("POST", "/ui/chat/{chat_id}/stop"): Operation(
        "End a chat's live answer now",
        (
            Answer(200, "json", "It has ended", _object(id=_TEXT, state={"const": "ended"}, ending=_TEXT)),
            Answer(204, "nothing", "Nothing is being written"),
        ),
        (401, 404, 503),
        ("chat_id",),
        "ai_sdk",
    ),
    ("GET", "/v1/models"): Operation("What can be asked for", (_MODELS,), (401,)),
    ("GET", "/v1beta/models"): Operation("What can be asked for, where Google's clients look", (_MODELS,), (401,)),
    ("GET", "/api/tags"): Operation(
        "What can be asked for, in Ollama's form",
        (Answer(200, "json", "Routes and listed models", _object(models=_OBJECTS)),),
        (401,),
        dialect="ollama",
    ),
    ("GET", "/api/version"): Operation(
        "The release of Ollama whose API the door speaks",
        (Answer(200, "json", "A version", _object(version=_TEXT)),),
        (401,),
        dialect="ollama",
    ),
    ("GET", "/streams"): Operation(
        "The caller's own streams, newest first",
        (Answer(200, "json", "At most a hundred", _object(object=_TEXT, data={"type": "array", "items": STREAM})),),
        (401, 503),
    ),
    ("GET", "/streams/{stream_id}"): Operation(
        "Follow a stream after a cursor",
        (_FOLLOWED, _OVER),
        (400, 401, 404, 410, 503),
        ("stream_id", "after", "Last-Event-ID", "token"),
    ),
    ("GET", "/streams/{stream_id}/fields"): Operation(
        "Follow a stream's JSON path by path",
        (_FOLLOWED, _OVER),
        (400, 401, 404, 410, 503),
        ("stream_id", "after", "Last-Event-ID", "token"),
    ),
    ("POST", "/streams/{stream_id}/stop"): Operation(
        "End a stream now",
        (Answer(200, "json", "The stream, with the ending that it has", STREAM),),
        (400, 401, 404, 503),
        ("stream_id", "token"),
        body={"type": "object", "additionalProperties": False},
    ),
    ("POST", "/streams/{stream_id}/tokens"): Operation(
        "A view token for a stream, for a page that must not have the key",
        (Answer(201, "json", "The token", _object(token=_TEXT, stream=_TEXT, scope=_SCOPE, expires=_COUNT)),),
        (400, 401, 404, 409, 503),
        ("stream_id",),
        body={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "seconds": {"type": "integer", "minimum": 1, "maximum": MAX_SECONDS, "default": 300},
                "scope": {**_SCOPE, "default": "read"},
            },
        },
    ),
    ("GET", "/streams/{stream_id}/message"): Operation(
        "The message so far",
        (Answer(200, "json", "The stream and its message", STREAM),),
        (401, 404, 503),
        ("stream_id", "token"),
    ),
    ("GET", "/health/live"): Operation(
        "Whether the process answers", (Answer(200, "json", "It does", _object(status=_TEXT)),), free=True
    ),
    ("GET", "/health/ready"): Operation(
        "Whether it takes new requests",
        (Answer(200, "json", "It does", _STATE), Answer(503, "json", "It is shutting down", _STATE)),
        free=True,
    ),
    ("GET", "/metrics"): Operation(
        "How the server is doing, for Prometheus", (Answer(200, "text", "Metrics in its text format"),), (401, 403)
    ),
    ("GET", "/openapi.json"): Operation(
        "This document", (Answer(200, "json", "An OpenAPI document", _object(openapi=_TEXT, paths={})),), free=True
    ),
}
"""Method and path → what it is. The doors that begin an answer are described from their own table."""

PARAMETERS: dict[str, Schema] = {
    "stream_id": {"in": "path", "schema": _TEXT, "description": "What `Tailrace-Stream-Id` said"},
    "response_id": {"in": "path", "schema": _TEXT, "description": "The response's own id"},
    "chat_id": {"in": "path", "schema": _TEXT, "description": "The chat's id, as its client chose it"},
    "model": {"in": "path", "schema": _TEXT, "description": "A route, or `provider/model`"},
    "token": {
        "in": "query",
        "schema": {"type": "string"},
        "description": "A view token, where no header can be set",
    },
    "after": {
        "in": "query",
        "schema": {"type": "integer", "minimum": 0},
        "description": "The number of the last event that was read; the header wins",
    },
    "Last-Event-ID": {
        "in": "header",
        "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
        "description": "The `id:` of the last event that was read",
    },
    "stream": {"in": "query", "schema": {"type": "boolean"}, "description": "Whether to answer with events"},
    "starting_after": {
        "in": "query",
        "schema": {"type": "integer", "minimum": 0},
        "description": "The `sequence_number` of the last event that was read",
    },
    "alt": {
        "in": "query",
        "schema": {"enum": ["sse", "json"]},
        "description": "`sse` for events, `json` or nothing for one array",
    },
    "Idempotency-Key": {
        "in": "header",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "description": "A repeated request with the same value joins the first one's stream",
    },
    "Tailrace-On-Disconnect": {
        "in": "header",
        "schema": {
            "type": "string",
            "pattern": "^(detach|cancel(; ?seconds=[0-9]{1,9})?|drain(; ?seconds=[0-9]{1,9})?(; ?tokens=[0-9]{1,9})?)$",
        },
        "description": "What happens when the last reader leaves, in place of the route's policy",
    },
    "Tailrace-Open-Early": {
        "in": "header",
        "schema": {"type": "string", "pattern": "^[!-~]+$"},
        "description": "Any value: answer 200 at once and tell every failure in the stream",
    },
    "Tailrace-Restart": {
        "in": "header",
        "schema": {"enum": ["accept"]},
        "description": "The client understands a reset, which voids what came before it",
    },
    "Tailrace-Tools": {
        "in": "header",
        "schema": {"enum": ["complete"]},
        "description": "Hold each tool call back until its arguments are complete and valid",
    },
}
"""Everything that a request can say beside its body."""

DOOR_PARAMETERS = (
    "Idempotency-Key",
    "Tailrace-On-Disconnect",
    "Tailrace-Open-Early",
    "Tailrace-Restart",
    "Tailrace-Tools",
)
"""What every door that begins an answer reads."""
