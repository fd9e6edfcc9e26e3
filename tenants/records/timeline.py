"""A patient's timeline: everything that is recorded of the patient, in order of time.

The records of care are of this room. A later room adds entries of its own: it names a function under ``timeline`` of
its ``feature.py``, which takes the session and a :class:`TimelineRequest`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from core import audit
from core.feature_registry import features, resolve
from core.web.paging import Page, PageRequest
from tenants.records.days import end_of_day
from tenants.records.identities import members_of
from tenants.records.repository import datim_ids
from tenants.records.repository_care import KINDS, REFERENCES, STATES, Kind, rows_of_patient
from tenants.records.schemas import TimelineEntry
from tenants.records.service import SUBJECT, patient_of_id
from tenants.records.versioned import BOOKKEEPING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from uuid import UUID

    from core.database import TenantSession

_LEFT_OUT = BOOKKEEPING | {"patient_uuid", "contact_id"}


@dataclass(frozen=True, slots=True)
class TimelineRequest:
    """What a later room is asked to add to a timeline.

    Attributes:
        patient: the patient, who is within reach.
        members: the records that were merged into the patient's.
        until: only what was known before this instant; None: everything.
        kinds: only these kinds; all when empty.
        permissions: what the reader may see.
    """

    patient: UUID
    members: Sequence[UUID]
    until: datetime | None
    kinds: frozenset[str]
    permissions: Collection[str]

    def wants(self, *kinds: str) -> bool:
        """Whether entries of one of these kinds are wanted."""
        return not self.kinds or not self.kinds.isdisjoint(kinds)


def read_timeline(
    session: TenantSession,
    patient_id: UUID,
    as_of: date | None,
    kinds: frozenset[str],
    paging: PageRequest,
    permissions: Collection[str],
) -> Page[TimelineEntry]:
    """One page of a patient's timeline. If ``kinds`` is empty, it has entries of all kinds.

    Later rooms show what ``permissions`` of the reader allow.

    Raises:
        NotFound: there is no such patient.
    """
    patient = patient_of_id(session, patient_id, as_of=as_of)
    audit.record(session, "api:patient:timeline", SUBJECT, patient.uuid)
    zone = ZoneInfo(session.tenant.time_zone)
    rows = [
        (kind, row)
        for kind in KINDS
        if not kinds or kind.name in kinds
        for row in rows_of_patient(session, kind, patient.uuid, as_of)
    ]
    facilities = datim_ids(session, (row.facility_uuid for _, row in rows))
    entries = [_entry(kind, row, zone, facilities) for kind, row in rows]
    until = None if as_of is None else end_of_day(session.tenant, as_of)
    members = members_of(session, patient.uuid, until)
    wanted = TimelineRequest(patient.uuid, members, until, kinds, permissions)
    for entries_of in _sources():
        entries += [entry for entry in entries_of(session, wanted) if wanted.wants(entry.kind)]
    descending = paging.sort is None or paging.sort.descending
    entries.sort(key=lambda entry: (entry.date, entry.kind, entry.id), reverse=descending)
    return Page.of(entries[paging.offset : paging.offset + paging.limit], paging, len(entries))


@cache
def _sources() -> tuple[Callable[[TenantSession, TimelineRequest], Sequence[TimelineEntry]], ...]:
    """The functions of later rooms, in the order of their features' names."""
    return tuple(resolve(reference) for feature in features() for reference in feature.timeline)


def _entry(kind: Kind[Any], row: Any, zone: ZoneInfo, facilities: dict[UUID, str]) -> TimelineEntry:  # noqa: ANN401 - a row of any kind
    happened = getattr(row, kind.happened.key)
    if happened is None:  # a state with an unknown day counts from when it became known
        happened = row.known_from
    facts = {
        REFERENCES.get(name, name): value
        for name, value in row.model_dump().items()
        if name not in _LEFT_OUT and name != kind.happened.key and value is not None
    }
    if isinstance(happened, datetime):
        facts |= {"day_known": False} if kind is STATES else {"time": happened}
        happened = happened.astimezone(zone).date()
    return TimelineEntry.model_validate(
        {
            "date": happened,
            "kind": kind.name,
            "id": getattr(row, kind.identity.key),
            "facility": facilities[row.facility_uuid],
            "known_from": row.known_from,
            "known_assumed": row.known_assumed,
            "facts": facts,
        },
    )
