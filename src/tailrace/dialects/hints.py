"""Fields of any dialect that may be left out on the way to another: the one table that every ``build`` reads.

Without one of these the answer is still an answer to the same question, in the same form. They are hints on cost,
caching, book-keeping and style, and what a provider noted about its own earlier answers. What is left out is listed
(`Translation.ignored`), never dropped unseen. A name with a dot is a detail inside: ``block.field``.
"""

from __future__ import annotations

HINTS = frozenset(
    {
        # Anthropic
        "cache_control",
        "diagnostics",
        "inference_geo",
        "speed",
        "text.citations",
        "tool_result.toolset_name",
        "tool_use.caller",
        "tool_use.toolset_name",
        "tools.defer_loading",
        "tools.eager_input_streaming",
        "tools.input_examples",
        # OpenAI
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
        "verbosity",
        # both, with different values
        "metadata",
        "service_tier",
    }
)
"""Names of fields, as they stand in `Request.extra`."""
