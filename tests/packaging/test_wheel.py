"""The wheel: the package as it is in the tree, the page, and nothing else; above all nothing that runs by itself."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "tailrace"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel as a release does; the page must have been built."""
    assert (PACKAGE / "server" / "page" / "index.html").is_file(), "`make page` comes first"
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def tree() -> dict[str, bytes]:
    """Return the package's files as they should be in the wheel."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes() for path in files}


def about(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    """Return the files that describe the wheel, without their folder."""
    return {
        Path(name).relative_to(Path(name).parts[0]).as_posix(): wheel.read(name)
        for name in wheel.namelist()
        if Path(name).parts[0].endswith(".dist-info")
    }


def test_it_is_the_tree(wheel: zipfile.ZipFile) -> None:
    packed = {name: wheel.read(name) for name in wheel.namelist() if not Path(name).parts[0].endswith(".dist-info")}
    assert packed.keys() == tree().keys()
    assert packed == tree()


def test_nothing_in_it_runs_by_itself(wheel: zipfile.ZipFile) -> None:
    """A ``.pth`` file runs at every start of the interpreter: so was a relay's release misused in March 2026."""
    tops = {Path(name).parts[0].removesuffix(".dist-info").partition("-")[0] for name in wheel.namelist()}
    assert tops == {"tailrace"}
    assert not [name for name in wheel.namelist() if name.endswith(".pth") or ".data/" in name]
    points = ConfigParser()
    points.read_string(about(wheel)["entry_points.txt"].decode())
    assert {section: dict(points[section]) for section in points.sections()} == {
        "console_scripts": {"tailrace": "tailrace.cli.main:run"}
    }


def test_its_record_is_true(wheel: zipfile.ZipFile) -> None:
    rows = list(csv.reader(io.StringIO(about(wheel)["RECORD"].decode())))
    assert {name for name, *_ in rows} == set(wheel.namelist())
    for name, digest, _ in rows:
        if not name.endswith("RECORD"):
            sha256 = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
            assert digest == f"sha256={sha256}", name


def test_it_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    described = about(wheel)
    assert {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE"} == set(described)
    assert b"Root-Is-Purelib: true" in described["WHEEL"]
    assert b"\nName: tailrace\n" in described["METADATA"]
