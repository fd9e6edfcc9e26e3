"""Create and update facilities for imports, which find them by DATIM id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.clock import now
from tenants.records.care_fields import FacilityDetails
from tenants.records.field_spec import SQL_TYPES, specs
from tenants.records.ids import new_uuid
from tenants.records.locks import lock_for_import

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession


@dataclass(slots=True, kw_only=True)
class FacilityFacts(FacilityDetails):
    """A source's facts about a facility; unknown ones are empty. A new facility gets ``uuid``."""

    datim_id: str
    name: str | None = None
    uuid: UUID | None = None


_DETAILS = specs(FacilityDetails)


def _each(pattern: str) -> str:
    """The pattern for each declared field, with a comma before each."""
    return "".join(", " + pattern.format(name=name, type=SQL_TYPES[spec.type]) for name, spec in _DETAILS.items())


_ROWS = f"""
    unnest(%(uuids)s::uuid[], %(versions)s::uuid[], %(datim_ids)s::text[],
           %(names)s::text[]{_each("%({name})s::{type}[]")})
    AS s (uuid, version_id, datim_id, name{_each("{name}")})
"""

_MAKE = f"""
INSERT INTO facilities
    (uuid, version_id, datim_id, name{_each("{name}")}, source, data_date, created_at, updated_at)
SELECT s.uuid, s.version_id, s.datim_id, coalesce(s.name, s.datim_id){_each("s.{name}")},
       %(source)s, %(data_date)s, %(now)s, %(now)s
FROM {_ROWS}
ON CONFLICT (datim_id) DO NOTHING
"""  # noqa: S608 - a constant of this module, and names of declared fields

_MERGED = "CASE WHEN s.newer THEN coalesce(s.{name}, f.{name}) ELSE coalesce(f.{name}, s.{name}) END AS {name}"

# Newer data replace values; older data only fill gaps. A name equal to the DATIM id means that the name is unknown.
_COMPLETE = f"""
WITH merged AS (
    SELECT f.uuid, s.version_id, greatest(f.data_date, %(data_date)s) AS data_date,
           CASE WHEN f.name = f.datim_id OR s.newer THEN coalesce(s.name, f.name) ELSE f.name END AS name
           {_each(_MERGED)}
    FROM (SELECT s.*, coalesce(f.data_date <= %(data_date)s, true) AS newer
          FROM {_ROWS} JOIN facilities AS f USING (datim_id)) AS s
    JOIN facilities AS f USING (datim_id)
)
UPDATE facilities AS f
SET version_id = m.version_id, name = m.name{_each("{name} = m.{name}")},
    data_date = m.data_date, updated_at = %(now)s
FROM merged AS m
WHERE m.uuid = f.uuid
  AND (f.name{_each("f.{name}")}, f.data_date)
      IS DISTINCT FROM (m.name{_each("m.{name}")}, m.data_date)
"""  # noqa: S608 - constants of this module, and names of declared fields


def _stated(value: object) -> object:
    """The value; None for an empty text."""
    return None if value == "" else value


def ensure(session: TenantSession, facts: Sequence[FacilityFacts], *, source: str, data_date: date) -> dict[str, UUID]:
    """Create or update these facilities, and return their UUIDs by DATIM id.

    The newer data date wins, in any order of imports. Repeating the same facts changes nothing.

    Args:
        session: the tenant's transaction.
        facts: the facts; of several about one facility, the last counts.
        source: name of the source, stored with a new facility.
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
            **{name: [_stated(getattr(row, name)) for row in rows] for name in _DETAILS},
            "source": source,
            "data_date": data_date,
            "now": now(),
        }
        cursor.execute(_MAKE, values)
        cursor.execute(_COMPLETE, values)
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (list(wanted),))
        return dict(cursor.fetchall())
