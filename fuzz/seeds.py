"""Where the search begins: the project's own vectors, and the requests of the matrix."""

from __future__ import annotations

import json
from pathlib import Path

from tests.matrix.clients import CLIENTS
from tests.matrix.features import FEATURES
from tests.sse import cases

from tailrace.dialects import DIALECTS
from tailrace.events import Error
from tailrace.simulator import SHAPES, bytes_of, parse

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "spec"

DOCUMENTS = (b'{"a":[1,-2.5e3,true,null,"\\u00e9\\ud83c\\udf0a"],"b":{"c":"d"}}', b"[[],{},0.1]", b'"\\"', b"12")


def of(target: str) -> list[bytes]:
    """Return the inputs that ``target`` begins with."""
    kind, _, dialect = target.partition("-")
    match kind:
        case "sse":
            return _sse()
        case "partial_json":
            return list(DOCUMENTS)
        case "answer":
            return answers(dialect)
        case "error":
            return [json.dumps(DIALECTS[dialect].error_body(Error("rate_limit", "slow down", code="c"))).encode()]
        case _:
            return requests(dialect)


def answers(dialect: str) -> list[bytes]:
    """Return the bytes of the dialect's vectors, and what the simulator says in it."""
    vectors = [path.read_bytes() for path in sorted((SPEC / "dialects" / dialect).glob("*/upstream.*"))]
    return vectors + [bytes_of(parse(f"sim-{shape}:tokens=6"), dialect) for shape in SHAPES if shape != "long_lines"]


def requests(dialect: str) -> list[bytes]:
    """Return what the dialect's client asks in the matrix, or what a provider is asked where it has no clients."""
    name = dialect if dialect in CLIENTS else "anthropic"
    bodies = [{"model": "m", **CLIENTS[name].body("m", feature.wish, True)} for feature in FEATURES.values()]
    if name != dialect:
        bodies = [DIALECTS[dialect].build(DIALECTS[name].parse(body)).body for body in bodies]
    return [json.dumps({"model": "m", **body}).encode() for body in bodies]


def _sse() -> list[bytes]:
    return [
        b"".join(cases.chunks(case))
        for path in sorted(cases.VECTORS.glob("*.json"))
        for case in cases.vectors(path.name)
        if "output" not in case and "error" not in case
    ]
