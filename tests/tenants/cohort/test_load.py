from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import psycopg
import pytest
from psycopg import sql

from tenants.cohort.columns import fetch
from tenants.cohort.load import load_expectations, load_expectations_after, load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.status import transitions
from tenants.cohort.timelines import (
    BOOKING_KEPT,
    FEMALE,
    NO_DAY,
    OPEN_DAY,
    PICKUP,
    STATE_CODES,
    VARIABLES,
    current,
    day_number,
    snapshot,
    to_date,
)

JAN = date(2026, 1, 10)


def day(value: date) -> int:
    return day_number(value)


def test_every_fact_arrives_with_its_day_and_unit(store):
    clinic = store.facility()
    person = store.patient(clinic, sex="F", birthdate=date(1990, 5, 1), art_start_date=date(2020, 1, 1))
    store.visits(clinic, person, JAN, next_appointment=date(2026, 2, 10))
    row = {"number": 1, "date_dispensed": JAN, "days_supplied": 90, "regimen": "TDF/3TC/DTG", "regimen_line": "first"}
    store.dispense(clinic, person, row)
    store.state(clinic, person, 1, "transferred_out", date(2026, 3, 1), reason="moved")
    at = datetime(2026, 1, 10, 9, tzinfo=UTC)
    store.observe(
        clinic,
        person,
        {"number": 1, "obs_datetime": at, "variable_name": "viral_load", "value_numeric": 20.0, "value_text": "<"},
        {"number": 2, "obs_datetime": at, "variable_name": "cd4"},
        {"number": 3, "obs_datetime": at, "variable_name": "arv_adherence", "value_coded": "Good"},
        {"number": 4, "obs_datetime": at, "variable_name": "pregnancy", "value_coded": "breastfeeding"},
        {"number": 5, "obs_datetime": at, "variable_name": "blood_group", "value_coded": "0"},
    )
    store.book(clinic, person, {"number": 1, "booked_on": JAN, "due_date": date(2026, 4, 1), "status": "kept"})
    with store.session() as session:
        (chunk,) = load_timelines(session)
    assert chunk.patient_uuid.tolist() == [person]
    assert [chunk.facilities[place] for place in chunk.facility] == [clinic]
    profile = chunk.profiles
    assert (profile.sex[0], to_date(profile.birth[0]), to_date(profile.art_start[0])) == (
        FEMALE,
        date(1990, 5, 1),
        date(2020, 1, 1),
    )
    now = current(chunk)
    contacts = now.contacts
    assert [to_date(value) for value in contacts.date.tolist()] == [JAN, date(2026, 4, 1)]
    assert (contacts.kind[0] & PICKUP, contacts.days_supplied.tolist()) == (PICKUP, [90, 0])
    assert [to_date(value) for value in contacts.next_appointment.tolist()] == [date(2026, 2, 10), None]
    assert (chunk.regimens[contacts.regimen[0]], chunk.lines[contacts.line[0]]) == ("TDF/3TC/DTG", "first")
    assert (contacts.regimen[1], contacts.line[1]) == (-1, -1)
    assert [to_date(value) for value in chunk.states.date.tolist()] == [date(2026, 3, 1)]
    assert chunk.states.code.tolist() == [STATE_CODES["transferred_out"]]
    seen = {
        VARIABLES[code]: value
        for code, value in zip(chunk.observations.variable, chunk.observations.value.tolist(), strict=True)
    }
    assert set(seen) == {"viral_load", "cd4", "arv_adherence", "pregnancy"}
    assert 19.9 < seen["viral_load"] < 20
    assert np.isnan(seen["cd4"])
    assert (seen["arv_adherence"], seen["pregnancy"]) == (2.0, 2.0)
    assert (chunk.bookings.status.tolist(), to_date(chunk.bookings.due[0])) == ([BOOKING_KEPT], date(2026, 4, 1))


def test_what_changed_later_is_a_version_of_its_own(store):
    clinic = store.facility()
    person = store.patient(clinic)
    store.visits(clinic, person, JAN, next_appointment=date(2026, 2, 10))
    store.data_date = date(2026, 7, 15)
    store.visits(clinic, person, JAN, next_appointment=date(2026, 3, 10))
    with store.session() as session:
        (chunk,) = load_timelines(session)
    assert [to_date(d) for d in chunk.contacts.next_appointment.tolist()] == [date(2026, 2, 10), date(2026, 3, 10)]
    assert chunk.contacts.known_from.tolist() == [day(JAN), day(date(2026, 7, 15))]
    assert chunk.contacts.known_to.tolist() == [day(date(2026, 7, 15)), OPEN_DAY]
    assert chunk.contacts.assumed.tolist() == [True, False]
    seen = snapshot(chunk, [0, 0, 0], [day(JAN) - 1, day(date(2026, 7, 14)), day(date(2026, 7, 15))])
    assert [to_date(d) for d in seen.contacts.next_appointment.tolist()] == [date(2026, 2, 10), date(2026, 3, 10)]
    assert seen.contacts.offsets.tolist() == [0, 0, 1, 2]


def test_what_a_first_import_says_of_a_person_counts_from_the_start(store):
    clinic = store.facility()
    store.patient(clinic, sex="F", art_start_date=JAN, assumed=JAN)
    with store.session() as session:
        (chunk,) = load_timelines(session)
    seen = snapshot(chunk, [0, 0], [day(JAN) - 1, day(JAN)])
    assert seen.profiles.sex.tolist() == [FEMALE, FEMALE]
    assert seen.profiles.art_start.tolist() == [NO_DAY, day(JAN)]


def test_days_are_those_of_the_tenants_time_zone(make_store):
    for zone, expected in (("Africa/Lagos", date(2026, 1, 11)), ("America/Sao_Paulo", JAN)):
        store = make_store(time_zone=zone)
        clinic = store.facility()
        person = store.patient(clinic)
        late = datetime(2026, 1, 10, 23, 30, tzinfo=UTC)
        row = {"number": 1, "obs_datetime": late, "variable_name": "weight", "value_numeric": 60.0, "stamp": late}
        store.observe(clinic, person, row)
        with store.session() as session:
            (chunk,) = load_timelines(session)
        assert to_date(chunk.observations.date[0]) == expected
        assert to_date(chunk.observations.known_from[0]) == expected


def test_voided_rows_are_not_loaded_once_voided_and_voided_patients_not_at_all(store):
    clinic = store.facility()
    keep, gone = store.patient(clinic, 1), store.patient(clinic, 2)
    store.visits(clinic, keep, JAN)
    store.state(clinic, keep, 1, "died", JAN, assumed=JAN)
    store.data_date = date(2026, 7, 15)
    store.state(clinic, keep, 1, "died", JAN, voided=True)
    store.patient(clinic, 2, voided=True)
    with store.session() as session:
        (chunk,) = load_timelines(session)
    assert chunk.patient_uuid.tolist() == [keep]
    assert gone not in chunk.patient_uuid.tolist()
    assert chunk.states.known_to.tolist() == [day(date(2026, 7, 15))]
    assert len(current(chunk).states) == 0


@pytest.fixture
def many(store):
    for name in ("FAC1", "FAC2"):
        clinic = store.facility(name)
        for number in range(6):
            person = store.patient(clinic, number)
            days = [date(2026, 1, 1 + number), date(2026, 2, 1 + number), date(2026, 3, 1)]
            store.visits(clinic, person, *days[: number % 4], start=10 * number)
    return store


def test_chunks_filters_and_the_whole_agree(many):
    with many.session() as session:
        (whole,) = load_timelines(session)
        chunks = list(load_timelines(session, chunk_patients=5))
        assert [len(chunk) for chunk in chunks] == [5, 5, 2]
        assert [u for c in chunks for u in c.patient_uuid.tolist()] == whole.patient_uuid.tolist()
        assert [d for c in chunks for d in c.contacts.date.tolist()] == whole.contacts.date.tolist()
        assert [f for c in chunks for f in c.facility.tolist()] == whole.facility.tolist()
        one = whole.facilities[1]
        (part,) = load_timelines(session, facility_uuids=[one])
        mine = whole.facility == 1
        assert part.patient_uuid.tolist() == whole.patient_uuid[mine].tolist()
        assert len(part.contacts) == mine[whole.contacts.owner].sum()
        few = whole.patient_uuid[[7, 2]].tolist()
        (chosen,) = load_timelines(session, patient_uuids=few)
        assert chosen.patient_uuid.tolist() == sorted(few)
        assert list(load_timelines(session, patient_uuids=[])) == []
        after = load_expectations_after(session, whole.patient_uuid[4], 100)
        assert after.patient_uuid.tolist() == whole.patient_uuid[5:].tolist()


def test_statuses_follow_from_expectations_alone(many):
    clinic = many.facility("FAC1")
    person = many.patient(clinic, 0)
    row = {"number": 1, "date_dispensed": JAN, "days_supplied": 30, "regimen": "TDF/3TC/DTG", "regimen_line": "first"}
    many.dispense(clinic, person, row)
    at = datetime(2026, 1, 10, 9, tzinfo=UTC)
    many.observe(clinic, person, {"number": 1, "obs_datetime": at, "variable_name": "cd4", "value_numeric": 200.0})
    with many.session() as session:
        (whole,), (expectations,) = load_timelines(session), load_expectations(session)
        rules = cohort_settings(session)
        assert len(whole.observations) == 1
        assert (len(expectations.observations), expectations.regimens) == (0, ())
        one, other = transitions(whole, rules), transitions(expectations, rules)
    assert len(one) > 0
    for column in ("offsets", "before", "after", "date", "reason"):
        assert getattr(one, column).tolist() == getattr(other, column).tolist()


def test_a_query_with_a_null_is_rejected(session):
    def values(query):
        return fetch(session, sql.Composed([sql.SQL(query)]), {"value": "int4"})["value"]

    with pytest.raises(ValueError, match="NULL in the column value"):
        values("VALUES (1), (NULL)")
    assert values("VALUES (1), (-2147483648)").tolist() == [1, -(2**31)]
    assert values("SELECT 1 WHERE false").size == 0


@pytest.mark.parametrize("query", ["SELECT 1::int8", "SELECT 'x'"])
def test_a_query_of_another_type_is_rejected(session, query):
    with pytest.raises(psycopg.ProgrammingError), session.begin_nested():
        fetch(session, sql.Composed([sql.SQL(query)]), {"value": "int4"})
