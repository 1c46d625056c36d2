"""What the package shows: the same in both colours, complete, and nothing loaded before it is used."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

import tailrace
from tailrace import errors
from tailrace.client import AsyncClient, AsyncStream, Client, Stream

PAIRS = [(Client, AsyncClient), (Stream, AsyncStream)]
RENAMED = {"__enter__": "__aenter__", "__exit__": "__aexit__", "__iter__": "__aiter__", "__next__": "__anext__"}


def public(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("_") or name in {*RENAMED, *RENAMED.values()}
    }


@pytest.mark.parametrize(("sync", "colour"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_colours_have_the_same_names(sync: type, colour: type) -> None:
    assert {RENAMED.get(name, name) for name in public(sync)} == set(public(colour))


@pytest.mark.parametrize(("sync", "colour"), PAIRS, ids=lambda kind: kind.__name__)
def test_both_colours_take_the_same_arguments(sync: type, colour: type) -> None:
    for name, value in public(sync).items():
        other = public(colour)[RENAMED.get(name, name)]
        if callable(value):
            assert (
                list(inspect.signature(value).parameters.values()) == list(inspect.signature(other).parameters.values())
                or name == "also_close"
            ), name


def in_a_fresh_process(code: str) -> Any:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def test_importing_the_package_loads_next_to_nothing() -> None:
    loaded = in_a_fresh_process(
        "import sys, json; before = set(sys.modules); import tailrace; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    assert set(loaded) <= {"tailrace", *sys.stdlib_module_names}
    assert "asyncio" not in loaded


def test_the_client_needs_no_server_and_no_pydantic() -> None:
    loaded = in_a_fresh_process(
        "import sys, json, tailrace; tailrace.Client; "
        "found = [n for n in sys.modules if n.startswith(('tailrace.', 'pydantic', 'jsonschema', 'aiohttp'))]; "
        "print(json.dumps(found))"
    )
    assert {name.split(".")[1] for name in loaded if name.startswith("tailrace.")} <= {
        "client", "dialects", "errors", "events", "partial_json", "sse", "structured",
    }  # fmt: skip
    assert not [name for name in loaded if not name.startswith("tailrace.")]


def test_every_public_name_is_there() -> None:
    for name in tailrace.__all__:
        assert getattr(tailrace, name) is not None
        assert name in dir(tailrace)
    assert tailrace.__version__ == importlib.metadata.version("tailrace")
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        _ = tailrace.Cleint  # type: ignore[attr-defined]


def test_every_exception_that_a_client_meets_is_a_public_name() -> None:
    met = (errors.ProviderError, errors.StreamError, errors.InvalidOutput)
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, met):
            assert getattr(tailrace, name) is value
