"""Due schedules: what each may ask for with the present rights of the person who made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from core import audit
from core.clock import now
from core.database import Reach, tenant_session
from core.errors import Invalid
from core.identity.present import present_principal
from tenants.cohort.so_far import data_date
from tenants.reports import files, making, stop_letters
from tenants.reports.file_schemas import LISTS
from tenants.reports.models import ReportFile, ReportSchedule
from tenants.reports.schedules import next_moment, options_on

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantRef, TenantSession

_T = TypeVar("_T")
ACTOR: Final = "system:reports"
_AT_ONCE: Final = 100


@dataclass(frozen=True)
class Stop:
    """The reason why a schedule may not ask for its report any more: one of ``ReportSchedule.stopped_why``."""

    why: str


def request_due(tenant: TenantRef) -> int:
    """Ask for the reports of the schedules that are due; return how many. Missed times are not made up for.

    A schedule whose creator has left, or may no longer schedule or read the report, stops; so does one of a list that
    has become too long for paper. Its creator gets a letter. One whose creator reaches less than before asks for less.
    """
    moment, asked = now(), 0
    with tenant_session(tenant, actor=ACTOR) as session:
        due = session.exec(select(ReportSchedule).where(*_due(moment)).limit(_AT_ONCE)).all()
        session.expunge_all()
    decisions = {row.uuid: _decision(tenant, row) for row in due}
    with tenant_session(tenant, actor=ACTOR) as session:
        for row in _locked(session, decisions, moment):
            decision = decisions[row.uuid]
            if isinstance(decision, Stop):
                row.stopped_at, row.stopped_why = moment, decision.why
                facts = {"why": row.stopped_why}
                audit.record(session, "report:schedule:stop", "report_schedule", row.uuid, facts)
                stop_letters.publish(session, row)
            else:
                row.facility_uuids = decision
                files.add(session, _report(row, session, moment))
                row.next_at = next_moment(row.every, row.on_day, row.at_hour, moment, session.tenant.time_zone)
                asked += 1
    return asked


def _due(moment: datetime) -> list[ColumnElement[bool]]:
    return [col(ReportSchedule.next_at) <= moment, col(ReportSchedule.stopped_at).is_(None)]


def _locked(session: TenantSession, uuids: Iterable[UUID], moment: datetime) -> Iterable[ReportSchedule]:
    """Those of the schedules that are still due, without those that another process has."""
    chosen = col(ReportSchedule.uuid).in_(list(uuids))
    statement = select(ReportSchedule).where(chosen, *_due(moment)).order_by(col(ReportSchedule.next_at))
    return session.exec(statement.with_for_update(skip_locked=True)).all()


def _decision(tenant: TenantRef, row: ReportSchedule) -> list[UUID] | Stop | None:
    """The facilities of the report, None for the whole tenant; or why there is none."""
    principal = present_principal(row.created_by, tenant)
    if principal is None:
        return Stop("creator")
    if not {*row.needs, files.MANAGE} <= principal.permissions:
        return Stop("permission")
    reach = _both(principal.reach, Reach(_set(row.reach_facilities), _set(row.reach_states)))
    with tenant_session(tenant, actor=ACTOR, reach=reach, readonly=True) as session:
        reached = None if reach.everything else files.places(session)
        wanted = reached if row.options.get("facility") is None else row.facility_uuids or []
        if reached is not None and (not reached or not set(wanted or []) <= set(reached)):
            return Stop("reach")
        return Stop("length") if _too_long(session, row) else wanted


def _too_long(session: TenantSession, row: ReportSchedule) -> bool:
    """Whether the list of a schedule has outgrown paper. Its job would fail each time."""
    if row.kind not in LISTS:
        return False
    try:
        making.check_length(session, row.format, making.list_on(session, row.kind, row.options))
    except Invalid:
        return True
    return False


def _both(one: Reach, other: Reach) -> Reach:
    """The reach of a person now, within the places of another reach."""
    places = (_common(one.facility_ids, other.facility_ids), _common(one.states, other.states))
    return Reach(*places, one.assigned_to)


def _common(one: frozenset[_T] | None, other: frozenset[_T] | None) -> frozenset[_T] | None:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _set(values: list[_T] | None) -> frozenset[_T] | None:
    return None if values is None else frozenset(values)


def _report(row: ReportSchedule, session: TenantSession, moment: datetime) -> ReportFile:
    day = moment.astimezone(ZoneInfo(session.tenant.time_zone)).date()
    return ReportFile(
        kind=row.kind,
        format=row.format,
        options=options_on(row, day, min(day, data_date(session))),
        needs=row.needs,
        facility_uuids=row.facility_uuids,
        requested_by=row.created_by,
        schedule_uuid=row.uuid,
        recipients=row.recipients,
    )
