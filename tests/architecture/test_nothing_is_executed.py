"""No room that a stranger's bytes reach can start a process, run text as code, or unpack objects.

GHSA-xqmj-j6mv-4862 and GHSA-46cm-pfwv-cgf8 (templates from a request), CVE-2026-42271 (an endpoint that starts a
process) and CVE-2024-5751 (eval) are what other relays were taken by.
"""

from __future__ import annotations

import ast

import pytest

from tests.architecture.test_layers import SOURCE, files, ids, imported, room_of

REACHED = {
    "sse", "events", "partial_json", "structured", "dialects", "log", "ledger", "engine", "server", "client", "errors",
}  # fmt: skip
RUNNING = {
    "subprocess",
    "pty",
    "code",
    "codeop",
    "runpy",
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "jinja2",
    "mako",
    "yaml",
}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"system", "popen", "execv", "execve", "spawnv", "import_module"}


def test_the_list_is_of_rooms_that_exist() -> None:
    assert {room_of(path) for path in files()} >= REACHED


@pytest.mark.parametrize("path", [path for path in files() if room_of(path) in REACHED], ids=ids)
def test_nothing_from_outside_is_executed(path: object) -> None:
    from pathlib import Path

    assert isinstance(path, Path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wrong = [f"line {line}: imports {name}" for name, line in imported(path) if name.split(".")[0] in RUNNING]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in CALLS:
            wrong.append(f"line {node.lineno}: calls {node.func.id}")
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            wrong.append(f"line {node.lineno}: calls .{node.func.attr}")
    assert wrong == []


def test_the_sources_hold_no_start_up_hook() -> None:
    """A ``.pth`` file or a ``sitecustomize`` in the wheel would run at every start of the interpreter."""
    assert not [path for path in SOURCE.parent.rglob("*") if path.suffix == ".pth" or path.stem.endswith("customize")]
