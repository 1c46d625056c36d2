"""A way to a relay that can be cut, and that has a few pages of its own: one request for each connection."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

_ONE_REQUEST = (rb"(?i)\r\nconnection: [^\r]*", b""), (rb"\r\n", b"\r\nConnection: close\r\n")


class Proxy:
    """Passes connections on to ``target``; the next streams are cut after so many bytes of the answer as ``cuts`` say.

    ``pages`` are answered from files. ``requests`` are the first lines, with the cursor behind those that have one.
    """

    def __init__(self, target: str, pages: dict[str, Path]) -> None:
        address = urlsplit(target)
        self._host, self._port = address.hostname, address.port
        self._pages = pages
        self.cuts: list[int] = []
        self.requests: list[str] = []
        self.url = ""
        self._running: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._accept, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                yield
            finally:
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            method, path = head.decode().split(" ")[:2]
            page = self._pages.get(urlsplit(path).path)
            if page is not None:
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + page.read_bytes()
                )
                await writer.drain()
                return
            cursor = re.search(rb"(?i)\r\nlast-event-id: ([^\r]*)", head)
            self.requests.append(f"{method} {path}" + (f" after {cursor[1].decode()}" if cursor else ""))
            streams = path == "/stream" or (method == "GET" and path.startswith("/streams/"))
            await self._pass_on(head, reader, writer, self.cuts.pop(0) if streams and self.cuts else None)

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None
    ) -> None:
        for pattern, put in _ONE_REQUEST:
            head = re.sub(pattern, put, head, count=1)
        upstream, out = await asyncio.open_connection(self._host, self._port)
        sending = asyncio.ensure_future(_pump(head, reader, out))
        try:
            while left != 0 and (data := await upstream.read(left or 65536)):
                writer.write(data)
                await writer.drain()
                left = None if left is None else left - len(data)
        finally:
            sending.cancel()
            out.close()


async def _pump(head: bytes, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
    out.write(head)
    while data := await reader.read(65536):
        out.write(data)
        await out.drain()
    # The browser has left: so does what it asked.
    out.close()
