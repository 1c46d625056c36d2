"""Citations: the vocabulary keeps each as its provider wrote it, this dialect knows sources with a URL or a title.

The provider's own object rides along under ``providerMetadata.tailrace.citation``: it has the cited words and their
places, which a source has no field for.
"""

from __future__ import annotations

from typing import Any

from tailrace.dialects.ai_sdk.names import MARKS

SOURCES = frozenset({"source-url", "source-document"})
"""The chunks that name a source."""

MEDIA_TYPES = {"page_location": "application/pdf", "char_location": "text/plain"}
"""Type of a citation → what it can only point into (Anthropic's pages and characters)."""


def write_source(citation: dict[str, Any], spare_id: str) -> dict[str, Any]:
    """Return the chunk that says ``citation``; ``spare_id`` is the source's name, as providers give none."""
    if str(citation.get("type")) in SOURCES and isinstance(citation.get("sourceId"), str):
        return citation
    # OpenAI keeps the fields of an annotation in an object of the annotation's own name.
    inner = citation.get(str(citation.get("type")))
    known = {**citation, **inner} if isinstance(inner, dict) else citation
    url = _first(known, "url", "uri")
    title = _first(known, "title", "document_title", "filename", "source")
    marks = {"providerMetadata": {MARKS: {"citation": citation}}}
    if url is not None:
        found = {"type": "source-url", "sourceId": spare_id, "url": url}
        return {**found, **({} if title is None else {"title": title}), **marks}
    media_type = MEDIA_TYPES.get(str(citation.get("type")), "application/octet-stream")
    document = {"type": "source-document", "sourceId": spare_id, "mediaType": media_type}
    return {**document, "title": title or "document", **marks}


def read_source(chunk: dict[str, Any]) -> dict[str, Any]:
    """Return the citation that ``chunk`` says: the provider's own object, or the chunk itself."""
    metadata = chunk.get("providerMetadata")
    marks = metadata.get(MARKS) if isinstance(metadata, dict) else None
    citation = marks.get("citation") if isinstance(marks, dict) else None
    return citation if isinstance(citation, dict) else chunk


def _first(value: dict[str, Any], *names: str) -> str | None:
    return next((value[name] for name in names if isinstance(value.get(name), str) and value[name]), None)
