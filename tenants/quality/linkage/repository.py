"""SQL of searches for people recorded twice, and of their candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlmodel import col, select

from core.web.keyset import Slice, read_slice
from tenants.quality.models import LinkageCandidate
from tenants.records.reach import patient_within_reach

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from core.database import TenantSession
    from core.web.paging import PageRequest

_PATIENTS = """
SELECT p.uuid, p.facility_uuid, p.given_name_enc, p.family_name_enc, p.sex, p.birthdate, p.birthdate_estimated,
       p.phone_bidx, p.pepfar_id_bidx, p.hospital_number_bidx, p.art_start_date, p.county_district
FROM patients AS p LEFT JOIN patient_keys AS k ON k.patient_uuid = p.uuid
WHERE p.known_to IS NULL AND NOT p.voided AND p.uuid > %s AND k.erased_at IS NULL
  AND NOT EXISTS (SELECT FROM patient_identities AS i WHERE i.patient_uuid = p.uuid AND i.known_to IS NULL)
ORDER BY p.uuid LIMIT %s
"""

# The switches count how often care passed between the two. Contacts of both on one day are no switch.
_CARE = """
WITH pairs AS (
    SELECT p.first, p.second, a.facility_uuid = b.facility_uuid AS together
    FROM unnest(%s::uuid[], %s::uuid[]) AS p (first, second)
    JOIN patients AS a ON a.uuid = p.first AND a.known_to IS NULL AND NOT a.voided
    JOIN patients AS b ON b.uuid = p.second AND b.known_to IS NULL AND NOT b.voided
    WHERE NOT EXISTS (SELECT FROM patient_identities AS i
                      WHERE i.patient_uuid IN (p.first, p.second) AND i.known_to IS NULL)
),
days AS (
    SELECT p.first, p.second, c.patient_uuid = p.first AS of_first, c.contact_date AS day
    FROM pairs AS p JOIN contacts AS c ON c.patient_uuid IN (p.first, p.second) AND c.known_to IS NULL
),
neighbours AS (
    SELECT *, lag(of_first) OVER (PARTITION BY first, second ORDER BY day, of_first) AS before FROM days
)
SELECT p.first, p.second, p.together,
       count(t.day) FILTER (WHERE t.of_first), count(t.day) FILTER (WHERE NOT t.of_first),
       count(*) FILTER (WHERE t.before IS NOT NULL AND t.before <> t.of_first),
       max(t.day) FILTER (WHERE t.of_first), min(t.day) FILTER (WHERE t.of_first),
       max(t.day) FILTER (WHERE NOT t.of_first), min(t.day) FILTER (WHERE NOT t.of_first)
FROM pairs AS p LEFT JOIN neighbours AS t USING (first, second) GROUP BY p.first, p.second, p.together
"""

_PUT = """
INSERT INTO linkage_candidates (uuid, first_uuid, second_uuid, probability, evidence, evidence_hash, state, found_at,
                                seen_at)
SELECT gen_random_uuid(), c.first, c.second, c.probability, c.evidence, c.digest, 'pending', %(now)s, %(now)s
FROM unnest(%(first)s::uuid[], %(second)s::uuid[], %(probability)s::float8[], %(evidence)s::jsonb[], %(digest)s::text[])
    AS c (first, second, probability, evidence, digest)
ON CONFLICT (first_uuid, second_uuid) DO UPDATE
SET probability = excluded.probability, evidence = excluded.evidence, evidence_hash = excluded.evidence_hash,
    state = 'pending', seen_at = excluded.seen_at, decided_at = NULL, decided_by = NULL, reason = NULL
WHERE linkage_candidates.state <> 'merged'
"""


def patients(session: TenantSession, after: UUID, limit: int) -> list[tuple[Any, ...]]:
    """The next patients on record who are neither erased nor merged, with their encrypted names."""
    with session.cursor() as cursor:
        return cursor.execute(_PATIENTS, (after, limit)).fetchall()


def care(session: TenantSession, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], dict[str, Any]]:
    """Return the care of each pair, for pairs whose patients are both on record and not merged.

    ``care`` is one of these:

    - ``consecutive``: all contacts of one patient lie before those of the other;
    - ``overlapping``: they come in turns, at two facilities;
    - ``together``: they come in turns, at one facility, so the person is registered twice;
    - ``unknown``: one has no contacts.
    """
    if not pairs:
        return {}
    care_of_pair: dict[tuple[UUID, UUID], dict[str, Any]] = {}
    with session.cursor() as cursor:
        cursor.execute(_CARE, ([first for first, _ in pairs], [second for _, second in pairs]))
        for first, second, together, ours, theirs, switches, last_ours, first_ours, last_theirs, first_theirs in cursor:
            row: dict[str, Any] = {"same_facility": together, "contacts": [ours, theirs], "care_switches": switches}
            if not ours or not theirs:
                row["care"] = "unknown"
            elif last_ours < first_theirs or last_theirs < first_ours:
                row["care"] = "consecutive"
                gap = (first_theirs - last_ours) if last_ours < first_theirs else (first_ours - last_theirs)
                row["gap_days"] = gap.days
            else:
                row["care"] = "together" if together else "overlapping"
            care_of_pair[first, second] = row
    return care_of_pair


def existing(session: TenantSession) -> dict[tuple[UUID, UUID], tuple[str, str]]:
    """State and evidence hash of every stored candidate."""
    with session.cursor() as cursor:
        cursor.execute("SELECT first_uuid, second_uuid, state, evidence_hash FROM linkage_candidates")
        return {(first, second): (state, digest) for first, second, state, digest in cursor.fetchall()}


def upsert_candidates(
    session: TenantSession, rows: Sequence[tuple[UUID, UUID, float, dict[str, Any], str, datetime]]
) -> None:
    """Add candidates, or update those of the same pair. They become pending."""
    if not rows:
        return
    with session.cursor() as cursor:
        cursor.execute(
            _PUT,
            {
                "first": [row[0] for row in rows],
                "second": [row[1] for row in rows],
                "probability": [row[2] for row in rows],
                "evidence": [Jsonb(row[3]) for row in rows],
                "digest": [row[4] for row in rows],
                "now": rows[0][5],
            },
        )


def mark_gone(
    session: TenantSession, pending: Collection[tuple[UUID, UUID]], kept_pairs: Collection[tuple[UUID, UUID]]
) -> int:
    """Mark the pending candidates that the search did not find again; return how many."""
    gone_pairs = sorted(set(pending) - set(kept_pairs))
    if not gone_pairs:
        return 0
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE linkage_candidates AS l SET state = 'gone' FROM unnest(%s::uuid[], %s::uuid[]) AS g (first, second)"
            " WHERE l.first_uuid = g.first AND l.second_uuid = g.second AND l.state = 'pending'",
            ([first for first, _ in gone_pairs], [second for _, second in gone_pairs]),
        )
        return cursor.rowcount


def find_candidate(session: TenantSession, uuid: UUID, *, lock: bool = False) -> LinkageCandidate | None:
    """Return a candidate whose patients are both within reach; with ``lock``, locked for a decision."""
    query = select(LinkageCandidate).where(col(LinkageCandidate.uuid) == uuid, *_both_within_reach(session))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.exec(query).one_or_none()


def page(session: TenantSession, paging: PageRequest, state: str) -> Slice[LinkageCandidate]:
    """One page of the candidates within reach in a state."""
    statement = select(LinkageCandidate).where(col(LinkageCandidate.state) == state, *_both_within_reach(session))
    columns = {"probability": col(LinkageCandidate.probability), "found_at": col(LinkageCandidate.found_at)}
    return read_slice(session, statement, paging, columns, col(LinkageCandidate.uuid))


def _both_within_reach(session: TenantSession) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions that both patients are within reach: a pair shows both, so reaching one of them is not enough."""
    return (
        patient_within_reach(session, LinkageCandidate.first_uuid),
        patient_within_reach(session, LinkageCandidate.second_uuid),
    )


def of_pair(session: TenantSession, first: UUID, second: UUID) -> LinkageCandidate | None:
    """The candidate of two patients, locked."""
    low, high = sorted((first, second))
    query = select(LinkageCandidate).where(
        col(LinkageCandidate.first_uuid) == low, col(LinkageCandidate.second_uuid) == high
    )
    return session.exec(query.with_for_update()).one_or_none()


def close_candidates_of(session: TenantSession, patients: Sequence[UUID]) -> int:
    """Mark the pending candidates of merged patients as gone. The next search compares who is left."""
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE linkage_candidates SET state = 'gone' WHERE state = 'pending'"
            " AND (first_uuid = ANY(%s) OR second_uuid = ANY(%s))",
            (list(patients), list(patients)),
        )
        return cursor.rowcount


def where_of(session: TenantSession, patients: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Facility and contacts of each patient, for the person who judges a pair."""
    query = sql.SQL(
        "SELECT p.uuid, p.datim_id, (SELECT max(c.contact_date) FROM contacts AS c"
        " WHERE c.patient_uuid = p.uuid AND c.known_to IS NULL), (SELECT min(c.contact_date) FROM contacts AS c"
        " WHERE c.patient_uuid = p.uuid AND c.known_to IS NULL)"
        " FROM patients AS p WHERE p.uuid = ANY({}) AND p.known_to IS NULL"
    ).format(sql.Literal(list(patients)))
    with session.cursor() as cursor:
        return {
            uuid: {"facility": datim_id, "last_contact": last, "first_contact": first}
            for uuid, datim_id, last, first in cursor.execute(query).fetchall()
        }
