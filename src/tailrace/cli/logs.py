"""What the server says about itself: one line for each event, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

import structlog

from tailrace.cli.redaction import CleanFormatter, Redactor, clean_crashes
from tailrace.config import Logging
from tailrace.engine import Secret

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up(settings: Logging, secrets: Iterable[Secret] = ()) -> None:
    """Have structlog write to stderr as ``settings`` say; no line shows one of ``secrets``."""
    redactor = Redactor(secret.reveal() for secret in secrets)
    as_text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    renderer = (
        # Its default tracebacks show local variables, keys among them.
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if as_text
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if as_text else [structlog.processors.format_exc_info]),
            renderer,
            redactor.processor,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # uvicorn's own voice, and asyncio's: only what is wrong.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(CleanFormatter("%(levelname)s %(name)s: %(message)s", redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    clean_crashes(redactor)
