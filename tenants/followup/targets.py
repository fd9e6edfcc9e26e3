"""Targets of facilities: the shares of people on lists to reach, and to see back, from a month on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from core import audit
from core.clock import now
from core.errors import FieldError, Invalid
from core.web.cursors import Sort
from core.web.keyset import Slice, read_slice
from tenants.followup.models_team import FacilityTarget
from tenants.records.places import facility_named
from tenants.records.reach import whole_facility_within_reach

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

SUBJECT: Final = "facility"
NEWEST_FIRST: Final = Sort("month", descending=True)
"""The order of targets where nobody asks for another."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a facility aims at from a month on.

    Attributes:
        facility: its DATIM id.
        month: the first day of the month.
        reached: share from 0 to 1 of the people on its lists to speak with; None: no target.
        returned: share to be back after that; None: no target.
    """

    facility: str
    month: date
    reached: float | None
    returned: float | None


def set_target(session: TenantSession, target: Target) -> FacilityTarget:
    """Set a facility's target from a month on, until its next one. Without shares, it has none from that month on.

    Raises:
        Invalid: there is no such facility, the month does not begin with its first day, or more people are to be back
            than reached.
    """
    facility = facility_named(session, target.facility, "body.facility")
    problems = check(target)
    if facility is None:
        problems.append(FieldError("facility", "is missing", "send the DATIM id of a facility"))
    if facility is None or problems:
        detail = "the target cannot be set"
        raise Invalid(detail, errors=[FieldError(f"body.{one.field}", one.problem, one.remedy) for one in problems])
    row = session.get(FacilityTarget, (facility.uuid, target.month))
    row = row or FacilityTarget(facility_uuid=facility.uuid, month=target.month, set_by="")
    row.reached, row.returned, row.set_by, row.set_at = target.reached, target.returned, session.actor, now()
    session.add(row)
    session.flush()
    facts = {"month": f"{target.month:%Y-%m}", "reached": target.reached, "returned": target.returned}
    audit.record(session, "followup:target:set", SUBJECT, facility.uuid, facts)
    return row


def check(target: Target) -> list[FieldError]:
    """What is wrong with a target, whatever facilities there are."""
    problems = []
    if target.month.day != 1:
        problems.append(FieldError("month", "is not the first day of a month", "send a day such as 2026-02-01"))
    if target.reached is not None and target.returned is not None and target.returned > target.reached:
        remedy = "give at most the share to be reached: only who was reached counts as returned"
        problems.append(FieldError("returned", "is more than the share to be reached", remedy))
    return problems


def read_list(session: TenantSession, facility: str | None, paging: PageRequest) -> Slice[FacilityTarget]:
    """A page of the targets within reach, of one facility or of all.

    Raises:
        Invalid: there is no such facility.
    """
    wanted = [whole_facility_within_reach(session, FacilityTarget.facility_uuid)]
    row = facility_named(session, facility, "query.facility")
    if row is not None:
        wanted.append(col(FacilityTarget.facility_uuid) == row.uuid)
    columns = {"month": col(FacilityTarget.month)}
    statement = select(FacilityTarget).where(*wanted)
    return read_slice(session, statement, paging, columns, col(FacilityTarget.facility_uuid))


def in_force(session: TenantSession, day: date) -> dict[UUID, FacilityTarget]:
    """The target of each facility on a day; facilities without any are missing."""
    rows: Sequence[FacilityTarget] = session.exec(
        select(FacilityTarget)
        .where(col(FacilityTarget.month) <= day, whole_facility_within_reach(session, FacilityTarget.facility_uuid))
        .order_by(col(FacilityTarget.month))
    ).all()
    return {row.facility_uuid: row for row in rows}
