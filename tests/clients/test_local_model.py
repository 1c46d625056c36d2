"""A real language model's answer, through the relay, into SDKs that know of neither."""

from __future__ import annotations

import anthropic
import pytest

from tests.clients import anthropic_ways, openai_ways
from tests.clients.local import HOMES, behind_llama_cpp, in_process, newest, the_answer_is_the_relays_own

pytestmark = [pytest.mark.anyio, pytest.mark.system]


async def test_every_path_reads_the_model_in_this_process() -> None:
    async with in_process() as home:
        pieces = [
            await the_answer_is_the_relays_own(home, door, way)
            for door, ways in (("anthropic", anthropic_ways.STREAMING), ("openai", openai_ways.STREAMING))
            for way in ways.values()
        ]
    # Now and then a greeting is one word long, but not all of them.
    assert sum(pieces) > 3 * len(pieces)


async def test_the_model_behind_a_server_that_is_not_ours() -> None:
    async with behind_llama_cpp() as home:
        for path in ("async helper", "async whole"):
            anthropics = anthropic_ways.STREAMING | anthropic_ways.WHOLE
            await the_answer_is_the_relays_own(home, "anthropic", anthropics[path])
            openais = openai_ways.STREAMING | openai_ways.WHOLE
            await the_answer_is_the_relays_own(home, "openai", openais[path])


@pytest.mark.parametrize("where", HOMES)
async def test_a_stop_keeps_the_text_and_frees_the_model(where: str) -> None:
    said = []
    async with HOMES[where]() as home, anthropic.AsyncAnthropic(base_url=home.url, api_key="key") as client:

        async def read_and_stop() -> None:
            stream = await client.messages.create(
                model=home.model,
                max_tokens=1500,
                messages=[{"role": "user", "content": "Tell me a very long story about the sea."}],
                stream=True,
            )
            async for event in stream:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    said.append(event.delta.text)
                if len(said) == 5:
                    stream_id = stream.response.headers["tailrace-stream-id"]
                    async with home.http.post(f"{home.url}/streams/{stream_id}/stop") as response:
                        assert (await response.json())["ending"] == "cancelled"

        with pytest.raises(anthropic.APIError, match="the answer was stopped"):
            await read_and_stop()
        kept = await newest(home)
        assert kept["ending"] == "cancelled"
        assert kept["message"]["blocks"][0]["text"].startswith("".join(said))
        # There is one place in the model: the next answer comes only when the stopped one has left it.
        await the_answer_is_the_relays_own(home, "openai", openai_ways.STREAMING["async raw"])
