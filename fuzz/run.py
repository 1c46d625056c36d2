"""Look for inputs that break a property, each target for ``FUZZ_SECONDS`` (20) seconds: `make fuzz`.

With names of targets as arguments, only those; with ``--list``, their names. What was interesting stays in
``.fuzz/<target>/`` for the next time; what breaks a property is written there too, as ``crash-…``, and ends in a
status that is not 0. A crash becomes a vector under ``spec/``, then it is mended.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fuzz.properties import CHECKS


def search(target: str, seconds: str) -> bool:
    """Search in a process of its own, and say what came of it; return whether nothing broke."""
    print(f"fuzz: {target}", flush=True)
    done = subprocess.run(
        [sys.executable, str(HERE / "search.py"), target, seconds], check=False, capture_output=True, text=True
    )
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", flush=True)
        return False
    counted = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    print(f"      {''.join(counted)} inputs, all well", flush=True)
    return True


def main(arguments: list[str]) -> int:
    """Search for each target in turn."""
    if arguments == ["--list"]:
        print("\n".join(CHECKS))
        return 0
    seconds = os.environ.get("FUZZ_SECONDS", "20")
    broken = [target for target in arguments or CHECKS if not search(target, seconds)]
    if broken:
        print(f"fuzz: broken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
