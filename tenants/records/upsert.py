"""The versioned upsert: staged rows become versions by a few statements over the whole set.

Each staged row is compared with the open version of its entity:

- There is none: the row is inserted.
- The row is the newest and has the same content: the run's number is added to the version.
- The row is the newest and has other content: the open version is closed, and the row becomes the next one.
- In all other cases (older data, another run of the same day, a row that a person changed) the entity's chain is
  rebuilt (``chains``).

What a person voided stays voided. README.md of this folder has the semantics in sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from core.database import set_local
from tenants.records import runs
from tenants.records.chains import Rebuilt, chain_parts, rebuild
from tenants.records.days import start_of_day
from tenants.records.ids import new_uuid_sql
from tenants.records.known import WITHOUT_LAG, lacked
from tenants.records.locks import lock_for_import
from tenants.records.models import Patient
from tenants.records.statements import bring
from tenants.records.upsert_stage import Stage, shape, staging
from tenants.records.versioned import ContentRuns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession
    from tenants.records.runs import Run

__all__ = ["SOURCE_VOID", "UpsertCounts", "UpsertResult", "staging", "upsert"]

SOURCE_VOID = "source"
"""``voided_by`` of a tombstone from a source. Any other tombstone is a user's, and imports do not end it."""

_FORGET_REPEATED = sql.SQL(
    "DELETE FROM {staged} AS s"
    " USING (SELECT uuid, max(seq) AS last FROM {staged} GROUP BY uuid HAVING count(*) > 1) AS r"
    " WHERE s.uuid = r.uuid AND s.seq < r.last",
)

# Whether no other run of this source has rows of this table, at any facility of the staged rows.
_PLACES = sql.SQL("SELECT DISTINCT s.facility_uuid FROM {places} AS s")
_FRESH = sql.SQL(
    "SELECT NOT EXISTS (SELECT FROM record_coverage AS c JOIN record_runs AS r ON r.number = c.number"
    " WHERE r.number <> {number} AND NOT r.undone AND r.source = {source} AND c.table_name = {table_name}"
    " AND c.facility_uuid IN (SELECT s.facility_uuid FROM {places} AS s))"
)

# The verdict on each staged row whose entity exists; all other rows are new. Two tombstones are equal, whatever their
# content.
_PLAN = sql.SQL("""
CREATE TEMPORARY TABLE {bare_plan} ON COMMIT DROP AS
SELECT s.seq,
       s.uuid,
       s.known_at,
       e.version_id AS open_version,
       e.patient_uuid AS open_patient,
       CASE
           WHEN e.voided AND e.voided_by <> {source_void} AND {data_date} >= e.data_date THEN 'still_voided'
           WHEN e.runs IS NULL THEN 'rebuild'
           WHEN e.voided = s.voided AND (s.voided OR e.row_hash = s.row_hash) THEN
               CASE WHEN {number} = ANY(e.runs) THEN 'same'
                    WHEN (e.stamps IS NULL) = (s.known_at IS NULL) AND coalesce(s.known_at >= e.known_from, true)
                         AND ({data_date} > e.data_date OR ({data_date} = e.data_date AND e.runs && {alike}::int4[]))
                        THEN 'append'
                    ELSE 'rebuild' END
           WHEN {data_date} > e.data_date THEN 'update'
           ELSE 'rebuild'
       END AS verdict,
       greatest(e.known_from, coalesce(s.known_at, {day_start})) AS known_from
FROM {staged} AS s CROSS JOIN LATERAL (
    SELECT o.* FROM {table} AS o WHERE o.uuid = s.uuid AND o.known_to IS NULL LIMIT 1
) AS e
""")

_COUNT = sql.SQL("SELECT verdict, count(*) FROM {plan} GROUP BY verdict")

_APPEND = sql.SQL(
    "UPDATE {table} AS e SET data_date = {data_date}, runs = e.runs || {number},"
    " stamps = CASE WHEN p.known_at IS NULL THEN NULL ELSE e.stamps || p.known_at END"
    " FROM {plan} AS p WHERE p.verdict = 'append' AND e.version_id = p.open_version",
)

_CLOSE = sql.SQL(
    "UPDATE {table} AS e SET known_to = p.known_from FROM {plan} AS p"
    " WHERE p.verdict = 'update' AND e.version_id = p.open_version",
)

_INSERT_COLUMNS = """
INSERT INTO {table} (version_id, uuid, facility_uuid, source, source_key, known_from, known_assumed, data_date,
                     import_uuid, row_hash, voided, voided_by, date_voided, void_reason, changed_by, runs, stamps,
                     {content})
"""
_INSERT_REST = """
       k.assumed, {data_date}, {import_uuid}, s.row_hash, s.voided, CASE WHEN s.voided THEN {source_void} END,
       CASE WHEN s.voided THEN {day_start} END, CASE WHEN s.voided THEN s.void_reason END, {actor}, ARRAY[{number}],
       CASE WHEN s.known_at IS NOT NULL THEN ARRAY[s.known_at] END, {staged_content}
FROM {staged} AS s
"""
_INSERT = sql.SQL(f"""{_INSERT_COLUMNS}
SELECT {{new_uuid}}, s.uuid, s.facility_uuid, {{source}}, s.source_key,
       CASE
           WHEN p.seq IS NOT NULL THEN p.known_from
           WHEN s.known_at IS NOT NULL THEN s.known_at
           WHEN k.assumed THEN least(s.assumed_from, {{data_date}})::timestamp AT TIME ZONE {{time_zone}}
           ELSE {{day_start}}
       END,
{_INSERT_REST}
LEFT JOIN {{plan}} AS p ON p.seq = s.seq
CROSS JOIN LATERAL (
    SELECT CASE WHEN p.seq IS NOT NULL OR s.known_at IS NOT NULL OR s.assumed_from IS NULL OR s.voided THEN false
                ELSE {{assumable}} END AS assumed
) AS k
WHERE p.seq IS NULL OR p.verdict = 'update'
ORDER BY s.seq
""")

# The same if every row is new: there is nothing to join, and the rows of a query stay in its order.
_INSERT_NEW = sql.SQL(f"""{_INSERT_COLUMNS}
SELECT {{new_uuid}}, s.uuid, s.facility_uuid, {{source}}, s.source_key,
       CASE
           WHEN s.known_at IS NOT NULL THEN s.known_at
           WHEN k.assumed THEN least(s.assumed_from, {{data_date}})::timestamp AT TIME ZONE {{time_zone}}
           ELSE {{day_start}}
       END,
{_INSERT_REST}
CROSS JOIN LATERAL (SELECT s.known_at IS NULL AND s.assumed_from IS NOT NULL AND NOT s.voided AS assumed) AS k
ORDER BY s.seq
""")

# The staged rows whose chains are rebuilt, with all columns of the table.
_STAGED = sql.SQL("""
SELECT {new_uuid}, s.uuid, s.facility_uuid, {source}, s.source_key, {day_start}, NULL::timestamptz, false, {data_date},
       {import_uuid}, s.row_hash, s.voided, CASE WHEN s.voided THEN {source_void} END,
       CASE WHEN s.voided THEN {day_start} END, CASE WHEN s.voided THEN s.void_reason END, {actor},
       ARRAY[{number}], CASE WHEN s.known_at IS NOT NULL THEN ARRAY[s.known_at] END, {staged_content}, false
FROM {staged} AS s JOIN {plan} AS p ON p.seq = s.seq WHERE p.verdict = 'rebuild'
""")
_ENTITIES = sql.SQL(
    "CREATE TEMPORARY TABLE chain_entities ON COMMIT DROP AS SELECT p.uuid FROM {plan} AS p WHERE p.verdict = 'rebuild'"
)

_PATIENTS = sql.SQL("SELECT DISTINCT s.patient_uuid FROM {staged} AS s")
_TOUCHED = sql.SQL(
    "SELECT s.patient_uuid FROM {staged} AS s LEFT JOIN {plan} AS p ON p.seq = s.seq"
    " WHERE p.seq IS NULL OR p.verdict = 'update'"
    " UNION SELECT open_patient FROM {plan} WHERE verdict = 'update'",
)


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """The number of staged rows by outcome.

    Attributes:
        inserted: new entities.
        updated: entities that got a new version, also voided and revived ones.
        unchanged: entities that already had the same content.
        superseded: rows that are not the newest of their entity, and are stored as earlier versions.
        still_voided: rows of entities that a user voided. Answers about imports use the same name.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    still_voided: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        """The sum, field by field."""
        return UpsertCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.superseded + other.superseded,
            self.still_voided + other.still_voided,
        )


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """The counts, and the patients whose records changed. The caller refreshes their contacts."""

    counts: UpsertCounts = field(default_factory=UpsertCounts)
    patients: list[UUID] = field(default_factory=list)


def upsert(session: TenantSession, stage: Stage, *, import_uuid: UUID, data_date: date) -> UpsertResult:
    """Apply the staged rows to their table, in the caller's transaction, and empty the stage.

    Another import of the tenant may run at the same time: a lock makes their steps take turns.

    Args:
        session: the transaction that the rows were staged in.
        stage: the rows, from ``staging``.
        import_uuid: the import of the rows, the same in all its steps. If it has no run yet (``runs``), it gets one, as
            a full list of the facilities of its rows.
        data_date: the date to which the source's data run.
    """
    stage.flush()
    if not stage.rows and stage.asked is None:
        return UpsertResult()
    lock_for_import(session)
    run = runs.find(session, import_uuid)
    adhoc = run is None or run.kind == runs.ADHOC
    run = run or runs.register(session, import_uuid, source=stage.source, data_date=data_date)
    if issubclass(stage.model, Patient):
        return _people(session, stage, run, adhoc=adhoc)
    parts = _parts(stage, run)
    with session.cursor() as cursor:
        if adhoc:
            places = [row[0] for row in _run(cursor, _PLACES, parts).fetchall()]
            runs.cover(session, run, shape(stage.model).table, places)
        done = None if stage.repeated else _all_new(session, cursor, parts, stage)
        if done is None:
            done = _compared(session, cursor, parts, stage, run)
        _run(cursor, sql.SQL("DROP TABLE IF EXISTS {staged}, {plan}"), parts)
    stage.forget()
    return done


def _people(session: TenantSession, stage: Stage, run: Run, *, adhoc: bool) -> UpsertResult:
    """Apply staged rows of people, each of which states all attributes."""
    with session.cursor() as cursor:
        if stage.repeated:
            cursor.execute(_FORGET_REPEATED.format(staged=stage.temporary))
        if adhoc:
            places = cursor.execute(_PLACES.format(places=stage.temporary)).fetchall()
            runs.cover(session, run, shape(stage.model).table, [row[0] for row in places])
        folded = bring(session, stage, run)
        cursor.execute(sql.SQL("DROP TABLE {}").format(stage.temporary))
    stage.forget()
    counts = UpsertCounts(folded.inserted, folded.updated, folded.unchanged, folded.superseded, folded.voided_by_hand)
    return UpsertResult(counts, folded.changed)


def _compared(
    session: TenantSession, cursor: Cursor[Any], parts: Mapping[str, sql.Composable], stage: Stage, run: Run
) -> UpsertResult:
    """Apply the staged rows, after comparing each with the open version of its entity."""
    stage.read()
    staged = stage.rows
    if stage.repeated:
        staged -= _run(cursor, _FORGET_REPEATED, parts).rowcount
    _run(cursor, sql.SQL("ANALYZE {staged} (seq, uuid, facility_uuid)"), parts)
    # Read row by row through the index; LIMIT makes the planner do so. A scan of the whole table would cost each step
    # as much as all steps before it.
    set_local(cursor, enable_seqscan="off")
    planned = _run(cursor, _PLAN, parts).rowcount
    set_local(cursor, enable_seqscan="on")
    verdicts: dict[str, int] = dict(_run(cursor, _COUNT, parts).fetchall()) if planned else {}
    if planned:
        _run(cursor, sql.SQL("ANALYZE {plan}"), parts)
    if verdicts.get("append"):
        _run(cursor, _APPEND, parts)
    if verdicts.get("update"):
        _run(cursor, _CLOSE, parts)
    patients: set[UUID] = set()
    inserted = staged - planned
    if inserted or verdicts.get("update"):
        _run(cursor, _INSERT, parts)
        patients.update(row[0] for row in _run(cursor, _TOUCHED, parts))
    rebuilt = Rebuilt()
    if verdicts.get("rebuild"):
        _run(cursor, _ENTITIES, parts)
        rebuilt = rebuild(cursor, chain_parts(session, _asserted(stage), run.number), _STAGED.format(**parts))
        patients.update(rebuilt.patients)
    counts = UpsertCounts(
        inserted=inserted,
        updated=verdicts.get("update", 0) + rebuilt.updated,
        unchanged=verdicts.get("same", 0) + verdicts.get("append", 0) + rebuilt.confirmed,
        superseded=verdicts.get("rebuild", 0) - rebuilt.updated - rebuilt.confirmed,
        still_voided=verdicts.get("still_voided", 0),
    )
    return UpsertResult(counts, sorted(patients))


def _asserted(stage: Stage) -> type[ContentRuns]:
    """The model of the stage's table, checked to be one whose rows name their runs.

    Raises:
        TypeError: it is not such a table, but ``patients``, which ``people`` computes from statements.
    """
    if not issubclass(stage.model, ContentRuns):
        message = f"{stage.model.__name__} has no chains of assertions"
        raise TypeError(message)
    return stage.model


def _all_new(
    session: TenantSession, cursor: Cursor[Any], parts: Mapping[str, sql.Composable], stage: Stage
) -> UpsertResult | None:
    """Insert the staged rows without comparing them, if this is the first import of their source at their facilities.

    Return None, and insert nothing, if an earlier import exists, or if one of the rows exists after all. That happens
    if another import of the source is running, or two steps staged the same key.
    """
    asked = stage.asked
    if asked is not None:
        parts = {**parts, "staged": asked.as_table(shape(stage.model))}
    if not _run(cursor, _FRESH, parts).fetchall()[0][0]:
        return None
    set_local(cursor, enable_nestloop="off")
    try:
        with session.begin_nested(), session.cursor() as within:  # begin_nested opens the savepoint
            inserted = _run(within, _INSERT_NEW, parts).rowcount
            patients = asked.whose if asked is not None else [row[0] for row in _run(within, _PATIENTS, parts)]
    except psycopg.errors.UniqueViolation:
        set_local(cursor, enable_nestloop="on")
        return None
    set_local(cursor, enable_nestloop="on")
    return UpsertResult(UpsertCounts(inserted=inserted), patients)


def _parts(stage: Stage, run: Run) -> dict[str, sql.Composable]:
    form = shape(_asserted(stage))
    with stage.session.cursor() as cursor:
        new_uuid = new_uuid_sql(cursor)
    content = [sql.Identifier(name) for name in form.columns]
    lag = 0 if form.table in WITHOUT_LAG else run.lag_days or 0
    expressions: dict[str, sql.Composable] = {
        "facility": sql.SQL("s.facility_uuid"),
        "source": sql.Literal(run.source),
        "patient": sql.SQL("s.patient_uuid"),
        "kinds": sql.SQL("{}::text[]").format(sql.Literal([run.kind])),
        "day": sql.SQL("s.assumed_from - {}").format(sql.Literal(lag)),
        "assumed": sql.SQL("s.assumed_from"),
        "first_date": sql.Literal(run.data_date),
    }
    return {
        "table": sql.Identifier(form.table),
        "staged": stage.temporary,
        "places": stage.temporary if stage.asked is None else stage.asked.places,
        "bare_plan": sql.Identifier(f"plan_{form.table}"),
        "plan": sql.Identifier("pg_temp", f"plan_{form.table}"),
        "content": sql.SQL(", ").join(content),
        "staged_content": sql.SQL(", ").join(sql.SQL("s.{}").format(name) for name in content),
        "new_uuid": new_uuid,
        "source": sql.Literal(stage.source),
        "source_void": sql.Literal(SOURCE_VOID),
        "table_name": sql.Literal(form.table),
        "import_uuid": sql.Literal(run.import_uuid),
        "number": sql.Literal(run.number),
        "alike": sql.Literal(runs.of_one_kind(stage.session, run)),
        "data_date": sql.Literal(run.data_date),
        "day_start": sql.Literal(start_of_day(stage.session.tenant, run.data_date)),
        "time_zone": sql.Literal(stage.session.tenant.time_zone),
        "actor": sql.Literal(stage.session.actor),
        "assumable": sql.SQL("NOT {}").format(lacked(form.table, expressions)),
    }


def _run(cursor: Cursor[Any], statement: sql.SQL, parts: Mapping[str, sql.Composable]) -> Cursor[Any]:
    return cursor.execute(statement.format(**parts))
