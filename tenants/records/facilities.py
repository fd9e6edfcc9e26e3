"""Facilities as imports know them: by DATIM id, made when first seen, completed when more is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.clock import now
from tenants.records.ids import new_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession


@dataclass(frozen=True, slots=True)
class FacilityFacts:
    """What a source says of a facility; what it does not say is empty."""

    datim_id: str
    name: str | None = None
    state_province: str | None = None
    county_district: str | None = None


# A facility keeps what it has where the source is silent. Rows are taken in the order of their DATIM ids, so that two imports cannot
# wait for each other in a ring.
_ENSURE = """
INSERT INTO facilities AS f (uuid, version_id, datim_id, name, state_province, county_district, source, data_date, created_at, updated_at)
SELECT s.uuid, s.version_id, s.datim_id, coalesce(s.name, s.datim_id), s.state_province, s.county_district,
       %(source)s, %(data_date)s, %(now)s, %(now)s
FROM unnest(%(uuids)s::uuid[], %(versions)s::uuid[], %(datim_ids)s::text[], %(names)s::text[], %(states)s::text[], %(districts)s::text[])
    AS s (uuid, version_id, datim_id, name, state_province, county_district)
ORDER BY s.datim_id
ON CONFLICT (datim_id) DO UPDATE SET
    version_id = excluded.version_id,
    name = CASE WHEN excluded.name <> excluded.datim_id THEN excluded.name ELSE f.name END,
    state_province = coalesce(excluded.state_province, f.state_province),
    county_district = coalesce(excluded.county_district, f.county_district),
    data_date = greatest(f.data_date, excluded.data_date),
    updated_at = excluded.updated_at
WHERE f.data_date IS NULL OR f.data_date < excluded.data_date
   OR (f.data_date = excluded.data_date
       AND ((excluded.name <> excluded.datim_id AND excluded.name <> f.name)
            OR excluded.state_province IS DISTINCT FROM coalesce(f.state_province, excluded.state_province)
            OR excluded.county_district IS DISTINCT FROM coalesce(f.county_district, excluded.county_district)
            OR (f.state_province IS NULL AND excluded.state_province IS NOT NULL)
            OR (f.county_district IS NULL AND excluded.county_district IS NOT NULL)))
"""


def ensure(
    session: TenantSession, facts: Sequence[FacilityFacts], *, source: str, data_date: date
) -> dict[str, UUID]:
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
    with session.cursor() as cursor:
        cursor.execute(
            _ENSURE,
            {
                "uuids": [new_uuid() for _ in rows],
                "versions": [new_uuid() for _ in rows],
                "datim_ids": [row.datim_id for row in rows],
                "names": [row.name or None for row in rows],
                "states": [row.state_province or None for row in rows],
                "districts": [row.county_district or None for row in rows],
                "source": source,
                "data_date": data_date,
                "now": now(),
            },
        )
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (list(wanted),))
        return dict(cursor.fetchall())
