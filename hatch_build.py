"""Builds the chat page into the wheel: `python -m build` needs Node only when the page is not there yet."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Runs Vite before the files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build ``ui/`` unless this is an editable install or the page is built already."""
        root = Path(self.root)
        if version == "editable" or (root / "src/tailrace/server/page/index.html").is_file():
            return
        npm = shutil.which("npm")
        if npm is None or not (root / "package.json").is_file():
            self.app.display_warning("no npm: the chat page is left out of this wheel")
            return
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=root, check=True)  # noqa: S603
        subprocess.run([npm, "run", "build"], cwd=root, check=True)  # noqa: S603
