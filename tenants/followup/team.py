"""The team: what each officer can do in a day, how much they have, and who is away and covered by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from core import audit
from core.clock import now, today
from core.errors import FieldError, Invalid, NotFound
from core.identity.people.colleagues import colleagues
from tenants.followup.assignments import NEEDED, can_follow
from tenants.followup.handovers import give_back, handed_over, lock
from tenants.followup.models_team import OfficerAbsence, OfficerCapacity
from tenants.records.places import facility_named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import Reach, TenantSession
    from core.identity.people.colleagues import Colleague

SUBJECT: Final = "officer"

_LOADS = """
SELECT a.person_id, p.facility_uuid, count(DISTINCT a.patient_uuid),
  count(DISTINCT a.patient_uuid) FILTER (WHERE e.outcome_date = %(day)s)
FROM worklist_entries e
LEFT JOIN patient_identities merged ON merged.patient_uuid = e.patient_uuid AND merged.known_to IS NULL
JOIN patient_assignments a ON a.patient_uuid = coalesce(merged.canonical_uuid, e.patient_uuid)
JOIN patients p ON p.uuid = a.patient_uuid AND p.known_to IS NULL
WHERE e.worklist_uuid = ANY(%(lists)s) AND NOT e.held_out GROUP BY 1, 2
"""
_NEWEST = """
SELECT DISTINCT ON (kind) uuid FROM worklists
WHERE facility_uuid IS NULL AND as_of = (SELECT max(as_of) FROM worklists) ORDER BY kind, issued_at DESC
"""


@dataclass(frozen=True, slots=True)
class Officer:
    """A person who follows patients.

    Attributes:
        reach: what the officer reaches.
        capacity: people of today's lists a day, by facility.
        assigned: people of today's lists who are assigned to the officer; ``tried`` those with an attempt today.
        absences: days away that have not ended, by first day.
    """

    id: UUID
    name: str
    reach: Reach
    capacity: Mapping[UUID, int]
    assigned: int
    tried: int
    absences: Sequence[OfficerAbsence]

    def is_away(self, day: date) -> bool:
        """Whether the officer is away on a day."""
        return any(absence.first_day <= day <= absence.last_day for absence in self.absences)

    def cover(self, day: date) -> UUID | None:
        """Who stands in while the officer is away on a day; None: nobody in particular."""
        covers = (each.cover_id for each in self.absences if each.first_day <= day <= each.last_day)
        return next((cover for cover in covers if cover is not None), None)


def officers(session: TenantSession) -> list[Officer]:
    """The people who can follow patients, by name, with their capacity, load and absences."""
    day = today(session.tenant.time_zone)
    capacities: dict[UUID, dict[UUID, int]] = {}
    for row in session.exec(select(OfficerCapacity)).all():
        capacities.setdefault(row.person_id, {})[row.facility_uuid] = row.people
    absences: dict[UUID, list[OfficerAbsence]] = {}
    pending = select(OfficerAbsence).where(col(OfficerAbsence.last_day) >= day)
    for absence in session.exec(pending.order_by(col(OfficerAbsence.first_day), col(OfficerAbsence.uuid))).all():
        absences.setdefault(absence.person_id, []).append(absence)
    loads = loads_of(session, newest_lists(session), day)
    return [
        Officer(
            one.id,
            one.name,
            one.reach,
            capacities.get(one.id, {}),
            sum(count for (person, _), (count, _tried) in loads.items() if person == one.id),
            sum(tried for (person, _), (_count, tried) in loads.items() if person == one.id),
            absences.get(one.id, []),
        )
        for one in colleagues(session.tenant, NEEDED)
    ]


def set_capacity(session: TenantSession, person: UUID, datim_id: str, people: int | None) -> None:
    """Set how many people of today's lists an officer follows at a facility; None: the officer takes no part there.

    Raises:
        NotFound: there is no such officer.
        Invalid: there is no such facility, or the officer does not reach it.
    """
    officer = _officer(session, person)
    facility = facility_named(session, datim_id, "body.facility")
    if facility is None:
        raise NotFound(_NO_SUCH)
    if people is not None and not can_follow(officer.reach, facility.uuid, facility.state_province):
        problem = FieldError("body.facility", "is not a facility of the officer", "choose a facility that they reach")
        raise Invalid("the capacity cannot be set", errors=[problem])
    row = session.get(OfficerCapacity, (person, facility.uuid))
    if people is None:
        if row is not None:
            session.delete(row)
    else:
        row = row or OfficerCapacity(person_id=person, facility_uuid=facility.uuid, people=people, set_by="")
        row.people, row.set_by, row.set_at = people, session.actor, now()
        session.add(row)
    session.flush()
    audit.record(session, "followup:capacity:set", SUBJECT, person, {"facility": datim_id, "people": people})


def add_absence(
    session: TenantSession, person: UUID, first: date, last: date, cover: UUID | None = None
) -> OfficerAbsence:
    """Record the days on which an officer is away. Their people stay assigned, and the cover sees them as their own.

    Raises:
        NotFound: there is no such officer.
        Invalid: the days are past or in the wrong order, or the cover cannot follow the officer's people.
    """
    everybody = {one.id: one for one in colleagues(session.tenant, NEEDED)}
    if person not in everybody:
        raise NotFound(_NO_SUCH)
    wrong = []
    if last < max(first, today(session.tenant.time_zone)):
        wrong.append(FieldError("body.last", "is past, or before the first day", "give a later day"))
    if cover is not None and (cover == person or not _may_cover(everybody.get(cover))):
        problem = "cannot stand in: somebody else who records attempts, and not only for assigned patients, can"
        wrong.append(FieldError("body.cover_id", problem, "choose another colleague"))
    if wrong:
        detail = "the absence cannot be recorded"
        raise Invalid(detail, errors=wrong)
    row = OfficerAbsence(person_id=person, first_day=first, last_day=last, cover_id=cover, created_by=session.actor)
    session.add(row)
    session.flush()
    facts = {"first": first.isoformat(), "last": last.isoformat(), "cover": str(cover) if cover else None}
    audit.record(session, "followup:absence:add", SUBJECT, person, facts)
    return row


def remove_absence(session: TenantSession, absence: UUID) -> None:
    """Remove an absence: the officer is there again, and gets back who was handed over meanwhile.

    Raises:
        NotFound: there is no such absence.
    """
    lock(session)  # a sharing out that has read the absence may still hand people over
    row = session.get(OfficerAbsence, absence)
    if row is None:
        detail = "there is no such absence"
        raise NotFound(detail)
    session.delete(row)
    session.flush()
    audit.record(session, "followup:absence:remove", SUBJECT, row.person_id, {"absence": str(absence)})
    _give_back(session, row.person_id)


def covered_by(session: TenantSession, person: UUID | None, day: date) -> list[UUID]:
    """The officers whose people count as this person's on a day: those whom the person covers, or nobody covers."""
    if person is None:
        return []
    rows = session.exec(
        select(OfficerAbsence).where(col(OfficerAbsence.first_day) <= day, col(OfficerAbsence.last_day) >= day)
    ).all()
    return [row.person_id for row in rows if row.cover_id in (None, person)]


def newest_lists(session: TenantSession) -> list[UUID]:
    """The newest issued list of each kind, of all facilities."""
    with session.cursor() as cursor:
        return [row[0] for row in cursor.execute(_NEWEST).fetchall()]


_NO_SUCH: Final = "there is no such officer"


def _officer(session: TenantSession, person: UUID) -> Colleague:
    for one in colleagues(session.tenant, NEEDED):
        if one.id == person:
            return one
    raise NotFound(_NO_SUCH)


def _may_cover(one: Colleague | None) -> bool:
    return one is not None and one.reach.assigned_to is None


def _give_back(session: TenantSession, person: UUID) -> None:
    """Give an officer who is there today the people back who were handed over."""
    day = today(session.tenant.time_zone)
    officer = next((one for one in officers(session) if one.id == person), None)
    if officer is not None and not officer.is_away(day):
        own = [one for one in handed_over(session) if one.owner == person]
        give_back(session, [one.patient for one in own if can_follow(officer.reach, one.facility, one.state)])


def loads_of(session: TenantSession, lists: Collection[UUID], day: date) -> dict[tuple[UUID, UUID], tuple[int, int]]:
    """Officer and facility -> people of the lists who are assigned to the officer, and those who were tried today."""
    with session.cursor() as cursor:
        rows = cursor.execute(_LOADS, {"lists": list(lists), "day": day}).fetchall()
    return {(person, facility): (count, tried) for person, facility, count, tried in rows}
