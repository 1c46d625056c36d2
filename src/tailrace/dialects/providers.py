"""Well-known providers: what a key in the environment is enough to configure.

Base URLs are as each provider's own SDK takes them (OpenAI's ends in ``/v1``). Only providers whose dialect is
spoken here are listed.
"""

from __future__ import annotations

import msgspec

from tailrace.dialects.base import Quirks


class KnownProvider(msgspec.Struct, frozen=True):
    """A provider by its usual name: dialect, base URL, the variable its SDK reads the key from, its quirks."""

    name: str
    dialect: str
    base_url: str
    key_variable: str
    quirks: Quirks = Quirks()


KNOWN_PROVIDERS: dict[str, KnownProvider] = {
    known.name: known
    for known in (
        KnownProvider("anthropic", "anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
        KnownProvider("openai", "openai_chat", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        KnownProvider("gemini", "gemini", "https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
        # Its reference lists only max_tokens; a field that it does not know is ignored, and the limit with it.
        KnownProvider(
            "deepseek",
            "openai_chat",
            "https://api.deepseek.com/v1",
            "DEEPSEEK_API_KEY",
            Quirks(old_max_tokens=True),
        ),
        KnownProvider("groq", "openai_chat", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        # It answers 422 to both fields: "Extra inputs are not permitted".
        KnownProvider(
            "mistral",
            "openai_chat",
            "https://api.mistral.ai/v1",
            "MISTRAL_API_KEY",
            Quirks(old_max_tokens=True, no_stream_options=True),
        ),
        KnownProvider("openrouter", "openai_chat", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        KnownProvider("xai", "openai_chat", "https://api.x.ai/v1", "XAI_API_KEY"),
    )
}
