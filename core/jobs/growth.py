"""Tells of dead letters that pile up: an event for each threshold that a tenant's open letters pass, and a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core import telemetry
from core.database import TenantSession, databases, node_session, psycopg_connection
from core.errors import AppError, NotFound
from core.events.outbox import publish_after_commit
from core.jobs.bounds import PLATFORM_ROLE
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from threading import Event

    import psycopg

GROWING: Final = "jobs.dead_letters_growing"
THRESHOLDS: Final = (10, 100, 1000)
"""Open dead letters of one tenant at which an event is published, once for each until there are half as many."""

_ROLES: Final = """
SELECT tenant_role FROM node.dead_letters WHERE resolution IS NULL AND tenant_role <> %(platform)s
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
            rows = psycopg_connection(session).execute(_ROLES, {"platform": PLATFORM_ROLE}).fetchall()
        for row in rows:
            if stopping.is_set():
                return
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
        connection = psycopg_connection(session)
        before = _number(connection.execute(_LEVEL, (role, tenant.id)))  # locks the row
        count = _number(connection.execute(_OPEN, (role,)))
        level = next_level(before, count)
        if level == before:
            return None
        connection.execute(_CHANGE, (level, role))
        if level < before:
            return None
        log.warning("dead letters pile up", tenant=tenant.slug, dead_letters=count, threshold=level)
        with TenantSession(session.connection(), tenant, actor="system:jobs", request_id=None) as within:
            payload = {"open": count, "threshold": level}
            publish_after_commit(within, GROWING, subject="dead_letters", payload=payload)
            within.flush()
    return level


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


def _number(cursor: psycopg.Cursor[Any]) -> int:
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])
