"""The people who could be on today's list and are not, because it is cut to the capacity of their clinic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.rows import dict_row

from core import audit
from core.clock import today
from core.database import psycopg_connection
from tenants.records.reach import within_reach_sql
from tenants.records.repository import completed_years
from tenants.risk import worklist, worklist_repository
from tenants.risk.identities import identities_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from tenants.risk.identities import Identity

PAGE_SIZE: Final = 50
_REST: Final = sql.SQL("""
SELECT r.patient_uuid, f.name AS clinic, r.expected_date, r.risk, r.risk_level, p.sex, p.birthdate,
  count(*) OVER () AS total
FROM predictions r
JOIN facilities f ON f.uuid = r.facility_uuid
JOIN patients p ON p.uuid = r.patient_uuid AND p.known_to IS NULL AND NOT p.voided
WHERE r.as_of = %(as_of)s AND r.kind = %(kind)s AND NOT r.stale AND {reach_of_row} AND {reach_of_patient}
  AND (%(due_within)s::int IS NULL OR r.expected_date - r.as_of <= %(due_within)s)
  AND (%(facility)s::text IS NULL OR f.datim_id = %(facility)s)
  AND NOT EXISTS (SELECT FROM patient_identities i WHERE i.patient_uuid = r.patient_uuid AND i.known_to IS NULL)
  AND NOT EXISTS (
    SELECT FROM worklist_entries e WHERE e.worklist_uuid = %(worklist)s AND e.patient_uuid = r.patient_uuid
  )
ORDER BY r.rank, r.uuid LIMIT %(limit)s OFFSET %(offset)s
""")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A person beyond the capacity of the clinic. ``risk`` is None for who is late already."""

    patient_id: UUID
    clinic: str
    sex: str | None
    age: int | None
    expected_date: date | None
    risk: float | None
    risk_level: str
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class Rest:
    """A page of the people left out, in the order of the list, and their number.

    ``as_of``, ``capacity``, ``due_within`` and ``usual_risk`` are those of the list.
    """

    as_of: date
    capacity: int
    due_within: int | None
    usual_risk: float | None
    people: Sequence[LeftOut]
    total: int
    page: int


def read_rest(
    session: TenantSession, kind: str, *, facility: str | None = None, page: int = 1, identities: bool = False
) -> Rest | None:
    """A page of the people whom the newest list of a kind leaves out; None before it was issued.

    The audit records the read of each.

    Args:
        session: the tenant's transaction.
        kind: ``at_risk`` or ``to_trace``.
        facility: DATIM id of a facility; None for all.
        page: number of the page, from 1; beyond the last one, the first page is read. Recording moves nobody to
            another page.
        identities: whether to read names and identifiers.
    """
    as_of = worklist_repository.newest_scored_day(session)
    issued = None if as_of is None else worklist.issued(session, worklist.order_for(session, kind, as_of))
    if issued is None:
        return None
    query = _REST.format(
        reach_of_row=within_reach_sql(session, "r.facility_uuid", "r.patient_uuid"),
        reach_of_patient=within_reach_sql(session, "p.facility_uuid", "p.uuid"),
    )
    values = {
        "as_of": issued.as_of,
        "kind": kind,
        "due_within": issued.due_within,
        "facility": facility,
        "worklist": issued.uuid,
        "limit": PAGE_SIZE,
        "offset": (page - 1) * PAGE_SIZE,
    }
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(query, values).fetchall()
    if not rows and page > 1:
        return read_rest(session, kind, facility=facility, identities=identities)
    patients = [row["patient_uuid"] for row in rows]
    names = identities_of(session, patients) if identities else {}
    audit.record_many(
        session, "risk:prediction:read", "patient", patients, {"worklist": str(issued.uuid), "identities": identities}
    )
    day = today(session.tenant.time_zone)
    people = [
        LeftOut(
            patient_id=row["patient_uuid"],
            clinic=row["clinic"],
            sex=row["sex"],
            age=None if row["birthdate"] is None else completed_years(row["birthdate"], day),
            expected_date=row["expected_date"],
            risk=row["risk"],
            risk_level=row["risk_level"],
            identity=names.get(row["patient_uuid"]),
        )
        for row in rows
    ]
    total = rows[0]["total"] if rows else 0
    return Rest(issued.as_of, issued.capacity, issued.due_within, issued.usual_risk, people, total, page)
