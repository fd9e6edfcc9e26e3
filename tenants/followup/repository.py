"""All SQL of attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from sqlalchemy import literal
from sqlmodel import col, func, select

from core.web.keyset import Slice, read_slice
from tenants.followup.models import Intervention
from tenants.records.identities import canonical_of, members_of
from tenants.records.models import Facility
from tenants.records.reach import within_reach, within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

_NOTE_ON_LISTS = sql.SQL(
    "UPDATE worklist_entries e SET contacted_at = last.completed_at, contacted_by = last.created_by,"
    " outcome = last.outcome, outcome_date = last.outcome_date"
    " FROM worklists w LEFT JOIN LATERAL ("
    "  SELECT completed_at, created_by, outcome, outcome_date FROM interventions i"
    "  WHERE i.patient_uuid = ANY(%(patients)s) AND NOT i.voided AND i.outcome IS NOT NULL"
    "  AND i.outcome_date >= w.as_of"
    "  ORDER BY outcome_date DESC, completed_at DESC, uuid DESC LIMIT 1) last ON true"
    " WHERE e.worklist_uuid = w.uuid AND e.patient_uuid = ANY(%(patients)s)"
    " AND w.as_of = (SELECT max(n.as_of) FROM worklists n JOIN worklist_entries m ON m.worklist_uuid = n.uuid"
    "  WHERE m.patient_uuid = ANY(%(patients)s))"
)

_WRONG_PHONES = sql.SQL("""
SELECT i.patient_uuid, max(i.outcome_date) FROM interventions i
JOIN patients p ON p.uuid = i.patient_uuid AND p.known_to IS NULL AND p.phone_bidx IS NOT NULL
WHERE i.patient_uuid = ANY(%(patients)s) AND NOT i.voided AND i.outcome = 'wrong_number' AND i.new_phone_enc IS NULL
  AND {reach} AND NOT EXISTS (
    SELECT FROM patients v WHERE v.uuid = p.uuid AND (v.known_to IS NULL OR v.known_to > i.created_at)
      AND v.phone_bidx IS DISTINCT FROM p.phone_bidx
  )
GROUP BY i.patient_uuid
""")


def wrong_phones(session: TenantSession, patients: Sequence[UUID]) -> dict[UUID, date]:
    """The patients whose phone on record somebody found to be wrong -> the day of it, until there is another phone."""
    query = _WRONG_PHONES.format(reach=within_reach_sql(session, "i.facility_uuid", "i.patient_uuid"))
    with session.cursor() as cursor:
        return dict(cursor.execute(query, {"patients": list(patients)}).fetchall())


_OF_LIST = sql.SQL("""
SELECT e.uuid, e.expected_date, r.uuid FROM worklist_entries e
JOIN worklists w ON w.uuid = e.worklist_uuid
LEFT JOIN predictions r ON r.patient_uuid = e.patient_uuid AND r.as_of = w.as_of AND r.kind = w.kind
WHERE e.patient_uuid = ANY(%(patients)s) AND NOT e.held_out AND w.as_of <= %(day)s AND w.as_of > %(day)s - %(days)s
ORDER BY w.as_of DESC, w.issued_at DESC LIMIT 1
""")
_LIST_DAYS: Final = 60
"""An intervention is for the newest list with the patient of at most this many days."""


def link_to_list(session: TenantSession, row: Intervention, day: date) -> None:
    """Note on a new intervention the newest list with its patient, and the prediction and expected contact there."""
    canonical = canonical_of(session, row.patient_uuid)
    values = {"patients": [canonical, *members_of(session, canonical)], "day": day, "days": _LIST_DAYS}
    with session.cursor() as cursor:
        entry = cursor.execute(_OF_LIST, values).fetchone()
    if entry is not None:
        row.worklist_entry_uuid, row.expected_date, row.prediction_uuid = entry


def intervention(session: TenantSession, uuid: UUID, *, lock: bool = False) -> Intervention | None:
    """One intervention, with or without an outcome, undone or not; None if there is none within reach.

    ``lock`` locks it until the transaction ends.
    """
    query = select(Intervention).where(
        Intervention.uuid == uuid,
        within_reach(session, Intervention.facility_uuid, col(Intervention.patient_uuid)),
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.exec(query).first()


def interventions(
    session: TenantSession,
    paging: PageRequest,
    *,
    patient: UUID | None = None,
    status: str | None = None,
    kind: str | None = None,
    person: str | None = None,
    due_by: date | None = None,
) -> Slice[Intervention]:
    """One page of interventions without undone ones; those of a patient include the ones of merged patients."""
    whose: Any = col(Intervention.patient_uuid) if patient is None else literal(patient)
    wanted: list[Any] = [
        col(Intervention.voided).is_(False),
        within_reach(session, Intervention.facility_uuid, whose),
    ]
    if patient is not None:
        wanted.append(col(Intervention.patient_uuid).in_([patient, *members_of(session, patient)]))
    if status is not None:
        wanted.append(Intervention.status == status)
    if kind is not None:
        wanted.append(Intervention.intervention_type == kind)
    if person is not None:
        wanted.append(Intervention.assigned_to == person)
    if due_by is not None:
        wanted.append(col(Intervention.due_date) <= due_by)
    columns = {"created_at": col(Intervention.created_at)}
    return read_slice(session, select(Intervention).where(*wanted), paging, columns, col(Intervention.uuid))


def get(session: TenantSession, attempt: UUID, *, lock: bool = False) -> Intervention | None:
    """One attempt, undone or not, or None. ``lock`` locks it until the transaction ends."""
    query = select(Intervention).where(
        Intervention.uuid == attempt,
        col(Intervention.outcome).is_not(None),
        within_reach(session, Intervention.facility_uuid, col(Intervention.patient_uuid)),
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.exec(query).first()


def attempts(
    session: TenantSession,
    paging: PageRequest,
    *,
    patient: UUID | None = None,
    outcome: str | None = None,
    since: date | None = None,
    recorded_by: str | None = None,
) -> Slice[Intervention]:
    """One page of attempts without undone ones. Those of a patient include the attempts for patients merged into it."""
    whose: Any = col(Intervention.patient_uuid) if patient is None else literal(patient)
    wanted: list[Any] = [
        col(Intervention.voided).is_(False),
        col(Intervention.outcome).is_not(None),
        within_reach(session, Intervention.facility_uuid, whose),
    ]
    if patient is not None:
        wanted.append(col(Intervention.patient_uuid).in_([patient, *members_of(session, patient)]))
    if outcome is not None:
        wanted.append(Intervention.outcome == outcome)
    if since is not None:
        wanted.append(col(Intervention.outcome_date) >= since)
    if recorded_by is not None:
        wanted.append(func.coalesce(col(Intervention.completed_by), col(Intervention.created_by)) == recorded_by)
    columns = {"recorded_at": col(Intervention.created_at)}
    return read_slice(session, select(Intervention).where(*wanted), paging, columns, col(Intervention.uuid))


def datim_id_of(session: TenantSession, facility: UUID) -> str:
    """The DATIM id of a facility."""
    return session.exec(select(Facility.datim_id).where(Facility.uuid == facility)).one()


def note_on_lists(session: TenantSession, patient: UUID) -> None:
    """Write the patient's latest attempt to the entries of the newest lists that the patient is on.

    Patients who are merged count as one.
    """
    canonical = canonical_of(session, patient)
    patients = [canonical, *members_of(session, canonical)]
    with session.cursor() as cursor:
        cursor.execute(_NOTE_ON_LISTS, {"patients": patients})
