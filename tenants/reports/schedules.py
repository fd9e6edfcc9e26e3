"""Schedules of reports: what is due when, and who may see them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from core import audit
from core.clock import now
from core.errors import NotFound
from core.web.keyset import read_slice
from tenants.cohort.calendar import name_of, period_of, preceding
from tenants.reports import files
from tenants.reports.file_schemas import LISTS, ScheduleOut
from tenants.reports.models import ReportFile, ReportSchedule

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.database import TenantSession
    from core.identity import Principal
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.reports.file_schemas import SchedulePost

_AT_ONCE: Final = 100


def create(session: TenantSession, principal: Principal, body: SchedulePost) -> ScheduleOut:
    """Create a schedule. Its reports have what the principal reaches now.

    Raises:
        Forbidden: the principal lacks a permission for the report.
        Invalid: there is no such facility.
    """
    row = ReportSchedule(
        kind=body.kind,
        format=body.format,
        options={"facility": body.facility, "identifiers": body.identifiers, "period": body.period},
        every=body.every,
        on_day=body.on_day,
        at_hour=body.at_hour,
        next_at=next_moment(body.every, body.on_day, body.at_hour, now(), session.tenant.time_zone),
        created_by=session.actor,
        **files.extent_of(session, principal, body).columns,
    )
    session.add(row)
    session.flush()
    facts = {"kind": row.kind, "every": row.every}
    audit.record(session, "report:schedule:create", "report_schedule", row.uuid, facts)
    return shown(row)


def list_schedules(session: TenantSession, permissions: Collection[str], paging: PageRequest) -> Slice[ReportSchedule]:
    """The schedules whose reports the reader may read."""
    statement = select(ReportSchedule).where(*files.readable(session, permissions, ReportSchedule))
    columns = {"created_at": col(ReportSchedule.created_at)}
    return read_slice(session, statement, paging, columns, col(ReportSchedule.uuid))


def find(session: TenantSession, permissions: Collection[str], schedule_id: UUID) -> ReportSchedule:
    """A schedule whose reports the reader may read.

    Raises:
        NotFound: there is none.
    """
    conditions = files.readable(session, permissions, ReportSchedule)
    row = session.exec(select(ReportSchedule).where(ReportSchedule.uuid == schedule_id, *conditions)).first()
    if row is None:
        detail = "there is no such schedule"
        raise NotFound(detail, remedy="list the schedules")
    return row


def delete(session: TenantSession, permissions: Collection[str], schedule_id: UUID) -> None:
    """End a schedule; its reports stay until they expire.

    Raises:
        NotFound: there is none.
    """
    session.delete(find(session, permissions, schedule_id))
    audit.record(session, "report:schedule:delete", "report_schedule", schedule_id)


def request_due(session: TenantSession) -> int:
    """Ask for the reports of the schedules that are due; return how many. Missed times are not made up for."""
    moment = now()
    statement = (
        select(ReportSchedule)
        .where(col(ReportSchedule.next_at) <= moment)
        .order_by(col(ReportSchedule.next_at))
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = session.exec(statement).all()
    for row in rows:
        day = moment.astimezone(ZoneInfo(session.tenant.time_zone)).date()
        files.add(
            session,
            ReportFile(
                kind=row.kind,
                format=row.format,
                options=options_on(row, day),
                needs=row.needs,
                facility_uuids=row.facility_uuids,
                reach_facilities=row.reach_facilities,
                reach_states=row.reach_states,
                requested_by=row.created_by,
                schedule_uuid=row.uuid,
            ),
        )
        row.next_at = next_moment(row.every, row.on_day, row.at_hour, moment, session.tenant.time_zone)
    return len(rows)


def options_on(row: ReportSchedule, day: date) -> dict[str, Any]:
    """The options of the report that a schedule asks for on a day."""
    options = {name: row.options[name] for name in ("facility", "identifiers")}
    if row.kind in LISTS:
        return {**options, "as_of": day.isoformat()}
    quarter = row.options["period"] == "quarter"
    current = period_of(f"{day.year:04}Q{(day.month + 2) // 3}" if quarter else f"{day:%Y-%m}")
    return {**options, "period": name_of(preceding(current, 2)[0])}


def next_moment(every: str, on_day: int, at_hour: int, after: datetime, zone: str) -> datetime:
    """The first moment of a schedule after another one.

    Args:
        every: ``week`` or ``month``.
        on_day: day of the week (1 is Monday) or of the month.
        at_hour: hour of the day.
        after: the other moment.
        zone: time zone of the day and hour.
    """
    place = ZoneInfo(zone)
    day = after.astimezone(place).date()
    while True:
        fits = day.isoweekday() == on_day if every == "week" else day.day == on_day
        moment = datetime.combine(day, time(at_hour), place)
        if fits and moment > after:
            return moment.astimezone(UTC)
        day += timedelta(days=1)


def shown(row: ReportSchedule) -> ScheduleOut:
    """A schedule as the API shows it."""
    fields = ("kind", "format", "every", "on_day", "at_hour", "next_at")
    return ScheduleOut(id=row.uuid, **row.options, **{name: getattr(row, name) for name in fields})
