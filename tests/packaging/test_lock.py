"""``deploy/requirements.txt``: an install in which nothing is anything but what was tested."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

LOCK = ROOT / "deploy" / "requirements.txt"

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

WANTED = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["redis"]]


def entries() -> list[tuple[Requirement, list[str]]]:
    """Return each requirement of the lock with its hashes."""
    lines = LOCK.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        text = line.partition(" #")[0].strip()
        if text and not text.startswith("#"):
            requirement, *hashes = re.split(r"\s+--hash=", text)
            found.append((Requirement(requirement.strip()), hashes))
    return found


def pinned(requirement: Requirement) -> str:
    """Return the one version that a requirement allows; raises `ValueError` where there are more."""
    (specifier,) = requirement.specifier
    if specifier.operator != "==" or "*" in specifier.version:
        raise ValueError(str(requirement))
    return specifier.version


def test_each_entry_is_one_version_known_by_its_hashes() -> None:
    assert len(entries()) > len(WANTED)
    for requirement, hashes in entries():
        assert pinned(requirement)
        assert not requirement.url
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_the_project_asks_for_is_in_it(wanted: Requirement) -> None:
    versions = [
        pinned(entry)
        for entry, _ in entries()
        if canonicalize_name(entry.name) == canonicalize_name(wanted.name)
        and (entry.marker is None or entry.marker.evaluate())
    ]
    assert len(versions) == 1
    assert wanted.specifier.contains(versions[0])
