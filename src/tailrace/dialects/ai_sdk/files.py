"""Files that a model makes: the vocabulary keeps each as its provider wrote it, this dialect knows a URL and a type."""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ai_sdk.names import NAME


def write_file(data: Any, dialect: str | None) -> dict[str, Any] | None:
    """Return the ``file`` chunk for a media block's ``data``, or None where this dialect cannot say it.

    Gemini writes a part with ``inlineData {mimeType, data}`` (base64) or ``fileData {mimeType, fileUri}``.
    """
    if not isinstance(data, dict):
        return None
    if dialect == NAME:
        return data
    for name, field in (("inlineData", "data"), ("fileData", "fileUri")):
        inner = data.get(name)
        if isinstance(inner, dict) and isinstance(inner.get("mimeType"), str) and isinstance(inner.get(field), str):
            media_type, value = inner["mimeType"], inner[field]
            url = f"data:{media_type};base64,{value}" if name == "inlineData" else value
            return {"type": "file", "url": url, "mediaType": media_type}
    return None
