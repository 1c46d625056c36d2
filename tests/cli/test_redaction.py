"""No line of a server's shows a secret, whoever wrote it and wherever in it the secret stood."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.cli.redaction import HIDDEN, Redactor

KEY = 'sk-canary/4711+"quoted"\\back'
SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=60)


@pytest.mark.parametrize(
    "form",
    [KEY, json.dumps(KEY), repr(KEY), quote(KEY, safe=""), KEY.encode().hex(), base64.b64encode(KEY.encode()).decode()],
)
def test_a_known_secret_is_hidden_in_every_form_it_is_written_in(form: str) -> None:
    clean = Redactor([KEY])(f"before {form} after")
    assert clean.startswith("before")
    assert clean.endswith("after")
    assert HIDDEN in clean
    assert "canary" not in clean
    assert KEY.encode().hex()[:16] not in clean


@given(SECRETS, st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_is_hidden_anywhere(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(f"{before}{secret}{after}").replace(HIDDEN, "\0")


def test_a_secret_that_begins_with_another_is_hidden_whole() -> None:
    assert Redactor(["secret-1", "secret-1-and-more"])("x secret-1-and-more y") == "x … y"


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic …"),
        ("sent bearer abc", "sent bearer …"),
        ('{"x-api-key": "abc", "a": 1}', '{"x-api-key": "…", "a": 1}'),
        ("{'api-key': 'abc'}", "{'api-key': '…'}"),
        ("GET /v1beta/models?key=abc&alt=sse", "GET /v1beta/models?key=…&alt=sse"),
        ("GET /streams/x?token=vt1.read-1.abc HTTP/1.1", "GET /streams/x?token=… HTTP/1.1"),
        ("a token vt1.read-1800000000.AbC-_9 leaked", "a token … leaked"),
        ("redis://user:pa55@host:6379/0", "redis://user:…@host:6379/0"),
        ("redis://:pa55@host", "redis://:…@host"),
        ("key trk_0123456789abcdef0123 found", "key … found"),
        ("127.0.0.1:8484 listens; the key is wrong", "127.0.0.1:8484 listens; the key is wrong"),
        ("http://127.0.0.1:8484/path?after=3", "http://127.0.0.1:8484/path?after=3"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden_and_what_does_not_stays(line: str, clean: str) -> None:
    assert Redactor()(line) == clean


PROGRAM = f"""
import logging, sys, structlog
from tailrace.cli.logs import set_up
from tailrace.config import Logging
from tailrace.engine import Secret
key = {KEY!r}
set_up(Logging(level="debug", format=sys.argv[1]), [Secret(key)])
log = structlog.get_logger("x")
log.info("event", field=key, nested={{"a": [key]}}, raw=key.encode())
try:
    raise ValueError("it was " + key)
except ValueError:
    log.error("failed", exc_info=True)
    logging.getLogger("uvicorn.error").exception("other library %s", key)
logging.getLogger("asyncio").error("url %s", "http://h/?key=hunter2&x=1")
print("so far", file=sys.stderr)
raise RuntimeError("at last " + key)
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_way_to_stderr_is_clean(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, form], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "canary" not in done.stderr
    assert "hunter2" not in done.stderr
    for word in ("event", "failed", "it was …", "other library …", "so far", "RuntimeError: at last …"):
        assert word in done.stderr
