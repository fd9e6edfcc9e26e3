"""A patient's timeline: everything that is recorded of the patient, in order of time."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from core import audit
from core.database import TenantSession
from core.web.paging import Page, PageRequest
from tenants.records.repository import datim_ids
from tenants.records.repository_care import KINDS, REFERENCES, STATES, Kind, rows_of_patient
from tenants.records.schemas import TimelineEntry
from tenants.records.service import SUBJECT, patient_of_id
from tenants.records.versioned import BOOKKEEPING

_LEFT_OUT = BOOKKEEPING | {"patient_uuid", "contact_id"}


def read_timeline(
    session: TenantSession, patient_id: UUID, as_of: date | None, kinds: frozenset[str], paging: PageRequest
) -> Page[TimelineEntry]:
    """One page of a patient's timeline. If ``kinds`` is empty, it has entries of all kinds.

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
    descending = paging.sort is None or paging.sort.descending
    entries.sort(key=lambda entry: (entry.date, entry.kind, entry.id), reverse=descending)
    return Page.of(entries[paging.offset : paging.offset + paging.limit], paging, len(entries))


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
