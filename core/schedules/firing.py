"""Runs the schedules that are due: a loop of the leader."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlmodel import select

from core import telemetry
from core.database import TenantSession, after_commit, psycopg_connection, tenant_session
from core.errors import AppError
from core.feature_registry import resolve
from core.metrics import Counter
from core.schedules.models import ScheduleRow
from core.schedules.service import basis_of, schedules
from core.schedules.times import next_time, settled
from core.tenancy import list_tenants

if TYPE_CHECKING:
    from threading import Event

    from core.database import TenantRef
    from core.feature_registry import Schedule

RUNS: Final = Counter("iit_schedules_total", "Due times of schedules, by what became of them.", ("kind", "outcome"))
MOST_MISSED: Final = 100
"""Most missed times that one look counts."""
ACTOR: Final = "system:schedules"
_ADD: Final = "INSERT INTO schedules (name, basis, next_run) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"

log = telemetry.get_logger(__name__)


def look(stopping: Event) -> None:
    """Run what is due, for every active tenant. A tenant whose schedule fails keeps no other from its turn."""
    for tenant in list_tenants():
        if stopping.is_set():
            return
        if tenant.state == "active":
            with telemetry.bound(tenant=tenant.slug):
                _look_at(tenant)


def _look_at(tenant: TenantRef) -> None:
    try:
        due = waiting(tenant)
    except AppError as error:
        log.info("schedules not read", error=type(error).__name__)
        return
    except Exception as error:
        log.exception("schedules not read", error=type(error).__name__)
        return
    for name in due:
        try:
            fire(tenant, name)
        except Exception as error:
            RUNS.add(name, "failed")
            log.exception("a schedule failed", schedule=name, error=type(error).__name__)


def waiting(tenant: TenantRef, moment: datetime | None = None) -> list[str]:
    """Return the schedules of a tenant that need a look: due, new, or with other times than ``next_run`` is from.

    Args:
        tenant: the tenant.
        moment: the present; by the clock of the database when None.
    """
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        rows = {row.name: row for row in session.exec(select(ScheduleRow)).all()}
        present = moment or _now(session)
        return [
            name
            for name, schedule in schedules().items()
            if (row := rows.get(name)) is None
            or row.basis != basis_of(session, row.cron or schedule.cron)
            or (row.next_run <= present and _active(row, schedule))
        ]


def fire(tenant: TenantRef, name: str, moment: datetime | None = None) -> datetime | None:
    """Run one schedule if it is due; return the time at which it was due.

    The lock of its row and the move of ``next_run`` in the transaction of its effect keep two leaders from running it
    twice.
    """
    schedule = schedules()[name]
    with tenant_session(tenant, actor=ACTOR) as session:
        present = moment or _now(session)
        zone = tenant.time_zone
        first = next_time(schedule.cron, zone, present)
        psycopg_connection(session).execute(_ADD, (name, basis_of(session, schedule.cron), first))
        row = session.exec(select(ScheduleRow).where(ScheduleRow.name == name).with_for_update()).one()
        cron = row.cron or schedule.cron
        if row.basis != basis_of(session, cron):  # a release or the tenant's time zone changed its times
            row.basis, row.next_run = basis_of(session, cron), next_time(cron, zone, present)
            return None
        expected = row.next_run
        due, row.next_run = settled(expected, cron, zone, present)
        if due is None or not _active(row, schedule):
            return None
        row.last_run = present
        session.flush()
        resolve(schedule.function)(session, due)
        log.info("schedule ran", schedule=name, due=due.isoformat())
        missed = _missed(expected, due, cron, zone)

        def count() -> None:
            RUNS.add(name, "ran")
            if missed:
                RUNS.add(name, "missed", amount=missed)

        after_commit(session, count)
        return due


def _missed(expected: datetime, due: datetime, cron: str, zone: str) -> int:
    """Return how many times before ``due`` passed without a run; ``MOST_MISSED`` stands for more."""
    count = 0
    while expected < due and count < MOST_MISSED:
        count += 1
        expected = next_time(cron, zone, expected)
    return count


def _active(row: ScheduleRow, schedule: Schedule) -> bool:
    return schedule.active if row.active is None else row.active


def _now(session: TenantSession) -> datetime:
    row = psycopg_connection(session).execute("SELECT now()").fetchone()
    if row is None:
        raise LookupError
    moment: datetime = row[0]
    return moment
