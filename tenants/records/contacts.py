"""Contacts: one row per patient and day, derived from the versions of the day's facts.

A contact's history follows from the histories of its facts. Whenever a fact of the day begins or stops to be known, the
day is merged again. A new version begins only if the result differs. So contacts as of a day D are the merge of the
facts as of D, and the order in which the facts were read does not matter. README.md of this folder has the rules in
sentences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from core.database import set_local
from core.database.arrays import uuid_array
from tenants.records.care_fields import PickupFields
from tenants.records.field_spec import SQL_TYPES, specs
from tenants.records.identities import Identity, connected, laid
from tenants.records.ids import new_uuid_sql
from tenants.records.vocabulary import MAX_DAYS_SUPPLIED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString
    from uuid import UUID

    from core.database import TenantSession

CHUNK = 20_000
"""Patients refreshed by one set of statements."""

PLAUSIBLE_DAYS = 400
"""A next appointment this many days ahead or more counts as a typing error if the day has a nearer one."""


def _each(pattern: LiteralString, **parts: sql.Composable) -> sql.Composed:
    """The SQL pattern, once for each field that a contact copies from a dispensation, joined by commas."""
    return sql.SQL(", ").join(
        sql.SQL(pattern).format(name=sql.Identifier(name), type=sql.SQL(SQL_TYPES[spec.type]), **parts)
        for name, spec in specs(PickupFields).items()
    )


_FACTS = sql.SQL("""
    SELECT v.patient_uuid, v.date_started AS day, v.facility_uuid, 2 AS rank,
           v.visit_type IS DISTINCT FROM 'pharmacy' AS clinical, coalesce(v.visit_type = 'pharmacy', false) AS pickup,
           NULL::int AS days_supplied, v.next_appointment,
           {no_pickup},
           v.known_from, v.known_to, v.known_assumed
    FROM visits AS v
    WHERE v.patient_uuid IN (SELECT patient_uuid FROM pg_temp.refreshed_patients)
      AND NOT v.voided AND v.visit_type IS DISTINCT FROM 'laboratory'
      AND (v.known_to IS NULL OR v.known_to > v.known_from)
    UNION ALL
    SELECT d.patient_uuid, d.date_dispensed, d.facility_uuid, 1, false, true, d.days_supplied, d.next_appointment,
           {d_pickup}, d.known_from, d.known_to, d.known_assumed
    FROM dispensations AS d
    WHERE d.patient_uuid IN (SELECT patient_uuid FROM pg_temp.refreshed_patients)
      AND d.antiretroviral AND NOT d.voided AND (d.known_to IS NULL OR d.known_to > d.known_from)
    UNION ALL
    SELECT a.patient_uuid, a.due_date, a.facility_uuid, 3, true, false, NULL, NULL, {no_pickup},
           a.known_from, a.known_to, a.known_assumed
    FROM appointments AS a
    WHERE a.patient_uuid IN (SELECT patient_uuid FROM pg_temp.refreshed_patients)
      AND NOT a.voided AND a.status = 'kept'
      AND (a.known_to IS NULL OR a.known_to > a.known_from)
""").format(no_pickup=_each("NULL::{type} AS {name}"), d_pickup=_each("d.{name}"))

# For merged patients: each fact, with the patient for whom it counts, and from when to when.
_LAID = sql.SQL("""
    SELECT coalesce(l.counted, f.patient_uuid) AS patient_uuid, f.day, f.facility_uuid, f.rank, f.clinical, f.pickup,
           f.days_supplied, f.next_appointment, {f_pickup},
           greatest(f.known_from, l.since) AS known_from, least(f.known_to, l.until) AS known_to, f.known_assumed
    FROM ({facts}) AS f LEFT JOIN pg_temp.laid_identities AS l ON l.patient_uuid = f.patient_uuid
    WHERE greatest(f.known_from, l.since) < coalesce(least(f.known_to, l.until), 'infinity')
""")

# Most days have one fact that never changed. Such a day needs no merging: the contact is that fact.
_GATHER = sql.SQL("""
CREATE TEMPORARY TABLE contact_facts ON COMMIT DROP AS
SELECT f.*, f.known_to IS NULL AND count(*) OVER (PARTITION BY f.patient_uuid, f.day) = 1 AS alone
FROM ({facts}) AS f
""")

_ALONE = sql.SQL(
    "SELECT patient_uuid, day AS contact_date, known_from, known_to, known_assumed, {content}"
    " FROM pg_temp.contact_facts WHERE alone"
)

# A state is the merge of all facts of the day that are known at one instant. Regimen, line and model come from the
# day's largest dispensation.
_MERGED = sql.SQL("""
WITH facts AS (SELECT * FROM pg_temp.contact_facts WHERE NOT alone),
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
           coalesce(
               max(f.days_supplied) FILTER (WHERE f.days_supplied <= {most_days}), max(f.days_supplied)
           ) AS days_supplied,
           coalesce(
               max(f.next_appointment)
                   FILTER (WHERE f.next_appointment > f.day AND f.next_appointment < f.day + {plausible}),
               max(f.next_appointment)
           ) AS next_appointment,
           {first_pickup}
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

_DERIVE = sql.SQL("CREATE TEMPORARY TABLE derived_contacts ON COMMIT DROP AS {alone} UNION ALL ({merged})")

_MATCH = sql.SQL(
    "d.patient_uuid = c.patient_uuid AND d.contact_date = c.contact_date AND d.known_from = c.known_from"
    " AND (d.known_to IS NOT DISTINCT FROM c.known_to OR c.known_to IS NULL)"
    " AND d.known_assumed = c.known_assumed"
    " AND ROW({d_content}) IS NOT DISTINCT FROM ROW({c_content})",
)

# First delete versions that no longer follow from the facts, then close versions, then insert new ones. The order
# matters because a day may have only one open version.
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
    " FROM {derived} AS d WHERE {unmatched} ORDER BY d.patient_uuid, d.contact_date, d.known_from",
)
_UNMATCHED = sql.SQL("NOT EXISTS (SELECT FROM contacts AS c WHERE {match})")
_HAVE_CONTACTS = "SELECT EXISTS (SELECT FROM pg_temp.refreshed_patients AS r JOIN contacts AS c USING (patient_uuid))"

# Without statistics (a table that is being filled has none) the planner takes a patient for a large part of it, and
# reads the whole table for each call.
_BY_INDEX = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")

_CONTENT = (
    "facility_uuid",
    "clinical",
    "pickup",
    "days_supplied",
    "next_appointment",
    *specs(PickupFields),
)
_ORDER = sql.SQL("f.rank, f.days_supplied DESC NULLS LAST, {}, f.facility_uuid").format(_each("f.{name}"))


@dataclass(frozen=True, slots=True)
class RefreshCounts:
    """The number of contact versions that a refresh added, closed, and deleted (because their history changed)."""

    added: int = 0
    closed: int = 0
    forgotten: int = 0


def refresh(session: TenantSession, patient_uuids: Sequence[UUID]) -> RefreshCounts:
    """Update the contacts of these patients after their facts changed; write only what differs.

    Call it in the transaction that changed the facts. The caller holds the lock of the tenant or of the patients
    (``locks``).
    """
    total = RefreshCounts()
    for start in range(0, len(patient_uuids), CHUNK):
        part = _refresh(session, list(patient_uuids[start : start + CHUNK]))
        total = RefreshCounts(total.added + part.added, total.closed + part.closed, total.forgotten + part.forgotten)
    return total


def _lay(session: TenantSession, merges: Sequence[Identity]) -> sql.Composable:
    """The query of the facts, with each fact of a merged patient under the patient for whom it counts."""
    if not merges:
        return _FACTS
    spans = laid(merges)
    with session.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE laid_identities"
            " (patient_uuid uuid, counted uuid, since timestamptz, until timestamptz) ON COMMIT DROP"
        )
        cursor.execute(
            "INSERT INTO pg_temp.laid_identities"
            " SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::timestamptz[])",
            (
                [each.patient for each in spans],
                [each.counted for each in spans],
                [each.since for each in spans],
                [each.until for each in spans],
            ),
        )
    return _LAID.format(facts=_FACTS, f_pickup=_each("f.{name}"))


def _refresh(session: TenantSession, patient_uuids: list[UUID]) -> RefreshCounts:
    patient_uuids, merges = connected(session, patient_uuids)
    names = [sql.Identifier(name) for name in _CONTENT]
    prefixed = {p: sql.SQL(", ").join(sql.SQL("{}.{}").format(sql.Identifier(p), name) for name in names) for p in "cd"}
    with session.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE refreshed_patients (patient_uuid uuid) ON COMMIT DROP")
        cursor.execute(
            "INSERT INTO pg_temp.refreshed_patients"
            " SELECT DISTINCT patient_uuid FROM unnest(%s::uuid[]) AS u (patient_uuid)",
            (uuid_array(patient_uuids),),
        )
        cursor.execute("ANALYZE pg_temp.refreshed_patients")
        set_local(cursor, **dict.fromkeys(_BY_INDEX, "off"))
        cursor.execute(_GATHER.format(facts=_lay(session, merges)))
        first = not cursor.execute(_HAVE_CONTACTS).fetchall()[0][0]
        set_local(cursor, **dict.fromkeys(_BY_INDEX, "on"))
        merging = cursor.execute("SELECT EXISTS (SELECT FROM pg_temp.contact_facts WHERE NOT alone)").fetchall()[0][0]
        parts: dict[str, sql.Composable] = {
            "plausible": sql.Literal(PLAUSIBLE_DAYS),
            "most_days": sql.Literal(MAX_DAYS_SUPPLIED),
            "order": _ORDER,
            "first_pickup": _each("(array_agg(f.{name} ORDER BY {order}))[1] AS {name}", order=_ORDER),
            "content": sql.SQL(", ").join(names),
            "content_before": sql.SQL(", ").join(sql.SQL("lag({}) OVER earlier").format(name) for name in names),
            "c_content": prefixed["c"],
            "d_content": prefixed["d"],
            "new_uuid": new_uuid_sql(cursor),
            "derived": sql.SQL("pg_temp.derived_contacts"),
            "unmatched": sql.SQL("true"),
        }
        parts["alone"] = _ALONE.format(**parts)
        if merging:
            cursor.execute("ANALYZE pg_temp.contact_facts")
            parts["merged"] = _MERGED.format(**parts)
            cursor.execute(_DERIVE.format(**parts))
            cursor.execute("ANALYZE pg_temp.derived_contacts")
        elif first:
            parts["derived"] = sql.SQL("({})").format(parts["alone"])
        else:
            cursor.execute(sql.SQL("CREATE TEMPORARY TABLE derived_contacts ON COMMIT DROP AS {alone}").format(**parts))
            cursor.execute("ANALYZE pg_temp.derived_contacts")
        if first:
            forgotten = closed = 0
        else:
            parts["match"] = _MATCH.format(**parts)
            parts["unmatched"] = _UNMATCHED.format(**parts)
            forgotten = cursor.execute(_FORGET.format(**parts)).rowcount
            closed = cursor.execute(_CLOSE.format(**parts)).rowcount
        added = cursor.execute(_ADD.format(**parts)).rowcount
        cursor.execute("DROP TABLE IF EXISTS pg_temp.derived_contacts")
        cursor.execute("DROP TABLE IF EXISTS pg_temp.laid_identities")
        cursor.execute("DROP TABLE pg_temp.contact_facts, pg_temp.refreshed_patients")
    return RefreshCounts(added, closed, forgotten)
