"""The schedules of a tenant: see them, change their times, pause them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlmodel import select

from core import audit
from core.clock import now
from core.errors import NotFound, phrase
from core.errors.nearest import remedy_for
from core.feature_registry import Schedule, declared
from core.schedules.models import ScheduleRow
from core.schedules.times import next_time
from core.web.etag import ANY_VERSION, ExpectedVersions

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantSession


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule as it applies to one tenant.

    Attributes:
        name, description: as declared.
        cron: its times, in the time zone of the tenant.
        default_cron: the declared times.
        active: whether it runs.
        next_run: when it is due next; None while it is paused.
        last_run: when it last ran; None: never.
        changed_by, changed_at: who last changed it, and when; None: nobody.
    """

    name: str
    description: str
    cron: str
    default_cron: str
    active: bool
    next_run: datetime | None
    last_run: datetime | None
    changed_by: str | None
    changed_at: datetime | None

    @property
    def version(self) -> UUID:
        """The version of the tenant's choice: a digest of what a change may replace, and of who made the last one."""
        changed_at = None if self.changed_at is None else self.changed_at.timestamp()
        parts = (self.name, self.cron, self.active, self.changed_by, changed_at)
        return uuid5(NAMESPACE_URL, json.dumps(parts))


def schedules() -> dict[str, Schedule]:
    """The schedules of all installed features by name.

    Raises:
        RuntimeError: two features declare one name.
    """
    return declared("schedule", lambda feature: ((each.name, each) for each in feature.schedules))


def list_schedules(session: TenantSession) -> list[ScheduleState]:
    """Return the schedules of the tenant by name."""
    rows = {row.name: row for row in session.exec(select(ScheduleRow)).all()}
    return [_state(session, schedule, rows.get(name)) for name, schedule in sorted(schedules().items())]


def get_schedule(session: TenantSession, name: str) -> ScheduleState:
    """Return one schedule.

    Raises:
        NotFound: no feature declares it.
    """
    return _state(session, _known(name), session.get(ScheduleRow, name))


def change_schedule(
    session: TenantSession,
    name: str,
    *,
    cron: str | None,
    active: bool | None,
    source: str = "cli",
    expected: ExpectedVersions = ANY_VERSION,
) -> ScheduleState:
    """Set the times of a schedule, and whether it runs. Times that pass while it is paused are not made up for.

    Where neither changes, a run that is due stays due.

    Args:
        session: a transaction of the tenant.
        name: of the schedule.
        cron: its times; None for the declared ones.
        active: whether it runs; None for what is declared.
        source: ``cli``, ``api`` or ``page``.
        expected: the versions that the caller agrees to change.

    Raises:
        NotFound: no feature declares it.
        PreconditionFailed: somebody has changed it since the caller read it (412).
        Invalid: ``cron`` is no cron expression.
    """
    schedule = _known(name)
    times = None if cron is None or cron.split() == schedule.cron.split() else " ".join(cron.split())
    present = now()
    row = session.exec(select(ScheduleRow).where(ScheduleRow.name == name).with_for_update()).first()
    before = _state(session, schedule, row)
    expected.check(before.version)
    basis = basis_of(session, times or schedule.cron)
    due = next_time(times or schedule.cron, session.tenant.time_zone, present)
    if row is None:
        row = ScheduleRow(name=name, basis=basis, next_run=due)
    elif row.basis == basis and before.active and (schedule.active if active is None else active):
        due = row.next_run  # perhaps passed: a run that is due must not be lost
    row.cron, row.active, row.basis, row.next_run = times, active, basis, due
    row.changed_by, row.changed_at = session.actor, present
    session.add(row)
    session.flush()
    after = _state(session, schedule, row)
    if (before.cron, before.active) != (after.cron, after.active):
        detail = {"schedule": name, "cron": after.cron, "active": after.active}
        audit.record(session, f"{source}:schedule:change", "schedule", None, detail)
    return after


def basis_of(session: TenantSession, cron: str) -> str:
    """Return what a time is computed from: the expression and the tenant's time zone."""
    return f"{cron} {session.tenant.time_zone}"


def _known(name: str) -> Schedule:
    known = schedules()
    if name not in known:
        raise NotFound(phrase("there is no schedule {name}", name=name), remedy=remedy_for(name, known))
    return known[name]


def _state(session: TenantSession, schedule: Schedule, row: ScheduleRow | None) -> ScheduleState:
    cron = schedule.cron if row is None or row.cron is None else row.cron
    active = schedule.active if row is None or row.active is None else row.active
    stored = row is not None and row.basis == basis_of(session, cron)
    due = row.next_run if row is not None and stored else next_time(cron, session.tenant.time_zone, now())
    return ScheduleState(
        name=schedule.name,
        description=schedule.description,
        cron=cron,
        default_cron=schedule.cron,
        active=active,
        next_run=due if active else None,
        last_run=None if row is None else row.last_run,
        changed_by=None if row is None else row.changed_by,
        changed_at=None if row is None else row.changed_at,
    )
