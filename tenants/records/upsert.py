"""The versioned upsert: staged rows become versions by a few statements over the whole set.

A staged row is compared with the open version of its entity. New: inserted. The same: nothing, or its data date moves
on. Different: the newer data date wins, and of equal ones the later import; winning closes the open version and adds
the next. What a person voided stays voided; what the source voided revives when the source takes it back. README.md
of this folder has the semantics in sentences.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from core.clock import now as clock_now
from core.database import set_local
from tenants.records.days import start_of_day
from tenants.records.ids import new_uuid_sql
from tenants.records.locks import lock_for_import
from tenants.records.models import Patient
from tenants.records.staging import Stage, shape, staging

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from uuid import UUID

    from psycopg import Cursor

    from core.database import TenantSession

__all__ = ["SOURCE_VOID", "UpsertCounts", "Upserted", "staging", "upsert"]

SOURCE_VOID = "source"
"""``voided_by`` of a tombstone that a source asked for; any other is a person's, and stays."""

_FORGET_REPEATED = sql.SQL(
    "DELETE FROM {staged} AS s"
    " USING (SELECT uuid, max(seq) AS last FROM {staged} GROUP BY uuid HAVING count(*) > 1) AS r"
    " WHERE s.uuid = r.uuid AND s.seq < r.last",
)

_REMEMBER_SOURCES = sql.SQL(
    "INSERT INTO record_sources AS r"
    " (facility_uuid, source, table_name, first_import_uuid, first_data_date, data_date, updated_at)"
    " SELECT DISTINCT facility_uuid, {source}, {table_name}, {import_uuid}::uuid, {data_date}::date,"
    " {data_date}::date, {now}::timestamptz FROM {places} AS s"
    " ON CONFLICT (facility_uuid, source, table_name)"
    " DO UPDATE SET data_date = excluded.data_date, updated_at = excluded.updated_at"
    " WHERE r.data_date < excluded.data_date",
)

# Whether nothing of this source was there before this import, at any facility of the staged rows.
_FRESH = sql.SQL(
    "SELECT bool_and(r.first_import_uuid = {import_uuid}) FROM record_sources AS r"
    " WHERE r.source = {source} AND r.table_name = {table_name}"
    " AND r.facility_uuid IN (SELECT s.facility_uuid FROM {places} AS s)"
)

# What to do with each staged row whose entity is there; all others are new. Two tombstones are alike whatever they
# hold.
_PLAN = sql.SQL("""
CREATE TEMPORARY TABLE {bare_plan} ON COMMIT DROP AS
SELECT s.seq,
       e.version_id AS open_version,
       e.{patient} AS open_patient,
       CASE
           WHEN e.voided AND e.voided_by <> {source_void} THEN 'held'
           WHEN e.voided = s.voided AND (s.voided OR e.row_hash = s.row_hash)
               THEN CASE WHEN e.data_date < {data_date} THEN 'confirm' ELSE 'same' END
           WHEN e.data_date > {data_date} THEN 'superseded'
           ELSE 'update'
       END AS verdict,
       greatest(e.known_from, coalesce(s.known_at, {day_start})) AS known_from
FROM {staged} AS s CROSS JOIN LATERAL (
    SELECT o.* FROM {table} AS o WHERE o.uuid = s.uuid AND o.known_to IS NULL LIMIT 1
) AS e LIMIT {looked_for}
""")

_COUNT = sql.SQL("SELECT verdict, count(*) FROM {plan} GROUP BY verdict")

_CONFIRM = sql.SQL(
    "UPDATE {table} AS e SET data_date = {data_date} FROM {plan} AS p"
    " WHERE p.verdict = 'confirm' AND e.version_id = p.open_version",
)

_CLOSE = sql.SQL(
    "UPDATE {table} AS e SET known_to = p.known_from FROM {plan} AS p"
    " WHERE p.verdict = 'update' AND e.version_id = p.open_version",
)

_INSERT = sql.SQL("""
INSERT INTO {table} (version_id, uuid, facility_uuid, source, source_key, known_from, known_assumed, data_date,
                     import_uuid, row_hash, voided, voided_by, date_voided, void_reason, changed_by, {content})
SELECT {new_uuid}, s.uuid, s.facility_uuid, {source}, s.source_key,
       CASE
           WHEN p.seq IS NOT NULL THEN p.known_from
           WHEN s.known_at IS NOT NULL THEN s.known_at
           WHEN s.assumed_from IS NOT NULL AND r.first_import_uuid = {import_uuid}
               THEN least(s.assumed_from, {data_date})::timestamp AT TIME ZONE {time_zone}
           ELSE {day_start}
       END,
       p.seq IS NULL AND s.known_at IS NULL AND s.assumed_from IS NOT NULL AND r.first_import_uuid = {import_uuid},
       {data_date}, {import_uuid}, s.row_hash, s.voided, CASE WHEN s.voided THEN {source_void} END,
       CASE WHEN s.voided THEN coalesce(s.date_voided, {now}) END,
       CASE WHEN s.voided THEN s.void_reason END, {actor}, {staged_content}
FROM {staged} AS s
JOIN record_sources AS r
    ON r.facility_uuid = s.facility_uuid AND r.source = {source} AND r.table_name = {table_name}
LEFT JOIN {plan} AS p ON p.seq = s.seq
WHERE p.seq IS NULL OR p.verdict = 'update'
ORDER BY s.seq
""")

_TOUCHED = sql.SQL(
    "SELECT s.{patient} FROM {staged} AS s LEFT JOIN {plan} AS p ON p.seq = s.seq"
    " WHERE p.seq IS NULL OR p.verdict = 'update'"
    " UNION SELECT open_patient FROM {plan} WHERE verdict = 'update'",
)


@dataclass(frozen=True, slots=True)
class UpsertCounts:
    """What became of staged rows.

    Attributes:
        inserted: entities that were not there.
        updated: entities that got a new version (voided and revived ones too).
        unchanged: entities that already said the same.
        superseded: rows older than what is there.
        held: rows of entities that a person voided.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    held: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        """The sum, field by field."""
        return UpsertCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.superseded + other.superseded,
            self.held + other.held,
        )


@dataclass(frozen=True, slots=True)
class Upserted:
    """The counts, and the patients whose records changed (their contacts want refreshing)."""

    counts: UpsertCounts = field(default_factory=UpsertCounts)
    patients: list[UUID] = field(default_factory=list)


def upsert(
    session: TenantSession, stage: Stage, *, import_uuid: UUID, data_date: date, now: datetime | None = None
) -> Upserted:
    """Bring the staged rows into their table, in the caller's transaction.

    Safe while another import of the tenant runs: steps take turns. The stage is empty afterwards.

    Args:
        session: the transaction that the rows were staged in.
        stage: the rows, from ``staging``.
        import_uuid: the import that they belong to, the same in all its steps.
        data_date: the date to which the source's data run.
        now: the time of voiding where the source gives none; the clock's by default.
    """
    stage.flush()
    if not stage.rows and stage.asked is None:
        return Upserted()
    lock_for_import(session)
    parts = _parts(stage, import_uuid, data_date, now or clock_now())
    with session.cursor() as cursor:
        _run(cursor, _REMEMBER_SOURCES, parts)
        done = None if stage.repeated else _all_new(session, cursor, parts, stage)
        if done is None:
            done = _compared(cursor, parts, stage)
        _run(cursor, sql.SQL("DROP TABLE {staged}, {plan}"), parts)
    stage.forget()
    return done


def _compared(cursor: Cursor[Any], parts: Mapping[str, sql.Composable], stage: Stage) -> Upserted:
    """Bring the staged rows into their table, each compared with the open version of its entity."""
    stage.read()
    staged = stage.rows
    if stage.repeated:
        staged -= _run(cursor, _FORGET_REPEATED, parts).rowcount
    _run(cursor, sql.SQL("ANALYZE {staged} (seq, uuid, facility_uuid)"), parts)
    # By its index, row by row (LIMIT keeps the planner to that): read whole, the table would cost each step as much
    # as all steps before it.
    set_local(cursor, enable_seqscan="off")
    found = _run(cursor, _PLAN, parts).rowcount
    set_local(cursor, enable_seqscan="on")
    verdicts: dict[str, int] = dict(_run(cursor, _COUNT, parts).fetchall()) if found else {}
    if verdicts.get("confirm"):
        _run(cursor, _CONFIRM, parts)
    if verdicts.get("update"):
        _run(cursor, _CLOSE, parts)
    patients: list[UUID] = []
    inserted = staged - found
    if inserted or verdicts.get("update"):
        _run(cursor, sql.SQL("ANALYZE {plan}"), parts)
        _run(cursor, _INSERT, parts)
        patients = [row[0] for row in _run(cursor, _TOUCHED, parts)]
    counts = UpsertCounts(
        inserted=inserted,
        updated=verdicts.get("update", 0),
        unchanged=verdicts.get("same", 0) + verdicts.get("confirm", 0),
        superseded=verdicts.get("superseded", 0),
        held=verdicts.get("held", 0),
    )
    return Upserted(counts, patients)


def _all_new(
    session: TenantSession, cursor: Cursor[Any], parts: Mapping[str, sql.Composable], stage: Stage
) -> Upserted | None:
    """Insert the staged rows as new ones, where no import of their source was at their facilities before this one.

    Then there is next to nothing to compare them with. None, and nothing inserted, where there was, or where one of
    them is there after all: another import of the source is under way, or a key was staged twice over two steps.
    """
    asked = stage.asked
    if asked is not None:
        parts = {**parts, "staged": asked.as_table(shape(stage.model))}
    if not _run(cursor, _FRESH, parts).fetchall()[0][0]:
        return None
    _run(cursor, _PLAN, {**parts, "looked_for": sql.Literal(0)})
    set_local(cursor, enable_nestloop="off")
    try:
        with session.begin_nested(), session.cursor() as within:  # the savepoint comes with the cursor
            inserted = _run(within, _INSERT, parts).rowcount
            patients = asked.whose if asked is not None else [row[0] for row in _run(within, _TOUCHED, parts)]
    except psycopg.errors.UniqueViolation:
        set_local(cursor, enable_nestloop="on")
        _run(cursor, sql.SQL("DROP TABLE {plan}"), parts)
        return None
    set_local(cursor, enable_nestloop="on")
    return Upserted(UpsertCounts(inserted=inserted), patients)


def _parts(stage: Stage, import_uuid: UUID, data_date: date, now: datetime) -> dict[str, sql.Composable]:
    form = shape(stage.model)
    with stage.session.cursor() as cursor:
        new_uuid = new_uuid_sql(cursor)
    content = [sql.Identifier(name) for name in form.columns]
    return {
        "table": sql.Identifier(form.table),
        "staged": stage.temporary,
        "places": stage.temporary if stage.asked is None else stage.asked.places,
        "bare_plan": sql.Identifier(f"plan_{form.table}"),
        "plan": sql.Identifier("pg_temp", f"plan_{form.table}"),
        "patient": sql.Identifier("uuid" if issubclass(stage.model, Patient) else "patient_uuid"),
        "content": sql.SQL(", ").join(content),
        "staged_content": sql.SQL(", ").join(sql.SQL("s.{}").format(name) for name in content),
        "new_uuid": new_uuid,
        "source": sql.Literal(stage.source),
        "source_void": sql.Literal(SOURCE_VOID),
        "table_name": sql.Literal(form.table),
        "import_uuid": sql.Literal(import_uuid),
        "data_date": sql.Literal(data_date),
        "day_start": sql.Literal(start_of_day(stage.session.tenant, data_date)),
        "time_zone": sql.Literal(stage.session.tenant.time_zone),
        "now": sql.Literal(now),
        "looked_for": sql.NULL,
        "actor": sql.Literal(stage.session.actor),
    }


def _run(cursor: Cursor[Any], statement: sql.SQL, parts: Mapping[str, sql.Composable]) -> Cursor[Any]:
    return cursor.execute(statement.format(**parts))
