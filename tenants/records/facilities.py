"""Facilities as imports know them: by DATIM id, made when first seen, completed when more is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.clock import now
from tenants.records.ids import new_uuid
from tenants.records.locks import lock_for_import

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession


@dataclass(frozen=True, slots=True)
class FacilityFacts:
    """What a source says of a facility; what it does not say is empty. ``uuid``: the one it gets if it is made."""

    datim_id: str
    name: str | None = None
    state_province: str | None = None
    county_district: str | None = None
    uuid: UUID | None = None


_ROWS = """
    unnest(%(uuids)s::uuid[], %(versions)s::uuid[], %(datim_ids)s::text[], %(names)s::text[], %(states)s::text[],
           %(districts)s::text[])
    AS s (uuid, version_id, datim_id, name, state_province, county_district)
"""

_MAKE = f"""
INSERT INTO facilities
    (uuid, version_id, datim_id, name, state_province, county_district, source, data_date, created_at, updated_at)
SELECT s.uuid, s.version_id, s.datim_id, coalesce(s.name, s.datim_id), s.state_province, s.county_district,
       %(source)s, %(data_date)s, %(now)s, %(now)s
FROM {_ROWS}
ON CONFLICT (datim_id) DO NOTHING
"""  # noqa: S608 - a constant of this module

# What newer data say replaces, what older data say only fills gaps; a name that is the DATIM id stands for no name.
_COMPLETE = f"""
WITH merged AS (
    SELECT f.uuid, s.version_id, greatest(f.data_date, %(data_date)s) AS data_date,
           CASE WHEN f.name = f.datim_id OR s.newer THEN coalesce(s.name, f.name) ELSE f.name END AS name,
           CASE WHEN s.newer THEN coalesce(s.state_province, f.state_province)
                ELSE coalesce(f.state_province, s.state_province) END AS state_province,
           CASE WHEN s.newer THEN coalesce(s.county_district, f.county_district)
                ELSE coalesce(f.county_district, s.county_district) END AS county_district
    FROM (SELECT s.*, coalesce(f.data_date <= %(data_date)s, true) AS newer
          FROM {_ROWS} JOIN facilities AS f USING (datim_id)) AS s
    JOIN facilities AS f USING (datim_id)
)
UPDATE facilities AS f
SET version_id = m.version_id, name = m.name, state_province = m.state_province, county_district = m.county_district,
    data_date = m.data_date, updated_at = %(now)s
FROM merged AS m
WHERE m.uuid = f.uuid
  AND (f.name, f.state_province, f.county_district, f.data_date)
      IS DISTINCT FROM (m.name, m.state_province, m.county_district, m.data_date)
"""  # noqa: S608 - two constants of this module


def ensure(session: TenantSession, facts: Sequence[FacilityFacts], *, source: str, data_date: date) -> dict[str, UUID]:
    """Make or complete these facilities, and return their UUIDs by DATIM id.

    The newer data date wins, whatever the order of imports; the same facts twice change nothing.

    Args:
        session: the tenant's transaction.
        facts: any number of rows, also several of one facility (the last one counts).
        source: name of the source, kept with a facility that is made.
        data_date: the date to which the source's data run.
    """
    wanted = {fact.datim_id: fact for fact in facts}
    if not wanted:
        return {}
    rows = list(wanted.values())
    lock_for_import(session)
    with session.cursor() as cursor:
        values: dict[str, object] = {
            "uuids": [row.uuid or new_uuid() for row in rows],
            "versions": [new_uuid() for _ in rows],
            "datim_ids": [row.datim_id for row in rows],
            "names": [row.name or None for row in rows],
            "states": [row.state_province or None for row in rows],
            "districts": [row.county_district or None for row in rows],
            "source": source,
            "data_date": data_date,
            "now": now(),
        }
        cursor.execute(_MAKE, values)
        cursor.execute(_COMPLETE, values)
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (list(wanted),))
        return dict(cursor.fetchall())
