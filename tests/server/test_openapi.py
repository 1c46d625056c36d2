"""``/openapi.json``: every route is in it, nothing else is, and what it says of requests is what the parsers check."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from starlette.routing import Mount, Route

from tailrace.dialects import DIALECTS
from tailrace.engine import Relay, Secret
from tailrace.errors import BadRequest
from tailrace.server import ServerSpec, create_app, wishes
from tailrace.server.bodies import BODIES
from tailrace.server.doors import DOORS
from tailrace.server.openapi import UNDESCRIBED, document, path_of
from tailrace.server.operations import DOOR_PARAMETERS, OPERATIONS
from tailrace.server.page import page_routes
from tests.server.conftest import House

pytestmark = pytest.mark.anyio

PAGE = {route.path for route in page_routes() if isinstance(route, Route | Mount)}


def routes() -> list[tuple[str, str]]:
    """Every route of an app but the page's files."""
    found = [route for route in create_app(Relay({})).routes if isinstance(route, Route) and route.path not in PAGE]
    return [(method, route.path) for route in found for method in sorted(route.methods or ()) if method != "HEAD"]


async def test_the_document_has_the_routes_of_the_app_and_no_other(house: House) -> None:
    async with house.http.get(house.url + "/openapi.json") as response:
        assert response.headers["content-type"] == "application/json"
        said = await response.json()
    told = {(method.upper(), path) for path, methods in said["paths"].items() for method in methods}
    assert told == {(method, path_of(path)) for method, path in routes()}
    assert said["openapi"] == "3.1.0"


async def test_every_route_is_described_and_no_description_is_left_over() -> None:
    doors = {("POST", path_of(door.path)) for door in DOORS}
    described = {(method, path_of(path)) for method, path in routes()} - doors
    assert described == set(OPERATIONS), "a new route needs its line in server/operations.py"


async def test_operations_have_names_of_their_own_and_references_lead_somewhere() -> None:
    said = document(routes(), keyed=True)
    names = [operation["operationId"] for methods in said["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert all(
        operation["summary"] != UNDESCRIBED.summary for path in said["paths"].values() for operation in path.values()
    )
    for reference in references(said):
        at: Any = said
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


async def test_parameters_of_a_path_are_those_that_stand_in_it() -> None:
    said = document(routes(), keyed=False)
    parameters = said["components"]["parameters"]
    for path, methods in said["paths"].items():
        for operation in methods.values():
            named = [reference["$ref"].rpartition("/")[2] for reference in operation["parameters"]]
            assert {name for name in named if parameters[name]["in"] == "path"} == {
                part.partition("}")[0] for part in path.split("{")[1:]
            }


@pytest.mark.parametrize("path", ["/v1beta/models/x%0Ay:streamGenerateContent", "/v1/models/x:countTokens"])
async def test_what_no_route_takes_is_told_in_the_words_of_the_door_that_was_meant(house: House, path: str) -> None:
    async with house.http.post(house.url + path, json={}) as response:
        assert response.status == 404
        assert (await response.json())["error"]["status"] == "NOT_FOUND"


def test_every_header_that_a_door_reads_is_described() -> None:
    read = {value for name, value in vars(wishes).items() if name.isupper() and isinstance(value, str)}
    assert read == {name.lower() for name in DOOR_PARAMETERS}


class TestWhoMayAsk:
    async def test_without_keys_anybody(self) -> None:
        said = document(routes(), keyed=False)
        assert {} in said["security"]

    async def test_with_keys_every_route_needs_one_that_says_so(self) -> None:
        """Asked without a key, exactly the routes that the document calls free answer with something else than 401."""
        app = create_app(Relay({}), ServerSpec(keys=(Secret("sk-test"),)))
        said = document(routes(), keyed=True)
        assert {} not in said["security"]
        for path, methods in said["paths"].items():
            for method, operation in methods.items():
                status = await status_of(app, method.upper(), path.replace("{", "x").replace("}", ""))
                assert (status != 401) == (operation.get("security") == []), (method, path, status)


class Answered(NamedTuple):
    """What an app answered."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def status_of(app: Any, method: str, path: str) -> int:
    return (await asked(app, method, path)).status


async def asked(app: Any, method: str, path: str, client: tuple[str, int] | None = ("127.0.0.1", 5000)) -> Answered:
    """Ask ``app`` without a server between."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"2")],
        "client": client,
        "server": ("127.0.0.1", 8484),
    }
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    head, *rest = said
    return Answered(head["status"], dict(head["headers"]), b"".join(part["body"] for part in rest))


# ---- bodies ---------------------------------------------------------------------------------------------------


def least(schema: dict[str, Any]) -> Any:
    """The smallest value that ``schema`` allows."""
    for way in ("anyOf", "oneOf"):
        if way in schema:
            return least({**{k: v for k, v in schema.items() if k != way}, **schema[way][0]})
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            properties = schema.get("properties", {})
            return {name: least(properties[name]) for name in schema.get("required", ())}
        case "array":
            return [least(schema["items"]) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return "x"


def required(schema: dict[str, Any], value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths in ``value`` that ``schema`` says must be there."""
    if "oneOf" in schema:
        schema = {**schema, **schema["oneOf"][0]}
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            yield (*path, name)
            yield from required(schema["properties"][name], value[name], (*path, name))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from required(schema["items"], one, (*path, i))


def body_of(dialect: str) -> dict[str, Any]:
    """The smallest body that says something: as the schema has it, with a text where only the parser wants one."""
    body: dict[str, Any] = least(BODIES[dialect])
    if dialect == "ai_sdk":
        body["messages"][0] |= {"role": "user", "parts": [{"type": "text", "text": "x"}]}
    if dialect == "ag_ui":
        body["messages"][0] |= {"role": "user", "content": "x"}
    return body


def parse(dialect: str, body: dict[str, Any]) -> None:
    DIALECTS[dialect].parse({"model": "x", **body} if "model" not in BODIES[dialect].get("required", ()) else body)


@pytest.mark.parametrize("dialect", BODIES)
def test_the_least_body_is_enough(dialect: str) -> None:
    parse(dialect, body_of(dialect))


@pytest.mark.parametrize("dialect", BODIES)
def test_whatever_is_required_is_missed(dialect: str) -> None:
    whole = body_of(dialect)
    paths = list(required(BODIES[dialect], whole))
    assert paths
    for *way, last in paths:
        body: Any = copy.deepcopy(whole)
        at = body
        for step in way:
            at = at[step]
        del at[last]
        with pytest.raises(BadRequest):
            parse(dialect, body)


def test_every_door_has_a_body() -> None:
    assert {door.dialect for door in DOORS} == set(BODIES)
