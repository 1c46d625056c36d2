"""The chat page in a real browser: text that grows, a Stop that stops, a reload that goes on, an error that says so."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Request, expect

from tailrace import simulator
from tests.browser.conftest import MODELS, Sight

pytestmark = [pytest.mark.anyio, pytest.mark.system]


async def ask(sight: Sight, model: str, prompt: str = "Tell me something") -> Locator:
    """Choose the model, type and send; return where the answer will stand."""
    answers = sight.page.get_by_test_id("answer")
    before = await answers.count()
    await sight.page.get_by_test_id("model").select_option(model)
    await sight.page.get_by_test_id("composer").fill(prompt)
    await sight.page.get_by_test_id("send").click()
    return answers.nth(before)


async def longer_than(answer: Locator, length: int) -> str:
    """Wait until the answer is longer than ``length`` characters and return it."""
    await expect(answer).to_have_text(re.compile(rf"\S[\s\S]{{{length},}}"), use_inner_text=True)
    return plain(await answer.inner_text())


def plain(text: str) -> str:
    """Return the words with single spaces: what Markdown may do to the rest is not the matter here."""
    return " ".join(text.split())


def truth(model: str) -> str:
    """Return the words that the simulator says for ``model``."""
    return plain(simulator.expected(simulator.parse(MODELS[model])).text)


async def test_text_grows_and_stop_keeps_it(sight: Sight) -> None:
    page = sight.page
    answer = await ask(sight, "long")
    lengths = [0]
    for _ in range(4):
        lengths.append(len(await longer_than(answer, lengths[-1])))
    assert lengths == sorted(set(lengths))
    await page.screenshot(path=sight.shots / "streaming.png")

    await page.get_by_test_id("stop").click()
    await expect(page.get_by_test_id("stopped-badge")).to_have_text("Stopped")
    await sight.sim.until(lambda sim: sim.open_connections == 0)
    assert sight.sim.requests[0].state == "closed_by_client"
    kept = plain(await answer.inner_text())
    assert len(kept) >= lengths[-1]
    assert truth("long").startswith(kept)
    await expect(page.get_by_test_id("send")).to_be_visible()
    await page.screenshot(path=sight.shots / "stopped.png")


async def test_a_reload_in_the_middle_goes_on_by_itself(sight: Sight) -> None:
    page = sight.page
    cursors: list[str] = []

    def note(request: Request) -> None:
        if "/streams/" in request.url:
            cursors.append(request.headers["last-event-id"])

    page.on("request", note)
    await ask(sight, "short")
    await expect(page.get_by_test_id("metrics")).to_contain_text("tokens/s")
    answer = await ask(sight, "reloaded", "And now?")
    before = await longer_than(answer, 100)
    await page.reload()
    assert sight.sim.requests[1].state == "open"
    await expect(page.get_by_test_id("status")).not_to_have_text("Ready")
    await expect(page.get_by_test_id("send")).to_be_visible()
    await page.screenshot(path=sight.shots / "resumed.png")
    first, second = map(plain, await page.get_by_test_id("answer").all_inner_texts())
    assert first == truth("short")
    assert second == truth("reloaded")
    assert second.startswith(before)
    # Asked for once, followed twice.
    assert len(sight.sim.requests) == 2
    assert len(cursors) == 1
    assert int(cursors[0]) > 0


async def test_a_whole_answer_and_its_figures(sight: Sight) -> None:
    answer = await ask(sight, "short")
    await expect(sight.page.get_by_test_id("metrics")).to_contain_text("tokens/s")
    await expect(sight.page.get_by_test_id("metrics")).to_contain_text("to first token")
    await expect(sight.page.get_by_test_id("metrics")).to_contain_text("60 out")
    assert plain(await answer.inner_text()) == truth("short")
    await sight.page.screenshot(path=sight.shots / "whole.png")


async def test_an_error_keeps_the_text_and_can_be_retried(sight: Sight) -> None:
    page = sight.page
    answer = await ask(sight, "broken")
    retry = page.get_by_test_id("retry")
    await expect(retry).to_be_visible()
    await expect(page.get_by_test_id("error")).to_contain_text("asked to fail")
    kept = plain(await answer.inner_text())
    assert kept
    assert truth("broken").startswith(kept)
    await page.screenshot(path=sight.shots / "error.png")

    await retry.click()
    await sight.sim.until(lambda sim: len(sim.requests) == 2)
    await expect(retry).to_be_visible()


class TestOnAPhone:
    @pytest.fixture
    def width(self) -> int:
        return 390

    async def test_nothing_is_wider_than_the_screen(self, sight: Sight) -> None:
        page = sight.page
        await page.screenshot(path=sight.shots / "phone-empty.png")
        await ask(sight, "short")
        await expect(page.get_by_test_id("metrics")).to_contain_text("tokens/s")
        await ask(sight, "broken", "And " + "averylongword" * 12)
        await expect(page.get_by_test_id("retry")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await page.screenshot(path=sight.shots / "phone.png")
