"""Announces dead letters that pile up: an event for each threshold that open letters pass, and a figure.

Operators get the event for each tenant and for the platform's own letters; a tenant gets it for its own.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from core import telemetry
from core.database import TenantSession, databases, node_session, psycopg_connection
from core.errors import AppError, NotFound
from core.events.operator_events import GROWING as OF_OPERATORS
from core.events.operator_events import announce
from core.events.outbox import publish_after_commit
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from threading import Event
    from uuid import UUID

    import psycopg

GROWING: Final = "jobs.dead_letters_growing"
COUNTED_SECONDS: Final = 10.0
"""Seconds for which the pages of operators show the same number of open dead letters."""
THRESHOLDS: Final = (10, 100, 1000)
"""Open dead letters of one tenant at which an event is published, once for each until there are half as many."""

_ROLES: Final = """
SELECT tenant_role FROM node.dead_letters WHERE resolution IS NULL
UNION SELECT tenant_role FROM node.dead_letter_levels WHERE level > 0
"""
_OPEN: Final = "SELECT count(*) FROM node.dead_letters WHERE resolution IS NULL AND tenant_role = %s"
_ALL_OPEN: Final = (
    "SELECT count(*) FROM (SELECT 1 FROM node.dead_letters WHERE resolution IS NULL LIMIT 10000) AS letters"
)
_LEVEL: Final = """
INSERT INTO node.dead_letter_levels (tenant_role, tenant_id, level) VALUES (%s, %s, 0)
ON CONFLICT (tenant_role) DO UPDATE SET level = dead_letter_levels.level RETURNING level
"""
_CHANGE: Final = "UPDATE node.dead_letter_levels SET level = %s, changed_at = now() WHERE tenant_role = %s"

log = telemetry.get_logger(__name__)


def look(stopping: Event) -> None:
    """Publish the events that are due, in every data database.

    Raises:
        Unavailable: a database is not there.
    """
    for database in databases():
        with node_session(database) as session:
            rows = psycopg_connection(session).execute(_ROLES).fetchall()
        for row in rows:
            if stopping.is_set():
                return
            if row[0] == PLATFORM_ROLE:
                look_at_platform(database)
            else:
                look_at(str(row[0]))


def look_at(role: str) -> int | None:
    """Publish the event of a tenant if its open letters passed a threshold; return the threshold.

    The event commits with the level that it is about, so that two leaders publish it once.
    """
    try:
        tenant = tenant_of_role(role)
    except AppError as error:
        if not isinstance(error, NotFound):
            log.info("dead letters not counted", error=type(error).__name__)  # the tenant is being moved
        return None
    with node_session(tenant.database) as session:
        passed = _passed(psycopg_connection(session), role, tenant.id)
        if passed is None:
            return None
        level, count = passed
        with TenantSession(session.connection(), tenant, actor="system:jobs", request_id=None) as within:
            payload = {"open": count, "threshold": level}
            publish_after_commit(within, GROWING, subject="dead_letters", payload=payload)
            within.flush()
    _inform_operators(tenant.slug, level, count)
    return level


def look_at_platform(database: str) -> int | None:
    """Inform operators if the open letters of the platform's own jobs passed a threshold; return the threshold."""
    with node_session(database) as session:
        passed = _passed(psycopg_connection(session), PLATFORM_ROLE, PLATFORM_ID)
    if passed is None:
        return None
    _inform_operators(None, *passed)
    return passed[0]


def _passed(connection: psycopg.Connection[Any], role: str, tenant_id: UUID) -> tuple[int, int] | None:
    """Store the level of a role's open letters; return a threshold that they passed, and their number."""
    before = _number(connection.execute(_LEVEL, (role, tenant_id)))  # locks the row
    count = _number(connection.execute(_OPEN, (role,)))
    level = next_level(before, count)
    if level != before:
        connection.execute(_CHANGE, (level, role))
    return (level, count) if level > before else None


def _inform_operators(tenant: str | None, level: int, count: int) -> None:
    log.warning("dead letters pile up", tenant=tenant, dead_letters=count, threshold=level)
    announce(OF_OPERATORS, {"tenant": tenant, "open": count, "threshold": level})


def next_level(before: int, count: int) -> int:
    """Return the threshold that a number of letters has passed. It falls only once they are half as many."""
    reached = max((each for each in THRESHOLDS if each <= count), default=0)
    if reached >= before:
        return reached
    return before if count * 2 > before else reached


def open_letters(database: str | None = None) -> int:
    """Return how many dead letters of tenants and of the platform are open, in one data database or in all.

    Raises:
        Unavailable: a database is not there.
    """
    total = 0
    for name in databases() if database is None else (database,):
        with node_session(name) as session:
            total += _number(psycopg_connection(session).execute(_ALL_OPEN))
    return total


class RecentCount:
    """The number of open dead letters as of a short while ago. Of the threads of a process, one counts at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counted: float | None = None
        self._count: int | None = None

    def get(self) -> int | None:
        """Return how many are open; None while a database does not answer, and before the first count has ended."""
        if self._counted is not None and time.monotonic() - self._counted < COUNTED_SECONDS:
            return self._count
        if self._lock.acquire(blocking=False):
            try:
                self._count = open_letters()
            except AppError:
                self._count = None
            finally:
                self._counted = time.monotonic()
                self._lock.release()
        return self._count

    def forget(self) -> None:
        """Let the next call count again."""
        self._counted = None


recent_count: Final = RecentCount()


def _number(cursor: psycopg.Cursor[Any]) -> int:
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])
