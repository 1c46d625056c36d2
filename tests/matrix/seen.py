"""What a client has seen of an answer, in one form for all dialects: read from streams, and from whole bodies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from tailrace.dialects import DIALECTS, Quirks
from tailrace.events import Fold, Message, RefusalBlock


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. ``calls`` are names with parsed inputs; ``reason`` is in the vocabulary's words.

    ``refusal`` is what the model declined with, ``signed`` whether its thoughts can be given back to their provider.
    ``error`` is the message of the error that it ended with. ``ended`` says that the dialect's own mark of a
    complete answer was there.
    """

    text: str = ""
    refusal: str = ""
    thinking: str = ""
    signed: bool = False
    calls: tuple[tuple[str, Any], ...] = ()
    reason: str | None = None
    error: str | None = None
    ended: bool = True


def of_message(message: Message) -> Seen:
    """Return what ``message`` says."""
    return Seen(
        text=message.text,
        refusal="".join(block.text for block in message.blocks if isinstance(block, RefusalBlock)),
        thinking=message.thinking,
        signed=any(getattr(block, "signature", None) for block in message.blocks),
        calls=tuple((call.name, call.input) for call in message.tool_calls),
        reason=message.stop_reason,
    )


# ---- streams ------------------------------------------------------------------------------------------------------


def read_stream(dialect: str, data: bytes) -> Seen:
    """Return what a client of ``dialect`` reads in ``data``."""
    decoder, fold = DIALECTS[dialect].decoder(Quirks()), Fold()
    for received in [*decoder.feed(data), *decoder.feed(b""), *decoder.close()]:
        for event in received.events:
            fold.add(event)
    error = fold.error.message if fold.error else None
    return msgspec.structs.replace(
        of_message(fold.message()), error=error, ended=decoder.ended and fold.ended and error is None
    )


# ---- whole answers ------------------------------------------------------------------------------------------------


def read_whole(dialect: str, body: dict[str, Any]) -> Seen:
    """Return what a client of ``dialect`` reads in a whole answer."""
    return _WHOLE[dialect](body)


def _anthropic(body: dict[str, Any]) -> Seen:
    blocks = body["content"]
    assert [block["type"] for block in blocks if block["type"] not in {"text", "thinking", "tool_use"}] == []
    return Seen(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        thinking="".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        signed=any(block.get("signature") for block in blocks),
        calls=tuple((block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"),
        reason=body["stop_reason"],
    )


def _chat(body: dict[str, Any]) -> Seen:
    (choice,) = body["choices"]
    message = choice["message"]
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
    return Seen(
        text=message["content"] or "",
        refusal=message.get("refusal") or "",
        thinking=message.get("reasoning_content") or "",
        calls=tuple(
            (call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls", ())
        ),
        reason=reasons[choice["finish_reason"]],
    )


def _responses(body: dict[str, Any]) -> Seen:
    parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
    thoughts = [item for item in body["output"] if item["type"] == "reasoning"]
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    refused = any(part["type"] == "refusal" for part in parts)
    reasons = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}
    if body["status"] == "incomplete":
        reason = reasons[body["incomplete_details"]["reason"]]
    else:
        assert body["status"] == "completed"
        reason = "refusal" if refused else "tool_use" if calls else "end_turn"
    return Seen(
        text="".join(part["text"] for part in parts if part["type"] == "output_text"),
        refusal="".join(part["refusal"] for part in parts if part["type"] == "refusal"),
        signed=any(item.get("encrypted_content") for item in thoughts),
        thinking="".join(
            part["text"] for item in thoughts for part in (item.get("summary") or item.get("content") or ())
        ),
        calls=tuple((call["name"], json.loads(call["arguments"])) for call in calls),
        reason=reason,
    )


def _gemini(body: dict[str, Any]) -> Seen:
    (candidate,) = body["candidates"]
    parts = candidate.get("content", {}).get("parts", ())
    calls = tuple(
        (part["functionCall"]["name"], part["functionCall"].get("args", {})) for part in parts if "functionCall" in part
    )
    reasons = {"STOP": "tool_use" if calls else "end_turn", "MAX_TOKENS": "max_tokens", "SAFETY": "refusal"}
    return Seen(
        text="".join(part.get("text", "") for part in parts if not part.get("thought")),
        thinking="".join(part["text"] for part in parts if part.get("thought")),
        signed=any(part.get("thoughtSignature") for part in parts),
        calls=calls,
        reason=reasons[candidate["finishReason"]],
    )  # fmt: skip


def _ollama(body: dict[str, Any]) -> Seen:
    message = body["message"]
    calls = tuple((call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ()))
    assert body["done"] is True
    # Ollama's own server has no word for a refusal; any word is valid, and "stop" would claim a natural end.
    reasons = {"stop": "tool_use" if calls else "end_turn", "length": "max_tokens", "refusal": "refusal"}
    return Seen(
        text=message["content"],
        thinking=message.get("thinking", ""),
        calls=calls,
        reason=reasons[body["done_reason"]],
    )


def _ai_sdk(body: dict[str, Any]) -> Seen:
    assert body["role"] == "assistant"
    parts = body["parts"]
    calls = [part for part in parts if part["type"].startswith("tool-")]
    assert all(call["state"] == "input-available" for call in calls)
    return Seen(
        text="".join(part["text"] for part in parts if part["type"] == "text"),
        thinking="".join(part["text"] for part in parts if part["type"] == "reasoning"),
        signed=any("signature" in str(part.get("providerMetadata")) for part in parts),
        calls=tuple((call["type"].removeprefix("tool-"), call["input"]) for call in calls),
        reason=body["metadata"]["stopReason"],
    )


def _ag_ui(body: dict[str, Any]) -> Seen:
    messages = body["messages"]
    thoughts = [message for message in messages if message["role"] == "reasoning"]
    (said,) = [message for message in messages if message["role"] == "assistant"]
    functions = [call["function"] for call in said.get("toolCalls", ())]
    return Seen(
        text=said.get("content", ""),
        thinking="".join(thought["content"] for thought in thoughts),
        signed=any(thought.get("encryptedValue") for thought in thoughts),
        calls=tuple((function["name"], json.loads(function["arguments"])) for function in functions),
        reason=body["metadata"]["tailrace"]["stop_reason"],
    )


def _plain(body: dict[str, Any]) -> Seen:
    return Seen(text=body["text"], reason=body["stop_reason"])


_WHOLE: dict[str, Callable[[dict[str, Any]], Seen]] = {
    "anthropic": _anthropic,
    "openai_chat": _chat,
    "openai_responses": _responses,
    "gemini": _gemini,
    "ollama": _ollama,
    "ai_sdk": _ai_sdk,
    "ag_ui": _ag_ui,
    "plain": _plain,
}
