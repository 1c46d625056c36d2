"""A relay on a real port, inside the running event loop: tests go in through the door that users use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tailrace.engine import Relay
from tailrace.server import ServerSpec, bind, make_server, url_of


@contextlib.asynccontextmanager
async def serving(relay: Relay, spec: ServerSpec | None = None) -> AsyncIterator[str]:
    """Serve ``relay`` on a free port of loopback and yield its URL; leaving ends the server and the relay."""
    spec = spec or ServerSpec(port=0, shutdown_grace=0.0)
    ready = asyncio.Event()
    sock = bind(spec, relay.limits.reader_stall)
    server = make_server(relay, spec, ready.set, signals=False)
    with sock:
        running = asyncio.ensure_future(server.serve(sockets=[sock]))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            waiting.cancel()
            await running
            raise RuntimeError("the server did not start")
        try:
            yield url_of(sock)
        finally:
            await relay.drain(0)
            server.should_exit = True
            await running
