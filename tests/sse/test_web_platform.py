"""The parser's cases of web-platform-tests ``eventsource/``, in every split of their bytes.

They are no part of this project: they are read from where they lie, and left out where they do not. In CI the
folder of such data must hold them if it is there at all.
"""

import json
import os

import pytest

from tailrace.sse import Decoder
from tests.conftest import data_folder
from tests.sse.cases import Case, cuts, run

FOLDER = data_folder("TAILRACE_CONFORMANCE", "conformance")
FILE = FOLDER and FOLDER / "wpt-eventsource.jsonl"


def load() -> list[Case]:
    if FILE is None or not (FILE.exists() or os.environ.get("CI")):
        return []
    rows: list[Case] = [json.loads(line) for line in FILE.read_bytes().splitlines()]
    return [row for row in rows if not row.get("fail")]  # a refused connection has no stream to parse


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in load()])
def test_a_connection_and_its_reconnections(case: Case) -> None:
    last_event_id = check(case, "")
    for connection in case.get("reconnect", []):
        if not connection.get("fail"):
            assert connection.get("last_event_id_header", last_event_id) in {last_event_id, last_event_id or None}
            last_event_id = check(connection, last_event_id)


def check(connection: Case, last_event_id: str) -> str:
    """Run one connection in every split; return the id that the next connection sends."""
    outcome = None
    for split in cuts(connection["input"].encode()):
        outcome = run(Decoder(last_event_id=last_event_id), split)
        assert outcome.error is None
        assert connection["expected"] == [
            {"type": event.type, "data": event.text, "lastEventId": event.id} for event in outcome.events
        ]
        if "retry" in connection:
            assert outcome.retry == connection["retry"]
    assert outcome is not None
    return outcome.last_event_id
