"""Requests out of bytes."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from tailrace.simulator.http import MAX_HEAD, BadHttp, HttpRequest, RequestParser

ONE = b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: x\r\nX-Api-Key: k\r\nContent-Length: 5\r\n\r\nhello"
TWO = b"GET /simulator HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


def parse(*pieces: bytes, max_body: int = 100) -> list[HttpRequest]:
    parser = RequestParser(lambda: None, max_body=max_body)
    return [request for piece in pieces for request in parser.feed(piece)]


EXPECTED = [
    HttpRequest("POST", "/v1/messages", {"host": "x", "x-api-key": "k", "content-length": "5"}, b"hello", True, "1.1"),
    HttpRequest("GET", "/simulator", {"host": "x", "connection": "close"}, b"", False, "1.0"),
]


def test_whole_and_byte_by_byte() -> None:
    both = ONE + TWO
    assert parse(both) == EXPECTED
    assert parse(*(both[at : at + 1] for at in range(len(both)))) == EXPECTED
    for at in range(len(both)):
        assert parse(both[:at], both[at:]) == EXPECTED


def test_a_chunked_body() -> None:
    assert [request.body for request in parse(CHUNKED + CHUNKED)] == [b"hello", b"hello"]


def test_a_body_past_the_cap_is_read_and_forgotten() -> None:
    long, short = ONE, ONE.replace(b"Length: 5", b"Length: 4").replace(b"hello", b"hell")
    assert [request.body for request in parse(long, short, long, max_body=4)] == [None, b"hell", None]
    assert [request.body for request in parse(long, max_body=5)] == [b"hello"]


def test_who_waits_to_send_is_told_to_go_on() -> None:
    told: list[str] = []
    parser = RequestParser(lambda: told.append("go on"))
    head, body = ONE.replace(b"Host: x", b"Expect: 100-continue").split(b"hello")[0], b"hello"
    assert parser.feed(head) == []
    assert told == ["go on"]
    assert parser.feed(body)[0].body == b"hello"


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_http(data: bytes) -> None:
    with pytest.raises(BadHttp) as caught:
        parse(data)
    assert caught.value.status is HTTPStatus.BAD_REQUEST


def test_a_head_without_end() -> None:
    filler = [b"x-filler: " + b"y" * 988 + b"\r\n"] * (MAX_HEAD // 1000)
    assert parse(b"GET / HTTP/1.1\r\n", *filler) == []
    with pytest.raises(BadHttp) as caught:
        parse(b"GET / HTTP/1.1\r\n", *filler, filler[0])
    assert caught.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_an_upgrade_is_an_ordinary_request() -> None:
    (request,) = parse(b"GET /simulator HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert request.path == "/simulator"
