"""Structured answers and tool arguments on the page, in a real browser: fields that come one after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tailrace import simulator
from tailrace.events import Message
from tests.browser.conftest import MODELS, Sight
from tests.browser.test_page import ask

pytestmark = [pytest.mark.anyio, pytest.mark.system]

READ = """rows => rows.filter(row => !row.querySelector('.field')).map(row => [
    row.dataset.path, (row.querySelector('dd') ?? row).textContent])"""
"""Path and shown value of each row that has no rows in it."""


def leaves(value: Any, path: str = "") -> Iterator[list[str]]:
    """Yield path and shown value of everything in the document that is no container."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, f"{path}/{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, f"{path}/{index}")
    else:
        yield [path, value if isinstance(value, str) else json.dumps(value)]


def said(model: str) -> Message:
    """Return what the simulator says for ``model``."""
    return simulator.expected(simulator.parse(MODELS[model]))


async def test_a_document_fills_in_field_by_field(sight: Sight) -> None:
    page = sight.page
    answer = await ask(sight, "json")
    fields = page.get_by_test_id("field")
    await expect(page.get_by_test_id("form")).to_be_visible()
    seen: list[list[list[str]]] = []
    for count in (3, 8):
        await expect(fields.nth(count)).to_be_attached()
        seen.append(await fields.evaluate_all(READ))
        await page.screenshot(path=sight.shots / f"form-{count}.png")
    await expect(page.get_by_test_id("form-state")).to_have_text("Structured answer")
    text = said("json").text
    final = await fields.evaluate_all(READ)
    assert final == list(leaves(json.loads(text)))
    for rows in seen:
        assert 0 < len(rows) < len(final)
        # What has come stays; the last one may still be growing, or not have its first row in it yet.
        assert rows[:-1] == final[: len(rows) - 1]
        assert final[len(rows) - 1][0].startswith(rows[-1][0])
    await expect(page.get_by_test_id("form-note")).to_be_hidden()
    await page.screenshot(path=sight.shots / "form.png")

    await page.get_by_test_id("form-raw").click()
    assert (await answer.locator("pre").inner_text()).strip() == text.strip()
    await expect(page.get_by_test_id("field").first).to_be_hidden()


async def test_arguments_of_tools_come_field_by_field(sight: Sight) -> None:
    page = sight.page
    await ask(sight, "tools")
    cards = page.get_by_test_id("tool")
    await expect(cards.first.get_by_test_id("tool-field").first).to_be_visible()
    await page.screenshot(path=sight.shots / "tools-early.png")
    await expect(page.get_by_test_id("metrics")).to_contain_text("tokens/s")
    calls = said("tools").tool_calls
    assert await cards.count() == len(calls)
    for number, call in enumerate(calls):
        await matches(cards.nth(number), call.json)
    await page.screenshot(path=sight.shots / "tools.png")


async def matches(card: Locator, arguments: str) -> None:
    await expect(card.get_by_test_id("tool-state")).to_have_text("complete")
    assert await card.get_by_test_id("tool-field").evaluate_all(READ) == list(leaves(json.loads(arguments or "{}")))
    await expect(card.locator("pre")).to_have_text(arguments or "{}")
