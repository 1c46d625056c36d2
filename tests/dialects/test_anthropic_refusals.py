"""Which Messages requests are refused, and the field that is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.errors import BadRequest
from tests.dialects.anthropic_requests import IMAGE, MINIMAL, RESULT, asked, said, source

WRONG: dict[str, dict[str, Any]] = {
    "model": {"model": None},
    "messages": {"messages": []},
    "max_tokens": {"max_tokens": None},
    "messages.0": {"messages": ["Hi"]},
    "messages.0.role": {"messages": [{"role": "tool", "content": ""}]},
    "messages.0.content": {"messages": [{"role": "user"}]},
    "messages.1.content": {"messages": [*MINIMAL["messages"], {"role": "assistant", "content": 5}]},
    "messages.0.content.1": {"messages": said({"type": "text", "text": "a"}, "b")},
    "messages.0.content.0.type": {"messages": said({"text": "a"})},
    "messages.0.content.0.text": {"messages": said({"type": "text"})},
    "messages.0.content.0.source": {"messages": said({"type": "image"})},
    "messages.0.content.0.source.type": {"messages": said({"type": "image", "source": {}})},
    "messages.0.content.0.source.data": {"messages": said({"type": "image", "source": source("base64")})},
    "messages.0.content.0.source.media_type": {
        "messages": said({"type": "image", "source": source("base64", data="A")})
    },
    "messages.0.content.0.source.url": {"messages": said({"type": "image", "source": source("url")})},
    "messages.0.content.0.source.file_id": {"messages": said({"type": "document", "source": source("file")})},
    "messages.0.content.0.id": {"messages": said({"type": "tool_use", "name": "n", "input": {}})},
    "messages.0.content.0.name": {"messages": said({"type": "tool_use", "id": "t", "input": {}})},
    "messages.0.content.0.input": {"messages": said({"type": "tool_use", "id": "t", "name": "n"})},
    "messages.0.content.0.tool_use_id": {"messages": said({"type": "tool_result"})},
    "messages.0.content.0.is_error": {"messages": said({**RESULT, "is_error": "yes"})},
    "messages.0.content.0.content": {"messages": said({**RESULT, "content": {}})},
    "messages.0.content.0.content.0.text": {"messages": said({**RESULT, "content": [{"type": "text"}]})},
    "messages.0.content.0.thinking": {"messages": said({"type": "thinking"})},
    "messages.0.content.0.signature": {"messages": said({"type": "thinking", "thinking": "", "signature": 1})},
    "messages.0.content.0.data": {"messages": said({"type": "redacted_thinking"})},
    "system": {"system": 5},
    "system.0": {"system": [IMAGE]},
    "temperature": {"temperature": "warm"},
    "top_p": {"top_p": True},
    "top_k": {"top_k": 1.5},
    "stop_sequences": {"stop_sequences": "END"},
    "stop_sequences.1": {"stop_sequences": ["a", 1]},
    "stream": {"stream": "yes"},
    "tools": {"tools": {}},
    "tools.0": {"tools": ["f"]},
    "tools.0.name": {"tools": [{"input_schema": {}}]},
    "tools.0.input_schema": {"tools": [{"name": "f"}]},
    "tools.0.description": {"tools": [{"name": "f", "input_schema": {}, "description": 1}]},
    "tools.0.strict": {"tools": [{"name": "f", "input_schema": {}, "strict": 1}]},
    "tool_choice": {"tool_choice": "auto"},
    "tool_choice.type": {"tool_choice": {"type": "some"}},
    "tool_choice.name": {"tool_choice": {"type": "tool"}},
    "tool_choice.disable_parallel_tool_use": {"tool_choice": {"type": "any", "disable_parallel_tool_use": 1}},
    "thinking": {"thinking": True},
    "thinking.type": {"thinking": {}},
    "thinking.budget_tokens": {"thinking": {"type": "enabled"}},
    "thinking.display": {"thinking": {"type": "adaptive", "display": 1}},
    "output_config": {"output_config": []},
    "output_config.effort": {"output_config": {"effort": 3}},
    "output_config.format": {"output_config": {"format": "json"}},
    "output_config.format.type": {"output_config": {"format": {"type": "xml"}}},
    "output_config.format.schema": {"output_config": {"format": {"type": "json_schema"}}},
    "output_format.schema": {"output_format": {"type": "json_schema"}},
    "metadata": {"metadata": "u"},
    "metadata.user_id": {"metadata": {"user_id": 7}},
}


@pytest.mark.parametrize("param", WRONG)
def test_a_wrong_field_is_named(param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**WRONG[param])
    assert caught.value.param == param
    assert caught.value.status == 400
    assert caught.value.message.startswith(f"{param}: ")


@pytest.mark.parametrize("missing", MINIMAL)
def test_a_missing_field_is_named(missing: str) -> None:
    with pytest.raises(BadRequest) as caught:
        ANTHROPIC.parse({name: value for name, value in MINIMAL.items() if name != missing})
    assert caught.value.param == missing


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest):
        ANTHROPIC.parse([])  # type: ignore[arg-type]


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(["user", "text", "image", "base64", "tool", "enabled", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "source", "data", "input", "id", "name", "tool_use_id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "model",
                "max_tokens",
                "messages",
                "system",
                "tools",
                "tool_choice",
                "thinking",
                "output_config",
                "metadata",
            ]
        ),
        _json,
    )
)
def test_any_json_is_understood_or_refused(body: dict[str, Any]) -> None:
    for fields in (body, {**MINIMAL, **body}):
        try:
            request = ANTHROPIC.parse(fields)
        except BadRequest as refusal:
            assert refusal.param  # noqa: PT017 - it need not be refused
        else:
            assert ANTHROPIC.build(request).body["model"] == request.model
