"""The status table follows the records; completeness and indicators follow from both."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from core.clock import frozen
from core.database import node_session
from core.events import publish
from core.jobs.runner import Runner
from core.tenancy import settings as tenant_settings
from core.web.cursors import Sort
from core.web.paging import PageRequest
from tenants.cohort import service
from tenants.cohort.calendar import period_of
from tenants.cohort.settings import CohortSettings, FixedRule
from tenants.records.models import Visit

FACILITIES = PageRequest(1, 50, sort=Sort("facility"))
START = date(2025, 1, 1)
QUARTER = period_of("2025Q1")


def table(store):
    with store.session() as session:
        rows = session.cursor().execute(
            "SELECT patient_uuid, from_status, to_status, date, reason FROM status_transitions ORDER BY 1, seq"
        )
        return rows.fetchall()


def put_rules(store, **rules):
    with store.session() as session:
        tenant_settings.put(session, CohortSettings(**rules))


@pytest.fixture
def clinic(store):
    return store.facility()


@pytest.fixture
def person(store, clinic):
    return store.patient(clinic, art_start_date=START, assumed=START)


def test_every_change_of_records_is_followed_at_once(store, clinic, person):
    lost = START + timedelta(59)
    assert table(store) == [
        (person, "none", "active", START, "new"),
        (person, "active", "iit", lost, "interrupted"),
    ]
    store.visits(clinic, person, START, next_appointment=START + timedelta(90))
    assert table(store)[1] == (person, "active", "iit", START + timedelta(119), "interrupted")
    store.visits(clinic, person, START + timedelta(200), start=2)
    assert [row[4] for row in table(store)] == ["new", "interrupted", "returned", "interrupted"]
    store.state(clinic, person, 1, "died", START + timedelta(210))
    assert [row[4] for row in table(store)] == ["new", "interrupted", "returned", "died"]
    store.data_date += timedelta(10)
    store.state(clinic, person, 1, "died", START + timedelta(210), voided=True)
    assert [row[4] for row in table(store)] == ["new", "interrupted", "returned", "interrupted"]
    store.patient(clinic, art_start_date=START - timedelta(20))
    assert table(store)[0] == (person, "none", "active", START - timedelta(20), "new")
    store.data_date += timedelta(10)
    store.patient(clinic, voided=True)
    assert table(store) == []


def test_a_visit_entered_over_the_api_is_followed_too(store, api, clinic, person):
    body = {"patient_id": str(person), "date_started": "2025-02-01", "next_appointment": "2025-06-01"}
    assert api.post("/v1/visits", json=body).status_code == 201
    assert table(store)[1][3] == date(2025, 6, 30)


def test_rebuilding_in_steps_gives_what_following_gave(store, clinic):
    for number in range(7):
        patient = store.patient(clinic, number, art_start_date=START + timedelta(number))
        store.visits(clinic, patient, *[START + timedelta(40 * n + number) for n in range(number)], start=10 * number)
    followed = table(store)
    assert len(followed) > 7
    with store.session() as session:
        session.cursor().execute("DELETE FROM status_transitions")
        tenant_settings.put(session, service.Rebuild(pending=True))
    steps = 1
    with store.session() as session:
        assert service.rebuild_step(session, chunk_patients=3)
    assert 0 < len(table(store)) < len(followed)
    more = True
    while more:
        with store.session() as session:
            more = service.rebuild_step(session, chunk_patients=3)
        steps += 1
    assert steps == 3
    assert table(store) == followed
    with store.session() as session:
        assert not tenant_settings.get(session, service.Rebuild).pending
        service.rebuild(session)
    assert table(store) == followed


def run_jobs(store):
    with node_session() as session:
        ids = session.execute(
            text("SELECT id FROM node.jobs WHERE tenant_id = :id AND state = 'queued'"), {"id": store.tenant.id}
        ).scalars()
        job_ids = list(ids)
        for job_id in job_ids:
            session.execute(text("UPDATE node.jobs SET state = 'sent', sent_at = now() WHERE id = :id"), {"id": job_id})
    return job_ids


def test_new_rules_are_applied_by_a_job(store, clinic, person):
    assert table(store)[1][3] == START + timedelta(59)
    with store.session() as session:
        tenant_settings.put(session, CohortSettings(grace_days=90, rule=FixedRule(days=30)))
        publish(session, "settings.changed", {"key": "cohort"})
    with store.session() as session:
        assert tenant_settings.get(session, service.Rebuild).pending
        assert service.indicator_report(session, QUARTER, []).rebuilding
    (job_id,) = run_jobs(store)
    runner = Runner()
    assert runner.run(job_id) == "done"
    runner.close()
    assert table(store)[1][3] == START + timedelta(121)
    with node_session() as session:
        state = session.execute(text("SELECT state FROM node.jobs WHERE id = :id"), {"id": job_id}).scalar_one()
    assert state == "done"
    with store.session() as session:
        assert not tenant_settings.get(session, service.Rebuild).pending


def test_new_rules_of_an_empty_tenant_need_no_job(store):
    with store.session() as session:
        publish(session, "settings.changed", {"key": "cohort"})
        publish(session, "settings.changed", {"key": "something else"})
        assert not tenant_settings.get(session, service.Rebuild).pending
    assert run_jobs(store) == []


def test_indicators_by_facility_with_their_flows_from_the_tables(store):
    for name in ("FAC1", "FAC2"):
        clinic = store.facility(name)
        local = store.patient(clinic, 1, sex="F", art_start_date=START + timedelta(5), birthdate=date(1990, 1, 1))
        store.visits(clinic, local, START + timedelta(5), start=1, next_appointment=date(2025, 9, 1))
        old = store.patient(clinic, 2, sex="M", art_start_date=date(2024, 6, 1))
        store.visits(clinic, old, date(2024, 6, 1), start=20, next_appointment=date(2025, 1, 10))
        at = datetime(2025, 3, 31, 23, 30, tzinfo=UTC)
        store.observe(
            clinic,
            old,
            {"number": 1, "obs_datetime": datetime(2025, 1, 5, tzinfo=UTC), "variable_name": "viral_load"}
            | {"value_numeric": 40.0},
            {"number": 2, "obs_datetime": at, "variable_name": "viral_load", "value_numeric": 5000.0},
        )
        store.visits(clinic, old, date(2025, 1, 9), start=30, next_appointment=date(2025, 6, 1))
    with store.session() as session:
        report = service.indicator_report(session, QUARTER, ["facility", "sex"])
    rows = {tuple(group.values()): {k: v for k, v in counts.items() if v} for group, counts in report.rows}
    assert rows == {
        (name, sex): counts
        for name in ("FAC1", "FAC2")
        for sex, counts in (
            ("F", {"TX_NEW": 1, "TX_CURR": 1}),
            # 23:30 UTC on the last day is the day after where the tenant is.
            ("M", {"TX_CURR_start": 1, "TX_CURR": 1, "TX_PVLS_D": 1, "TX_PVLS_N": 1}),
        )
    }


def test_completeness_is_kept_by_imports_and_flags_what_is_provisional(store, clinic):
    people = [store.patient(clinic, number, art_start_date=START) for number in range(10)]
    number = 1
    for week in range(30):
        rows = [
            {
                "patient_uuid": one,
                "date_started": START + timedelta(7 * week),
                "visit_type": "clinical",
                "number": number + k,
            }
            for k, one in enumerate(people)
        ]
        number += len(rows)
        store.rows(Visit, clinic, *rows)
    last = START + timedelta(7 * 29)
    with store.session() as session:
        stray = {"patient_uuid": people[0], "date_started": date(2026, 6, 1), "visit_type": "clinical", "number": 9999}
    store.rows(Visit, clinic, stray)
    with store.session() as session, frozen(datetime(2026, 7, 1, tzinfo=UTC)):
        publish(
            session,
            "imports.completed",
            {"import_id": people[0], "data_date": store.data_date, "facility_ids": [clinic]},
        )
        (row,) = service.facility_list(session, FACILITIES).rows
        assert (row["complete_through"], row["data_date"], row["stale"]) == (last, date(2026, 6, 30), True)
        late = service.indicator_report(session, period_of("2025Q4"), [])
        assert (late.provisional, late.stale) == (["FAC1"], ["FAC1"])
        assert service.indicator_report(session, QUARTER, []).provisional == []
    with store.session() as session, frozen(datetime(2025, 8, 1, tzinfo=UTC)):
        report = service.indicator_report(session, QUARTER, [])
        assert (report.stale, report.complete_through) == ([], last)


def test_bookings_are_complete_where_their_outcomes_are_known(store, clinic, person):
    put_rules(store, expected_from="bookings", grace_days=0)
    rows = [
        {"number": n, "booked_on": START, "due_date": START + timedelta(n), "status": "kept" if n % 3 else "missed"}
        for n in range(1, 100)
    ]
    store.book(
        clinic, person, *rows, {"number": 200, "booked_on": START, "due_date": date(2026, 6, 1), "status": "scheduled"}
    )
    with store.session() as session:
        service.refresh_completeness(session)
        assert service.facility_list(session, FACILITIES).rows[0]["complete_through"] == START + timedelta(99)


def test_a_day_is_told_as_it_was_known(store, clinic, person):
    store.visits(clinic, person, START, next_appointment=START + timedelta(30))
    with store.session() as session:
        by_day = {days: service.day_status(session, START + timedelta(days)) for days in (-1, 0, 30, 31, 59)}
    assert {days: (t.statuses["none"], t.statuses["active"], t.statuses["iit"]) for days, t in by_day.items()} == {
        -1: (1, 0, 0),
        0: (0, 1, 0),
        30: (0, 1, 0),
        31: (0, 1, 0),
        59: (0, 0, 1),
    }
    assert {days: (t.pending, t.late, t.iit_to_trace) for days, t in by_day.items()} == {
        -1: (0, 0, 0),
        0: (1, 0, 0),
        30: (1, 0, 0),
        31: (0, 1, 0),
        59: (0, 0, 1),
    }
