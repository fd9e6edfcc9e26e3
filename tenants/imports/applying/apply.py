"""Apply a chunk of staged rows of one kind by the versioned upsert, and refresh the contacts of its patients."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from psycopg import sql

from core import privacy
from core.database.arrays import uuid_array
from core.events import publish
from core.feature_registry import resolve
from core.privacy.erased import keep_out
from tenants.imports.applying import settling
from tenants.imports.applying.lists import run_of
from tenants.imports.facts import KINDS
from tenants.imports.slots import EVENT_FIELD, MODELS, SLOTS
from tenants.imports.staging import stager
from tenants.imports.staging.keys import facility_to_be
from tenants.records import contacts, facilities
from tenants.records.erasing import identifiers_of
from tenants.records.facilities import FacilityFacts
from tenants.records.folding import refold
from tenants.records.ids import entity_uuid
from tenants.records.known import WITHOUT_LAG
from tenants.records.locks import lock_for_import
from tenants.records.models import Patient
from tenants.records.people import ATTRIBUTES
from tenants.records.personal import FIELDS, seal_patients
from tenants.records.statements import RepeatedStatement, bring, known_statements
from tenants.records.statements import Terms as Statement
from tenants.records.upsert import UpsertCounts, UpsertResult, staging, upsert
from tenants.records.upsert_stage import StagedQuery

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from core.database import TenantSession

    _Chunk = tuple[int | None, int, UpsertResult]  # the last row, the number of rows, what they did

STEP_ROWS = 50_000
"""Facts applied in one transaction: a few seconds of work, so that other steps and requests get their turn."""

ROWS_IN_MEMORY = 5_000
"""Facts applied in one transaction if they pass through this process."""

EVENTS_PER_PATIENT = 20
"""Facts per patient that a step assumes, to convert its limit of facts to a number of patients."""

EVENT_KINDS = tuple(kind for kind in KINDS if kind != "facilities")
HANDLERS: dict[str, str] = {
    "snapshots": "tenants.imports.applying.snapshots:apply_rows",
    "unread_contacts": "tenants.imports.applying.unread:apply_rows",
}
"""Kinds that are neither patients nor events in ``SLOTS`` -> ``"module:function"``.

The function takes the session, the terms and the rows' contents (``StagedRow.about``), and returns ``UpsertResult``.
"""
ENDS: dict[str, str] = {"snapshots": "tenants.imports.applying.snapshots:end"}
"""Kinds -> the function to call after all rows of the kind are applied, with the session and the terms."""

SETTLED_AT_ONCE = 500
"""Number of patients whose chains one transaction rebuilds."""

_MAKES_CONTACTS = frozenset({"visits", "dispensations", "appointments", settling.SETTLE})
_CLOSES_UNREAD = frozenset({"unread_contacts", settling.SETTLE})

_FACILITIES = """
SELECT facility, content FROM import_staging
WHERE import_uuid = %s AND kind = 'facilities' AND state = 'accepted' ORDER BY seq
"""

# An event without a facility is at its patient's.
_CHUNK = """
SELECT s.seq, coalesce(s.facility, p.facility), s.patient_key, s.source_key, s.event_date, s.first_event,
       s.known_at, s.content, s.personal, s.digest
FROM (
    SELECT * FROM import_staging
    WHERE import_uuid = %(import)s AND kind = %(kind)s AND state = 'accepted' AND seq > %(after)s AND seq <= %(end)s
    ORDER BY seq LIMIT %(rows)s
) AS s
LEFT JOIN LATERAL (
    SELECT h.facility FROM import_staging AS h
    WHERE h.import_uuid = %(import)s AND h.kind = 'patients' AND h.patient_key = s.patient_key
      AND h.state IN ('accepted', 'known')
    ORDER BY h.state LIMIT 1
) AS p ON s.facility IS NULL
ORDER BY s.seq
"""


# The next rows of a kind: the last one, their number, whether a key can be among them twice (once with the facility,
# once without), their patients, and their facilities.
_RANGE = """
SELECT max(last), coalesce(sum(rows), 0)::bigint, bool_or(without) AND bool_or(named),
       array_agg(DISTINCT patient_uuid), array_agg(DISTINCT facility_uuid)
FROM (
    SELECT patient_uuid, facility_uuid, max(seq) AS last, count(*) AS rows,
           bool_or(facility IS NULL) AS without, bool_or(facility IS NOT NULL) AS named
    FROM (
        SELECT seq, facility, patient_uuid, facility_uuid FROM import_staging
        WHERE import_uuid = %(import)s AND kind = %(kind)s AND state = 'accepted' AND seq > %(after)s
          AND seq <= %(end)s
        ORDER BY seq LIMIT %(rows)s
    ) AS part
    GROUP BY patient_uuid, facility_uuid
) AS people
"""

_EVENTS = sql.SQL("""
SELECT s.seq, s.entity_uuid, s.facility_uuid, s.source_key, s.known_at, {day} + {lag}::int, s.row_hash,
       s.voided, NULL::text, s.patient_uuid, {slots}
FROM import_staging AS s
WHERE s.import_uuid = {import} AND s.kind = {kind} AND s.state = 'accepted'
  AND s.seq > {after} AND s.seq <= {last} AND s.patient_uuid <> ALL({erased}::uuid[])
""")

_WHERE = sql.SQL("SELECT DISTINCT facility_uuid FROM ({}) AS kept")

_TOUCH = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT %s, patient_uuid, %s FROM unnest(%s::uuid[]) AS t (patient_uuid) ORDER BY patient_uuid ON CONFLICT DO NOTHING
"""

_SETTLES = "SELECT EXISTS (SELECT FROM import_touched WHERE import_uuid = %(import)s AND kind = %(kind)s)"
_OTHERS_TOUCHED = "SELECT import_uuid FROM import_touched LIMIT 1"

# Two plain ranges of the primary key. A join with the part would be planned with statistics from before the table was
# filled, as a nested loop over all of it.
_NEXT_TOUCHED = """
SELECT max(patient_uuid::text)::uuid FROM (
    SELECT DISTINCT patient_uuid FROM import_touched WHERE import_uuid = %(import)s ORDER BY patient_uuid LIMIT %(rows)s
) AS part
"""

_TOUCHED = """
WITH taken AS (
    DELETE FROM import_touched WHERE import_uuid = %(import)s AND patient_uuid <= %(last)s
    RETURNING patient_uuid, kind
)
SELECT patient_uuid, array_agg(kind ORDER BY kind) FROM taken GROUP BY patient_uuid ORDER BY patient_uuid
"""


@dataclass(slots=True)
class Terms:
    """The values that all facts of an import share."""

    import_uuid: UUID
    source: str
    data_date: date
    lag_days: int


class StagedRow(NamedTuple):
    """A row of the staging table that passes through this process."""

    seq: int
    facility: str
    patient_key: bytes
    source_key: bytes
    event_date: date | None
    first_event: date | None
    known_at: datetime | None
    content: bytes
    personal: bytes | None
    digest: bytes

    def about(self, source: str, places: Mapping[str, UUID]) -> dict[str, Any]:
        """Return the content with ``patient_uuid`` and ``facility_uuid``.

        Args:
            source: name of the import's source.
            places: facilities by DATIM id.
        """
        facility = places[self.facility]
        patient = entity_uuid("patients", facility, source, self.patient_key)
        content: dict[str, Any] = orjson.loads(self.content)
        return content | {"patient_uuid": patient, "facility_uuid": facility}


@dataclass(slots=True)
class StepOutcome:
    """The outcome of a step: the last staged row it applied (None: no rows were left), and its counts."""

    last: int | None
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def apply_facilities(session: TenantSession, terms: Terms) -> dict[str, int]:
    """Create or update the facilities of the import; return their number."""
    with session.cursor() as cursor:
        rows = cursor.execute(_FACILITIES, (terms.import_uuid,)).fetchall()
    fields_of: dict[str, dict[str, Any]] = {}
    for datim_id, encoded in rows:
        # One row may name the facility and another give only its id: the last value of each field wins.
        fields_of.setdefault(datim_id, {}).update(stager.content("facilities", encoded))
    facts = [
        FacilityFacts(datim_id=datim_id, uuid=facility_to_be(terms.import_uuid, terms.source, datim_id), **fields)
        for datim_id, fields in fields_of.items()
    ]
    facilities.ensure(session, facts, source=terms.source, data_date=terms.data_date)
    return {"named": len(fields_of)}


def apply_chunk(session: TenantSession, terms: Terms, kind: str, after: int, end: int) -> StepOutcome:
    """Apply the next chunk of a kind, and queue its patients for ``publish_changes``.

    Args:
        session: the step's transaction.
        terms: the terms of the import.
        kind: the kind to apply.
        after: the last row of an earlier step.
        end: the kind's last row, from ``keys.survey``.
    """
    if after >= end:
        if end and kind in ENDS:
            finish: Any = resolve(ENDS[kind])
            finish(session, terms)
        return StepOutcome(None)
    part: dict[str, Any] = {"import": terms.import_uuid, "kind": kind, "after": after, "end": end}
    if kind in SLOTS:
        last, rows, upserted = _events(session, terms, kind, part)
    else:
        last, rows, upserted = _through_python(session, terms, kind, part)
    if last is None:
        return StepOutcome(None)
    if upserted.patients:
        with session.cursor() as cursor:
            cursor.execute(_TOUCH, (terms.import_uuid, kind, uuid_array(upserted.patients)))
    return StepOutcome(last, rows, asdict(upserted.counts))


def publish_changes(session: TenantSession, terms: Terms) -> int:
    """Rebuild the contacts of the next queued patients, and publish their changes; return the number of patients.

    The patients of this import come first. Then come those of imports that broke off before this step, because nobody
    may ever run these again.
    """
    # The lock comes first: a writer of these patients' records finishes before they are read.
    lock_for_import(session)
    changed = _touched(session, terms.import_uuid)
    if not changed:
        with session.cursor() as cursor:
            other_import = cursor.execute(_OTHERS_TOUCHED).fetchone()
        changed = _touched(session, other_import[0]) if other_import else []
    unsettled = [patient for patient, kinds in changed if settling.SETTLE in kinds]
    settling.settle(session, unsettled)
    refold(
        session, [patient for patient, kinds in changed if settling.REFOLD in kinds and settling.SETTLE not in kinds]
    )
    settling.close_unread(session, [patient for patient, kinds in changed if not _CLOSES_UNREAD.isdisjoint(kinds)])
    contacts.refresh(session, [patient for patient, kinds in changed if not _MAKES_CONTACTS.isdisjoint(kinds)])
    groups: dict[str | None, list[UUID]] = {}
    for patient, kinds in changed:
        published_kinds = [kind for kind in kinds if kind != settling.REFOLD]
        only = published_kinds[0] if len(published_kinds) == 1 and published_kinds != [settling.SETTLE] else None
        groups.setdefault(only, []).append(patient)
    for kind, patients in groups.items():
        publish(session, "records.changed", {"patient_ids": patients} | ({"kind": kind} if kind else {}))
    return len(changed)


def _touched(session: TenantSession, import_uuid: UUID) -> list[tuple[UUID, list[str]]]:
    values: dict[str, Any] = {"import": import_uuid, "kind": settling.SETTLE}
    with session.cursor() as cursor:
        ((settled,),) = cursor.execute(_SETTLES, values).fetchall()
        values["rows"] = SETTLED_AT_ONCE if settled else max(1, STEP_ROWS // EVENTS_PER_PATIENT)
        ((last,),) = cursor.execute(_NEXT_TOUCHED, values).fetchall()
        return cursor.execute(_TOUCHED, values | {"last": last}).fetchall() if last else []


def _through_python(session: TenantSession, terms: Terms, kind: str, part: dict[str, Any]) -> _Chunk:
    """Apply rows that pass through this process: it encrypts personal data, or the kind has its own function."""
    values = part | {"rows": min(STEP_ROWS, ROWS_IN_MEMORY)}
    with session.cursor() as cursor:
        rows = [StagedRow(*row) for row in cursor.execute(_CHUNK, values).fetchall()]
    if not rows:
        return None, 0, UpsertResult()
    places = _places(session, {row.facility for row in rows})
    if kind == "patients":
        return rows[-1].seq, len(rows), _patients(session, terms, rows, places)
    contents = [row.about(terms.source, places) for row in rows]
    erased = _erased(session, [each["patient_uuid"] for each in contents])
    apply: Any = resolve(HANDLERS[kind])
    upserted = apply(session, terms, [each for each in contents if each["patient_uuid"] not in erased])
    return rows[-1].seq, len(rows), upserted


def _places(session: TenantSession, datim_ids: set[str]) -> dict[str, UUID]:
    with session.cursor() as cursor:
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (sorted(datim_ids),))
        return dict(cursor.fetchall())


def _patients(session: TenantSession, terms: Terms, rows: list[StagedRow], places: dict[str, UUID]) -> UpsertResult:
    lock_for_import(session)
    vault = privacy.vault(session)
    uuids = [entity_uuid("patients", places[row.facility], terms.source, row.patient_key) for row in rows]
    known_rows = known_statements(session, uuids)
    fresh = [(uuid, row) for uuid, row in zip(uuids, rows, strict=True) if (uuid, row.digest) not in known_rows]
    personal = {uuid: stager.personal(vault, terms.import_uuid, row.personal) for uuid, row in fresh}
    keep_out(
        session,
        {
            uuid: identifiers_of(places[row.facility], personal[uuid]["pepfar_id"], personal[uuid]["hospital_number"])
            for uuid, row in fresh
        },
    )
    erased = vault.ensure_patient_keys(uuids)
    rows_to_keep = [(uuid, row) for uuid, row in zip(uuids, rows, strict=True) if uuid not in erased]
    repeats = [
        RepeatedStatement(uuid, row.digest, row.known_at)
        for uuid, row in rows_to_keep
        if (uuid, row.digest) in known_rows
    ]
    statements: dict[UUID, Statement] = {}
    new = [(uuid, row) for uuid, row in rows_to_keep if (uuid, row.digest) not in known_rows]
    sealed = seal_patients(session, [(uuid, personal[uuid]) for uuid, _ in new])
    with staging(session, Patient, source=terms.source) as stage:
        for (uuid, row), columns in zip(new, sealed, strict=True):
            content = stager.content("patients", row.content) | {"datim_id": row.facility}
            voided = content.pop("voided", False)
            statements[uuid] = _statement(row, content, personal[uuid])
            content.update(columns)
            # The person is known from the first contact on, but not before treatment: the row is valid from then on.
            began = max((day for day in (row.event_date, row.first_event) if day is not None), default=None)
            stage.add(
                places[row.facility],
                row.patient_key,
                content,
                known_from=row.known_at,
                assumed_from=_later(began, terms.lag_days),
                voided=voided,
            )
    firsts = {uuid: row.first_event for uuid, row in rows_to_keep if row.first_event is not None}
    run = run_of(session, terms.import_uuid)
    folded = bring(session, stage, run, terms=statements, repeated=repeats, first_facts=firsts)
    counts = UpsertCounts(folded.inserted, folded.updated, folded.unchanged, folded.superseded, folded.voided_by_hand)
    return UpsertResult(counts, folded.changed)


def _statement(row: StagedRow, content: dict[str, Any], personal: dict[str, str | None]) -> Statement:
    """A staged person's statement; it removes ``partial`` and ``fallback`` from the content."""
    partial, fallback = content.pop("partial", False), content.pop("fallback", ())
    if partial:
        names = [name for name in ATTRIBUTES if (personal if name in FIELDS else content).get(name) not in (None, "")]
    else:
        names = list(ATTRIBUTES)
    return Statement(row.digest, tuple(names), tuple(fallback))


def _events(session: TenantSession, terms: Terms, kind: str, part: dict[str, Any]) -> _Chunk:
    """Apply rows that go from the staging table to the records without leaving the database."""
    # A booking is known when it is made; snapshots record its outcome on the day.
    lag = 0 if kind in WITHOUT_LAG else terms.lag_days
    values = part | {"rows": STEP_ROWS, "lag": lag}
    with session.cursor() as cursor:
        ((last, rows, has_repeats, patients, places),) = cursor.execute(_RANGE, values).fetchall()
    if last is None:
        return None, 0, UpsertResult()
    erased = _erased(session, patients)
    values |= {"last": last, "erased": sorted(erased)}
    slots = SLOTS[kind]
    day: sql.Composable = sql.Identifier("s", slots[EVENT_FIELD[kind]])
    if slots[EVENT_FIELD[kind]].startswith("moment"):
        day = sql.SQL("({} AT TIME ZONE {})::date").format(day, sql.Literal(session.tenant.time_zone))
    query = _EVENTS.format(
        day=day,
        slots=sql.SQL(", ").join(sql.Identifier("s", slot) for slot in slots.values()),
        **{name: sql.Literal(values[name]) for name in ("import", "kind", "after", "last", "lag", "erased")},
    )
    if erased:
        # Of erased people, not even the facility of their rows is recorded.
        patients = [patient for patient in patients if patient not in erased]
        with session.cursor() as cursor:
            places = [row[0] for row in cursor.execute(_WHERE.format(query)).fetchall()]
    with staging(session, MODELS[kind], source=terms.source) as stage:
        stage.fill(StagedQuery(query, ("patient_uuid", *slots), patients, places), repeated=has_repeats)
    return last, rows, upsert(session, stage, import_uuid=terms.import_uuid, data_date=terms.data_date)


def _erased(session: TenantSession, patients: list[UUID]) -> frozenset[UUID]:
    """The erased people among these patients: nothing about them comes back."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT patient_uuid FROM patient_keys WHERE patient_uuid = ANY(%s::uuid[]) AND wrapped_key IS NULL",
            (uuid_array(set(patients)),),
        )
        return frozenset(row[0] for row in cursor.fetchall())


def _later(day: date | None, days: int) -> date | None:
    return None if day is None else day + timedelta(days=days)
