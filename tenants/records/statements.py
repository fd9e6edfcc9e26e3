"""Store a run's statements about people in ``patient_statements``, and compute ``patients`` from all statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from core.database import set_local
from core.database.arrays import bytea_array, uuid_array
from tenants.records.days import start_of_day
from tenants.records.folding import FirstFact, FoldResult, refold
from tenants.records.ids import new_uuid_sql
from tenants.records.known import lacked
from tenants.records.models import Patient
from tenants.records.people import ATTRIBUTES
from tenants.records.upsert_stage import shape

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession
    from tenants.records.runs import Run
    from tenants.records.upsert_stage import Stage

_TERMS = """
CREATE TEMPORARY TABLE staged_terms (uuid uuid, statement_hash bytea, said text[], fallback text[]) ON COMMIT DROP
"""
_STAGE_TERMS = """
INSERT INTO pg_temp.staged_terms
SELECT t.uuid, t.statement_hash, k.said::text[], k.fallback::text[]
FROM unnest(%s::uuid[], %s::bytea[], %s::int[]) AS t (uuid, statement_hash, kind)
JOIN unnest(%s::text[], %s::text[]) WITH ORDINALITY AS k (said, fallback, kind) ON k.kind = t.kind
"""
_DEFAULT_TERMS = sql.SQL(
    "INSERT INTO pg_temp.staged_terms SELECT s.uuid, s.row_hash || CASE WHEN s.voided THEN '\\x01'::bytea"
    " ELSE ''::bytea END, {attributes}::text[], '{{}}' FROM {staged} AS s"
    " WHERE NOT EXISTS (SELECT FROM pg_temp.staged_terms AS t WHERE t.uuid = s.uuid)"
)
_FRESH = sql.SQL(
    "SELECT NOT EXISTS (SELECT FROM record_coverage AS c JOIN record_runs AS r ON r.number = c.number"
    " WHERE r.number <> {number} AND NOT r.undone AND r.source = {source} AND c.table_name = 'patients'"
    " AND c.facility_uuid IN (SELECT s.facility_uuid FROM {staged} AS s))"
)

# A patient from before runs were numbered, or whom only a person wrote, counts as a person's statement of everything.
_EARLIER = sql.SQL("""
INSERT INTO patient_statements
    (statement_id, patient_uuid, facility_uuid, source, source_key, statement_hash, stamps, data_date, said, voided,
     voided_by, date_voided, void_reason, changed_by, {content})
SELECT {new_uuid}, p.uuid, p.facility_uuid, p.source, p.source_key, p.row_hash, ARRAY[p.known_from], p.data_date,
       {attributes}::text[], p.voided, p.voided_by, p.date_voided, p.void_reason, p.changed_by, {p_content}
FROM patients AS p
WHERE p.uuid = ANY({patients}::uuid[]) AND p.known_to IS NULL
  AND NOT EXISTS (SELECT FROM patient_statements AS t WHERE t.patient_uuid = p.uuid)
""")

_APPEND = sql.SQL("""
UPDATE patient_statements AS t
SET runs = t.runs || {number},
    stamps = CASE WHEN s.known_at IS NULL AND t.stamps IS NULL THEN NULL
                  ELSE coalesce(t.stamps, array_fill(NULL::timestamptz, ARRAY[cardinality(t.runs)])) || s.known_at END
FROM ({repeated}) AS s (uuid, statement_hash, known_at)
WHERE t.patient_uuid = s.uuid AND t.statement_hash = s.statement_hash AND t.runs IS NOT NULL
  AND NOT {number} = ANY(t.runs)
""")
_INSERT = sql.SQL("""
INSERT INTO patient_statements
    (statement_id, patient_uuid, facility_uuid, source, source_key, statement_hash, runs, stamps, said, fallback,
     voided, voided_by, date_voided, void_reason, changed_by, {content})
SELECT {new_uuid}, s.uuid, s.facility_uuid, {source}, s.source_key, t.statement_hash, ARRAY[{number}],
       CASE WHEN s.known_at IS NOT NULL THEN ARRAY[s.known_at] END, t.said, t.fallback, s.voided,
       CASE WHEN s.voided THEN 'source' END, CASE WHEN s.voided THEN {day_start} END,
       s.void_reason, {actor}, {s_content}
FROM {staged} AS s JOIN pg_temp.staged_terms AS t ON t.uuid = s.uuid
WHERE {unless}
""")
_UNLESS_KNOWN = sql.SQL(
    "NOT EXISTS (SELECT FROM patient_statements AS k"
    " WHERE k.patient_uuid = s.uuid AND k.statement_hash = t.statement_hash AND k.runs IS NOT NULL)"
)
_ALL_NEW = sql.SQL("true")

# A person who was unknown gets exactly the attributes of the statement.
_NEW = sql.SQL("""
INSERT INTO patients (version_id, uuid, facility_uuid, source, source_key, known_from, known_assumed, data_date,
                      import_uuid, row_hash, voided, voided_by, date_voided, void_reason, changed_by, {content})
SELECT {new_uuid}, s.uuid, s.facility_uuid, {source}, s.source_key,
       CASE WHEN s.known_at IS NOT NULL THEN s.known_at
            WHEN k.assumed THEN least(s.assumed_from, {data_date})::timestamp AT TIME ZONE {time_zone}
            ELSE {day_start} END,
       k.assumed, {data_date}, {import_uuid}, s.row_hash, s.voided, CASE WHEN s.voided THEN 'source' END,
       CASE WHEN s.voided THEN {day_start} END, s.void_reason, {actor}, {s_content}
FROM {staged} AS s
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.known_at IS NOT NULL OR s.assumed_from IS NULL OR s.assumed_from >= {data_date} OR s.voided
                THEN false
                ELSE {assumable} END
           AS assumed
) AS k
WHERE {unknown}
ORDER BY s.seq
RETURNING uuid
""")
_UNKNOWN = sql.SQL("NOT EXISTS (SELECT FROM patients AS p WHERE p.uuid = s.uuid)")


@dataclass(frozen=True, slots=True)
class Terms:
    """A staged person's statement: its digest, its attributes, and those of them that are only fallbacks."""

    statement_hash: bytes
    attributes: tuple[str, ...] = ATTRIBUTES
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RepeatedStatement:
    """A repeated statement. It is not staged, so nothing of it is decrypted or encrypted again."""

    patient_uuid: UUID
    statement_hash: bytes
    known_at: datetime | None = None


def known_statements(session: TenantSession, patients: Collection[UUID]) -> set[tuple[UUID, bytes]]:
    """The statements that runs have made of these patients, by patient and digest."""
    with session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT patient_uuid, statement_hash FROM patient_statements"
            " WHERE patient_uuid = ANY(%s::uuid[]) AND runs IS NOT NULL",
            (uuid_array(patients),),
        )
        return {(patient, bytes(digest)) for patient, digest in rows.fetchall()}


def bring(
    session: TenantSession,
    stage: Stage,
    run: Run,
    *,
    terms: Mapping[UUID, Terms] | None = None,
    repeated: Sequence[RepeatedStatement] = (),
    first_facts: Mapping[UUID, date] | None = None,
) -> FoldResult:
    """Apply staged people to the records. The stage must have one row of each person.

    Args:
        session: the transaction, which holds the tenant's lock.
        stage: rows for ``patients``; ``assumed_from`` is the earliest day on which the person can be known.
        run: the run that has them.
        terms: terms by patient; a row without terms states all attributes.
        repeated: repeated statements, which are not staged.
        first_facts: by person, the day of the run's earliest fact, which may not be in the records yet.
    """
    parts = _parts(session, stage, run)
    with session.cursor() as cursor:
        _stage_terms(cursor, terms or {}, parts)
        fresh = not repeated and cursor.execute(_FRESH.format(**parts)).fetchall()[0][0]
        done = _all_new(session, parts) if fresh else None
        if done is None:
            done = _compared(session, cursor, parts, run, repeated, first_facts or {})
        cursor.execute("DROP TABLE pg_temp.staged_terms")
    return done


def _stage_terms(cursor: Cursor[Any], terms: Mapping[UUID, Terms], parts: Mapping[str, sql.Composable]) -> None:
    cursor.execute("DROP TABLE IF EXISTS pg_temp.staged_terms")
    cursor.execute(_TERMS)
    if terms:
        # Most people have the same terms: send each array of texts once, because the driver builds them slowly.
        kinds = {
            kind: number for number, kind in enumerate({(t.attributes, t.fallback) for t in terms.values()}, start=1)
        }
        values = (
            uuid_array(terms),
            bytea_array(each.statement_hash for each in terms.values()),
            [kinds[each.attributes, each.fallback] for each in terms.values()],
            [_names(attributes) for attributes, _ in kinds],
            [_names(fallback) for _, fallback in kinds],
        )
        cursor.execute(_STAGE_TERMS, values)
    cursor.execute("ANALYZE pg_temp.staged_terms")
    cursor.execute(_DEFAULT_TERMS.format(**parts))


def _names(names: Sequence[str]) -> str:
    """Names of attributes as the text of a PostgreSQL array."""
    return f"{{{','.join(names)}}}"


def _all_new(session: TenantSession, parts: Mapping[str, sql.Composable]) -> FoldResult | None:
    """Insert all people as new ones. If one of them exists after all, insert nobody and return None."""
    known = {**parts, "unless": _ALL_NEW, "unknown": _ALL_NEW, "assumable": _ALL_NEW}
    try:
        with session.begin_nested(), session.cursor() as cursor:
            uuids = [row[0] for row in cursor.execute(_NEW.format(**known)).fetchall()]
            cursor.execute(_INSERT.format(**known))
    except psycopg.errors.UniqueViolation:
        return None
    return FoldResult(changed=uuids, inserted=len(uuids))


def _compared(
    session: TenantSession,
    cursor: Cursor[Any],
    parts: Mapping[str, sql.Composable],
    run: Run,
    repeated: Sequence[RepeatedStatement],
    first_facts: Mapping[UUID, date],
) -> FoldResult:
    staged = [row[0] for row in cursor.execute(sql.SQL("SELECT uuid FROM {staged}").format(**parts)).fetchall()]
    patients = [*staged, *(each.patient_uuid for each in repeated)]
    set_local(cursor, enable_seqscan="off")
    cursor.execute(_EARLIER.format(**parts, patients=sql.Literal(uuid_array(patients))))
    again = sql.SQL(
        "SELECT t.uuid, t.statement_hash, s.known_at FROM pg_temp.staged_terms AS t JOIN {staged} AS s USING (uuid)"
    )
    cursor.execute(_APPEND.format(**parts, repeated=again.format(**parts)))
    if repeated:
        listed = sql.SQL("SELECT * FROM unnest({}::uuid[], {}::bytea[], {}::timestamptz[])").format(
            uuid_array(each.patient_uuid for each in repeated),
            bytea_array(each.statement_hash for each in repeated),
            [each.known_at for each in repeated],
        )
        cursor.execute(_APPEND.format(**parts, repeated=listed))
    cursor.execute(_INSERT.format(**parts, unless=_UNLESS_KNOWN))
    new = {row[0] for row in cursor.execute(_NEW.format(**parts, unknown=_UNKNOWN)).fetchall()}
    set_local(cursor, enable_seqscan="on")
    rest = [uuid for uuid in patients if uuid not in new]
    lag = timedelta(days=run.lag_days or 0)
    new_facts = {uuid: FirstFact(day, min(day + lag, run.data_date)) for uuid, day in first_facts.items()}
    folded = refold(session, rest, run=run, new_facts=new_facts)
    return FoldResult(
        changed=[*new, *folded.changed],
        inserted=len(new),
        updated=folded.updated,
        unchanged=folded.unchanged,
        superseded=folded.superseded,
        voided_by_hand=folded.voided_by_hand,
    )


def _parts(session: TenantSession, stage: Stage, run: Run) -> dict[str, sql.Composable]:
    columns = shape(Patient).columns
    with session.cursor() as cursor:
        new_uuid = new_uuid_sql(cursor)
    expressions: dict[str, sql.Composable] = {
        "facility": sql.SQL("s.facility_uuid"),
        "source": sql.Literal(run.source),
        "patient": sql.SQL("s.uuid"),
        "kinds": sql.SQL("{}::text[]").format(sql.Literal([run.kind])),
        "day": sql.SQL("s.assumed_from - {}").format(sql.Literal(run.lag_days or 0)),
        "assumed": sql.SQL("s.assumed_from"),
        "first_date": sql.Literal(run.data_date),
    }
    return {
        "staged": stage.temporary,
        "content": sql.SQL(", ").join(map(sql.Identifier, columns)),
        "s_content": sql.SQL(", ").join(sql.Identifier("s", name) for name in columns),
        "p_content": sql.SQL(", ").join(sql.Identifier("p", name) for name in columns),
        "new_uuid": new_uuid,
        "source": sql.Literal(run.source),
        "number": sql.Literal(run.number),
        "attributes": sql.Literal(list(ATTRIBUTES)),
        "actor": sql.Literal(session.actor),
        "data_date": sql.Literal(run.data_date),
        "day_start": sql.Literal(start_of_day(session.tenant, run.data_date)),
        "time_zone": sql.Literal(session.tenant.time_zone),
        "import_uuid": sql.Literal(run.import_uuid),
        "assumable": sql.SQL("NOT {}").format(lacked("patients", expressions)),
    }


def note_by_hand(
    session: TenantSession, row: Patient, attributes: Collection[str], *, wrong_phone: bytes | None = None
) -> None:
    """Store a user's change or voiding of a patient as a statement, so that later folds keep it.

    Args:
        session: the transaction, which holds the patient's lock.
        row: the version that the change added.
        attributes: the changed attributes; none if the record was voided.
        wrong_phone: blind index of the phone that the user marks as wrong.
    """
    columns = shape(Patient).columns
    statement = sql.SQL("""
INSERT INTO patient_statements
    (statement_id, patient_uuid, facility_uuid, source, source_key, statement_hash, stamps, data_date, said, voided,
     voided_by, date_voided, void_reason, changed_by, wrong_phone_bidx, {content})
SELECT {new_uuid}, p.uuid, p.facility_uuid, p.source, p.source_key, p.row_hash, ARRAY[p.known_from], p.data_date,
       %(said)s, p.voided, p.voided_by, p.date_voided, p.void_reason, p.changed_by, %(wrong_phone)s, {content}
FROM patients AS p
WHERE p.version_id = %(version)s AND EXISTS (SELECT FROM patient_statements AS t WHERE t.patient_uuid = p.uuid)
""")
    with session.cursor() as cursor:
        query = statement.format(
            content=sql.SQL(", ").join(map(sql.Identifier, columns)), new_uuid=new_uuid_sql(cursor)
        )
        values = {"said": sorted(attributes), "version": row.version_id, "wrong_phone": wrong_phone}
        cursor.execute(query, values)


def forget_wrong_phone(session: TenantSession, patient: UUID, right: bytes) -> None:
    """Clear the mark of a wrong phone in the statement that gave the phone with the blind index ``right``."""
    with session.cursor() as cursor:
        cursor.execute(
            "UPDATE patient_statements SET wrong_phone_bidx = NULL"
            " WHERE patient_uuid = %s AND runs IS NULL AND phone_bidx = %s AND wrong_phone_bidx IS NOT NULL",
            (patient, right),
        )
