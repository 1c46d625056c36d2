"""What is behind each path: a request's method, path and body in, the actions of the answer out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from tailrace.dialects import DIALECTS, Dialect
from tailrace.errors import BadRequest, RequestError, TooLarge
from tailrace.events import Error
from tailrace.simulator.actions import Action, Close, Head, Send
from tailrace.simulator.names import model_names, parse
from tailrace.simulator.plan import CREATED, JSON, plan
from tailrace.simulator.scenario import Scenario

_MODEL = "model-name-goes-here"

_ANY_ORIGIN = (("access-control-allow-origin", "*"), ("access-control-expose-headers", "*"))
"""Only the doors of the dialects have these: what `/simulator` shows is for the machine's own user."""


_VERBS = {"streamGenerateContent": True, "generateContent": False}
"""Ends of the paths of a dialect that has no ``stream`` in its body: whether each streams."""


def _pattern(dialect: Dialect) -> re.Pattern[str]:
    """Return what the end of a path must look like: below any base URL, the model's name in it where it has one."""
    path = re.escape("/" + dialect.endpoint(_MODEL).partition("?")[0].lstrip("/"))
    path = path.replace("/v1beta/", "/v1(?:beta)?/").replace(next(iter(_VERBS)), f"(?P<verb>{'|'.join(_VERBS)})")
    return re.compile(path.replace(re.escape(_MODEL), "(?P<model>.+)") + "$")


_DOORS = [(_pattern(dialect), dialect) for dialect in DIALECTS.values()]


class Asked(NamedTuple):
    """An understood request: the dialect it came in, what it asks for (None: a mistake), and the answer."""

    dialect: Dialect
    scenario: Scenario | None
    actions: Iterator[Action]


def asked(path: str, body: bytes | None, base: Scenario, *, any_model: bool = False) -> Asked | None:
    """Return the answer to a POST of ``body`` (None: it was too large) to ``path``, or None where there is no door.

    A wrong request is answered in the door's own dialect with its status; nothing is raised.
    """
    for pattern, dialect in _DOORS:
        if (match := pattern.search(path)) is not None:
            scenario = None
            try:
                scenario, actions = _play(dialect, body, match.groupdict(), base, any_model=any_model)
            except RequestError as error:
                actions = refusal(dialect, error)
            return Asked(dialect, scenario, for_pages(actions))
    return None


def _play(
    dialect: Dialect, body: bytes | None, url: dict[str, str | None], base: Scenario, *, any_model: bool
) -> tuple[Scenario, Iterator[Action]]:
    if body is None:
        raise TooLarge("the request's body is larger than the simulator takes")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    if (model := url.get("model")) is not None:
        value.setdefault("model", unquote(model))
    if (verb := url.get("verb")) is not None:
        value["stream"] = _VERBS[verb]
    request = dialect.parse(value)
    scenario = parse(request.model, base, any_model=any_model)
    return scenario, plan(scenario, dialect, stream=request.stream, include_usage=request.include_usage)


def refusal(dialect: Dialect, error: RequestError) -> Iterator[Action]:
    """Yield the answer that says ``error`` in ``dialect``."""
    said = Error(error.kind, error.message, code=error.code, status=error.status)  # type: ignore[arg-type]
    return json_answer(error.status, dialect.error_body(said))


def for_pages(actions: Iterator[Action]) -> Iterator[Action]:
    """Let pages of any origin read the answer, so that they can be tried without a server of their own."""
    for action in actions:
        yield action._replace(headers=(*action.headers, *_ANY_ORIGIN)) if isinstance(action, Head) else action


def preflight(asked_headers: str) -> Iterator[Action]:
    """Yield the answer to a browser that asks whether a page may send ``asked_headers``: it may."""
    allow = (("access-control-allow-methods", "GET, POST"), ("access-control-allow-headers", asked_headers))
    yield Head(200, (*_ANY_ORIGIN, *allow), 0)
    yield Close("end")


def json_answer(status: int, value: Any) -> Iterator[Action]:
    """Yield an answer of one JSON value."""
    body = msgspec.json.encode(value)
    yield Head(status, (JSON,), len(body))
    yield Send(body)
    yield Close("end")


def models(path: str) -> dict[str, Any]:
    """Return the list of models at ``path``: Google's, or one with the fields that all other clients look for."""
    if path.endswith("/v1beta/models"):
        return {"models": [{"name": f"models/{name}", "displayName": f"Simulated ({name})"} for name in model_names()]}
    data = [
        {
            "id": name,
            "object": "model",
            "type": "model",
            "created": CREATED,
            "created_at": "2026-01-01T00:00:00Z",
            "owned_by": "tailrace-simulator",
            "display_name": f"Simulated ({name})",
        }
        for name in model_names()
    ]
    return {
        "object": "list",
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"],
        "last_id": data[-1]["id"],
    }


def nothing_here(path: str) -> dict[str, Any]:
    """Return the body of a 404 for a path without a door."""
    doors = ", ".join(f"POST {dialect.endpoint('MODEL')}" for _, dialect in _DOORS)
    message = f"nothing at {path[:200]!r}; there are {doors}, GET /v1/models, GET /simulator, GET /simulator/requests"
    return {"type": "error", "error": {"type": "not_found_error", "message": message, "code": None, "param": None}}
