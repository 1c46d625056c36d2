"""Clients that read streams through a balancer while nodes come and go, and keep count of what they were given."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

import aiohttp

from tailrace.sse import Decoder

PATIENCE = 30.0
"""Seconds without a new frame after which a stream counts as lost."""

PAUSE = 0.1
"""Seconds before a reader comes back."""


class Frame(NamedTuple):
    """An event as it was received."""

    id: str
    event: str
    data: str


class Reading:
    """What one client was given of one stream, over all its connections."""

    def __init__(self) -> None:
        self.stream = ""
        self.frames: list[Frame] = []
        self.connections = 0
        self.refused = 0
        self.replayed = False
        self.trouble: list[str] = []

    @property
    def cursor(self) -> str:
        return self.frames[-1].id if self.frames else "0"

    @property
    def over(self) -> bool:
        return bool(self.frames) and self.frames[-1].event in {"message_stop", "error"}

    @property
    def completed(self) -> bool:
        return bool(self.frames) and self.frames[-1].event == "message_stop"

    def violations(self, log: Iterable[Frame]) -> list[str]:
        """Return the promises that were broken, given the stream as it is kept."""
        kept = list(log)
        found = list(self.trouble)
        numbers = [frame.id for frame in self.frames]
        expected = [str(number) for number in range(1, len(kept) + 1)]
        if [frame.id for frame in kept] != expected:
            found.append(f"the log has {[frame.id for frame in kept]}")
        found += [
            f"frame {number} twice" for number, group in itertools.groupby(sorted(numbers)) if len(list(group)) > 1
        ]
        found += [f"frame {number} lost" for number in expected if number not in set(numbers)]
        found += [f"frame {was.id} differs" for was, given in zip(kept, self.frames, strict=False) if was != given]
        if not self.completed:
            found.append(f"ended with {self.frames[-1].data}" if self.over else "no end")
        if sum(frame.event in {"message_stop", "error"} for frame in kept) != 1:
            found.append("not one end in the log")
        return [f"{self.stream[:8]}: {one}" for one in found]


async def frames_of(response: aiohttp.ClientResponse) -> AsyncIterator[Frame]:
    """Yield the events of an answer, as far as they come; a connection that breaks ends them."""
    decoder = Decoder()
    before = ""
    try:
        async for data in response.content.iter_any():
            for event in decoder.feed(data):
                # A heartbeat has no number of its own: the decoder repeats the last one, as a browser would.
                if event.id != before:
                    yield Frame(event.id, event.type, event.text)
                before = event.id
    except (aiohttp.ClientError, ConnectionError):
        return


async def begin(
    http: aiohttp.ClientSession, url: str, model: str, reading: Reading, on_begun: Callable[[Reading], None]
) -> None:
    """Ask for an answer as an SDK does: again after a 503, whatever else goes wrong is trouble."""
    body = {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "x"}]}
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            async with http.post(f"{url}/v1/messages", json=body) as response:
                if response.status == 503:
                    reading.refused += 1
                    await asyncio.sleep(PAUSE)
                    continue
                if response.status != 200:
                    reading.trouble.append(f"POST answered {response.status}: {(await response.text())[:200]}")
                    return
                reading.stream = response.headers["tailrace-stream-id"]
                reading.replayed = "idempotent-replayed" in response.headers
                reading.connections += 1
                on_begun(reading)
                async for frame in frames_of(response):
                    reading.frames.append(frame)
                return
        except aiohttp.ClientError as error:
            reading.trouble.append(f"POST failed: {error!r}")
            return
    reading.trouble.append("POST refused for too long")


async def follow(http: aiohttp.ClientSession, url: str, reading: Reading) -> None:
    """Read on from the last frame, again and again, until the end: what a browser's EventSource does."""
    last = time.monotonic()
    while not reading.over and time.monotonic() - last < PATIENCE:
        headers = {"last-event-id": reading.cursor} if reading.frames else {}
        try:
            async with http.get(f"{url}/streams/{reading.stream}", headers=headers) as response:
                if response.status == 204:
                    return
                if response.status in {200, 502, 503, 504}:
                    reading.connections += response.status == 200
                else:
                    reading.trouble.append(f"GET answered {response.status}: {(await response.text())[:200]}")
                    return
                if response.status == 200:
                    async for frame in frames_of(response):
                        reading.frames.append(frame)
                        last = time.monotonic()
        except aiohttp.ClientError:
            pass
        if not reading.over:
            await asyncio.sleep(PAUSE)


async def watch(http: aiohttp.ClientSession, url: str, stream: str) -> Reading:
    """Read a stream that somebody else has begun, from its beginning to its end."""
    reading = Reading()
    reading.stream = stream
    await follow(http, url, reading)
    return reading


async def read(
    http: aiohttp.ClientSession, url: str, model: str, on_begun: Callable[[Reading], None] = lambda _: None
) -> Reading:
    """Ask for an answer and read it to its end, over as many connections as that takes."""
    reading = Reading()
    await begin(http, url, model, reading, on_begun)
    if reading.stream:
        await follow(http, url, reading)
    return reading


async def kept(http: aiohttp.ClientSession, url: str, stream: str) -> list[Frame]:
    """Return a stream that has ended as it is kept."""
    async with http.get(f"{url}/streams/{stream}") as response:
        return [frame async for frame in frames_of(response)]
