"""schemathesis against the running server: whatever the document allows, and what it forbids, is answered as it says.

Each operation is asked things that the document allows and things that it does not: never a 5xx, always a documented
status with its content type and the fields of its schema (an error in its dialect's own form), and never a trace of
the code. The examples are the same in every run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import aiohttp
import pytest
import requests
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tailrace.engine import Limits, Relay
from tailrace.server.openapi import document
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.server.conftest import providers
from tests.server.test_openapi import body_of, routes

EXAMPLES = 8
"""Of each kind for each operation: all of them are a few seconds, and the first dozen find what there is to find."""

schemathesis.checks.load_all_checks()

CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]


def _cases() -> list[Any]:
    """Each operation, asked rightly, and wrongly where there is something to be wrong about."""
    said = document(routes(), keyed=False)
    cases = []
    for path, methods in said["paths"].items():
        for method, operation in methods.items():
            named = [
                said["components"]["parameters"][one["$ref"].rpartition("/")[2]] for one in operation["parameters"]
            ]
            open_to_error = "requestBody" in operation or any(one["in"] != "path" for one in named)
            modes = list(GenerationMode) if open_to_error else [GenerationMode.POSITIVE]
            cases += [pytest.param(path, method, mode, id=f"{method} {path} {mode.name.lower()}") for mode in modes]
    return cases


TRACE = re.compile(r'Traceback|File "|\.py\b|line \d+, in|tailrace\.(?:server|engine|log)')


class Running(NamedTuple):
    """A server and its document, with the names of what is there to be asked for."""

    url: str
    schema: Any


@contextlib.asynccontextmanager
async def _house() -> AsyncIterator[Running]:
    async with Simulator() as sim:
        relay = Relay(providers(sim), limits=Limits(heartbeat=0.5))
        async with serving(relay) as url, aiohttp.ClientSession() as http:
            names: dict[str, list[str]] = {"stream_id": [], "response_id": []}
            for path, dialect in (
                ("/stream", "plain"),
                ("/v1/messages", "anthropic"),
                ("/v1/responses", "openai_responses"),
            ):
                body = {**body_of(dialect), "model": "oai/sim", "stream": True}
                async with http.post(url + path, json=body) as response:
                    names["stream_id"].append(response.headers["tailrace-stream-id"])
                    if found := re.search(r'"id":"(resp_[^"]+)"', await response.text()):
                        names["response_id"].append(found[1])
            async with http.get(url + "/openapi.json") as response:
                said = await response.json()
            yield Running(url, _with_names(said, names))


def _with_names(said: dict[str, Any], names: dict[str, list[str]]) -> Any:
    """Let the document say which models and streams there are, or chance would never hit one."""
    for name, known in names.items():
        assert known
        parameter = said["components"]["parameters"][name]
        parameter["schema"] = {"anyOf": [{"enum": known}, {"type": "string", "minLength": 1}]}
    models = {"anyOf": [{"enum": ["ant/sim", "oai/sim"]}, {"type": "string", "minLength": 1, "maxLength": 20}]}
    said["components"]["parameters"]["model"]["schema"] = models
    for methods in said["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "model" in content["schema"].get("properties", {}):
                    content["schema"]["properties"]["model"] = models
    return schemathesis.openapi.from_dict(said)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_house()) as house:
        yield house


@pytest.mark.parametrize(("path", "method", "mode"), _cases())
def test_it_answers_as_it_says(running: Running, path: str, method: str, mode: GenerationMode) -> None:
    operation = running.schema[path][method]
    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            response = case.call(running.url, session=session, timeout=10)
            case.validate_response(response, checks=CHECKS)
            if response.status_code >= 400:
                assert not TRACE.search(response.text), response.text
                assert response.headers["content-type"] == ["application/json"]

        ask()
