"""Patients that imports bring: sealed, found again, seen to be the same, and in no table in the clear."""

from datetime import date
from uuid import UUID

import pytest

from core.privacy import vault
from core.privacy.errors import PatientErased
from tenants.records import name_search, personal, writing
from tenants.records.filters import PatientFilter
from tenants.records.ids import entity_uuid, new_uuid
from tenants.records.models import Patient
from tenants.records.service import find_patient
from tenants.records.upsert import UpsertCounts, staging, upsert

FACILITY = UUID("0197c1f0-0000-7000-8000-00000000000f")
PERSON = {
    "pepfar_id": "PID-0042",
    "hospital_number": "H-17",
    "given_name": "Given-of-42",
    "family_name": "Family-of-42",
    "phone": "0803 555 0042",
}


def load(session, plain, data_date):
    key = vault(session).blind_index("source:patients", "row 1")
    uuid = entity_uuid("patients", FACILITY, "csv:a", key)
    vault(session).ensure_patient_keys([uuid])
    with staging(session, Patient, source="csv:a") as stage:
        content = {"datim_id": "FAC1", "birthdate_estimated": False, "transferred_in": False}
        assert stage.add(FACILITY, key, content | personal.seal_patient(session, uuid, plain)) == uuid
    return upsert(session, stage, import_uuid=new_uuid(), data_date=data_date)


def test_an_imported_patient_is_opened_and_found_by_what_was_sealed(session):
    (uuid,) = load(session, PERSON, date(2024, 3, 1)).patients
    row = find_patient(session, "pid-0042")
    assert row.uuid == uuid
    assert personal.open_patient(session, row) == PERSON


def test_an_imported_patient_is_found_by_name(session):
    (uuid,) = load(session, PERSON | {"family_name": "Abubakar"}, date(2024, 3, 1)).patients
    assert [one.patient for one in name_search.ranked(session, "Abubacar", PatientFilter())] == [uuid]
    load(session, PERSON | {"family_name": "Yusuf"}, date(2024, 4, 1))
    assert name_search.ranked(session, "Abubacar", PatientFilter()) == []
    assert [one.patient for one in name_search.ranked(session, "Yusuf", PatientFilter())] == [uuid]


def test_a_row_of_before_names_had_keys_is_the_same_row(session):
    load(session, PERSON, date(2024, 3, 1))
    with session.cursor() as cursor:
        cursor.execute("UPDATE patients SET given_name_bidx = NULL, family_name_bidx = NULL")
        cursor.execute("UPDATE patient_statements SET given_name_bidx = NULL, family_name_bidx = NULL")
    assert load(session, PERSON, date(2024, 4, 1)).counts == UpsertCounts(unchanged=1)
    assert load(session, PERSON, date(2024, 2, 1)).counts == UpsertCounts(superseded=1)


def test_the_same_patient_twice_is_unchanged_though_ciphertexts_differ(session):
    load(session, PERSON, date(2024, 3, 1))
    assert load(session, PERSON, date(2024, 4, 1)).counts == UpsertCounts(unchanged=1)


@pytest.mark.parametrize("field", personal.FIELDS)
def test_a_change_of_any_sealed_field_is_seen(session, field):
    load(session, PERSON, date(2024, 3, 1))
    done = load(session, PERSON | {field: None}, date(2024, 4, 1))
    assert done.counts == UpsertCounts(updated=1)
    assert personal.open_patient(session, find_patient(session, str(done.patients[0])))[field] is None


def test_a_field_cannot_pass_for_its_neighbour(session):
    load(session, PERSON | {"given_name": "A B", "family_name": None}, date(2024, 3, 1))
    done = load(session, PERSON | {"given_name": None, "family_name": "A B"}, date(2024, 4, 1))
    assert done.counts == UpsertCounts(updated=1)


def test_a_newer_import_replaces_what_a_person_changed_and_an_older_one_does_not(session):
    (uuid,) = load(session, PERSON, date(2024, 3, 1)).patients
    row = writing.open_version(session, Patient, uuid, lock=True)
    edited = writing.change(session, row, personal.seal_patient(session, uuid, PERSON | {"phone": "0803 555 0043"}))
    assert (edited.source, edited.source_key, edited.changed_by) == (row.source, row.source_key, "test:1")
    assert load(session, PERSON, date(2024, 4, 1)).counts == UpsertCounts(unchanged=1)
    assert load(session, PERSON, date(2999, 1, 1)).counts == UpsertCounts(updated=1)


def test_an_erased_patient_gets_no_new_data(session):
    (uuid,) = load(session, PERSON, date(2024, 3, 1)).patients
    vault(session).erase_patient(uuid)
    assert set(personal.open_patient(session, find_patient(session, str(uuid))).values()) == {None}
    with pytest.raises(PatientErased):
        personal.seal_patient(session, uuid, PERSON)


def test_what_an_import_wrote_holds_nothing_in_the_clear(session):
    load(session, PERSON, date(2024, 3, 1))
    stored = session.cursor().execute("SELECT string_agg(p::text, '') FROM patients AS p").fetchone()[0]
    for text in (*PERSON.values(), "08035550042", "5550042", "row 1"):
        assert text not in stored
        assert text.encode().hex() not in stored


def test_many_patients_are_sealed_as_each_by_itself(session):
    people = [(new_uuid(), PERSON), (new_uuid(), PERSON | {"phone": None, "given_name": " "}), (new_uuid(), {})]
    vault(session).ensure_patient_keys([uuid for uuid, _ in people])
    together = personal.seal_patients(session, people)
    for (uuid, plain), columns in zip(people, together, strict=True):
        alone = personal.seal_patient(session, uuid, plain)
        assert {name: columns[name] for name in columns if name not in personal.SEALED} == {
            name: alone[name] for name in alone if name not in personal.SEALED
        }
        opened = personal.open_sealed(vault(session), uuid, [columns[name] for name in personal.SEALED])
        assert opened == personal.open_sealed(vault(session), uuid, [alone[name] for name in personal.SEALED])
        assert opened == {name: (plain.get(name) or "").strip() or None for name in personal.FIELDS}
