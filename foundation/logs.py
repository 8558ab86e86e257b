"""Structured logs: an event's name and ids; never names, numbers or texts of citizens, never secrets."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Any, Literal

import structlog

OURS = (
    *("foundation", "channels", "identity", "knowledge", "tickets", "routing", "followup", "reports"),
    *("agent_console", "public_portal", "hotline"),
)


def set_up_logs(level: str, form: Literal["text", "json"]) -> None:
    """Send our events and those of the libraries to standard error, one line each."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _traceback_without_words, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # These write addresses, URLs with query strings or letters into their lines; ours say what is needed.
    for name in ("uvicorn.access", "mail.log", "httpx", "httpcore", "twilio", "telegram", "sqlalchemy.engine", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING if name != "mail.log" else logging.CRITICAL)


def kind_of_error(error: BaseException) -> str:
    """Return what went wrong, for a person, without any words that may be a citizen's.

    Our own errors say it themselves. Of others only the kind is told, the constraint that a database named, and where it was:
    their texts quote values.
    """
    name = type(error).__name__
    if type(error).__module__.partition(".")[0] in OURS:
        return f"{name}: {error}" if str(error) else f"{name}: {(type(error).__doc__ or '').strip()}"
    diagnosis = getattr(getattr(error, "orig", error), "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    return " ".join(part for part in (name, f"({constraint})" if constraint else "", _place(error.__traceback__)) if part)


def _place(trace: TracebackType | None) -> str:
    """Return the last place of ours that the error passed."""
    ours = [frame for frame in traceback.extract_tb(trace) if any(f"/{package}/" in frame.filename for package in OURS)]
    return f"at {'/'.join(ours[-1].filename.split('/')[-3:])}:{ours[-1].lineno}" if ours else ""


def _traceback_without_words(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Show where an error came from, and of the error itself only what `kind_of_error` tells."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given else None
    if error is not None:
        event["exception"] = "".join(traceback.format_tb(error.__traceback__)) + kind_of_error(error)
    return event
