"""Host names to addresses, without holding anybody up.

`socket.getaddrinfo` is the only resolver that sees what the machine's other programs see (hosts file, search domains,
mDNS), but it blocks, for half a minute where no name server answers. asyncio runs it in the executor that everything
shares: six providers with dead names would stop every other one from being looked up, and whatever else uses that
executor, and hold the process at its end until the last of them gives up. Here each look-up has a thread of its own
that nobody waits for. There is one at a time for each provider: its connector joins those that ask for the same name.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

FLAGS = socket.AI_ADDRCONFIG
"""No IPv6 addresses where this machine has no IPv6."""


class Resolver(AbstractResolver):
    """Resolves with the system's resolver; raises `OSError` when a name has no address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of ``host``."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()
        # A daemon: the process may end while it still waits for a name server.
        threading.Thread(
            target=_look_up, args=(loop, found, host, port, family), name=f"tailrace resolve {host}", daemon=True
        ).start()
        results: list[ResolveResult] = []
        for of_family, _, proto, _, address in await found:
            # The scope of a link-local IPv6 address is part of its name here (RFC 4007 section 11).
            scope = f"%{address[3]}" if len(address) > 3 and address[3] else ""
            results.append(
                ResolveResult(
                    hostname=host,
                    host=address[0].partition("%")[0] + scope,
                    port=address[1],
                    family=of_family,
                    proto=proto,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Nothing is held."""


def _look_up(
    loop: asyncio.AbstractEventLoop, found: asyncio.Future[list[Any]], host: str, port: int, family: int
) -> None:
    result: list[Any] | OSError
    try:
        result = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=FLAGS)
    except OSError as error:
        result = error
    except UnicodeError:
        result = socket.gaierror(socket.EAI_NONAME, "not a host name")
    # The loop may be over by now.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_tell, found, result)


def _tell(found: asyncio.Future[list[Any]], result: list[Any] | OSError) -> None:
    if found.done():
        return
    if isinstance(result, OSError):
        found.set_exception(result)
    else:
        found.set_result(result)
