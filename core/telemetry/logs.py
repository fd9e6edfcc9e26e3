"""Structured logs on standard error: JSON for machines, coloured for people. All of ``logging`` goes through it."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from core.telemetry.context import context
from core.telemetry.redaction import is_personal, redact
from core.telemetry.tracebacks import format_exception

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from typing import TextIO

    from structlog.typing import EventDict, Processor, WrappedLogger

QUIET = (
    "sqlalchemy.engine", "sqlalchemy.pool", "psycopg", "psycopg.pool", "httpx", "httpx2", "httpcore", "httpcore2",
    "asyncio", "alembic",
)  # fmt: skip
"""Libraries whose lines below the level of warnings could contain statements with values."""

PATHS = "uvicorn.access"
"""The logger whose lines are never written: they contain paths with queries, which name people."""

_OWN = frozenset(
    {"event", "level", "timestamp", "logger", "request_id", "tenant", "actor", "exception", "trace_id", "span_id"}
)

_OF_ERRORS = frozenset({"error", "exception", "critical"})

identify: Callable[[], Mapping[str, str]] | None = None
"""Returns the ids of the present trace and span. ``core.tracing`` sets it while it traces."""

on_error: Callable[[BaseException, str], None] | None = None
"""Takes each error that is logged with its traceback, and the name of the logger. ``core.error_groups`` sets it."""


def _add_context(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in context().items():
        event.setdefault(key, value)
    if identify is not None:
        event.update(identify())
    return event


def _add_exception(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        event["exception"] = format_exception(error)
        if on_error is not None and method in _OF_ERRORS:
            on_error(error, str(event.get("logger", "")))
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    return event


def redact_event(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide personal fields, secrets and long numbers; the last processor before writing."""
    for key, value in event.items():
        if key in _OWN:
            event[key] = redact(value) if key in {"event", "exception"} else value
        else:
            event[key] = "[hidden]" if is_personal(key) else redact(value)
    return event


def _json(event: EventDict, **_: Any) -> str:  # noqa: ANN401 - structlog's protocol for serialisers
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(*, level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Set up the logs of this process; a second call changes them.

    Args:
        level: the least severe level to write: debug, info, warning, error.
        form: ``console``, ``json``, or ``auto``: console on a terminal, else json.
        stream: the stream to write to; standard error when None.
    """
    out = stream or sys.stderr
    if form == "auto":
        form = "console" if out.isatty() else "json"
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context,
        _add_exception,
        redact_event,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "iit", False)]:
        root.removeHandler(old)
    handler.iit = True  # type: ignore[attr-defined]  # marks the handler that the next call replaces
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "dramatiq"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    paths = logging.getLogger(PATHS)
    paths.handlers.clear()
    paths.propagate = False  # uvicorn writes to any handler, whatever access_log is
    paths.disabled = True


def configure_from_settings() -> None:
    """Set up the logs from the settings."""
    from core.settings import get_settings

    settings = get_settings()
    configure(level=settings.log_level, form=settings.log_format)


def report_error(error: BaseException, logger: str) -> None:
    """Count an unexpected error that is not logged with its traceback, such as that of a job."""
    if on_error is not None:
        on_error(error, logger)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; keyword arguments become fields of the line: ``log.info("imported", rows=3)``."""
    if not structlog.is_configured():
        _configure_quietly()
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _configure_quietly() -> None:
    """Write warnings to standard error, by ``logging``'s last resort, until ``configure`` is called.

    Standard output belongs to a command's answer, and structlog would write there.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _add_context,
            _add_exception,
            redact_event,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
