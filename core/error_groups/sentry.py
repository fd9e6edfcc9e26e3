"""Sends errors by Sentry's protocol, as envelopes of our own.

The SDK would add local variables, bodies, breadcrumbs and the texts of errors, each to be taken out again. This module
sends only what ``core.error_groups.reports`` has.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import orjson

from core import telemetry
from core.errors import AppError
from core.outgoing import AddressRejected, AnswerTooLarge, Request, parse_url
from core.outgoing import send as send_request
from core.resilience import BreakerPolicy, Dependency
from core.settings import get_settings
from core.telemetry.repeated import RepeatFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.error_groups.reports import Sighting

ERROR_TRACKER: Final = Dependency(
    "error_tracker",
    "The server of IIT_SENTRY_DSN. Without it, errors are only on the page of operators.",
    timeout=5.0,
    at_once=2,
    at_once_per_tenant=2,
    breaker=BreakerPolicy(calls=3, window_seconds=60, open_seconds=30.0, longest_open_seconds=300.0),
)
CLIENT: Final = "iit-platform/1.0"
log = telemetry.get_logger(__name__)
_warnings = RepeatFilter(60.0)


def send(seen: Sequence[Sighting]) -> None:
    """Send errors, one event for each group; do nothing without a DSN. Failures are logged, and not tried again."""
    setting = get_settings().sentry_dsn
    if setting is None:
        return
    dsn = setting.get_secret_value()
    for each in seen:
        try:
            answer = send_request(ERROR_TRACKER, _request(dsn, each), private=True)
        except (AppError, AddressRejected, AnswerTooLarge, httpx.HTTPError, OSError) as error:
            _warn(type(error).__name__)
            return
        if answer.status == httpx.codes.TOO_MANY_REQUESTS or answer.status >= httpx.codes.BAD_REQUEST:
            _warn(str(answer.status))
            return


def event_of(seen: Sighting, event_id: str) -> dict[str, Any]:
    """Return the event of an error: type, frames, release and ids."""
    report = seen.report
    frames = [
        {"filename": each.file, "function": each.function, "lineno": each.line, "in_app": each.ours}
        for each in report.frames
    ]
    trace = {} if seen.trace_id is None else {"trace": {"trace_id": seen.trace_id, "span_id": seen.trace_id[:16]}}
    return {
        "event_id": event_id,
        "timestamp": seen.last_seen.timestamp(),
        "platform": "python",
        "level": "error",
        "release": seen.release,
        "environment": get_settings().environment,
        "fingerprint": [report.fingerprint],
        "tags": {"role": seen.role, "request_id": seen.request_id or "none"},
        "extra": {"count": seen.count},
        "contexts": trace,
        "exception": {"values": [{"type": report.kind, "value": str(report.place), "stacktrace": {"frames": frames}}]},
    }


def _request(dsn: str, seen: Sighting) -> Request:
    parts = urlsplit(dsn)
    path, _, project = parts.path.rpartition("/")
    host = parts.netloc.rpartition("@")[2]
    event_id = uuid4().hex
    event = orjson.dumps(event_of(seen, event_id))
    head = {"event_id": event_id, "sent_at": datetime.now(UTC).isoformat()}
    item = {"type": "event", "length": len(event), "content_type": "application/json"}
    envelope = b"\n".join((orjson.dumps(head), orjson.dumps(item), event, b""))
    auth = f"Sentry sentry_version=7, sentry_key={parts.username}, sentry_client={CLIENT}"
    headers = {"X-Sentry-Auth": auth, "Content-Type": "application/x-sentry-envelope", "User-Agent": CLIENT}
    url = parse_url(f"{parts.scheme}://{host}{path}/api/{project}/envelope/")
    return Request("POST", url, headers=headers, content=envelope)


def _warn(kind: str) -> None:
    left_out = _warnings.due(kind)
    if left_out is not None:
        log.warning("errors were not sent to the error tracker", error=kind, left_out=left_out)
