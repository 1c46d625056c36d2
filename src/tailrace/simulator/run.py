"""The simulator without an event loop of one's own: for the command line, and for tests that are not async."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tailrace.simulator.scenario import Scenario
from tailrace.simulator.server import Simulator


def run(
    host: str = "127.0.0.1",
    port: int = 0,
    scenario: Scenario | None = None,
    *,
    any_model: bool = False,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` is told the base URL. Raises `OSError` when the port is taken."""

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: there SIGINT arrives as KeyboardInterrupt
                loop.add_signal_handler(number, over.set)
        async with Simulator(host, port, scenario, any_model=any_model) as simulator:
            on_ready(simulator.url)
            await over.wait()

    asyncio.run(serve())


@contextmanager
def in_thread(scenario: Scenario | None = None, **options: Any) -> Iterator[Simulator]:
    """Serve in a thread for as long as the ``with`` lasts; ``options`` are those of `Simulator`.

    Its counts and records may be read from any thread, and `Simulator.wait` waits for them; its coroutines and events
    belong to its own thread.
    """
    ready: threading.Event = threading.Event()
    simulator = Simulator(scenario=scenario, **options)
    failure: list[BaseException] = []
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        async with simulator:
            stop.append(lambda: loop.call_soon_threadsafe(over.set))
            ready.set()
            await over.wait()

    def body() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits, whatever it is)
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=body, name="tailrace-simulator", daemon=True)
    thread.start()
    ready.wait()
    try:
        if failure:
            raise failure[0]
        yield simulator
    finally:
        for call in stop:
            call()
        thread.join()
