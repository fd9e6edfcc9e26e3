"""Small worlds of lists, applied to the records as an import applies its staged rows, without files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from core.database import TenantSession
from core.database.arrays import uuid_array
from tenants.imports.applying import apply, settling, snapshots, undoing
from tenants.imports.applying.apply import Terms
from tenants.imports.models import Import
from tenants.records import runs
from tenants.records.ids import entity_uuid
from tenants.records.models import Dispensation, Facility, Patient, PatientState
from tenants.records.people import ATTRIBUTES
from tenants.records.personal import seal_patient
from tenants.records.statements import Terms as Statement
from tenants.records.statements import bring
from tenants.records.upsert import staging, upsert
from tests.tenants.imports.conftest import rows

FACILITY = UUID("0197c1f0-0000-7000-8000-00000000000f")
SOURCE = "lamisplus"
DAYS = (date(2024, 3, 31), date(2024, 6, 30), date(2024, 9, 30))
EVENTS = tuple(date(2024, 1, 5) + timedelta(days=40 * step) for step in range(6))
KINDS = {"lamisplus-pharmacy": 40, "radet-lamisplus": 20, "csv": 30}


@dataclass(frozen=True)
class Person:
    """What one list says of one person; ``died`` and ``status`` are a RADET's."""

    pickups: tuple[tuple[date, int], ...] = ()
    sex: str | None = None
    start: date | None = None
    phone: str | None = None
    status: str | None = None
    died: bool = False
    unread: bool = False


@dataclass(frozen=True)
class PartnerList:
    """One list: its kind, its day, its people by number, who had a rejected row, and what its files' digest is."""

    kind: str
    day: date
    people: tuple[tuple[int, Person], ...]
    gaps: tuple[int, ...] = ()
    digest: str = ""
    covers_from: date | None = date(2020, 1, 1)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def patient(number: int) -> UUID:
    return entity_uuid("patients", FACILITY, SOURCE, key(number))


def add_facility(session: TenantSession) -> None:
    session.add(Facility(uuid=FACILITY, datim_id="C1", name="Clinic", source=SOURCE))
    session.flush()


def bring_list(session: TenantSession, one: PartnerList) -> UUID:
    """Apply a list as an import does; its import."""
    row = Import(
        format=one.kind, source=SOURCE, mapping={}, data_date=one.day, content_hash=one.digest, state="done",
        requested_by="test:1",
    )  # fmt: skip
    session.add(row)
    session.flush()
    uuid = row.uuid
    run = runs.register(
        session, uuid, source=SOURCE, data_date=one.day, kind=one.kind, precedence=KINDS[one.kind], digest=one.digest,
        lag_days=3,
    )  # fmt: skip
    full = one.kind != "radet-lamisplus"
    for table in ("patients", "dispensations"):
        runs.cover(session, run, table, {FACILITY: one.covers_from if full else None})
    runs.note_gaps(session, run, [patient(number) for number in one.gaps])
    terms = Terms(uuid, SOURCE, one.day, 3)
    _people(session, one, run)
    _events(session, one, uuid)
    if one.kind == "radet-lamisplus":
        with session.cursor() as cursor:
            for number, person in one.people:
                if person.status:
                    cursor.execute(
                        "INSERT INTO radet_list_rows (patient_uuid, number, facility_uuid, status, last_pickup)"
                        " VALUES (%s, %s, %s, %s, %s)",
                        (patient(number), run.number, FACILITY, person.status, _last(person)),
                    )
        snapshots.end(session, terms)
    with session.cursor() as cursor:
        for number, person in one.people:
            if person.unread:
                cursor.execute(
                    "INSERT INTO unread_contacts (patient_uuid, source, list_kind, import_uuid, facility_uuid,"
                    " list_date, known_from)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s::timestamp AT TIME ZONE 'Africa/Lagos')",
                    (patient(number), SOURCE, one.kind, uuid, FACILITY, one.day, one.day),
                )
    settling.queue(session, run)
    while apply.publish_changes(session, terms):
        pass
    return uuid


def undo(session: TenantSession, import_uuid: UUID) -> None:
    """Undo an import in the transaction."""
    row = undoing.begin(session, import_uuid)
    while apply.publish_changes(session, Terms(row.uuid, row.source, row.data_date, 0)):
        pass


def _last(person: Person) -> date | None:
    return max((day for day, _ in person.pickups), default=None)


def _touch(session: TenantSession, uuid: UUID, kind: str, patients: list[UUID]) -> None:
    with session.cursor() as cursor:
        cursor.execute(apply._TOUCH, (uuid, kind, uuid_array(patients)))


def _people(session: TenantSession, one: PartnerList, run: runs.Run) -> None:
    statements: dict[UUID, Statement] = {}
    firsts: dict[UUID, date] = {}
    with staging(session, Patient, source=SOURCE) as stage:
        for number, person in one.people:
            uuid = patient(number)
            content: dict[str, Any] = {"datim_id": "C1", "sex": person.sex, "art_start_date": person.start}
            named = {"phone": person.phone}
            names = [name for name in ATTRIBUTES if (content | named).get(name)]
            statements[uuid] = Statement(repr((content, named)).encode(), tuple(names))
            days = [day for day, _ in person.pickups]
            if person.died and one.kind == "radet-lamisplus":
                days.append(EVENTS[1])
            first = min(days, default=None)
            if first is not None:
                firsts[uuid] = first
            began = max((day for day in (first, person.start) if day is not None), default=None)
            stage.add(
                FACILITY, key(number), content | seal_patient(session, uuid, named),
                assumed_from=None if began is None else began + timedelta(days=3),
            )  # fmt: skip
    _touch(
        session, run.import_uuid, "patients", bring(session, stage, run, terms=statements, first_facts=firsts).changed
    )


def _events(session: TenantSession, one: PartnerList, uuid: UUID) -> None:
    prefix = b"r" if one.kind == "radet-lamisplus" else b"p"
    with staging(session, Dispensation, source=SOURCE) as stage:
        for number, person in one.people:
            for day, days in person.pickups:
                content = {"patient_uuid": patient(number), "date_dispensed": day, "days_supplied": days}
                name = prefix + key(number) + day.isoformat().encode()
                stage.add(FACILITY, uuid5(FACILITY, name.hex()).bytes, content, assumed_from=day + timedelta(days=3))
    done = upsert(session, stage, import_uuid=uuid, data_date=one.day)
    _touch(session, uuid, "dispensations", done.patients)
    if one.kind != "radet-lamisplus":
        return
    with staging(session, PatientState, source=SOURCE) as stage:
        for number, person in one.people:
            if person.died:
                content = {"patient_uuid": patient(number), "state": "died", "start_date": EVENTS[1]}
                stage.add(FACILITY, key(number), content, assumed_from=EVENTS[1] + timedelta(days=3))
    done = upsert(session, stage, import_uuid=uuid, data_date=one.day)
    _touch(session, uuid, "patient_states", done.patients)


def everything(session: TenantSession) -> dict[str, list[tuple[Any, ...]]]:
    """All that follows from lists, ids and ciphertexts aside."""
    versions = (
        "t.uuid, t.known_from, t.known_to, t.known_assumed, t.data_date, t.voided, t.void_reason, t.date_voided,"
        " t.row_hash"
    )
    asked = {
        "patients": f"SELECT {versions}, t.sex, t.art_start_date, t.phone_bidx FROM patients AS t",  # noqa: S608 - ours
        "dispensations": f"SELECT {versions}, t.date_dispensed, t.days_supplied FROM dispensations AS t",  # noqa: S608 - ours
        "patient_states": f"SELECT {versions}, t.state FROM patient_states AS t",  # noqa: S608 - ours
        "contacts": "SELECT patient_uuid, contact_date, days_supplied, known_from, known_to, known_assumed"
        " FROM contacts",
        "transitions": "SELECT patient_uuid, seq, from_status, to_status, date, reason FROM status_transitions",
        "snapshots": "SELECT patient_uuid, data_date, status, last_pickup FROM radet_snapshots",
        "unread": "SELECT patient_uuid, list_kind, list_date, known_from, known_to FROM unread_contacts",
    }
    return {name: sorted(rows(session, query), key=repr) for name, query in asked.items()}


def people() -> st.SearchStrategy[Person]:
    pickups = st.lists(
        st.tuples(st.sampled_from(EVENTS), st.sampled_from((30, 90))), max_size=4, unique_by=lambda p: p[0]
    )
    return st.builds(
        Person,
        pickups=pickups.map(lambda pick_ups: tuple(sorted(pick_ups))),
        sex=st.sampled_from((None, "F", "M")),
        start=st.sampled_from((None, EVENTS[0], date(2022, 1, 1))),
        phone=st.sampled_from((None, "08030000001", "08030000002")),
        status=st.sampled_from(("active", "died", "iit")),
        died=st.booleans(),
        unread=st.booleans(),
    )


def lists(kinds: tuple[str, ...] = tuple(KINDS)) -> st.SearchStrategy[PartnerList]:
    """A list whose people lack what lies after its day, as a source's would."""

    def within(one: PartnerList) -> PartnerList:
        listed = tuple(
            (number, Person(**(person.__dict__ | {"pickups": tuple(p for p in person.pickups if p[0] <= one.day)})))
            for number, person in one.people
        )
        return PartnerList(
            **(
                one.__dict__
                | {
                    "people": listed,
                    "digest": sha256(repr((one.kind, one.day, listed, one.gaps)).encode()).hexdigest(),
                }
            )
        )

    return st.builds(
        PartnerList,
        kind=st.sampled_from(kinds),
        day=st.sampled_from(DAYS),
        people=st.dictionaries(st.integers(1, 3), people(), min_size=1, max_size=3).map(
            lambda d: tuple(sorted(d.items()))
        ),
        gaps=st.lists(st.integers(1, 3), max_size=1).map(tuple),
    ).map(within)
