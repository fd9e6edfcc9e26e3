"""Logs with request id, tenant and actor, and without personal data.

``log = telemetry.get_logger(__name__)``, then ``log.info("import finished", rows=12)``. Names, phones and identifiers
never belong in a line; a processor hides them if somebody forgets.
"""

from core.telemetry.context import bind, bound, context, request_id, separate, unit
from core.telemetry.logs import configure, configure_from_settings, get_logger, report_error

__all__ = [
    "bind",
    "bound",
    "configure",
    "configure_from_settings",
    "context",
    "get_logger",
    "report_error",
    "request_id",
    "separate",
    "unit",
]
