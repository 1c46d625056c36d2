"""The simulator against real answers: whatever it writes, some real provider has written in the same place.

For each dialect, every path of keys in every event that the simulator can write, over all its shapes, must occur in
an event of the same name in a recorded answer; what does not is in `OURS`, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tailrace.simulator import SHAPES, bytes_of, parse
from tailrace.sse import Decoder
from tests.conftest import data_folder

RECORDINGS = data_folder("TAILRACE_RECORDINGS", "recordings")
FOLDERS: dict[str, list[str]] = {
    "anthropic": ["anthropic"],
    "openai_chat": ["openai-chat", "openai-compatible"],
    "openai_responses": ["openai-responses", "openai-compatible/lmstudio-responses"],
    "gemini": ["gemini"],
    "ollama": ["ollama"],
}
FREE = {"input", "arguments", "args", "partial_json", "parameters", "schema"}
"""Keys whose value is the tool's or the user's own."""

OURS: dict[str, dict[str, str]] = {
    "anthropic": {
        "content_block_delta: .delta.citation.": "a `char_location`, as the SDK types it; recorded are web results"
    },
    "openai_chat": {},
    "openai_responses": {": .response.tailrace": "our own field: usage that nobody has counted"},
    "gemini": {".functionCall.id": "optional in Google's reference; the recorded models left it out"},
    "ollama": {".tool_calls[].id": "our own: clients answer a call by its id, and Ollama's have none"},
}
"""What is written and was not recorded: a part of its path, and why it is there all the same."""


def payloads(data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield ``(event name, JSON)`` of a stream of events, of lines, or of one array."""
    if data.lstrip()[:1] in {b"{", b"["}:
        for line in [data] if data.lstrip()[:1] == b"[" else data.splitlines():
            value = _json(line)
            yield from (("message", item) for item in (value if isinstance(value, list) else [value]))
        return
    for event in Decoder().feed(data + b"\n\n"):
        yield event.type, _json(event.data)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{prefix}.{key}"
            if key not in FREE:
                yield from paths(inner, f"{prefix}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{prefix}[]")


def written(data: bytes) -> set[str]:
    return {f"{name}: {path}" for name, value in payloads(data) if value is not None for path in paths(value)}


def recorded(dialect: str) -> set[str]:
    assert RECORDINGS is not None
    found: set[str] = set()
    for folder in FOLDERS[dialect]:
        for file in sorted(Path(RECORDINGS / folder).rglob("*")):
            if file.suffix in {".sse", ".ndjson", ".json"} and ".request" not in file.name:
                data = file.read_bytes()
                if file.name.endswith(".payloads.ndjson") and dialect in {"anthropic", "openai_responses"}:
                    # Only payloads were kept; in these dialects an event's name is its type.
                    for line in data.splitlines():
                        value = _json(line)
                        if isinstance(value, dict):
                            found |= {f"{value.get('type')}: {path}" for path in paths(value)}
                else:
                    found |= written(data)
    return found


@pytest.mark.skipif(RECORDINGS is None, reason="the recordings are not beside this project")
@pytest.mark.parametrize("dialect", FOLDERS)
def test_every_field_that_the_simulator_writes_has_been_seen_in_a_real_answer(dialect: str) -> None:
    real = recorded(dialect)
    assert len(real) > 20
    ours: set[str] = set()
    for shape in SHAPES:
        ours |= written(bytes_of(parse(f"sim-{shape}" if shape != "text" else "sim"), dialect))
    assert ours
    unseen = {path for path in ours - real if not any(known in path for known in OURS[dialect])}
    assert sorted(unseen) == []
