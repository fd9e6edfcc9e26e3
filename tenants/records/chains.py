"""Rebuild the version chains of entities from everything that data runs say of them.

What a run says of an entity is an assertion: (run, content, stamp). The version rows store them
(``ContentRuns.runs``). A chain has its assertions in the order of data date, stamp, precedence of the kind, and
digest. Successive assertions of the same content are one version. If another assertion of the same day follows, the
version has no length. So the order in which runs came does not matter, and undoing a run leaves the chain as if the
run had never come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.database import set_local
from core.database.arrays import uuid_array
from tenants.records.ids import new_uuid_sql
from tenants.records.known import WITHOUT_LAG, event_day, lacked
from tenants.records.upsert_stage import shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession
    from tenants.records.versioned import ContentRuns

_BOOKKEEPING = (
    "version_id", "uuid", "facility_uuid", "source", "source_key", "known_from", "known_to", "known_assumed",
    "data_date", "import_uuid", "row_hash", "voided", "voided_by", "date_voided", "void_reason", "changed_by", "runs",
    "stamps",
)  # fmt: skip
_WORKED_OUT = frozenset(
    {
        "version_id",
        "known_from",
        "known_to",
        "known_assumed",
        "data_date",
        "import_uuid",
        "runs",
        "stamps",
        "date_voided",
    }
)

_ENTITIES = sql.SQL(
    "CREATE TEMPORARY TABLE chain_entities ON COMMIT DROP AS"
    " SELECT DISTINCT uuid FROM {table} WHERE patient_uuid = ANY({patients}::uuid[])"
)
_ROWS = sql.SQL("""
CREATE TEMPORARY TABLE chain_rows ON COMMIT DROP AS
SELECT v.*, true AS stored
FROM pg_temp.chain_entities AS e CROSS JOIN LATERAL (
    SELECT {columns} FROM {table} AS o WHERE o.uuid = e.uuid AND o.known_to IS NULL
    UNION ALL
    SELECT {columns} FROM {table} AS c WHERE c.uuid = e.uuid AND c.known_to IS NOT NULL
) AS v
""")

# States of a status list that a later list of the same source contradicts. Any other status contradicts a death or an
# invalid record. A person on treatment, without a pick-up after the state, contradicts a transfer or a stop: with a
# pick-up after it, the pick-up ends the state.
_CONTRADICTED = sql.SQL("""
INSERT INTO pg_temp.chain_rows ({columns}, stored)
SELECT {new_uuid}, v.uuid, v.facility_uuid, v.source, v.source_key, v.known_from, NULL, false, s.data_date, NULL,
       v.row_hash, true, 'source', NULL, 'a newer list of the same source differs', {actor},
       ARRAY[-r.number], NULL, {v_content}, false
FROM pg_temp.chain_rows AS v
JOIN radet_snapshots AS s ON s.patient_uuid = v.patient_uuid AND s.source = v.source
JOIN record_runs AS r ON r.import_uuid = s.import_uuid AND NOT r.undone
WHERE v.runs IS NOT NULL AND NOT v.voided AND v.state <> 'transferred_in' AND s.status <> 'unknown'
  AND v.state <> s.status
  AND (v.state IN ('died', 'invalid')
       OR (s.status IN ('active', 'active_restart') AND coalesce(s.last_pickup <= v.start_date, true)))
  AND EXISTS (SELECT FROM record_runs AS l WHERE l.number = ANY(v.runs) AND l.kind LIKE 'radet-%' AND NOT l.undone)
  AND NOT r.number = ANY(v.runs)
""")

_NEW = sql.SQL("""
CREATE TEMPORARY TABLE chain_new ON COMMIT DROP AS
WITH assertions AS (
    SELECT v.version_id, v.uuid, v.row_hash, v.voided, a.run, abs(a.run) AS number,
           coalesce(a.run < 0, false) AS derived,
           v.runs IS NULL AS by_hand, v.runs IS NULL AND v.voided AND v.voided_by <> 'source' AS final,
           coalesce(r.data_date, v.data_date) AS data_date,
           CASE WHEN v.runs IS NULL THEN v.known_from ELSE a.stamp END AS stamp,
           r.precedence, r.digest, r.kind, r.lag_days, coalesce(r.import_uuid, v.import_uuid) AS import_uuid,
           CASE WHEN v.voided THEN NULL ELSE v.row_hash END AS content
    FROM pg_temp.chain_rows AS v
    LEFT JOIN LATERAL unnest(v.runs, v.stamps) AS a (run, stamp) ON true
    LEFT JOIN record_runs AS r ON r.number = abs(a.run)
    WHERE v.runs IS NULL
       OR (NOT r.undone AND NOT (v.stored AND (a.run < 0 OR a.run = {number})))
),
placed AS (
    SELECT *, row_number() OVER w AS place, count(*) FILTER (WHERE NOT derived) OVER w AS follows,
           coalesce(bool_or(final) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS ended,
           min(data_date) OVER (PARTITION BY uuid) AS first_of_all
    FROM assertions
    WINDOW w AS (
        PARTITION BY uuid ORDER BY data_date, by_hand, stamp NULLS FIRST, precedence, digest, number, version_id)
),
contradicted AS (
    SELECT *, first_value(row_hash) OVER f AS present_hash, first_value(voided) OVER f AS present_voided
    FROM placed WHERE NOT ended
    WINDOW f AS (PARTITION BY uuid, follows ORDER BY place)
),
marked AS (
    SELECT *, by_hand OR lag(by_hand) OVER o IS DISTINCT FROM false OR content IS DISTINCT FROM lag(content) OVER o
           AS begins
    FROM contradicted
    WHERE NOT derived OR (follows > 0 AND row_hash = present_hash AND NOT present_voided)
    WINDOW o AS (PARTITION BY uuid ORDER BY place)
),
parted AS (SELECT *, sum(begins::int) OVER (PARTITION BY uuid ORDER BY place) AS part FROM marked),
merged AS (
    SELECT uuid, part, (array_agg(version_id ORDER BY place))[1] AS content_of,
           array_agg(run ORDER BY number) FILTER (WHERE run IS NOT NULL) AS runs,
           CASE WHEN count(stamp) FILTER (WHERE run IS NOT NULL) > 0
                THEN array_agg(stamp ORDER BY number) FILTER (WHERE run IS NOT NULL) END AS stamps,
           min(stamp) AS stamp, min(data_date) AS first_date, max(data_date) AS data_date,
           min(data_date) FILTER (WHERE stamp IS NULL) AS first_unstamped,
           bool_or(by_hand) AS by_hand,
           (array_agg(import_uuid ORDER BY place))[1] AS import_uuid,
           (array_agg(lag_days ORDER BY place))[1] AS lag_days,
           array_agg(kind) FILTER (WHERE data_date = first_of_all AND kind IS NOT NULL) AS kinds
    FROM parted GROUP BY uuid, part
),
timed AS (
    SELECT m.*, k.assumed,
           CASE WHEN m.stamp IS NOT NULL THEN least(m.stamp, m.first_unstamped::timestamp AT TIME ZONE {time_zone})
                WHEN k.assumed THEN least({assumed}, m.first_date)::timestamp AT TIME ZONE {time_zone}
                ELSE m.first_date::timestamp AT TIME ZONE {time_zone} END AS instant
    FROM merged AS m JOIN pg_temp.chain_rows AS v ON v.version_id = m.content_of
    CROSS JOIN LATERAL (
        SELECT CASE WHEN m.by_hand THEN v.known_assumed
                    WHEN m.part > 1 OR m.stamp IS NOT NULL OR v.voided OR {day} IS NULL OR m.lag_days IS NULL THEN false
                    ELSE NOT {lacked} END AS assumed
    ) AS k
),
chained AS (
    SELECT *, max(instant) OVER o AS known_from FROM timed WINDOW o AS (PARTITION BY uuid ORDER BY part)
),
complete AS (
    SELECT c.*, lead(c.known_from) OVER (PARTITION BY c.uuid ORDER BY c.part) AS known_to FROM chained AS c
),
paired AS (
    SELECT c.*, v.row_hash, v.voided,
           CASE WHEN v.voided AND v.voided_by = 'source' THEN c.first_date::timestamp AT TIME ZONE {time_zone}
                ELSE v.date_voided END AS date_voided,
           row_number() OVER (
               PARTITION BY c.uuid, v.row_hash, v.voided, c.known_from, c.known_to ORDER BY c.part) AS nth
    FROM complete AS c JOIN pg_temp.chain_rows AS v ON v.version_id = c.content_of
),
before AS (
    SELECT version_id, uuid, row_hash, voided, known_from, known_to,
           row_number() OVER (PARTITION BY uuid, row_hash, voided, known_from, known_to ORDER BY version_id) AS nth
    FROM pg_temp.chain_rows WHERE stored
)
SELECT p.uuid, p.part, p.content_of, p.runs, p.stamps, p.data_date, p.known_from, p.known_to, p.assumed, p.import_uuid,
       p.date_voided, b.version_id AS kept, p.row_hash, p.voided
FROM paired AS p LEFT JOIN before AS b
    ON b.uuid = p.uuid AND b.row_hash = p.row_hash AND b.voided = p.voided AND b.known_from = p.known_from
    AND b.known_to IS NOT DISTINCT FROM p.known_to AND b.nth = p.nth
""")

_PATIENTS = sql.SQL("""
SELECT v.patient_uuid FROM pg_temp.chain_rows AS v
WHERE v.stored AND NOT EXISTS (
    SELECT FROM pg_temp.chain_new AS n WHERE n.kept = v.version_id AND n.assumed = v.known_assumed)
UNION
SELECT v.patient_uuid FROM pg_temp.chain_new AS n JOIN pg_temp.chain_rows AS v ON v.version_id = n.content_of
WHERE n.kept IS NULL
""")
_COUNT = sql.SQL("""
SELECT count(*) FILTER (WHERE n.row_hash <> b.row_hash OR n.voided <> b.voided),
       count(*) FILTER (WHERE n.row_hash = b.row_hash AND n.voided = b.voided AND EXISTS (
           SELECT FROM pg_temp.chain_rows AS s WHERE s.uuid = n.uuid AND NOT s.stored AND s.runs[1] > 0
             AND s.voided = n.voided AND (s.voided OR s.row_hash = n.row_hash)))
FROM pg_temp.chain_new AS n JOIN pg_temp.chain_rows AS b ON b.uuid = n.uuid AND b.stored AND b.known_to IS NULL
WHERE n.known_to IS NULL
""")
_DELETE = sql.SQL(
    "DELETE FROM {table} AS t USING pg_temp.chain_rows AS v WHERE t.version_id = v.version_id AND v.stored"
    " AND NOT EXISTS (SELECT FROM pg_temp.chain_new AS n WHERE n.kept = v.version_id)"
)
_UPDATE = sql.SQL(
    "UPDATE {table} AS t SET runs = n.runs, stamps = n.stamps, data_date = n.data_date, known_assumed = n.assumed,"
    " import_uuid = n.import_uuid, date_voided = n.date_voided"
    " FROM pg_temp.chain_new AS n JOIN pg_temp.chain_rows AS v ON v.version_id = n.kept"
    " WHERE t.version_id = n.kept AND (v.runs, v.stamps, v.data_date, v.known_assumed, v.import_uuid, v.date_voided)"
    " IS DISTINCT FROM (n.runs, n.stamps, n.data_date, n.assumed, n.import_uuid, n.date_voided)"
)
_INSERT = sql.SQL("""
INSERT INTO {table} (version_id, known_from, known_to, known_assumed, data_date, import_uuid, runs, stamps, date_voided,
                     {others})
SELECT {new_uuid}, n.known_from, n.known_to, n.assumed, n.data_date, n.import_uuid, n.runs, n.stamps, n.date_voided,
       {v_others}
FROM pg_temp.chain_new AS n JOIN pg_temp.chain_rows AS v ON v.version_id = n.content_of
WHERE n.kept IS NULL ORDER BY n.uuid, n.part
""")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild.

    Attributes:
        patients: patients whose chains changed.
        updated: number of entities that got another open version.
        confirmed: number of entities whose staged row has the content of their open version.
    """

    patients: list[UUID] = field(default_factory=list)
    updated: int = 0
    confirmed: int = 0


def rebuild_of_patients(session: TenantSession, model: type[ContentRuns], patients: Sequence[UUID]) -> Rebuilt:
    """Rebuild all chains of these patients in one table. The caller holds the tenant's lock (``locks``)."""
    parts = chain_parts(session, model, None)
    with session.cursor() as cursor:
        set_local(cursor, enable_seqscan="off")
        cursor.execute(_ENTITIES.format(**parts, patients=sql.Literal(uuid_array(patients))))
        return rebuild(cursor, parts)


def rebuild(cursor: Cursor[Any], parts: Mapping[str, sql.Composable], staged: sql.Composable | None = None) -> Rebuilt:
    """Rebuild the chains of the entities in ``pg_temp.chain_entities``, and drop that table.

    Args:
        cursor: a cursor of the transaction.
        parts: the result of ``chain_parts``.
        staged: a query of new rows with all columns of the table. They replace what their run said of these entities.
    """
    columns = parts["columns"]
    cursor.execute("ANALYZE pg_temp.chain_entities")
    set_local(cursor, enable_seqscan="off")
    cursor.execute(_ROWS.format(**parts))
    set_local(cursor, enable_seqscan="on")
    if staged is not None:
        cursor.execute(sql.SQL("INSERT INTO pg_temp.chain_rows ({}, stored) {}").format(columns, staged))
    cursor.execute("ANALYZE pg_temp.chain_rows")
    if parts["table"] == sql.Identifier("patient_states"):
        set_local(cursor, enable_seqscan="off")
        cursor.execute(_CONTRADICTED.format(**parts))
        set_local(cursor, enable_seqscan="on")
    cursor.execute(_NEW.format(**parts))
    cursor.execute("ANALYZE pg_temp.chain_new")
    patients = [row[0] for row in cursor.execute(_PATIENTS).fetchall()]
    ((updated, confirmed),) = cursor.execute(_COUNT).fetchall()
    cursor.execute(_DELETE.format(**parts))
    cursor.execute(_UPDATE.format(**parts))
    cursor.execute(_INSERT.format(**parts))
    cursor.execute("DROP TABLE pg_temp.chain_entities, pg_temp.chain_rows, pg_temp.chain_new")
    return Rebuilt(patients, updated, confirmed)


def chain_parts(session: TenantSession, model: type[ContentRuns], number: int | None) -> dict[str, sql.Composable]:
    """The SQL fragments that the statements of a rebuild are composed of.

    Args:
        session: the transaction.
        model: the model of the table.
        number: number of the run whose rows are new; None if no rows are new.
    """
    form = shape(model)
    with session.cursor() as cursor:
        new_uuid = new_uuid_sql(cursor)
    names = (*_BOOKKEEPING, *form.columns)
    others = [name for name in names if name not in _WORKED_OUT]
    zone = session.tenant.time_zone
    day = event_day(form.table, "v", zone)
    assumed = day if form.table in WITHOUT_LAG else sql.SQL("({} + m.lag_days)").format(day)
    expressions: dict[str, sql.Composable] = {
        "facility": sql.SQL("v.facility_uuid"),
        "source": sql.SQL("v.source"),
        "patient": sql.SQL("v.patient_uuid"),
        "kinds": sql.SQL("m.kinds"),
        "day": day,
        "assumed": assumed,
        "first_date": sql.SQL("m.first_date"),
    }
    return {
        "table": sql.Identifier(form.table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, names)),
        "others": sql.SQL(", ").join(map(sql.Identifier, others)),
        "v_others": sql.SQL(", ").join(sql.Identifier("v", name) for name in others),
        "v_content": sql.SQL(", ").join(sql.Identifier("v", name) for name in form.columns),
        "number": sql.Literal(0 if number is None else number),
        "new_uuid": new_uuid,
        "actor": sql.Literal(session.actor),
        "time_zone": sql.Literal(zone),
        "day": day,
        "assumed": assumed,
        "lacked": lacked(form.table, expressions),
    }
