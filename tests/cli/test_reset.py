"""An answer that began anew, as the command line shows it: what is on the screen cannot be taken back, but disowned."""

from __future__ import annotations

import json

import httpx2
import pytest

from tailrace.cli.answer import show
from tailrace.cli.exits import Exit
from tailrace.client import Client
from tests.client.relay import STREAM_ID, Relay
from tests.client.test_cut import RESTARTED


@pytest.mark.parametrize("as_json", [False, True])
def test_what_does_not_count_is_said_to_be_so(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    http = httpx2.Client(transport=httpx2.MockTransport(Relay(RESTARTED)))
    with Client("http://relay", http_client=http) as client:
        assert show(client.resume(STREAM_ID), as_json=as_json) is Exit.OK
    shown = capsys.readouterr()
    if as_json:
        lines = [json.loads(one) for one in shown.out.splitlines()]
        (place,) = [at for at, one in enumerate(lines) if one == {"type": "reset", "reason": "truncated"}]
        assert "".join(one["text"] for one in lines[place:] if one["type"] == "text_delta") == "The sky is blue."
    else:
        assert shown.out == "Grass is gr\nThe sky is blue.\n"
        assert "the answer begins anew (truncated)" in shown.err
