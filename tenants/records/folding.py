"""Compute the versions in ``patients`` from ``patient_statements`` and ``record_runs``; write only what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core.database import set_local
from core.database.arrays import uuid_array
from tenants.records.days import start_of_day
from tenants.records.ids import new_uuid
from tenants.records.known import event_day
from tenants.records.models import Patient
from tenants.records.people import Assertion, ListOfPeople, PersonRun, PersonVersion, World, fold
from tenants.records.upsert_stage import content_values, shape

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession
    from tenants.records.runs import Run

EVENT_TABLES = ("visits", "encounters", "observations", "dispensations", "appointments", "patient_states")

_STATEMENT = (
    "patient_uuid", "facility_uuid", "source", "source_key", "runs", "stamps", "data_date", "said", "fallback",
    "voided", "voided_by", "date_voided", "void_reason", "changed_by", "wrong_phone_bidx",
)  # fmt: skip
_STATEMENTS = sql.SQL("SELECT {columns} FROM patient_statements WHERE patient_uuid = ANY({patients}::uuid[])")
_RUNS = """
SELECT number, import_uuid, kind, data_date, precedence, digest, lag_days FROM record_runs
WHERE number = ANY(%s) AND NOT undone
"""
_LISTS = """
SELECT c.facility_uuid, r.source, c.number, r.kind, r.data_date, c.covers_from
FROM record_coverage AS c JOIN record_runs AS r ON r.number = c.number
WHERE c.facility_uuid = ANY(%s::uuid[]) AND c.table_name = 'patients' AND NOT r.undone
  AND c.covers_from IS NOT NULL AND c.covers_from > '-infinity'
"""
_ENDLESS = """
SELECT c.facility_uuid, r.source, c.number, r.kind, r.data_date, '0001-01-01'::date
FROM record_coverage AS c JOIN record_runs AS r ON r.number = c.number
WHERE c.facility_uuid = ANY(%s::uuid[]) AND c.table_name = 'patients' AND NOT r.undone AND c.covers_from = '-infinity'
"""
_GAPS = "SELECT patient_uuid, number FROM record_gaps WHERE patient_uuid = ANY(%s::uuid[])"
_VERSIONS = """
SELECT version_id, uuid, known_from, known_to, known_assumed, voided, row_hash, data_date FROM patients
WHERE uuid = ANY(%s::uuid[]) ORDER BY uuid, known_from, known_to NULLS LAST
"""
_REDATE = """
UPDATE patients AS p SET data_date = t.data_date, known_assumed = t.assumed
FROM unnest(%s::uuid[], %s::date[], %s::bool[]) AS t (version_id, data_date, assumed)
WHERE p.version_id = t.version_id
"""


@dataclass(frozen=True, slots=True)
class FoldResult:
    """The people whose versions changed, and the number of people by outcome."""

    changed: list[UUID] = field(default_factory=list)
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    voided_by_hand: int = 0


def refold(
    session: TenantSession,
    patients: Sequence[UUID],
    *,
    run: Run | None = None,
    new_facts: Mapping[UUID, FirstFact] | None = None,
) -> FoldResult:
    """Compute the versions of these people again, from all their statements.

    Args:
        session: the transaction, which holds the tenant's lock.
        patients: the people.
        run: the run whose statements are new. If it is the newest and repeats what is known, there is little to do.
        new_facts: by person, the first fact that is not in the records yet.
    """
    if not patients:
        return FoldResult()
    return _PeopleFold(session, sorted(set(patients)), run).write(new_facts or {})


@dataclass(frozen=True, slots=True)
class FirstFact:
    """The day of a person's earliest fact, and the earliest day on which any fact of the person was known.

    Facts that an earlier list lacked do not count: they show nothing about the time before they came.
    """

    day: date
    known: date


def first_facts(session: TenantSession, patients: Sequence[UUID]) -> dict[UUID, FirstFact]:
    """The first facts by person, for the people who have any."""
    zone = session.tenant.time_zone
    every = sql.SQL(" UNION ALL ").join(
        sql.SQL(
            "SELECT min({}) AS day, min(e.known_from) AS known FROM {} AS e"
            " WHERE e.patient_uuid = p.uuid AND NOT e.voided"
            " AND (e.known_assumed OR e.runs IS NULL OR e.stamps IS NOT NULL)"
        ).format(event_day(table, "e", zone), sql.Identifier(table))
        for table in EVENT_TABLES
    )
    query = sql.SQL(
        "SELECT p.uuid, f.day, (f.known AT TIME ZONE {zone})::date FROM unnest({patients}::uuid[]) AS p (uuid)"
        " CROSS JOIN LATERAL (SELECT min(t.day) AS day, min(t.known) AS known FROM ({every}) AS t) AS f"
        " WHERE f.known IS NOT NULL"
    ).format(zone=sql.Literal(zone), patients=uuid_array(patients), every=every)
    with session.cursor() as cursor:
        set_local(cursor, enable_seqscan="off")
        rows = cursor.execute(query).fetchall()
        set_local(cursor, enable_seqscan="on")
    return {uuid: FirstFact(day or known, known) for uuid, day, known in rows}


class _PeopleFold:
    """All data about some people, read at once, and the versions that are computed from them."""

    def __init__(self, session: TenantSession, patients: Sequence[UUID], run: Run | None) -> None:
        self._session = session
        self._patients = patients
        self._run = run
        self._columns = shape(Patient).columns
        self._names = (*_STATEMENT, *self._columns)
        listed = uuid_array(patients)
        with session.cursor() as cursor:
            set_local(cursor, enable_seqscan="off")
            query = _STATEMENTS.format(columns=sql.SQL(", ").join(map(sql.Identifier, self._names)), patients=listed)
            self._statements: dict[UUID, list[dict[str, Any]]] = {}
            for row in cursor.execute(query).fetchall():
                self._statements.setdefault(row[0], []).append(dict(zip(self._names, row, strict=True)))
            self._versions: dict[UUID, list[tuple[Any, ...]]] = {}
            for row in cursor.execute(_VERSIONS, (listed,)).fetchall():
                self._versions.setdefault(row[1], []).append(row)
            self._gaps: dict[UUID, set[int]] = {}
            for patient, number in cursor.execute(_GAPS, (listed,)).fetchall():
                self._gaps.setdefault(patient, set()).add(number)
            set_local(cursor, enable_seqscan="on")
            every = [one for of_one in self._statements.values() for one in of_one]
            numbers = sorted({number for one in every for number in one["runs"] or ()})
            self._runs = {row[0]: PersonRun(*row) for row in cursor.execute(_RUNS, (numbers,)).fetchall()}
            facilities = uuid_array({one["facility_uuid"] for one in every})
            self._lists: dict[tuple[UUID, str], list[ListOfPeople]] = {}
            for query_of_lists in (_LISTS, _ENDLESS):
                for facility, source, *rest in cursor.execute(query_of_lists, (facilities,)).fetchall():
                    self._lists.setdefault((facility, source), []).append(ListOfPeople(*rest))

    def write(self, new_facts: Mapping[UUID, FirstFact]) -> FoldResult:
        """Write the versions that changed."""
        counts = {"unchanged": 0, "updated": 0, "superseded": 0, "voided_by_hand": 0}
        rest: list[UUID] = []
        confirmed_versions: list[tuple[UUID, date, bool]] = []
        for uuid in self._patients:
            confirmed = self._confirmed(uuid)
            if confirmed is None:
                rest.append(uuid)
            else:
                counts["unchanged"] += 1
                confirmed_versions.append(confirmed)
        facts = first_facts(self._session, rest) if rest else {}
        deleted: list[UUID] = []
        new_rows: list[dict[str, Any]] = []
        changed: list[UUID] = []
        for uuid in rest:
            firsts = [each for each in (facts.get(uuid), new_facts.get(uuid)) if each is not None]
            first = FirstFact(min(f.day for f in firsts), min(f.known for f in firsts)) if firsts else None
            outcome, same, gone, new = self._folded(uuid, first)
            counts[outcome] += 1
            confirmed_versions += same
            deleted += gone
            new_rows += new
            if gone or new:
                changed.append(uuid)
        self._store(confirmed_versions, deleted, new_rows)
        return FoldResult(changed=changed, **counts)

    def _confirmed(self, uuid: UUID) -> tuple[UUID, date, bool] | None:
        """Version, new data date and ``known_assumed``, if the run is the newest and only repeats what is known."""
        versions, run = self._versions.get(uuid), self._run
        if run is None or not versions or len(self._statements.get(uuid, ())) != 1:
            return None
        (statement,) = self._statements[uuid]
        version_id, _, _, known_to, assumed, voided, _, data_date = versions[-1]
        if known_to is not None or voided or data_date >= run.data_date or statement["voided"] or len(versions) != 1:
            return None
        if statement["runs"] is None or len(statement["runs"]) < 2 or statement["stamps"] is not None:  # noqa: PLR2004 - the run's own and another
            return None
        return version_id, run.data_date, assumed

    def _assertions(self, uuid: UUID) -> list[Assertion]:
        assertions: list[Assertion] = []
        for one in self._statements.get(uuid, ()):
            attributes, fallback = frozenset(one["said"]), frozenset(one["fallback"])
            if one["runs"] is None:
                run = PersonRun(0, None, "", one["data_date"], 0, "", None)
                assertions.append(Assertion(run, one["stamps"][0], one, attributes, fallback, by_hand=True))
                continue
            stamps = one["stamps"] or [None] * len(one["runs"])
            for number, stamp in zip(one["runs"], stamps, strict=True):
                if number in self._runs:
                    assertions.append(Assertion(self._runs[number], stamp, one, attributes, fallback))
        return assertions

    def _folded(
        self, uuid: UUID, first: FirstFact | None
    ) -> tuple[str, list[tuple[UUID, date, bool]], list[UUID], list[dict[str, Any]]]:
        """The outcome for a person, the versions to keep, the versions to delete, and the versions to insert."""
        assertions = self._assertions(uuid)
        before = self._versions.get(uuid, [])
        if not self._statements.get(uuid):
            return "unchanged", [], [], []
        versions: list[PersonVersion] = []
        if assertions:
            columns = assertions[0].columns
            world = World(
                start_of_day=partial(start_of_day, self._session.tenant),
                first_fact=None if first is None else first.day,
                first_known=None if first is None else first.known,
                lists=self._lists.get((columns["facility_uuid"], columns["source"]), ()),
                gaps=frozenset(self._gaps.get(uuid, ())),
            )
            versions = fold(assertions, world)
        left = {(row[2], row[3], row[5], bytes(row[6])): row for row in before}
        same: list[tuple[UUID, date, bool]] = []
        new: list[dict[str, Any]] = []
        newest: bytes | None = None
        for version in versions:
            values, fingerprint = content_values(Patient, version.content)
            newest = fingerprint
            present = left.pop((version.known_from, version.known_to, version.voided, fingerprint), None)
            if present is None or present[4] != version.assumed:
                if present is not None:
                    left[present[2], present[3], present[5], bytes(present[6])] = present
                new.append(self._row(uuid, version, values, fingerprint))
            elif present[7] != version.data_date:
                same.append((present[0], version.data_date, version.assumed))
        gone = [row[0] for row in left.values()]
        if before and before[-1][5] and versions and versions[-1].cause.by_hand and versions[-1].voided:
            return "voided_by_hand", same, gone, new
        if not gone and not new:
            return "unchanged", same, gone, new
        other = not before or newest is None or bytes(before[-1][6]) != newest or before[-1][5] != versions[-1].voided
        return "updated" if other else "superseded", same, gone, new

    def _row(self, uuid: UUID, version: PersonVersion, values: list[object], fingerprint: bytes) -> dict[str, Any]:
        cause = version.cause
        voids = dict(cause.columns) if version.voided else {}
        if voids and not cause.by_hand:
            # The same statement of several runs is one row, whose day is that of the run that came first.
            voids["date_voided"] = start_of_day(self._session.tenant, cause.run.data_date)
        return {
            "version_id": new_uuid(),
            "uuid": uuid,
            "facility_uuid": cause.columns["facility_uuid"],
            "source": cause.columns["source"],
            "source_key": cause.columns["source_key"],
            "known_from": version.known_from,
            "known_to": version.known_to,
            "known_assumed": version.assumed,
            "data_date": version.data_date,
            "import_uuid": cause.run.import_uuid,
            "row_hash": fingerprint,
            "voided": version.voided,
            "voided_by": voids.get("voided_by"),
            "date_voided": voids.get("date_voided"),
            "void_reason": voids.get("void_reason"),
            "changed_by": cause.columns["changed_by"],
            **dict(zip(self._columns, values, strict=True)),
        }

    def _store(self, confirmed: list[tuple[UUID, date, bool]], deleted: list[UUID], rows: list[dict[str, Any]]) -> None:
        with self._session.cursor() as cursor:
            if deleted:
                cursor.execute("DELETE FROM patients WHERE version_id = ANY(%s::uuid[])", (uuid_array(deleted),))
            if confirmed:
                ids, days, flags = zip(*confirmed, strict=True)
                cursor.execute(_REDATE, (uuid_array(ids), list(days), list(flags)))
            if rows:
                names = list(rows[0])
                statement = sql.SQL("INSERT INTO patients ({}) VALUES ({})").format(
                    sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(sql.Placeholder, names))
                )
                cursor.executemany(statement, rows)
