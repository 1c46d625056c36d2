"""What the log says of a request: one line, its own words, and nothing of what was asked or answered."""

from __future__ import annotations

import json

import pytest
import structlog

from tests.server.conftest import UPSTREAM_KEY
from tests.server.raw_provider import ANSWER, HEAD, chunk, refusal, rig
from tests.server.test_doors import DOORS, body

pytestmark = pytest.mark.anyio

QUOTED = "canary-quoted-by-the-provider"
CLIENT_KEY = "canary-client-key"
ERROR = json.dumps({"type": "error", "error": {"type": "api_error", "message": QUOTED, "code": QUOTED}}).encode()
BEGUN = ANSWER[: ANSWER.index(b"event: content_block_stop")]
JUNK = chunk(b"data: %b\n\n" % QUOTED.encode())
SAYS: dict[str, tuple[bytes, str | None]] = {
    "an answer": (HEAD + b"\r\n" + ANSWER, None),
    "a refusal": (refusal("400 X", ERROR), "upstream"),
    "an error in the middle": (HEAD + b"\r\n" + BEGUN + b"event: error\ndata: %b\n\n" % ERROR, "upstream"),
    "bytes that are no event": (HEAD + b"transfer-encoding: chunked\r\n\r\n" + JUNK, "protocol"),
    "nothing": (b"", "unreachable"),
}


@pytest.mark.parametrize(("says", "kind"), SAYS.values(), ids=SAYS.keys())
async def test_a_request_is_one_line_that_repeats_nobody(says: bytes, kind: str | None) -> None:
    with structlog.testing.capture_logs() as lines:
        async with rig() as house:
            house.provider.says = says
            for path in DOORS.values():
                request = {**body("ant/m"), "messages": [{"role": "user", "content": "canary-prompt"}]}
                headers = {"authorization": f"Bearer {CLIENT_KEY}"}
                async with house.http.post(house.url + path, json=request, headers=headers) as response:
                    await response.read()
    # The server's own beginning and end are lines as well.
    requests = [line for line in lines if "stream" in line]
    assert [line["event"] for line in requests] == ["generation_ended"] * len(DOORS)
    for line in requests:
        assert line["log_level"] == "info"
        assert line["error"] == kind
    for line in lines:
        for canary in (QUOTED, CLIENT_KEY, UPSTREAM_KEY, "canary-prompt", "hidden"):
            assert canary not in str(line)
