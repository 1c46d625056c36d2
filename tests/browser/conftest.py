"""A browser in front of the built page, in front of a relay, in front of a simulator."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

from tailrace.engine import ProviderSpec, Relay, RouteSpec, Target
from tailrace.server.page import DIRECTORY
from tailrace.simulator import Simulator
from tailrace.testing import serving

MODELS: dict[str, str] = {
    # Fifty tokens a second, as a quick model writes; long enough that whatever happens does so in the middle.
    "long": "sim:tokens=1500,rate=50",
    "reloaded": "sim:tokens=250,rate=50",
    "short": "sim:tokens=60,rate=150",
    "broken": "sim:tokens=60,fault=error@20",
    "json": "sim-json:tokens=60,rate=10",
    "tools": "sim-tools:tokens=60,rate=40",
}
"""``route, as the page lists it → the simulator's model``."""

ARGUMENTS = [
    # Root in a container has no other choice; the page is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever the browser itself would like to fetch is not found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


# Milliseconds. A page takes a tenth of a second for what is waited for here; a busy machine takes its time.
expect.set_options(timeout=20_000)


class Sight(NamedTuple):
    """What a test looks at. ``shots`` is where pictures go."""

    page: Page
    url: str
    sim: Simulator
    relay: Relay
    shots: Path


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def chromium() -> str:
    """The browser's path. Without browser or page the test is skipped; with CI=true it fails."""
    if not (DIRECTORY / "index.html").is_file():
        _missing("the page has not been built: run `make page`")
    return shutil.which("chromium") or _missing("chromium is not installed")


@pytest.fixture
def width() -> int:
    """Of the window, in CSS pixels; overridden by tests that need another."""
    return 1280


@pytest.fixture
async def sight(chromium: str, width: int, tmp_path: Path) -> AsyncIterator[Sight]:
    """The page, open and ready. On leaving: it has written no error to the console, and asked nobody else."""
    async with Simulator() as sim, async_playwright() as playwright:
        provider = ProviderSpec(name="sim", dialect="openai_chat", base_url=f"{sim.url}/v1", simulated=True)
        routes = {name: RouteSpec(name=name, targets=(Target("sim", model),)) for name, model in MODELS.items()}
        relay = Relay({"sim": provider}, routes)
        async with serving(relay) as url:
            browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
            page = await browser.new_page(viewport={"width": width, "height": 800})
            complaints: list[str] = []
            asked: set[str] = set()

            def hear(said: ConsoleMessage) -> None:
                if said.type in {"error", "warning"}:
                    complaints.append(f"{said.text} ({said.location['url']})")

            page.on("console", hear)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
            await page.goto(url)
            try:
                yield Sight(page, url, sim, relay, tmp_path)
            finally:
                await browser.close()
            assert complaints == []
            assert asked <= {urlsplit(url).netloc, ""}
