"""Schedules of reports: what is due when, and who may see them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from core import audit
from core.clock import now
from core.errors import FieldError, Invalid, NotFound
from core.identity.people.colleagues import active_members
from core.web.keyset import read_slice
from tenants.cohort.calendar import name_of, period_of, quarter_of
from tenants.cohort.so_far import last_ended
from tenants.reports import files, making
from tenants.reports.file_schemas import LISTS, ScheduleOut
from tenants.reports.models import ReportSchedule

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.database import TenantRef, TenantSession
    from core.identity import Principal
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.reports.file_schemas import SchedulePost


def create(session: TenantSession, principal: Principal, body: SchedulePost) -> ScheduleOut:
    """Create a schedule. Its reports have what the principal reaches now, less what is taken from them later.

    Raises:
        Forbidden: the principal lacks a permission for the report.
        Invalid: there is no such facility, or the list is too long for paper already.
    """
    extent = files.extent_of(session, principal, body)
    options = {**files.common_options(body), "period": body.period}
    if body.kind in LISTS:
        making.check_length(session, body.format, making.list_on(session, body.kind, options))
    facilities, states = extent.reach.facility_ids, extent.reach.states
    row = ReportSchedule(
        kind=body.kind,
        format=body.format,
        options=options,
        every=body.every,
        on_day=body.on_day,
        at_hour=body.at_hour,
        next_at=next_moment(body.every, body.on_day, body.at_hour, now(), session.tenant.time_zone),
        created_by=session.actor,
        needs=extent.needs,
        facility_uuids=extent.facility_uuids,
        reach_facilities=None if facilities is None else sorted(facilities),
        reach_states=None if states is None else sorted(states),
        recipients=body.recipient_ids,
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


def options_on(row: ReportSchedule, day: date, until: date) -> dict[str, Any]:
    """The options of the report that a schedule asks for on a day.

    Args:
        row: the schedule.
        day: the day of a list.
        until: the data date. Tables are of the last period that the records cover to its end.
    """
    options = {name: value for name, value in row.options.items() if name != "period"}
    if row.kind in LISTS:
        return {**options, "as_of": day.isoformat()}
    reached = quarter_of(until) if row.options["period"] == "quarter" else period_of(f"{until:%Y-%m}")
    return {**options, "period": name_of(last_ended(reached, until))}


def check_recipients(tenant: TenantRef, people: Collection[UUID]) -> None:
    """Check that the recipients of a schedule belong to the tenant. Call it while no transaction is open.

    Raises:
        Invalid: somebody does not, or has not used the invitation, or is deactivated.
    """
    known = active_members(tenant, people)
    unknown = [place for place, person in enumerate(people) if person not in known]
    if unknown:
        remedy = "name people of the tenant who can sign in"
        errors = [FieldError(f"recipient_ids.{place}", "is no such person", remedy) for place in unknown]
        detail = "a recipient is not a person of the tenant"
        raise Invalid(detail, remedy=remedy, errors=errors)


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
    fields = ("kind", "format", "every", "on_day", "at_hour", "next_at", "stopped_at", "stopped_why")
    options = {name: row.options[name] for name in ("facility", "identifiers", "period")}
    return ScheduleOut(
        id=row.uuid, recipient_ids=row.recipients, **options, **{name: getattr(row, name) for name in fields}
    )
