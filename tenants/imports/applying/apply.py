"""From the staging table to the records: a chunk of one kind, by the versioned upsert, and the contacts it touches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql

from core import privacy
from core.database.arrays import uuid_array
from core.events import publish
from core.features import resolve
from core.privacy.erased import keep_out
from tenants.imports.applying.carry import carried
from tenants.imports.facts import KINDS
from tenants.imports.slots import MODELS, SLOTS
from tenants.imports.staging import row_stager
from tenants.imports.staging.keys import facility_to_be
from tenants.records import contacts, facilities
from tenants.records.erasing import identifiers_of
from tenants.records.facilities import FacilityFacts
from tenants.records.ids import entity_uuid
from tenants.records.locks import lock_for_import
from tenants.records.models import Patient
from tenants.records.personal import seal_patient
from tenants.records.staging import Asked
from tenants.records.upsert import Upserted, staging, upsert

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

STEP_ROWS = 50_000
"""Facts applied in one transaction: a few seconds, so that others' steps and requests get their turn."""

ROWS_IN_MEMORY = 5_000
"""Facts of one transaction where they pass through this process."""

EVENTS_PER_PATIENT = 20
"""How many of a patient's facts are reckoned with where a step counts patients."""

EVENT_KINDS = tuple(kind for kind in KINDS if kind != "facilities")
HANDLERS: dict[str, str] = {
    "snapshots": "tenants.imports.applying.snapshots:apply_rows",
    "unread_contacts": "tenants.imports.applying.unread:apply_rows",
}
"""Kinds that are neither patients nor events in ``SLOTS``: ``"module:function"``, called with the session, the terms,
rows as ``_CHUNK`` gives them and the facilities' UUIDs by DATIM id; returns what became of them (``Upserted``)."""
ENDS: dict[str, str] = {"snapshots": "tenants.imports.applying.snapshots:end"}
"""What is called once all rows of such a kind are applied, with the session and the terms."""

_MAKES_CONTACTS = frozenset({"visits", "dispensations", "appointments"})

_FACILITIES = """
SELECT facility, content FROM import_staging
WHERE import_uuid = %s AND kind = 'facilities' AND state = 'accepted' ORDER BY seq
"""

# An event that names no facility is at its patient's.
_CHUNK = """
SELECT s.seq, coalesce(s.facility, p.facility), s.patient_key, s.source_key, s.event_date, s.first_event,
       s.known_at, s.content, s.personal
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


# The next rows of a kind: the last, how many, whether a key can be among them twice (once with the facility, once
# without), whose they are, and where.
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
SELECT s.seq, s.entity_uuid, s.facility_uuid, s.source_key, s.known_at, s.event_date + {lag}::int, s.row_hash,
       s.voided, NULL::timestamptz, NULL::text, s.patient_uuid, {slots}
FROM import_staging AS s
WHERE s.import_uuid = {import} AND s.kind = {kind} AND s.state = 'accepted'
  AND s.seq > {after} AND s.seq <= {last} AND s.patient_uuid <> ALL({erased}::uuid[])
""")

_WHERE = sql.SQL("SELECT DISTINCT facility_uuid FROM ({}) AS kept")

_TOUCH = """
INSERT INTO import_touched (import_uuid, patient_uuid, kind)
SELECT %s, patient_uuid, %s FROM unnest(%s::uuid[]) AS t (patient_uuid) ORDER BY patient_uuid ON CONFLICT DO NOTHING
"""

_OTHERS_TOUCHED = "SELECT import_uuid FROM import_touched LIMIT 1"

_TOUCHED = """
WITH part AS (
    SELECT DISTINCT patient_uuid FROM import_touched WHERE import_uuid = %(import)s ORDER BY patient_uuid LIMIT %(rows)s
),
taken AS (
    DELETE FROM import_touched AS t USING part AS p
    WHERE t.import_uuid = %(import)s AND t.patient_uuid = p.patient_uuid RETURNING t.patient_uuid, t.kind
)
SELECT patient_uuid, array_agg(kind ORDER BY kind) FROM taken GROUP BY patient_uuid ORDER BY patient_uuid
"""


@dataclass(slots=True)
class Terms:
    """What an import says of all its facts."""

    import_uuid: UUID
    source: str
    data_date: date
    lag_days: int


@dataclass(slots=True)
class Applied:
    """One step's outcome: the last staged row it took (None: no rows were left), and its counts."""

    last: int | None
    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def apply_facilities(session: TenantSession, terms: Terms) -> dict[str, int]:
    """Make sure that the facilities of the import exist; how many it names."""
    with session.cursor() as cursor:
        rows = cursor.execute(_FACILITIES, (terms.import_uuid,)).fetchall()
    named: dict[str, dict[str, Any]] = {}
    for datim_id, encoded in rows:
        # One row may name the facility and another only its id: what is said last of each field stands.
        named.setdefault(datim_id, {}).update(row_stager.content("facilities", encoded))
    facts = [
        FacilityFacts(datim_id=datim_id, uuid=facility_to_be(terms.import_uuid, terms.source, datim_id), **said)
        for datim_id, said in named.items()
    ]
    facilities.ensure(session, facts, source=terms.source, data_date=terms.data_date)
    return {"named": len(named)}


def apply_chunk(session: TenantSession, terms: Terms, kind: str, after: int, end: int) -> Applied:
    """Bring the next chunk of a kind into the records, and remember whose they are for ``tell``.

    Args:
        session: the step's transaction.
        terms: the import's.
        kind: which.
        after: the last row of an earlier step.
        end: the kind's last row, from ``keys.survey``.
    """
    if after >= end:
        if end and kind in ENDS:
            finish: Any = resolve(ENDS[kind])
            finish(session, terms)
        return Applied(None)
    part: dict[str, Any] = {"import": terms.import_uuid, "kind": kind, "after": after, "end": end}
    if kind in SLOTS:
        last, rows, done = _events(session, terms, kind, part)
    else:
        last, rows, done = _by_hand(session, terms, kind, part)
    if last is None:
        return Applied(None)
    if done.patients:
        with session.cursor() as cursor:
            cursor.execute(_TOUCH, (terms.import_uuid, kind, uuid_array(done.patients)))
    return Applied(last, rows, asdict(done.counts))


def tell(session: TenantSession, terms: Terms) -> int:
    """Make the contacts of the next touched patients anew and tell the rooms after this one; how many patients.

    After those of the import itself come those of imports that broke off before they had told of theirs: nobody may
    ever run these again.
    """
    # The lock comes first: whoever writes records of a patient meanwhile is waited for, and is read.
    lock_for_import(session)
    found = _touched(session, terms.import_uuid)
    if not found:
        with session.cursor() as cursor:
            others = cursor.execute(_OTHERS_TOUCHED).fetchone()
        found = _touched(session, others[0]) if others else []
    contacts.refresh(session, [patient for patient, kinds in found if not _MAKES_CONTACTS.isdisjoint(kinds)])
    groups: dict[str | None, list[UUID]] = {}
    for patient, kinds in found:
        groups.setdefault(kinds[0] if len(kinds) == 1 else None, []).append(patient)
    for kind, patients in groups.items():
        publish(session, "records.changed", {"patients": patients} | ({"kind": kind} if kind else {}))
    return len(found)


def _touched(session: TenantSession, import_uuid: UUID) -> list[tuple[UUID, list[str]]]:
    values = {"import": import_uuid, "rows": max(1, STEP_ROWS // EVENTS_PER_PATIENT)}
    with session.cursor() as cursor:
        return cursor.execute(_TOUCHED, values).fetchall()


def _by_hand(session: TenantSession, terms: Terms, kind: str, part: dict[str, Any]) -> tuple[int | None, int, Upserted]:
    """Rows that pass through this process, because personal data are sealed here or the kind has a way of its own."""
    values = part | {"rows": min(STEP_ROWS, ROWS_IN_MEMORY)}
    with session.cursor() as cursor:
        rows = cursor.execute(_CHUNK, values).fetchall()
    if not rows:
        return None, 0, Upserted()
    places = _places(session, {row[1] for row in rows})
    apply: Any = _patients if kind == "patients" else resolve(HANDLERS[kind])
    return rows[-1][0], len(rows), apply(session, terms, rows, places)


def _places(session: TenantSession, datim_ids: set[str]) -> dict[str, UUID]:
    with session.cursor() as cursor:
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (sorted(datim_ids),))
        return dict(cursor.fetchall())


def _patients(session: TenantSession, terms: Terms, rows: list[tuple[Any, ...]], places: dict[str, UUID]) -> Upserted:
    vault = privacy.vault(session)
    uuids = [entity_uuid("patients", places[row[1]], terms.source, row[2]) for row in rows]
    personal = [row_stager.personal(vault, terms.import_uuid, row[8]) for row in rows]
    keep_out(
        session,
        {
            uuid: identifiers_of(places[row[1]], each["pepfar_id"], each["hospital_number"])
            for uuid, row, each in zip(uuids, rows, personal, strict=True)
        },
    )
    erased = vault.ensure_patient_keys(uuids)
    kept = [(uuid, row) for uuid, row in zip(uuids, rows, strict=True) if uuid not in erased]
    contents = [row_stager.content("patients", row[7]) | {"datim_id": row[1]} for _, row in kept]
    named = [each for uuid, each in zip(uuids, personal, strict=True) if uuid not in erased]
    carried(session, [uuid for uuid, _ in kept], contents, named)
    with staging(session, Patient, source=terms.source) as stage:
        for (uuid, row), content, plain in zip(kept, contents, named, strict=True):
            _, datim_id, patient_key, _, art_start, first_event, known_at, _, _ = row
            voided = content.pop("voided", False)
            content.update(seal_patient(session, uuid, plain))
            # The person is known from the first contact on, and not before treatment: that is when the row begins to
            # say something.
            began = max((day for day in (art_start, first_event) if day is not None), default=None)
            stage.add(
                places[datim_id],
                patient_key,
                content,
                known_from=known_at,
                assumed_from=_later(began, terms.lag_days),
                voided=voided,
            )
    return upsert(session, stage, import_uuid=terms.import_uuid, data_date=terms.data_date)


def _events(session: TenantSession, terms: Terms, kind: str, part: dict[str, Any]) -> tuple[int | None, int, Upserted]:
    """Rows that go from the staging table to the records without leaving the database."""
    # A booking is known when it is made; what came of it, on the day: snapshots see to that.
    lag = 0 if kind == "appointments" else terms.lag_days
    values = part | {"rows": STEP_ROWS, "lag": lag}
    with session.cursor() as cursor:
        ((last, rows, repeated, patients, places),) = cursor.execute(_RANGE, values).fetchall()
    if last is None:
        return None, 0, Upserted()
    erased = _erased(session, patients)
    values |= {"last": last, "erased": sorted(erased)}
    slots = SLOTS[kind]
    query = _EVENTS.format(
        slots=sql.SQL(", ").join(sql.Identifier("s", slot) for slot in slots.values()),
        **{name: sql.Literal(values[name]) for name in ("import", "kind", "after", "last", "lag", "erased")},
    )
    if erased:
        # Of those who were erased it is not even noted that rows of theirs were at a facility.
        patients = [patient for patient in patients if patient not in erased]
        with session.cursor() as cursor:
            places = [row[0] for row in cursor.execute(_WHERE.format(query)).fetchall()]
    with staging(session, MODELS[kind], source=terms.source) as stage:
        stage.fill(Asked(query, ("patient_uuid", *slots), patients, places), repeated=repeated)
    return last, rows, upsert(session, stage, import_uuid=terms.import_uuid, data_date=terms.data_date)


def _erased(session: TenantSession, patients: list[UUID]) -> frozenset[UUID]:
    """Those who were erased: nothing about them comes back."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT patient_uuid FROM patient_keys WHERE patient_uuid = ANY(%s::uuid[]) AND wrapped_key IS NULL",
            (uuid_array(set(patients)),),
        )
        return frozenset(row[0] for row in cursor.fetchall())


def _later(day: date | None, days: int) -> date | None:
    return None if day is None else day + timedelta(days=days)
