"""Log-probabilities: read beside their text, written beside it, and kept in the whole answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from tailrace.dialects import DIALECTS, Quirks, Reply
from tailrace.events import Event, LogprobsDelta, TextDelta, fold

CHAT = DIALECTS["openai_chat"]
REPLY = Reply(id="chatcmpl-1", model="m", created=1)


def token(text: str, logprob: float) -> dict[str, Any]:
    other = {"token": "Hi", "logprob": -3.0, "bytes": [72, 105]}
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": [other]}


def chunk(delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def stream(kind: str) -> bytes:
    return b"".join(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({kind: "Hel"}, {kind: [token("Hel", -0.1)]}),
            chunk({kind: "lo you"}, {kind: [token("lo", -0.2), token(" you", -0.3)]}),
            chunk({}, reason="stop"),
            b"data: [DONE]\n\n",
        ]
    )


def events_of(data: bytes) -> list[Event]:
    return [event for received in CHAT.decoder(Quirks()).feed(data) for event in received.events]


@pytest.mark.parametrize("kind", ["content", "refusal"])
def test_they_stay_with_their_text_through_decode_fold_and_encode(kind: str) -> None:
    events = events_of(stream(kind))
    tokens = [entry["token"] for event in events if isinstance(event, LogprobsDelta) for entry in event.tokens]
    assert tokens == ["Hel", "lo", " you"]
    message = fold(events)
    (block,) = message.blocks
    assert [entry["token"] for entry in block.logprobs] == tokens  # type: ignore[union-attr]
    encoder = CHAT.encoder(REPLY)
    again = events_of(b"".join(frame for event in events for frame in encoder.encode(event)))
    assert fold(again) == message
    whole = CHAT.message_body(message, REPLY)["choices"][0]["logprobs"]
    assert [entry["token"] for entry in whole[kind]] == tokens


def test_the_official_accumulator_reads_them_as_written() -> None:
    encoder = CHAT.encoder(REPLY)
    state = ChatCompletionStreamState()
    for event in events_of(stream("content")):
        for frame in encoder.encode(event):
            data = frame.removeprefix(b"data: ").strip()
            if data != b"[DONE]":
                state.handle_chunk(ChatCompletionChunk.model_validate_json(data))
    choice = state.get_final_completion().choices[0]
    assert choice.message.content == "Hello you"
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert [(entry.token, entry.logprob) for entry in choice.logprobs.content] == [
        ("Hel", -0.1),
        ("lo", -0.2),
        (" you", -0.3),
    ]


@pytest.mark.parametrize("odd", [1, "x", [], {"content": 1}, {"content": [1]}, {"content": []}, {"refusal": [{}]}, {}])
def test_what_is_not_in_that_form_says_nothing(odd: Any) -> None:
    events = events_of(chunk({"content": "a"}, odd) + chunk({}, reason="stop") + b"data: [DONE]\n\n")
    assert TextDelta(0, "a") in events
    assert not [event for event in events if isinstance(event, LogprobsDelta)]
