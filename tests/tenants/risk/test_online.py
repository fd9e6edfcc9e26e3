"""One patient online: one round trip to the database, and the same answer as a session gives."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from core.errors import NotFound
from tenants.cohort import load_one
from tenants.cohort.load import load_timelines
from tenants.cohort.timelines import to_date
from tenants.records.ids import new_uuid
from tenants.risk import explain, repository, scoring
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener, predictions, stamp

DAY = to_date(END)
BY = ("test:1", "request-1")


@pytest.fixture(scope="module")
def scored(trained):
    tenant = trained[0].ref
    scoring.score(tenant, opener(tenant), DAY)
    return tenant


def online(tenant, patient, day=DAY):
    return explain.explain(tenant, opener(tenant), str(patient), day, by=BY)


def by_session(tenant, patient, day=DAY):
    return explain.explain(tenant, opener(tenant), str(patient), day)


def people(tenant, kind, most):
    return [row[0] for row in predictions(tenant, DAY) if row[1] == kind][:most]


def reads(tenant):
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT actor, subject_uuid, request_id, detail FROM audit_events WHERE action = 'risk:explanation:read'"
            " ORDER BY event_id"
        )
        return cursor.fetchall()


def test_the_answer_is_the_one_that_a_session_gives(scored):
    for patient in [*people(scored, "at_risk", 15), *people(scored, "to_trace", 5)]:
        assert online(scored, patient) == by_session(scored, patient)
        assert online(scored, patient, DAY - timedelta(days=40)) == by_session(
            scored, patient, DAY - timedelta(days=40)
        )


def test_it_takes_one_round_trip_and_no_session(scored, monkeypatch):
    patient = people(scored, "at_risk", 1)[0]
    online(scored, patient)
    trips = []
    sync = psycopg.Pipeline.sync
    monkeypatch.setattr(psycopg.Pipeline, "sync", lambda self: (trips.append(1), sync(self))[1])

    def reject():
        pytest.fail("a session was opened")

    explanation = explain.explain(scored, reject, str(patient), DAY, by=BY)
    assert explanation.risk is not None
    assert len(trips) <= 1


def test_the_read_is_told_to_the_audit_once_with_who_asked(scored):
    patient = people(scored, "at_risk", 1)[0]
    before = len(reads(scored))
    online(scored, patient)
    (row,) = reads(scored)[before:]
    assert row == ("test:1", patient, "request-1", {"as_of": DAY.isoformat()})


def test_nobody_is_found_under_a_uuid_that_is_not_there_and_nothing_is_told(scored):
    before = len(reads(scored))
    with pytest.raises(NotFound):
        online(scored, new_uuid())
    assert len(reads(scored)) == before


def test_a_day_whose_rates_were_never_taken_is_read_by_a_session(scored):
    patient = people(scored, "at_risk", 1)[0]
    early = DAY - timedelta(days=300)
    assert online(scored, patient, early) == by_session(scored, patient, early)


def test_someone_who_was_merged_with_another_is_read_with_the_others_records(scored):
    patient, other = people(scored, "at_risk", 2)
    values = {"id": new_uuid(), "row": new_uuid(), "patient": patient, "other": other, "day": to_date(END - 5),
              "at": stamp(END - 5), "before": stamp(END - 400)}  # fmt: skip
    with opener(scored)() as session, session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO patient_identities (uuid, patient_uuid, canonical_uuid, known_from, decided_by, reason)"
            " VALUES (%(id)s, %(other)s, %(patient)s, %(before)s, 'test:1', 'the same person')",
            values,
        )
        cursor.execute(
            "INSERT INTO patient_states (version_id, uuid, patient_uuid, facility_uuid, source, source_key, state,"
            " start_date, known_from, data_date, row_hash, changed_by)"
            " SELECT %(row)s, %(row)s, uuid, facility_uuid, 'csv:t', 'k', 'died', %(day)s, %(at)s, %(day)s, 'h',"
            " 'test:1' FROM patients WHERE uuid = %(other)s",
            values,
        )
    try:
        explanation = online(scored, patient)
        assert explanation == by_session(scored, patient)
        assert explanation.status == "died"
    finally:
        with opener(scored)() as session, session.cursor() as cursor:
            cursor.execute("DELETE FROM patient_identities WHERE uuid = %(id)s", values)
            cursor.execute("DELETE FROM patient_states WHERE uuid = %(row)s", values)


def test_the_timelines_of_one_patient_are_those_that_a_chunk_has(scored):
    from core.database import at_once

    patient = people(scored, "at_risk", 1)[0]
    with opener(scored)() as session:
        (chunk,) = load_timelines(session, patient_uuids=[patient])
        facility = chunk.facilities[int(chunk.facility[0])]
        assert repository.facility_facts(session, facility)
    (facts,), texts = at_once(scored, *load_one.statements(patient))
    one = load_one.timelines(patient, facility, scored.time_zone, facts, texts)
    assert one.facilities == (facility,)
    assert (one.regimens, one.lines) == (chunk.regimens, chunk.lines)
    for name in ("profiles", "contacts", "bookings", "states", "observations"):
        for column in type(getattr(one, name)).__slots__:
            ours, theirs = getattr(getattr(one, name), column), getattr(getattr(chunk, name), column)
            assert (ours == theirs).all(), (name, column)
