"""Errors, both ways: in streams, as HTTP bodies, over relays."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from google.genai import errors
from hypothesis import given
from hypothesis import strategies as st

from tailrace.dialects.gemini import GEMINI
from tailrace.events import ERROR_STATUS, Error, ErrorKind, TextDelta, Usage, UsageReport
from tests.dialects.gemini_cases import REPLY, chunk, encode, events_of, payloads, sdk_chunks, sse

KINDS: tuple[Any, ...] = get_args(ErrorKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_and_comes_back(kind: Any) -> None:
    error = Error(kind, "words", "interrupted", True, None, None, 2.5)
    body = GEMINI.error_body(error)
    assert body["error"]["code"] == ERROR_STATUS[kind]
    assert body["error"]["status"].isupper()
    assert events_of([sse(body)]) == [error]
    back = GEMINI.read_error(error.http_status, json.dumps(body).encode())
    assert back == msgspec.structs.replace(error, status=error.http_status)


@pytest.mark.parametrize("kind", KINDS)
def test_the_official_sdk_raises_each(kind: Any) -> None:
    with pytest.raises(errors.APIError) as caught:
        sdk_chunks(encode([Error(kind, "words")]))
    assert (caught.value.code, caught.value.message) == (ERROR_STATUS[kind], "words")
    assert isinstance(caught.value, errors.ClientError if ERROR_STATUS[kind] < 500 else errors.ServerError)


def test_the_providers_own_words_are_kept() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.Help", "links": []}]
    said = {"code": 400, "message": "No.", "status": "FAILED_PRECONDITION", "details": details}
    (error,) = events_of([sse({"error": said})])
    assert isinstance(error, Error)
    assert (error.kind, error.code, error.data) == ("invalid_request", "FAILED_PRECONDITION", said)
    assert GEMINI.error_body(error)["error"] == said


def test_a_wrong_field_is_named_as_google_names_it() -> None:
    body = GEMINI.error_body(Error("invalid_request", "contents: is required", data={"param": "contents"}))
    (detail,) = body["error"]["details"]
    assert detail["fieldViolations"] == [{"field": "contents", "description": "contents: is required"}]
    back = GEMINI.read_error(400, json.dumps(body).encode())
    assert back.data == {"param": "contents"}


BODIES: list[tuple[int, bytes, str, str]] = [
    (400, b'{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}', "invalid_request", "m"),
    (403, b'{"error":{"code":403,"message":"m","status":"PERMISSION_DENIED"}}', "permission", "m"),
    (404, b'[{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}]', "not_found", "m"),
    (429, b'{"error":{"code":429,"message":"m","status":"NEW_WORD"}}', "rate_limit", "m"),
    (500, b'{"error":{"message":"m"}}', "upstream", "m"),
    (503, b'{"error":"m"}', "overloaded", "m"),
    (502, b"<html>", "upstream", "the provider answered with status 502"),
    (418, b"", "invalid_request", "the provider answered with status 418"),
    (500, b"[]", "upstream", "the provider answered with status 500"),
    (500, b"7", "upstream", "the provider answered with status 500"),
    (500, b'{"error":7}', "upstream", "the provider answered with status 500"),
    (500, b'{"error":{"code":"x","message":["y"],"status":{}}}', "upstream", "the provider answered with status 500"),
    (504, b"[" * 100_000, "timeout", "the provider answered with status 504"),
    (400, b"\xff", "invalid_request", "the provider answered with status 400"),
]


@pytest.mark.parametrize(("status", "body", "kind", "message"), BODIES)
def test_bodies_of_http_errors(status: int, body: bytes, kind: str, message: str) -> None:
    error = GEMINI.read_error(status, body)
    assert (error.kind, error.message, error.status, error.ending) == (kind, message, status, "failed")


def test_a_long_message_is_cut() -> None:
    body = json.dumps({"error": {"code": 400, "message": "x" * 10_000}}).encode()
    assert len(GEMINI.read_error(400, body).message) == 2_000


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("3.5s", 3.5), ("34s", 34.0), ("x", None), (5, None), ("-1s", None), ("nans", None), ("1e9s", None)],
)
def test_how_long_to_wait(delay: Any, seconds: float | None) -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    body = {"error": {"code": 429, "message": "m", "details": ["x", {}, detail]}}
    assert GEMINI.read_error(429, json.dumps(body).encode()).retry_after == seconds


def test_a_key_that_is_not_valid_is_an_authentication_error() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    body = {"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT", "details": [detail]}}
    error = GEMINI.read_error(400, json.dumps(body).encode())
    assert (error.kind, error.status, error.retryable) == ("authentication", 400, False)


def test_an_error_in_the_middle_says_the_usage_first() -> None:
    events = events_of([sse(chunk({"text": "Ebb"}))])
    usage = UsageReport(Usage(3, 2), "estimated")
    stopped = Error("cancelled", "the answer was stopped", ending="cancelled")
    again = events_of([encode([*events, usage, stopped])])
    assert again == [*events, usage, stopped]
    # After it nothing is written, whatever comes.
    encoder = GEMINI.encoder(REPLY)
    encoder.encode(stopped)
    assert encoder.encode(TextDelta(0, "late")) == []


@pytest.mark.parametrize("code", [None, "503", 200, True, {}])
def test_an_error_that_clients_would_not_notice_is_written_so_that_they_do(code: Any) -> None:
    stream = sse({"error": {"code": code, "message": "m", "status": "UNAVAILABLE"}})
    decoder, encoder = GEMINI.decoder(None), GEMINI.encoder(REPLY)  # type: ignore[arg-type]
    (received,) = decoder.feed(stream)
    (said,) = payloads(b"".join(encoder.verbatim(received)))
    assert 400 <= said["error"]["code"] <= 599
    assert said["error"]["message"] == "m"


_FIELDS = st.sampled_from(["error", "code", "status", "message", "details", "tailrace", "kind", "ending"])
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_FIELDS, inner),
)


@given(_values)
def test_no_error_is_too_odd_to_be_one(value: Any) -> None:
    error = GEMINI.read_error(500, json.dumps(value).encode())
    assert error.ending != "completed"
    if isinstance(value, dict) and value.get("error"):
        (event,) = events_of([sse(value)])
        assert isinstance(event, Error)
        assert 400 <= GEMINI.error_body(event)["error"]["code"] <= 599
