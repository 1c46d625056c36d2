"""JSON Schemas: members are judged as they complete, the whole at its end, and nothing is fetched."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tailrace.errors import BadRequest, InvalidOutput
from tailrace.structured import check_document, shape
from tests.structured.reading import follow, refused, states

TREE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 2},
                "a/b ~": {"$ref": "#/$defs/count"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
            "additionalProperties": {"type": "integer"},
        },
        "count": {"type": "integer", "minimum": 0},
    },
}


def members(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


EARLY = [
    (TREE, '{"name": "x"', "/name", "shorter than 2"),
    (TREE, '{"a/b ~": -1,', "/a~1b ~0", "less than the minimum"),
    (TREE, '{"kids": [{"kids": [{"name": 5,', "/kids/0/kids/0/name", 'not of type "string"'),
    (TREE, '{"more": "x"', "/more", 'not of type "integer"'),
    (TREE, '{"kids": {"name": "xx"}', "/kids", 'not of type "array"'),
    (members(a={"enum": ["x", "y"]}), '{"a": "z"', "/a", "not one of"),
    (members(a={"const": 1}), '{"a": 2,', "/a", "expected"),
    ({"additionalProperties": False}, '{"a": 1,', "/a", "does not allow"),
    ({"properties": {"a": False}}, '{"a": 1,', "/a", "does not allow"),
    ({"items": {"type": "null"}}, "[null, 1,", "/1", 'not of type "null"'),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "items": {"type": "null"}}, "[1,", "/0", "null"),
]


@pytest.mark.parametrize(("schema", "text", "path", "reason"), EARLY, ids=range(len(EARLY)))
def test_a_member_is_refused_as_soon_as_it_is_complete(
    schema: dict[str, Any], text: str, path: str, reason: str
) -> None:
    assert len(list(states(schema, text))) < len(text)
    error = refused(schema, text)
    assert error.path == path
    assert reason in error.reason


WHOLE = [
    (TREE, '{"kids": []}', "", "required"),
    ({"type": "array", "minItems": 2}, "[1]", "", "less than 2"),
    ({"prefixItems": [{"type": "string"}]}, "[1]", "/0", "string"),
    ({"patternProperties": {"^x": {"type": "string"}}}, '{"xy": 1}', "/xy", "string"),
    ({"$id": "https://example.com/s", **members(a={"type": "string"})}, '{"a": 1}', "/a", "string"),
    ({"oneOf": [{"type": "object"}, {"type": "array"}]}, "1", "", "any of the schemas"),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "null"}]}, "[1]", "/0", "null"),
    ({"type": "object"}, "", "", "breaks off"),
    ({"minLength": 1}, '"\\ud800"', "", "UTF-8"),
    (False, "1", "", "does not allow"),
]


@pytest.mark.parametrize(("schema", "text", "path", "reason"), WHOLE, ids=range(len(WHOLE)))
def test_what_no_member_says_alone_is_refused_at_the_end(schema: Any, text: str, path: str, reason: str) -> None:
    of = {"allOf": [schema]} if isinstance(schema, bool) else schema
    error = refused(of, text)
    assert error.path == path
    assert reason in error.reason


def test_values_are_shown_as_they_are() -> None:
    shown = list(states(TREE, ['{"name": "A', 'da", "kids": [{"na', 'me": "Bob"', "}], ", '"n": 1', "}"]))
    assert shown == [
        {"name": "A"},
        {"name": "Ada", "kids": [{}]},
        {"name": "Ada", "kids": [{"name": "Bob"}]},
        {"name": "Ada", "kids": [{"name": "Bob"}]},
        {"name": "Ada", "kids": [{"name": "Bob"}]},
        {"name": "Ada", "kids": [{"name": "Bob"}], "n": 1},
    ]


def test_the_siblings_of_a_reference_count_as_their_draft_says() -> None:
    beside = {
        "properties": {"a": {"$ref": "#/definitions/s", "maxLength": 1}},
        "definitions": {"s": {"type": "string"}},
    }
    old = {"$schema": "http://json-schema.org/draft-07/schema#", **beside}
    assert follow(old, '{"a": "long"}') == {"a": "long"}
    assert refused(beside, '{"a": "long"}').path == "/a"


def test_a_ring_of_references_is_left_to_the_validator() -> None:
    ring = {"properties": {"a": {"$ref": "#/$defs/r"}}, "$defs": {"r": {"anyOf": [{"$ref": "#"}, {"type": "string"}]}}}
    assert follow(ring, '{"a": {"a": {"a": "x"}}}') == {"a": {"a": {"a": "x"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objct"},
        {"properties": []},
        {"pattern": "("},
        {"$ref": "#/nowhere"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "https://example.com/own-dialect"},
        {"type": object()},
        {"const": "\ud800"},
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused_before_any_work(schema: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        shape(schema)
    assert caught.value.code == "invalid_schema"


def test_nothing_is_fetched() -> None:
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def listen() -> None:
            try:
                server.accept()[0].close()
            except TimeoutError:
                return
            asked.set()

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(BadRequest, match="nothing is fetched"):
            shape({"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"})
        thread.join(10)
    assert not asked.is_set()


def test_a_pattern_that_backtracks_is_answered() -> None:
    with pytest.raises(InvalidOutput):
        check_document('"' + "a" * 60 + '!"', {"pattern": "^(a+)+$"})


def test_no_reason_quotes_what_the_model_wrote() -> None:
    error = refused({"items": {"type": "integer", "maximum": 5}}, '["secret words", 77]')
    assert "secret" not in str(error)
    assert "secret" not in str(error.problems)


def test_deep_documents_are_judged() -> None:
    deep: dict[str, Any] = {"type": "array", "items": {"$ref": "#"}}
    assert follow(deep, "[" * 200 + "]" * 200)
    assert refused(deep, "[" * 200 + "1" + "]" * 200).path == "/0" * 200
