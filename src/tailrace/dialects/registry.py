"""The table of dialects by name: the only place that lists them."""

from __future__ import annotations

from tailrace.dialects.ag_ui import AG_UI
from tailrace.dialects.ai_sdk import AI_SDK
from tailrace.dialects.anthropic import ANTHROPIC
from tailrace.dialects.base import Dialect
from tailrace.dialects.bedrock import BEDROCK
from tailrace.dialects.gemini import GEMINI
from tailrace.dialects.ollama import OLLAMA
from tailrace.dialects.openai_chat import OPENAI_CHAT
from tailrace.dialects.openai_responses import OPENAI_RESPONSES
from tailrace.dialects.plain import PLAIN

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        ANTHROPIC,
        OPENAI_CHAT,
        OPENAI_RESPONSES,
        GEMINI,
        OLLAMA,
        BEDROCK,
        AI_SDK,
        AG_UI,
        PLAIN,
    )
}
"""Every dialect by its name in the configuration."""
