"""Whatever cuts an answer short, its log ends with words that say so, and it always ends."""

from __future__ import annotations

import asyncio

import pytest

from tailrace.dialects import DIALECTS, Encoder, Quirks, Received
from tailrace.engine import Call, Generation, Limits, Source
from tailrace.engine.attempt import Attempt
from tailrace.events import Event, Fold
from tests.engine.scripted import READS, Scripted, ask, relay_of, running

pytestmark = pytest.mark.anyio

DOORS = ["anthropic", "openai_chat", "plain", "openai_responses"]


async def ended(upstream: Scripted, door: str, limits: Limits) -> Generation:
    async with relay_of(upstream, limits) as relay:
        generation = await running(relay, ask(door))
        await asyncio.wait([generation.over], timeout=5)
        assert generation.over.done(), "the readers of this stream would wait for ever"
        assert relay.live == 0
    return generation


def retold(generation: Generation) -> Fold:
    """What a client makes of the frames in the log."""
    data, _ = generation.log.read(0, 1 << 30)
    decoder = DIALECTS[generation.door.name].decoder(Quirks())
    fold = Fold()
    for received in [*decoder.feed(data), *decoder.feed(b""), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    assert decoder.ended, data[-300:]
    return fold


@pytest.mark.parametrize("together", [False, True], ids=["event by event", "in one read"])
@pytest.mark.parametrize("door", DOORS)
async def test_an_answer_over_the_logs_cap_is_told_as_an_error_at_every_cap(door: str, together: bool) -> None:
    reads = (b"".join(READS),) if together else READS
    whole = await ended(Scripted(reads), door, Limits())
    assert whole.ending == "completed"
    cut = whole
    for frames in range(1, whole.log.tail + 1):
        cut = await ended(Scripted(reads), door, Limits(log_frames=frames))
        fold = retold(cut)
        if cut.ending == "completed":
            # The end itself always has room.
            assert fold.error is None
            assert fold.message().text == whole.message().text
        else:
            assert cut.ending == "failed"
            assert fold.error is not None
            assert fold.error.ending == "failed"
    assert cut.ending == "completed"


async def test_a_bug_in_an_encoder_ends_its_stream_with_an_error_and_logs_no_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def __init__(self, inner: Encoder) -> None:
            self.inner = inner
            self.left = 2

        def verbatim(self, received: Received) -> list[bytes]:
            self.left -= 1
            return self.inner.verbatim(received) if self.left else self.encode(received.events[0])

        def encode(self, event: Event) -> list[bytes]:
            prompt = "canary-prompt".upper()
            raise KeyError(type(event), len(prompt))

    class Breaking(Scripted):
        async def run(self, call: Call, source: Source) -> None:
            assert isinstance(source, Attempt)
            monkeypatch.setattr(source, "encoder", Broken(source.encoder))
            await super().run(call, source)

    async with relay_of(Breaking()) as relay:
        generation = await running(relay, ask("anthropic", system="canary-prompt"))
        await asyncio.wait([generation.over], timeout=5)
        assert generation.ending == "failed"
        error = retold(generation).error
    assert error is not None
    assert error.kind == "internal"
    logged = capsys.readouterr().out
    assert "KeyError" in logged
    assert "canary-prompt" not in logged
    assert "CANARY-PROMPT" not in logged
