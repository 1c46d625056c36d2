"""Search for one target's crash, in this process, which libFuzzer ends: ``python fuzz/search.py TARGET SECONDS``."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import atheris

with atheris.instrument_imports(include=["tailrace"]):
    from fuzz.properties import CHECKS

from fuzz.mutate import mutated
from fuzz.seeds import of

KEPT = ROOT / ".fuzz"

MAX_BYTES = 16 * 1024
"""Longest input: the caps have tests of their own, and short inputs are tried more often."""


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change the JSON rather than its bytes; every fourth time, and where it is none, the bytes."""
    if seed % 4:
        try:
            return json.dumps(mutated(json.loads(data), Random(seed))).encode()[:max_size]
        except ValueError:
            pass
    return bytes(atheris.Mutate(data, max_size))


def main(target: str, seconds: str) -> None:
    """Search, from the seeds and from what was kept of earlier searches."""
    corpus = KEPT / target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in of(target):
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-artifact_prefix={corpus}/",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    by_structure = {"custom_mutator": mutate} if target.startswith("request") else {}
    atheris.Setup(arguments, CHECKS[target], **by_structure)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
