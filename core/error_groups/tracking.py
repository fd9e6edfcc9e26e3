"""Collects the errors of this process, and stores and sends them from a thread of its own.

Every error that is logged with its traceback counts: unexpected errors of requests, jobs, loops and threads. What waits
is bounded by the number of groups, so that a flood of one error is one row with a count.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final

from core import telemetry
from core.database import platform_session
from core.error_groups import sentry
from core.error_groups.reports import Role, Sighting, report_of
from core.error_groups.repository import store
from core.events.operator_events import ERRORS as CHANGED
from core.events.operator_events import changed
from core.metrics import Counter
from core.telemetry import logs
from core.tracing import trace_id

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_SECONDS: Final = 2.0
"""Fewest seconds between two writes."""

MOST_WAITING: Final = 200
"""Most groups that wait to be written. Errors of further groups are counted as dropped."""

MOST_SENT: Final = 20
"""Most errors that are sent by Sentry's protocol in one round. The groups have them all."""

CLOSE_SECONDS: Final = 5.0

ERRORS: Final = Counter("iit_errors_total", "Unexpected errors, by what became of them.", ("outcome",))

_OWN: Final = ("core.error_groups", "core.tracing")
log = telemetry.get_logger(__name__)


@dataclass(slots=True)
class Tracker:
    """The errors of one process.

    Args:
        role: what the process does.
        release: version of the platform.
    """

    role: Role
    release: str
    _waiting: dict[str, Sighting] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)
    _closing: bool = False

    def take(self, error: BaseException, logger: str) -> None:
        """Count an error. Never waits for a server, and raises nothing."""
        if logger.startswith(_OWN):
            return
        try:
            report = report_of(error)
        except Exception:  # noqa: BLE001 - reporting must not add an error to the one that is reported
            ERRORS.add("dropped")
            return
        present = datetime.now(UTC)
        seen = Sighting(
            report, self.role, self.release, 1, present, present, trace_id(), telemetry.request_id() or None
        )
        with self._changed:
            self._add(seen)

    def _add(self, seen: Sighting) -> None:
        earlier = self._waiting.get(seen.report.fingerprint)
        if earlier is None and len(self._waiting) >= MOST_WAITING:
            ERRORS.add("dropped", amount=seen.count)
            return
        if earlier is not None:
            first, count = min(earlier.first_seen, seen.first_seen), earlier.count + seen.count
            seen = replace(max(earlier, seen, key=lambda each: each.last_seen), first_seen=first, count=count)
        self._waiting[seen.report.fingerprint] = seen

    def flush(self) -> int:
        """Store and send what waits; return the number of groups. What cannot be stored waits for the next round."""
        with self._changed:
            seen, self._waiting = list(self._waiting.values()), {}
        if not seen:
            return 0
        try:
            with platform_session() as session:
                store(session, seen)
        except Exception as error:  # noqa: BLE001 - the next round tries again
            log.warning("errors are not stored", error=type(error).__name__)
            with self._changed:
                for each in seen:
                    self._add(each)
            return 0
        ERRORS.add("stored", amount=sum(each.count for each in seen))
        changed(CHANGED)
        sentry.send(seen[:MOST_SENT])
        return len(seen)

    def run(self) -> None:
        """Store and send until ``close``."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing, EVERY_SECONDS)
                closing = self._closing
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - one bad round must not end the tracking of this process
                log.warning("errors are not sent", error=type(error).__name__)
            if closing:
                return

    def close(self) -> None:
        """End ``run`` after a last round."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()


@contextmanager
def tracked(role: Role) -> Iterator[Tracker]:
    """Track the errors of this process while the block runs."""
    tracker = Tracker(role, version("iit-platform"))
    thread = Thread(target=tracker.run, name="iit-errors", daemon=True)
    before, logs.on_error = logs.on_error, tracker.take
    thread.start()
    try:
        yield tracker
    finally:
        logs.on_error = before
        tracker.close()
        thread.join(CLOSE_SECONDS)
