"""The import rules, as a test: arrows point inward, pure files touch neither clock nor socket, sizes stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "tailrace"

INWARD: dict[str, set[str]] = {
    "errors": set(),
    "sse": {"errors"},
    "events": {"errors"},
    "partial_json": {"errors"},
    "dialects": {"sse", "events", "errors"},
    "log": {"events", "errors"},
    "ledger": {"events", "errors"},
    "structured": {"partial_json", "events", "errors"},
    "engine": {"log", "ledger", "dialects", "structured", "partial_json", "events", "sse", "errors"},
    "config": {"engine", "server", "dialects", "events", "errors"},
    "server": {"engine", "ledger", "log", "dialects", "structured", "partial_json", "events", "sse", "errors"},
    "client": {"sse", "events", "partial_json", "structured", "dialects", "errors"},
    "doctor": {"sse", "errors"},
    "simulator": {"dialects", "events", "sse", "errors"},
    "demo": {"events", "errors"},
    "cli": {
        "__init__", "client", "config", "server", "engine", "simulator", "demo", "doctor", "ledger", "log",
        "dialects", "partial_json", "events", "sse", "errors",
    },
    "testing": {
        "client", "server", "engine", "simulator", "log", "ledger", "dialects", "partial_json", "events", "sse",
        "errors",
    },
}  # fmt: skip
"""Room → the rooms it may import. Nothing imports ``testing``."""

PACKAGES: dict[str, set[str]] = {
    "errors": set(),
    "sse": {"msgspec"},
    "events": {"msgspec"},
    "partial_json": {"msgspec"},
    "structured": {"pydantic", "pydantic_core", "jsonschema_rs"},
    "dialects": {"msgspec"},
    "log": {"msgspec", "redis", "structlog"},
    "ledger": {"msgspec", "filelock", "structlog"},
    "engine": {"msgspec", "aiohttp", "structlog"},
    "server": {"msgspec", "starlette", "uvicorn", "structlog", "httptools", "prometheus_client", "limits"},
    "client": {"msgspec", "httpx2"},
    "config": {"msgspec", "pydantic", "pydantic_core", "platformdirs"},
    "simulator": {"msgspec", "httptools", "structlog"},
    "demo": {"msgspec", "xllamacpp"},
    "cli": {"msgspec", "typer", "click", "rich", "structlog", "anyio"},
    "testing": {"msgspec", "pytest", "anyio"},
}
"""Room → the packages it may import."""

PURE = ["errors.py", "sse", "events", "partial_json", "structured", "dialects"] + [
    f"engine/{name}.py"
    for name in (
        "beginnings",
        "lifecycle",
        "deadlines",
        "failures",
        "observer",
        "routing",
        "taxonomy",
        "usage",
        "spec",
    )
]
IMPURE = {
    "asyncio", "socket", "ssl", "time", "random", "secrets", "threading", "os", "logging", "subprocess",
    "datetime", "selectors", "multiprocessing", "signal", "pathlib", "io",
}  # fmt: skip
"""Standard modules that a pure file may not touch."""

SOFT_CAP, HARD_CAP = 300, 600


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "tailrace":
            for alias in node.names:
                yield f"tailrace.{alias.name if alias.name in INWARD else '__init__'}", node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def ids(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", files(), ids=ids)
def test_a_room_imports_only_what_lies_further_in(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    wrong = []
    for module, line in imported(path):
        parts = module.split(".")
        if parts[0] != "tailrace":
            continue
        other = parts[1] if len(parts) > 1 else "__init__"
        if other != room and other not in INWARD[room]:
            wrong.append(f"line {line}: {room} may not import {module}")
        elif other not in {room, "errors", "__init__"} and len(parts) > 2:
            wrong.append(f"line {line}: {module} is not the front door of {other}")
    assert wrong == []


@pytest.mark.parametrize("path", files(), ids=ids)
def test_a_room_uses_only_its_packages(path: Path) -> None:
    import sys

    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return
    foreign = {
        (module.split(".")[0], line)
        for module, line in imported(path)
        if module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("tailrace")
    }
    assert [f"line {line}: {name}" for name, line in sorted(foreign) if name not in PACKAGES[room]] == []


@pytest.mark.parametrize("place", PURE)
def test_pure_files_touch_no_clock_socket_or_task(place: str) -> None:
    path = SOURCE / place
    wrong = [
        f"{ids(file)}:{line} imports {module}"
        for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
        for module, line in imported(file)
        if module.split(".")[0] in IMPURE
    ]
    assert wrong == []


@pytest.mark.parametrize("path", files(), ids=ids)
def test_files_stay_small(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= HARD_CAP


def test_few_files_pass_the_soft_cap() -> None:
    long = {ids(path): n for path in files() if (n := len(path.read_text(encoding="utf-8").splitlines())) > SOFT_CAP}
    assert len(long) <= 8, long


@pytest.mark.parametrize("room", sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()))
def test_a_room_says_what_it_knows(room: str) -> None:
    text = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    missing = [
        label
        for label in ("Room:", "Knows:", "Does not know:", "May import:", "Start reading at:")
        if label not in text
    ]
    assert missing == []


def test_the_rules_catch_a_violation(tmp_path: Path) -> None:
    """The checker is checked: a planted outward import is seen."""
    planted = tmp_path / "planted.py"
    planted.write_text("from tailrace.server import serve\nimport time\n", encoding="utf-8")
    assert [module for module, _ in imported(planted)] == ["tailrace.server", "time"]
