"""Requests as bytes: what attackers send, what broken clients send, and what is unusual but right.

Every row says how many requests it holds for a strict reader (``asks``), with which statuses the server answers when
it is alone, and whether it then closes. A path ``/smuggled`` appears only where no strict reader sees a request: it
must never be asked for.
"""

from __future__ import annotations

from typing import NamedTuple


class Raw(NamedTuple):
    """One row. ``opens``: the connection stays usable behind it."""

    name: str
    sent: bytes
    answers: tuple[int, ...]
    opens: bool = False


HOST = b"Host: localhost\r\n"
GET = b"GET /health/live HTTP/1.1\r\n" + HOST
POST = b"POST /v1/messages HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"\r\n"


def line(target: bytes, version: bytes = b"HTTP/1.1", method: bytes = b"GET") -> bytes:
    """Return a whole request for ``target``."""
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, HOST)


def length(text: object) -> bytes:
    """Return a field with a length."""
    return f"Content-Length: {text}\r\n".encode()


def chunked(body: bytes) -> bytes:
    """Return a POST whose body, as it is, claims to be in chunks."""
    return POST + CHUNKED + END + body


RAW: tuple[Raw, ...] = (
    # ---- unusual, and right ---------------------------------------------------------------------------------------
    Raw("plain", GET + END, (200,), opens=True),
    Raw("lower case names", b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n", (200,), opens=True),
    Raw("empty lines in front", b"\r\n\r\n" + GET + END, (200,), opens=True),
    Raw("HTTP/1.0", line(b"/health/live", b"HTTP/1.0"), (200,)),
    Raw("close", GET + b"Connection: close\r\n\r\n", (200,)),
    Raw("absolute form", line(b"http://localhost/health/live"), (200,), opens=True),
    Raw("absolute form without a path", line(b"http://localhost"), (200,), opens=True),
    Raw("a query", line(b"/health/live?a=b&c=%00"), (200,), opens=True),
    Raw("%00 in the path", line(b"/streams/%00"), (404,), opens=True),
    Raw("dots in the path", line(b"/%2e%2e/%2e%2e/etc/passwd"), (404,), opens=True),
    Raw("bytes that are no UTF-8", line(b"/streams/%ff%fe"), (404,), opens=True),
    Raw(
        "a body that nobody wants",
        b"GET /health/live HTTP/1.1\r\n" + HOST + length(2) + END + b"{}",
        (200,),
        opens=True,
    ),
    Raw("a body in chunks", chunked(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), (400,), opens=True),
    Raw("a chunk's extension", chunked(b"2;a=b\r\n{}\r\n0\r\n\r\n"), (400,), opens=True),
    Raw("trailers", chunked(b"2\r\n{}\r\n0\r\nx-api-key: k\r\nHost: evil\r\n\r\n"), (400,), opens=True),
    Raw("leading zeros of a length", POST + length("0002") + END + b"{}", (400,), opens=True),
    Raw("two in turn, pipelined", GET + END + GET + END, (200,)),
    Raw("a GET behind a POST, pipelined", POST + length(2) + END + b"{}" + GET + END, (400,)),
    Raw("an unknown upgrade", GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", (200,)),
    Raw(
        "X-Forwarded for everybody",
        GET + b"X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil\r\n\r\n",
        (200,),
        opens=True,
    ),
    Raw("HEAD", line(b"/health/live", method=b"HEAD"), (200,), opens=True),
    Raw("OPTIONS", line(b"/v1/messages", method=b"OPTIONS"), (405,), opens=True),
    # ---- the first line -------------------------------------------------------------------------------------------
    Raw("HTTP/0.9", b"GET /health/live\r\n\r\n", (505,)),
    Raw("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", (400,)),
    Raw("HTTP/1.2", line(b"/health/live", b"HTTP/1.2"), (400,)),
    Raw("HTTP/3.0", line(b"/health/live", b"HTTP/3.0"), (400,)),
    Raw("no version", line(b"/health/live", b"HTTP/"), (400,)),
    Raw("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), (400,)),
    Raw("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", (400,)),
    Raw("nothing but NUL", bytes(64), (400,)),
    Raw("an unknown method", line(b"/health/live", method=b"SPLICE"), (400,)),
    Raw("CONNECT", b"CONNECT evil.example.org:443 HTTP/1.1\r\n" + HOST + END, (501,)),
    Raw("TRACE", line(b"/health/live", method=b"TRACE"), (501,)),
    Raw("a target with a space", line(b"/health /live"), (400,)),
    Raw("a target with NUL", line(b"/health\0/live"), (400,)),
    Raw("a target with a tab", line(b"/health\t/live"), (400,)),
    Raw("a target of no form", line(b"health/live"), (400,)),
    Raw("asterisk form", line(b"*", method=b"OPTIONS"), (400,)),
    Raw("another host in the target", line(b"http://evil.example.org/health/live"), (400,)),
    Raw("a user in the target", line(b"http://localhost@evil.example.org/health/live"), (400,)),
    Raw("another scheme in the target", line(b"ftp://localhost/health/live"), (400,)),
    Raw("a long target", line(b"/health/live?" + b"a" * 9_000), (414,)),
    Raw("bare CR in the first line", b"GET /health/live\rHTTP/1.1\r\n" + HOST + END, (400,)),
    # ---- fields ---------------------------------------------------------------------------------------------------
    Raw("no Host", b"GET /health/live HTTP/1.1\r\n\r\n", (400,)),
    Raw("two Hosts", GET + b"Host: evil.example.org\r\n\r\n", (400,)),
    Raw("the same Host twice", GET + HOST + END, (400,)),
    Raw("another Host", b"GET /health/live HTTP/1.1\r\nHost: evil.example.org\r\n\r\n", (421,), opens=True),
    Raw("a Host with a path", b"GET /health/live HTTP/1.1\r\nHost: localhost/health?y=\r\n\r\n", (421,), opens=True),
    Raw("an empty Host", b"GET /health/live HTTP/1.1\r\nHost:\r\n\r\n", (421,), opens=True),
    Raw("Host with a space before the colon", b"GET /health/live HTTP/1.1\r\nHost : localhost\r\n\r\n", (400,)),
    Raw("a folded field", GET + b"X: a\r\n b\r\n\r\n", (400,)),
    Raw("a first field that is folded", b"GET /health/live HTTP/1.1\r\n X: a\r\n" + HOST + END, (400,)),
    Raw("a field without a colon", GET + b"X\r\n\r\n", (400,)),
    Raw("a field without a name", GET + b": x\r\n\r\n", (400,)),
    Raw("NUL in a field", GET + b"X: a\0b\r\n\r\n", (400,)),
    Raw("bare CR in a field", GET + b"X: a\rContent-Length: 5\r\n\r\n", (400,)),
    Raw("bare LF behind a field", GET + b"X: a\nY: b\r\n\r\n", (400,)),
    Raw("20,000 fields", GET + b"X: y\r\n" * 20_000 + END, (431,)),
    Raw("101 fields", GET + b"X: y\r\n" * 100 + END, (431,)),
    Raw("a field of 1 MB", GET + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", (431,)),
    Raw("a name of 1 MB", GET + b"X" * 1_000_000 + b": a\r\n\r\n", (431,)),
    Raw("an unknown expectation", POST + b"Expect: the-moon\r\n" + length(2) + END + b"{}", (417,)),
    Raw(
        "an upgrade with a body",
        POST + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + length(len(SMUGGLED)) + END + SMUGGLED,
        (400,),
    ),
    # ---- lengths --------------------------------------------------------------------------------------------------
    Raw("a length and chunks", POST + length(5) + CHUNKED + END + b"0\r\n\r\n" + SMUGGLED, (400,)),
    Raw("chunks and a length", POST + CHUNKED + length(5) + END + b"0\r\n\r\n" + SMUGGLED, (400,)),
    Raw("two lengths", POST + length(2) + length(60) + END + b"{}" + SMUGGLED, (400,)),
    Raw("the same length twice", POST + length(2) * 2 + END + b"{}" + SMUGGLED, (400,)),
    Raw("a list of lengths", POST + length("2, 2") + END + b"{}" + SMUGGLED, (400,)),
    Raw("a length with a sign", POST + length("+2") + END + b"{}" + SMUGGLED, (400,)),
    Raw("a negative length", POST + length("-2") + END + b"{}" + SMUGGLED, (400,)),
    Raw("a hexadecimal length", POST + length("0x2") + END + b"{}" + SMUGGLED, (400,)),
    Raw("a length of letters", POST + length("two") + END + b"{}" + SMUGGLED, (400,)),
    Raw("no length in the field", POST + length("") + END + SMUGGLED, (400,)),
    Raw("a length beyond 64 bits", POST + length(2**65) + END + SMUGGLED, (400,)),
    Raw("a body of 1 GB, announced", POST + length(2**30) + END, (413,)),
    # ---- chunks ---------------------------------------------------------------------------------------------------
    Raw("xchunked", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, (400,)),
    Raw("chunked, twice", POST + CHUNKED + CHUNKED + END + b"0\r\n\r\n" + SMUGGLED, (400,)),
    Raw("gzip, chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, (400,)),
    Raw("chunked, identity", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED, (400,)),
    Raw("a vertical tab before chunked", POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED, (400,)),
    Raw(
        "chunks in HTTP/1.0",
        b"POST /v1/messages HTTP/1.0\r\n" + HOST + CHUNKED + b"Connection: keep-alive\r\n\r\n0\r\n\r\n" + SMUGGLED,
        (400,),
    ),
    Raw("a chunk with a bare LF", chunked(b"2\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a chunk's size with 0x", chunked(b"0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a chunk's size with a sign", chunked(b"+2\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a chunk's size with a space", chunked(b"2 \r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a negative chunk", chunked(b"-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a chunk beyond 64 bits", chunked(b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a chunk longer than it says", chunked(b"1\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("a chunk shorter than it says", chunked(b"3\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("bare LF in a chunk's extension", chunked(b"2;a\nb\r\n{}\r\n0\r\n\r\n" + SMUGGLED), (400,)),
    Raw("bare CR behind a chunk", chunked(b"2\r\n{}\rX0\r\n\r\n" + SMUGGLED), (400,)),
)
"""The table."""
