"""The sharing out of today's lists: each person keeps the officer they have, and the others go by capacity and load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from core import audit
from core.clock import now, today
from core.jobs import enqueue
from core.tenancy import settings as tenant_settings
from tenants.followup.assignments import can_follow
from tenants.followup.handovers import give_back, handed_over, lock
from tenants.followup.settings import FollowUpSettings
from tenants.followup.team import loads_of, newest_lists, officers
from tenants.risk.worklist import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from core.database import TenantSession
    from tenants.followup.team import Officer

SHARE_JOB: Final = "followup.share"

_WAITING: Final = """
SELECT DISTINCT ON (who.uuid) who.uuid, p.facility_uuid, f.state_province, e.rank, a.person_id, a.instead_of
FROM worklist_entries e
LEFT JOIN patient_identities merged ON merged.patient_uuid = e.patient_uuid AND merged.known_to IS NULL
CROSS JOIN LATERAL (SELECT coalesce(merged.canonical_uuid, e.patient_uuid) AS uuid) who
JOIN patients p ON p.uuid = who.uuid AND p.known_to IS NULL AND NOT p.voided
JOIN facilities f ON f.uuid = p.facility_uuid
LEFT JOIN patient_assignments a ON a.patient_uuid = who.uuid
WHERE e.worklist_uuid = ANY(%(lists)s) AND NOT e.held_out AND e.outcome IS NULL
ORDER BY who.uuid, e.rank
"""
# Somebody may be assigned to one of the people at the same moment: that choice of a person stays.
_ASSIGN: Final = """
INSERT INTO patient_assignments (patient_uuid, person_id, assigned_at, assigned_by)
SELECT patient, person, %(at)s, %(by)s FROM unnest(%(patients)s::uuid[], %(people)s::uuid[]) AS chosen (patient, person)
ORDER BY patient
ON CONFLICT (patient_uuid) DO NOTHING RETURNING patient_uuid
"""
_REPLACE: Final = """
UPDATE patient_assignments a
SET person_id = m.person, instead_of = m.instead_of, assigned_at = %(at)s, assigned_by = %(by)s
FROM unnest(%(patients)s::uuid[], %(before)s::uuid[], %(people)s::uuid[], %(instead_of)s::uuid[])
  AS m (patient, before, person, instead_of)
WHERE a.patient_uuid = m.patient AND a.person_id = m.before RETURNING a.patient_uuid, a.instead_of IS NOT NULL
"""
_LAST: Final = """
SELECT shared_at, shared_by, shared FROM worklists WHERE uuid = ANY(%s) AND shared_at IS NOT NULL
ORDER BY shared_at DESC LIMIT 1
"""
_NOTE: Final = """
UPDATE worklists SET shared_at = %(at)s, shared_by = %(by)s, shared = %(shared)s
WHERE uuid = ANY(%(lists)s) AND (shared_at IS NULL OR %(changed)s)
"""


@dataclass(frozen=True, slots=True)
class SharedOut:
    """What a sharing out did.

    Attributes:
        assigned: people whom nobody followed, and who have an officer now.
        handed_over: people whose officer is away without a cover, and whom another one follows meanwhile.
        given_back: people whose own officer is there again.
        left: people whom nobody present follows, for lack of capacity: they are everybody's.
    """

    assigned: int
    left: int
    handed_over: int = 0
    given_back: int = 0


@dataclass(frozen=True, slots=True)
class Sharing:
    """How today's lists are shared out: whether by themselves, and what the last time did; None: they were not."""

    automatic: bool
    at: datetime | None
    by: str | None
    did: SharedOut | None


def state(session: TenantSession) -> Sharing:
    """How today's lists are shared out."""
    automatic = tenant_settings.get(session, FollowUpSettings).share_out
    with session.cursor() as cursor:
        row = cursor.execute(_LAST, (newest_lists(session),)).fetchone()
    if row is None:
        return Sharing(automatic, None, None, None)
    at, by, did = row
    return Sharing(automatic, at, by, SharedOut(**did))


def list_issued(session: TenantSession, payload: Mapping[str, Any]) -> None:
    """Have the lists of a day shared out once both of all facilities are made. Listens to ``lists.issued``."""
    if not tenant_settings.get(session, FollowUpSettings).share_out or payload["facility_id"] is not None:
        return
    lists = newest_lists(session)
    if payload["list_id"] in lists and len(lists) == len(KINDS):
        enqueue(session, SHARE_JOB, {"as_of": payload["as_of"].isoformat()})


def share_out(session: TenantSession) -> SharedOut:
    """Share out the people of today's lists among the officers who are present. Again: only what changed since.

    People keep the officer they have. Who was handed over goes back to an officer who is there again. The people of an
    officer who is away stay with the cover; without one, and where nobody can follow a person, the first in rank are
    assigned first, each to the officer with the smallest load for their capacity. Officers who do not reach a facility
    or have no capacity there, take no part there. The facility is that of the patient now.
    """
    lock(session)
    day, lists = today(session.tenant.time_zone), newest_lists(session)
    team = _Team(day, officers(session))
    back = [one.patient for one in handed_over(session) if team.is_there(one.owner, one.facility, one.state)]
    given_back = give_back(session, back)
    with session.cursor() as cursor:
        waiting = [_Waiting(*row) for row in cursor.execute(_WAITING, {"lists": lists}).fetchall()]
    team.count({key: count for key, (count, _tried) in loads_of(session, lists, day).items()}, waiting)
    new: dict[UUID, UUID] = {}
    replaced: list[tuple[_Waiting, UUID, UUID | None]] = []
    left = 0
    for one in sorted(waiting, key=lambda each: (each.rank, each.patient)):
        if one.person is not None and team.follower(one.person, one.facility, one.state) is not None:
            continue
        chosen = team.take(one.facility, one.state)
        if chosen is None:
            left += 1
        elif one.person is None:
            new[one.patient] = chosen
        else:
            owner = one.instead_of or one.person
            replaced.append((one, chosen, owner if team.can_return(owner, one.facility, one.state) else None))
    done, handed = _store(session, new, replaced)
    shared = SharedOut(done, left, handed, len(given_back))
    _note(session, lists, shared)
    return shared


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A person of the lists who needs an attempt: where, at which place of the list, and who follows them."""

    patient: UUID
    facility: UUID
    state: str | None
    rank: int
    person: UUID | None
    instead_of: UUID | None


class _Team:
    """The officers on a day, and the people that they have at each facility while the lists are shared out."""

    def __init__(self, day: date, everybody: Sequence[Officer]) -> None:
        self._officers = {one.id: one for one in everybody}
        self._away = {one.id: one.cover(day) for one in everybody if one.is_away(day)}
        self._loads: dict[tuple[UUID, UUID], int] = {}

    def can_return(self, person: UUID, facility: UUID, state: str | None) -> bool:
        """Whether a person follows patients of a facility, today or when they are back."""
        officer = self._officers.get(person)
        return officer is not None and can_follow(officer.reach, facility, state)

    def is_there(self, person: UUID, facility: UUID, state: str | None) -> bool:
        """Whether a person follows patients of a facility today."""
        return person not in self._away and self.can_return(person, facility, state)

    def follower(self, person: UUID, facility: UUID, state: str | None) -> UUID | None:
        """Who follows a person's patients of a facility today: the person, or the cover; None: nobody."""
        if not self.can_return(person, facility, state):
            return None
        present = self._away.get(person, person)
        return present if present is not None and self.is_there(present, facility, state) else None

    def count(self, loads: Mapping[tuple[UUID, UUID], int], waiting: Sequence[_Waiting]) -> None:
        """Count who has how many people of the lists; those of who is away count for the cover."""
        states = {one.facility: one.state for one in waiting}
        for (person, facility), people in loads.items():
            follower = self.follower(person, facility, states.get(facility))
            if follower is not None:
                self._loads[follower, facility] = self._loads.get((follower, facility), 0) + people

    def take(self, facility: UUID, state: str | None) -> UUID | None:
        """Give one more person of a facility to the officer with the smallest load; None if nobody has a place."""
        free = []
        for officer in self._officers.values():
            load, capacity = self._loads.get((officer.id, facility), 0), officer.capacity.get(facility, 0)
            if load < capacity and self.is_there(officer.id, facility, state):
                free.append((load / capacity, officer.name, officer.id))
        if not free:
            return None
        person = min(free)[2]
        self._loads[person, facility] = self._loads.get((person, facility), 0) + 1
        return person


def _store(
    session: TenantSession, new: Mapping[UUID, UUID], replaced: Sequence[tuple[_Waiting, UUID, UUID | None]]
) -> tuple[int, int]:
    """Write the assignments; return how many people have an officer now, and how many were handed over."""
    stamp = {"at": now(), "by": session.actor}
    with session.cursor() as cursor:
        values: dict[str, Any] = {"patients": list(new), "people": list(new.values())}
        assigned = [row[0] for row in cursor.execute(_ASSIGN, values | stamp).fetchall()]
        values = {
            "patients": [one.patient for one, _, _ in replaced],
            "before": [one.person for one, _, _ in replaced],
            "people": [person for _, person, _ in replaced],
            "instead_of": [owner for _, _, owner in replaced],
        }
        moved = cursor.execute(_REPLACE, values | stamp).fetchall() if replaced else []
    handed = [patient for patient, instead in moved if instead]
    assigned += [patient for patient, instead in moved if not instead]
    audit.record_many(session, "followup:patient:assign", "patient", assigned, {"shared_out": True})
    audit.record_many(session, "followup:patient:assign", "patient", handed, {"handed_over": True})
    return len(assigned), len(handed)


def _note(session: TenantSession, lists: Sequence[UUID], shared: SharedOut) -> None:
    """Note on the lists that they were shared out; a repetition that changes nothing leaves what is noted."""
    counts = {name: getattr(shared, name) for name in ("assigned", "handed_over", "given_back", "left")}
    changed = bool(shared.assigned or shared.handed_over or shared.given_back)
    values = {"at": now(), "by": session.actor, "shared": Jsonb(counts), "lists": lists, "changed": changed}
    with session.cursor() as cursor:
        cursor.execute(_NOTE, values)
