"""A real language model's answer, through the relay, into the npm SDKs."""

from __future__ import annotations

import pytest

from tests.clients.local import in_process, the_answer_is_the_relays_own
from tests.js.node import way

pytestmark = [pytest.mark.anyio, pytest.mark.system]


async def test_every_path_reads_the_model_in_this_process() -> None:
    async with in_process() as home:
        for path in ("raw", "helper"):
            await the_answer_is_the_relays_own(home, "anthropic", way("anthropic.mjs", path))
            await the_answer_is_the_relays_own(home, "openai", way("openai.mjs", path))
