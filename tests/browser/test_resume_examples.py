"""The two examples of docs/resume.md as they are shown, in a real browser, over connections that are cut."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.async_api import Page, async_playwright, expect

from tailrace import simulator
from tailrace.engine import ProviderSpec, Relay
from tailrace.simulator import Simulator
from tailrace.testing import serving
from tests.browser.conftest import ARGUMENTS
from tests.browser.proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.system]

EXAMPLES = Path(__file__).parents[2] / "examples"
KINDS = ("eventsource", "fetch")
SLOW = "sim:tokens=120,rate=60"
LONGER = "sim:tokens=400,rate=60"
ENDLESS = "sim:tokens=4000,rate=60"


class Sight(NamedTuple):
    page: Page
    proxy: Proxy
    sim: Simulator
    kind: str

    async def ask(self, model: str) -> None:
        await self.page.goto(f"{self.proxy.url}/example?model=sim/{model}")
        await self.page.get_by_role("button", name="Ask").click()

    async def longer_than(self, length: int) -> str:
        answer = self.page.locator("#answer")
        await expect(answer).to_have_text(re.compile(rf"\S[\s\S]{{{length},}}"))
        return await self.text()

    async def text(self) -> str:
        return str(await self.page.locator("#answer").evaluate("node => node.textContent"))

    async def said(self, words: str) -> None:
        await expect(self.page.locator("#status")).to_have_text(words)


@pytest.fixture(params=KINDS)
async def sight(request: pytest.FixtureRequest, chromium: str) -> AsyncIterator[Sight]:
    kind = str(request.param)
    async with Simulator() as sim, async_playwright() as playwright:
        relay = Relay({"sim": ProviderSpec(name="sim", dialect="openai_chat", base_url=f"{sim.url}/v1")})
        async with serving(relay) as url:
            proxy = Proxy(url, {"/example": EXAMPLES / f"resume-{kind}.html"})
            async with proxy.listening():
                browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
                page = await browser.new_page()
                broken: list[str] = []
                page.on("pageerror", lambda error: broken.append(str(error)))
                try:
                    yield Sight(page, proxy, sim, kind)
                finally:
                    await browser.close()
                assert broken == []


def truth(model: str) -> str:
    return simulator.expected(simulator.parse(model)).text


async def test_cut_in_the_middle_the_text_is_whole_at_the_end(sight: Sight) -> None:
    # The EventSource's page leaves its first request itself; the other one's is cut.
    sight.proxy.cuts = [700, 900, 1100] if sight.kind == "fetch" else [1 << 30, 900, 1100]
    await sight.ask(SLOW)
    await sight.said("complete")
    assert await sight.text() == truth(SLOW)
    posts = [line for line in sight.proxy.requests if line.startswith("POST")]
    gets = [line for line in sight.proxy.requests if line.startswith("GET")]
    cursors = [int(line.split(" after ")[1]) for line in gets if " after " in line]
    assert len(posts) == 1
    assert len(gets) >= (2 if sight.kind == "fetch" else 3)
    # What a connection had brought when it broke the browser may throw away, so that a cursor may come twice.
    assert cursors == sorted(cursors)
    assert 0 < cursors[-1] < 121
    assert len(sight.sim.requests) == 1
    assert await sight.page.evaluate("sessionStorage.stream") is None


@pytest.mark.parametrize("sight", ["fetch"], indirect=True)  # the other page leaves asking again to its reader
async def test_a_request_that_got_no_answer_is_asked_again_and_joins(sight: Sight) -> None:
    sight.proxy.cuts = [0, 20]
    await sight.ask(SLOW)
    await sight.said("complete")
    assert await sight.text() == truth(SLOW)
    assert [line for line in sight.proxy.requests if line.startswith("POST")] == ["POST /stream"] * 3
    assert len(sight.sim.requests) == 1


async def test_stop_stops_and_keeps_the_text(sight: Sight) -> None:
    await sight.ask(ENDLESS)
    before = await sight.longer_than(60)
    await sight.page.get_by_role("button", name="Stop").click()
    await expect(sight.page.locator("#status")).to_have_text(re.compile("stopped|cancelled", re.IGNORECASE))
    await sight.sim.until(lambda sim: sim.open_connections == 0)
    assert sight.sim.requests[0].state == "closed_by_client"
    kept = await sight.text()
    assert kept.startswith(before)
    assert truth(ENDLESS).startswith(kept)


async def test_a_reload_in_the_middle_goes_on(sight: Sight) -> None:
    await sight.ask(LONGER)
    before = await sight.longer_than(60)
    await sight.page.reload()
    await sight.said("complete")
    text = await sight.text()
    assert text.startswith(before)
    assert text == truth(LONGER)
    assert len(sight.sim.requests) == 1


async def test_a_stream_that_is_gone_is_said_to_be(sight: Sight) -> None:
    await sight.page.goto(f"{sight.proxy.url}/example")
    await sight.page.evaluate("sessionStorage.stream = 'nobody-has-this-one'")
    await sight.page.reload()
    await sight.said("gone")
    await sight.page.reload()
    await sight.said("ready")
