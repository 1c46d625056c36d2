"""Errors, both ways: what servers answer, and what we do."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.dialects.openai_chat.names import ERROR_WORDS
from tailrace.events import ERROR_STATUS, Ending, Error, ErrorKind
from tests.conftest import data_folder
from tests.dialects.openai_chat_cases import events_of, recordings, sdk_client, sse

BODIES: list[tuple[str, int, Any, ErrorKind, str, str | None]] = [
    # form, status, body, kind, message, code
    (
        "OpenAI",
        401,
        {
            "error": {
                "message": "no such key",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_api_key",
            }
        },
        "authentication",
        "no such key",
        "invalid_api_key",
    ),
    (
        "OpenAI, by status",
        403,
        {"error": {"message": "not here", "type": "invalid_request_error", "param": None, "code": None}},
        "permission",
        "not here",
        "invalid_request_error",
    ),
    ("quota", 429, {"error": {"message": "q", "code": "insufficient_quota"}}, "billing", "q", "insufficient_quota"),
    ("rate", 429, {"error": {"message": "slow", "type": "tokens", "code": None}}, "rate_limit", "slow", "tokens"),
    ("model", 404, {"error": {"message": "m", "code": "model_not_found"}}, "not_found", "m", "model_not_found"),
    ("server", 500, {"error": {"message": "s", "type": "server_error"}}, "upstream", "s", "server_error"),
    ("full", 503, {"error": {"message": "s", "type": "server_error"}}, "overloaded", "s", "server_error"),
    ("text", 404, {"error": "model 'x' not found"}, "not_found", "model 'x' not found", None),
    (
        "vLLM",
        400,
        {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400},
        "invalid_request",
        "too long",
        "BadRequestError",
    ),
    (
        "vLLM, later",
        404,
        {"error": {"message": "m", "type": "NotFoundError", "code": 404}},
        "not_found",
        "m",
        "NotFoundError",
    ),
    (
        "Mistral",
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "n", 0], "msg": "not permitted"}]},
            "type": "invalid_request_error",
            "code": None,
        },
        "invalid_request",
        "n.0: not permitted",
        "invalid_request_error",
    ),
    ("FastAPI", 404, {"detail": "Not Found"}, "not_found", "Not Found", None),
    ("FastAPI, list", 422, {"detail": [{"loc": None, "msg": "missing"}]}, "invalid_request", "missing", None),
    (
        "Google",
        400,
        [{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}],
        "invalid_request",
        "bad",
        "INVALID_ARGUMENT",
    ),
    ("empty object", 500, {}, "upstream", "the provider answered with status 500", None),
    ("null", 502, None, "upstream", "the provider answered with status 502", None),
    ("empty list", 400, [], "invalid_request", "the provider answered with status 400", None),
    (
        "odd message",
        400,
        {"error": {"message": {"a": 1}}},
        "invalid_request",
        "the provider answered with status 400",
        None,
    ),
    ("unknown status", 418, {"error": {"message": "teapot"}}, "invalid_request", "teapot", None),
    ("Cloudflare", 524, {"error": {"message": "late"}}, "timeout", "late", None),
]


@pytest.mark.parametrize(("form", "status", "body", "kind", "message", "code"), BODIES, ids=[b[0] for b in BODIES])
def test_an_error_body_is_understood_in_every_form(
    form: str, status: int, body: Any, kind: ErrorKind, message: str, code: str | None
) -> None:
    error = OPENAI_CHAT.read_error(status, json.dumps(body).encode())
    assert (error.kind, error.message, error.code, error.status) == (kind, message, code, status)
    assert error.ending == "failed"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no healthy upstream", "no healthy upstream"),
        (b"upstream connect error\n", "upstream connect error"),
        (b"", "the provider answered with status 503"),
        (b"<html><body>503</body></html>", "the provider answered with status 503"),
        (b'{"error": {"mess', "the provider answered with status 503"),
        (b"\xff\xfe", "the provider answered with status 503"),
        (b"line\nline", "the provider answered with status 503"),
        (b"x" * 10_000, "the provider answered with status 503"),
        (b"[" * 100_000, "the provider answered with status 503"),
    ],
)
def test_a_body_that_is_no_json_is_a_message_only_when_it_is_one_line(body: bytes, message: str) -> None:
    error = OPENAI_CHAT.read_error(503, body)
    assert (error.kind, error.message, error.retryable) == ("overloaded", message, True)


def test_a_message_without_end_is_cut() -> None:
    assert len(OPENAI_CHAT.read_error(400, json.dumps({"error": {"message": "x" * 9_000}}).encode()).message) == 2_000


@pytest.mark.parametrize(
    ("kind", "retryable"), [("rate_limit", True), ("billing", False), ("overloaded", True), ("invalid_request", False)]
)
def test_only_what_may_work_again_is_retryable(kind: str, retryable: bool) -> None:
    words = {"rate_limit": 429, "billing": 402, "overloaded": 503, "invalid_request": 400}
    assert OPENAI_CHAT.read_error(words[kind], b"{}").retryable == retryable


@pytest.mark.parametrize("kind", ERROR_STATUS)
@pytest.mark.parametrize("ending", ["failed", "cancelled", "timed_out", "truncated", "interrupted"])
def test_what_we_write_comes_back_the_same(kind: ErrorKind, ending: Ending) -> None:
    error = Error(kind, "words", ending, ending == "truncated", "own_word", 503, 2.5, {"param": "messages.0"})
    body = OPENAI_CHAT.error_body(error)
    assert set(body) == {"error", "tailrace"}
    assert body["error"] == {
        "message": "words",
        "type": ERROR_WORDS[kind][0],
        "param": "messages.0",
        "code": "own_word",
    }
    (back,) = events_of([sse(body, done=False)])
    assert isinstance(back, Error)
    over_http = OPENAI_CHAT.read_error(500, json.dumps(body).encode())
    for found in (back, over_http):
        assert (found.kind, found.message, found.ending, found.retryable) == (
            kind,
            "words",
            ending,
            ending == "truncated",
        )
        assert (found.code, found.status, found.retry_after) == ("own_word", 503, 2.5)


def test_without_a_word_of_its_own_an_error_gets_ours_and_none_comes_back() -> None:
    body = OPENAI_CHAT.error_body(Error("truncated", "cut"))
    assert body["error"]["code"] == "truncated"
    assert OPENAI_CHAT.read_error(502, json.dumps(body).encode()).code is None


@pytest.mark.parametrize(
    "marks", [None, 7, [], {}, {"ending": "completed"}, {"kind": "joy", "status": 200, "retry_after": "2"}]
)
def test_marks_never_make_a_success_of_an_error(marks: Any) -> None:
    (error,) = events_of([sse({"error": {"message": "x", "code": 429}, "tailrace": marks}, done=False)])
    assert isinstance(error, Error)
    assert (error.ending, error.kind, error.status, error.retry_after) == ("failed", "rate_limit", None, None)


@pytest.mark.parametrize(
    ("value", "kind", "code"),
    [
        ({"message": "x", "code": 502}, "upstream", None),
        ({"message": "x", "code": "429"}, "rate_limit", None),
        ({"message": "x", "type": "overloaded_error"}, "overloaded", "overloaded_error"),
        (
            {"message": "x", "type": "invalid_request_error", "code": "context_length_exceeded"},
            "invalid_request",
            "context_length_exceeded",
        ),
        ({"message": "x", "code": True, "type": ""}, "upstream", None),
        ({}, None, None),
    ],
)
def test_an_error_in_a_stream_has_the_kind_that_its_words_say(value: Any, kind: str | None, code: str | None) -> None:
    events = events_of([sse({"error": value}, done=False)])
    found = [(event.kind, event.code) for event in events if isinstance(event, Error)]
    assert found == ([(kind, code)] if kind else [])


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("invalid_request", openai.BadRequestError),
        ("authentication", openai.AuthenticationError),
        ("permission", openai.PermissionDeniedError),
        ("not_found", openai.NotFoundError),
        ("rate_limit", openai.RateLimitError),
        ("upstream", openai.InternalServerError),
    ],
)
def test_the_official_sdk_raises_its_own_type_for_our_error_body(kind: ErrorKind, raised: type[Exception]) -> None:
    error = Error(kind, "words", data={"param": "model"})

    client = sdk_client(httpx2.Response(error.http_status, json=OPENAI_CHAT.error_body(error)))
    with pytest.raises(raised) as caught:
        client.chat.completions.create(model="m", messages=[], stream=True)
    assert isinstance(caught.value, openai.APIStatusError)
    assert (caught.value.param, caught.value.code) == ("model", ERROR_WORDS[kind][1])


def test_a_recorded_error_is_understood() -> None:
    folder = data_folder("TAILRACE_RECORDINGS", "recordings")
    if folder is None:
        pytest.skip("no recordings")
    assert recordings()
    for path in (folder / "openai-chat").glob("*.error.json"):
        error = OPENAI_CHAT.read_error(401, path.read_bytes())
        assert (error.kind, error.code, error.retryable) == ("authentication", "invalid_api_key", False)
