"""SQL of partners' own statuses (``radet_snapshots``): which lists there are, their rows, and changes between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from tenants.records.reach import whole_facility_within_reach_sql, within_reach_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession

_DATES = sql.SQL("""
SELECT r.data_date, r.source, count(DISTINCT r.facility_uuid), count(*),
       count(*) FILTER (WHERE r.status = 'active'), count(*) FILTER (WHERE r.status = 'active_restart'),
       count(*) FILTER (WHERE r.status = 'iit'), count(*) FILTER (WHERE r.status = 'stopped'),
       count(*) FILTER (WHERE r.status = 'died'), count(*) FILTER (WHERE r.status = 'transferred_out'),
       count(*) FILTER (WHERE r.status = 'invalid'), count(*) FILTER (WHERE r.status = 'unknown')
FROM radet_snapshots AS r WHERE {within_reach}
GROUP BY r.data_date, r.source ORDER BY r.data_date DESC, r.source
""")

_ROWS = sql.SQL("""
SELECT r.patient_uuid, r.facility_uuid, r.status, r.last_pickup, r.days_supplied
FROM radet_snapshots AS r
WHERE r.data_date = %s AND {within_reach} AND (%s::text[] IS NULL OR r.facility_uuid IN (
    SELECT f.uuid FROM facilities AS f WHERE f.datim_id = ANY(%s::text[])
))
""")

_FACILITIES = sql.SQL("""
SELECT f.uuid, f.datim_id FROM facilities AS f
WHERE EXISTS (SELECT FROM radet_snapshots AS r WHERE r.data_date = %s AND r.facility_uuid = f.uuid)
  AND (%s::text[] IS NULL OR f.datim_id = ANY(%s::text[])) AND {within_reach}
ORDER BY f.datim_id
""")

# Only facilities that are on both lists: in any other, the whole list would seem to arrive or leave.
_FLOWS = sql.SQL("""
WITH both_days AS (
    SELECT r.facility_uuid FROM radet_snapshots AS r
    WHERE r.data_date IN (%(start)s, %(end)s) AND {within_reach}
    GROUP BY r.facility_uuid HAVING count(DISTINCT r.data_date) = 2
),
before AS (
    SELECT * FROM radet_snapshots AS r WHERE r.data_date = %(start)s
      AND r.facility_uuid IN (SELECT b.facility_uuid FROM both_days AS b)
),
after AS (
    SELECT * FROM radet_snapshots AS r WHERE r.data_date = %(end)s
      AND r.facility_uuid IN (SELECT b.facility_uuid FROM both_days AS b)
)
SELECT f.datim_id, coalesce(b.status, 'not_on_list'), coalesce(a.status, 'not_on_list'), count(*)
FROM before AS b FULL OUTER JOIN after AS a ON a.patient_uuid = b.patient_uuid
JOIN facilities AS f ON f.uuid = coalesce(a.facility_uuid, b.facility_uuid)
WHERE %(facilities)s::text[] IS NULL OR f.datim_id = ANY(%(facilities)s::text[])
GROUP BY f.datim_id, b.status, a.status ORDER BY f.datim_id, 2, 3
""")

COUNTED = ("active", "active_restart", "iit", "stopped", "died", "transferred_out", "invalid", "unknown")


@dataclass(frozen=True, slots=True)
class ListedDay:
    """One data date of lists, with its numbers of facilities and patients."""

    data_date: date
    source: str
    facilities: int
    patients: int
    statuses: dict[str, int]


@dataclass(frozen=True, slots=True)
class ListedPatient:
    """The row of one patient in a list."""

    facility: UUID
    status: str
    last_pickup: date | None
    days_supplied: int | None


def listed_days(session: TenantSession) -> list[ListedDay]:
    """The data dates of the lists of facilities within reach, the newest first."""
    query = _DATES.format(within_reach=whole_facility_within_reach_sql(session, "r.facility_uuid"))
    with session.cursor() as cursor:
        rows = cursor.execute(query).fetchall()
    return [
        ListedDay(
            data_date=day,
            source=source,
            facilities=facilities,
            patients=patients,
            statuses=dict(zip(COUNTED, counts, strict=True)),
        )
        for day, source, facilities, patients, *counts in rows
    ]


def list_rows(session: TenantSession, data_date: date, datim_ids: Sequence[str] | None) -> dict[UUID, ListedPatient]:
    """The rows of the lists of a day within reach, by patient; with ``datim_ids``, only of these facilities."""
    ids = None if datim_ids is None else list(datim_ids)
    query = _ROWS.format(within_reach=within_reach_sql(session, "r.facility_uuid", "r.patient_uuid"))
    with session.cursor() as cursor:
        rows = cursor.execute(query, (data_date, ids, ids)).fetchall()
    return {row[0]: ListedPatient(*row[1:]) for row in rows}


def listed_facilities(session: TenantSession, data_date: date, datim_ids: Sequence[str] | None) -> dict[UUID, str]:
    """The facilities within reach on the lists of a day -> DATIM id, in the order of the DATIM ids."""
    ids = None if datim_ids is None else list(datim_ids)
    query = _FACILITIES.format(within_reach=whole_facility_within_reach_sql(session, "f.uuid"))
    with session.cursor() as cursor:
        return dict(cursor.execute(query, (data_date, ids, ids)).fetchall())


def flows(
    session: TenantSession, start: date, end: date, datim_ids: Sequence[str] | None
) -> list[tuple[str, str, str, int]]:
    """How many people within reach changed from one status to another: facility, from, to, people."""
    query = _FLOWS.format(within_reach=whole_facility_within_reach_sql(session, "r.facility_uuid"))
    values = {"start": start, "end": end, "facilities": None if datim_ids is None else list(datim_ids)}
    with session.cursor() as cursor:
        return [tuple(row) for row in cursor.execute(query, values).fetchall()]
