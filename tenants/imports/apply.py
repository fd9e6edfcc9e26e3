"""From the staging table to the records: a chunk of one kind, by the versioned upsert, and the contacts it touches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from core import privacy
from core.events import publish
from tenants.imports import staged
from tenants.imports.facts import KINDS
from tenants.records import contacts, facilities
from tenants.records.facilities import FacilityFacts
from tenants.records.ids import entity_uuid
from tenants.records.models import (
    Appointment,
    Dispensation,
    Encounter,
    Observation,
    Patient,
    PatientState,
    Versioned,
    Visit,
)
from tenants.records.personal import seal_patient
from tenants.records.upsert import Upserted, staging, upsert

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

STEP_ROWS = 5_000
"""Facts applied in one transaction: a few seconds, so that others' steps and requests get their turn."""

EVENT_KINDS = tuple(kind for kind in KINDS if kind != "facilities")
MODELS: dict[str, type[Versioned]] = {
    "patients": Patient,
    "patient_states": PatientState,
    "visits": Visit,
    "encounters": Encounter,
    "observations": Observation,
    "dispensations": Dispensation,
    "appointments": Appointment,
}
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
    WHERE import_uuid = %(import)s AND kind = %(kind)s AND state = 'accepted' AND seq > %(after)s
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
        named.setdefault(datim_id, {}).update(staged.content("facilities", encoded))
    facts = [FacilityFacts(datim_id=datim_id, **said) for datim_id, said in named.items()]
    facilities.ensure(session, facts, source=terms.source, data_date=terms.data_date)
    return {"named": len(named)}


def apply_chunk(session: TenantSession, terms: Terms, kind: str, after: int) -> Applied:
    """Bring the next chunk of a kind into the records; contacts of the patients touched are made anew."""
    values = {"import": terms.import_uuid, "kind": kind, "after": after, "rows": STEP_ROWS}
    with session.cursor() as cursor:
        rows = cursor.execute(_CHUNK, values).fetchall()
    if not rows:
        return Applied(None)
    places = _places(session, {row[1] for row in rows})
    if kind == "patients":
        done = _patients(session, terms, rows, places)
    else:
        done = _events(session, terms, kind, rows, places)
    if kind in _MAKES_CONTACTS and done.patients:
        contacts.refresh(session, done.patients)
    if done.patients:
        publish(session, "records.changed", {"patients": done.patients, "kind": kind})
    return Applied(rows[-1][0], len(rows), asdict(done.counts))


def _places(session: TenantSession, datim_ids: set[str]) -> dict[str, UUID]:
    with session.cursor() as cursor:
        cursor.execute("SELECT datim_id, uuid FROM facilities WHERE datim_id = ANY(%s)", (sorted(datim_ids),))
        return dict(cursor.fetchall())


def _patients(session: TenantSession, terms: Terms, rows: list[tuple[Any, ...]], places: dict[str, UUID]) -> Upserted:
    vault = privacy.vault(session)
    uuids = [entity_uuid("patients", places[row[1]], terms.source, row[2]) for row in rows]
    erased = vault.ensure_patient_keys(uuids)
    with staging(session, Patient, source=terms.source) as stage:
        for uuid, (_, datim_id, patient_key, _, art_start, first_event, known_at, encoded, sealed) in zip(
            uuids, rows, strict=True
        ):
            if uuid in erased:
                continue
            content = staged.content("patients", encoded)
            content["datim_id"] = datim_id
            content |= seal_patient(session, uuid, staged.personal(vault, terms.import_uuid, sealed))
            # The person is known from the first contact on, and not before treatment: that is when the row begins to
            # say something.
            began = max((day for day in (art_start, first_event) if day is not None), default=None)
            stage.add(
                places[datim_id], patient_key, content, known_from=known_at, assumed_from=_later(began, terms.lag_days)
            )
    return upsert(session, stage, import_uuid=terms.import_uuid, data_date=terms.data_date)


def _events(
    session: TenantSession, terms: Terms, kind: str, rows: list[tuple[Any, ...]], places: dict[str, UUID]
) -> Upserted:
    # A booking is known when it is made; what came of it, on the day: snapshots see to that.
    lag = 0 if kind == "appointments" else terms.lag_days
    patients = [entity_uuid("patients", places[row[1]], terms.source, row[2]) for row in rows]
    erased = _erased(session, patients)
    with staging(session, MODELS[kind], source=terms.source) as stage:
        for patient, (_, datim_id, _, source_key, happened, _, known_at, encoded, _) in zip(
            patients, rows, strict=True
        ):
            if patient in erased:
                continue
            facility = places[datim_id]
            content = staged.content(kind, encoded)
            content["patient_uuid"] = patient
            stage.add(facility, source_key, content, known_from=known_at, assumed_from=_later(happened, lag))
    return upsert(session, stage, import_uuid=terms.import_uuid, data_date=terms.data_date)


def _erased(session: TenantSession, patients: list[UUID]) -> frozenset[UUID]:
    """Those who were erased: nothing about them comes back."""
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT patient_uuid FROM patient_keys WHERE patient_uuid = ANY(%s) AND wrapped_key IS NULL",
            (list(set(patients)),),
        )
        return frozenset(row[0] for row in cursor.fetchall())


def _later(day: date | None, days: int) -> date | None:
    return None if day is None else day + timedelta(days=days)
