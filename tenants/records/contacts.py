"""Contacts: one row per patient and day, derived from the versions of the day's facts.

A contact's history is a function of its facts' histories: wherever a fact of the day begins or ends to be known, the
merged day is worked out anew, and a new version begins only where it differs. So "as of D" gives of contacts what it
gives of their facts, in whatever order the facts were read. README.md of this folder has the rules in sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from tenants.records.ids import new_uuid_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession

CHUNK = 20_000
"""Patients refreshed by one set of statements."""

PLAUSIBLE_DAYS = 400
"""A next appointment this many days ahead or more is taken for a slip of the pen where the day has a better one."""

_FACTS = sql.SQL("""
    SELECT v.patient_uuid, v.date_started AS day, v.facility_uuid, 2 AS rank,
           v.visit_type IS DISTINCT FROM 'pharmacy' AS clinical, coalesce(v.visit_type = 'pharmacy', false) AS pickup,
           NULL::int AS days_supplied, v.next_appointment,
           NULL::text AS regimen, NULL::text AS regimen_line, NULL::text AS dsd_model,
           v.known_from, v.known_to, v.known_assumed
    FROM visits AS v
    WHERE v.patient_uuid IN (SELECT patient_uuid FROM pg_temp.refreshed_patients)
      AND NOT v.voided AND v.visit_type IS DISTINCT FROM 'laboratory'
      AND (v.known_to IS NULL OR v.known_to > v.known_from)
    UNION ALL
    SELECT d.patient_uuid, d.date_dispensed, d.facility_uuid, 1, false, true, d.days_supplied, d.next_appointment,
           d.regimen, d.regimen_line, d.dsd_model, d.known_from, d.known_to, d.known_assumed
    FROM dispensations AS d
    WHERE d.patient_uuid IN (SELECT patient_uuid FROM pg_temp.refreshed_patients)
      AND NOT d.voided AND (d.known_to IS NULL OR d.known_to > d.known_from)
    UNION ALL
    SELECT a.patient_uuid, a.due_date, a.facility_uuid, 3, true, false, NULL, NULL, NULL, NULL, NULL,
           a.known_from, a.known_to, a.known_assumed
    FROM appointments AS a
    WHERE a.patient_uuid IN (SELECT patient_uuid FROM pg_temp.refreshed_patients)
      AND NOT a.voided AND a.status = 'kept'
      AND (a.known_to IS NULL OR a.known_to > a.known_from)
""")

# A state is what the facts known at one instant make of the day; what was dispensed is told by the day's largest
# dispensation.
_DERIVE = sql.SQL("""
CREATE TEMPORARY TABLE derived_contacts ON COMMIT DROP AS
WITH facts AS MATERIALIZED ({facts}),
instants AS (
    SELECT patient_uuid, day, known_from AS instant FROM facts
    UNION
    SELECT patient_uuid, day, known_to FROM facts WHERE known_to IS NOT NULL
),
states AS (
    SELECT i.patient_uuid, i.day AS contact_date, i.instant AS known_from,
           count(f.day) > 0 AS present,
           bool_or(f.known_assumed) AS known_assumed,
           (array_agg(f.facility_uuid ORDER BY {order}))[1] AS facility_uuid,
           bool_or(f.clinical) AS clinical,
           bool_or(f.pickup) AS pickup,
           max(f.days_supplied) AS days_supplied,
           coalesce(
               max(f.next_appointment)
                   FILTER (WHERE f.next_appointment > f.day AND f.next_appointment < f.day + {plausible}),
               max(f.next_appointment)
           ) AS next_appointment,
           (array_agg(f.regimen ORDER BY {order}))[1] AS regimen,
           (array_agg(f.regimen_line ORDER BY {order}))[1] AS regimen_line,
           (array_agg(f.dsd_model ORDER BY {order}))[1] AS dsd_model
    FROM instants AS i
    LEFT JOIN facts AS f
        ON f.patient_uuid = i.patient_uuid AND f.day = i.day
        AND f.known_from <= i.instant AND (f.known_to IS NULL OR f.known_to > i.instant)
    GROUP BY i.patient_uuid, i.day, i.instant
),
compared AS (
    SELECT *, ROW(present, {content}) IS DISTINCT FROM ROW(lag(present) OVER earlier, {content_before}) AS changed
    FROM states
    WINDOW earlier AS (PARTITION BY patient_uuid, contact_date ORDER BY known_from)
),
versions AS (
    SELECT *, lead(known_from) OVER (PARTITION BY patient_uuid, contact_date ORDER BY known_from) AS known_to
    FROM compared WHERE changed
)
SELECT patient_uuid, contact_date, known_from, known_to, known_assumed, {content} FROM versions WHERE present
""")

_MATCH = sql.SQL(
    "d.patient_uuid = c.patient_uuid AND d.contact_date = c.contact_date AND d.known_from = c.known_from"
    " AND (d.known_to IS NOT DISTINCT FROM c.known_to OR c.known_to IS NULL)"
    " AND d.known_assumed = c.known_assumed"
    " AND ROW({d_content}) IS NOT DISTINCT FROM ROW({c_content})",
)

# What no longer follows from the facts goes; what was only closed is closed; what is new comes. In this order, since
# a day has one open version.
_FORGET = sql.SQL(
    "DELETE FROM contacts AS c USING pg_temp.refreshed_patients AS r WHERE c.patient_uuid = r.patient_uuid"
    " AND NOT EXISTS (SELECT FROM pg_temp.derived_contacts AS d WHERE {match})",
)
_CLOSE = sql.SQL(
    "UPDATE contacts AS c SET known_to = d.known_to FROM pg_temp.derived_contacts AS d"
    " WHERE {match} AND c.known_to IS NULL AND d.known_to IS NOT NULL",
)
_ADD = sql.SQL(
    "INSERT INTO contacts (contact_id, patient_uuid, contact_date, known_from, known_to, known_assumed, {content})"
    " SELECT {new_uuid}, d.patient_uuid, d.contact_date, d.known_from, d.known_to, d.known_assumed, {d_content}"
    " FROM pg_temp.derived_contacts AS d"
    " WHERE NOT EXISTS (SELECT FROM contacts AS c WHERE {match})"
    " ORDER BY d.patient_uuid, d.contact_date, d.known_from",
)

_CONTENT = (
    "facility_uuid",
    "clinical",
    "pickup",
    "days_supplied",
    "next_appointment",
    "regimen",
    "regimen_line",
    "dsd_model",
)
_ORDER = sql.SQL("f.rank, f.days_supplied DESC NULLS LAST, f.regimen, f.regimen_line, f.dsd_model, f.facility_uuid")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many versions of contacts were added, closed and taken back (a history that now reads otherwise)."""

    added: int = 0
    closed: int = 0
    forgotten: int = 0


def refresh(session: TenantSession, patient_uuids: Sequence[UUID]) -> Refreshed:
    """Bring the contacts of these patients in line with their facts; what did not change is not touched.

    Called in the transaction that changed the facts, by who holds the lock of the tenant or of the patients
    (``locks``).
    """
    total = Refreshed()
    for start in range(0, len(patient_uuids), CHUNK):
        part = _refresh(session, list(patient_uuids[start : start + CHUNK]))
        total = Refreshed(total.added + part.added, total.closed + part.closed, total.forgotten + part.forgotten)
    return total


def _refresh(session: TenantSession, patient_uuids: list[UUID]) -> Refreshed:
    names = [sql.Identifier(name) for name in _CONTENT]
    prefixed = {p: sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(p), name) for name in names) for p in "cd"}
    with session.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE refreshed_patients (patient_uuid uuid) ON COMMIT DROP")
        cursor.execute(
            "INSERT INTO pg_temp.refreshed_patients"
            " SELECT DISTINCT patient_uuid FROM unnest(%s::uuid[]) AS u (patient_uuid)",
            (patient_uuids,),
        )
        cursor.execute("ANALYZE pg_temp.refreshed_patients")
        parts: dict[str, sql.Composable] = {
            "facts": _FACTS,
            "plausible": sql.Literal(PLAUSIBLE_DAYS),
            "order": _ORDER,
            "content": sql.SQL(", ").join(names),
            "content_before": sql.SQL(", ").join(sql.SQL("lag({}) OVER earlier").format(name) for name in names),
            "c_content": prefixed["c"],
            "d_content": prefixed["d"],
            "new_uuid": new_uuid_sql(cursor),
        }
        parts["match"] = _MATCH.format(**parts)
        cursor.execute(_DERIVE.format(**parts))
        cursor.execute("ANALYZE pg_temp.derived_contacts")
        forgotten = cursor.execute(_FORGET.format(**parts)).rowcount
        closed = cursor.execute(_CLOSE.format(**parts)).rowcount
        added = cursor.execute(_ADD.format(**parts)).rowcount
        cursor.execute("DROP TABLE pg_temp.derived_contacts, pg_temp.refreshed_patients")
    return Refreshed(added, closed, forgotten)
