"""What cannot be read, has no day or is no antiretroviral, from the tables to the status, flows and lists."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from core.events import publish
from tenants.cohort import service
from tenants.cohort.calendar import period_of
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number
from tenants.cohort.units import pending_units, to_trace
from tenants.records.ids import new_uuid
from tenants.records.models import UnreadContact

START = date(2025, 1, 1)
LISTED = date(2025, 5, 31)


@pytest.fixture
def clinic(store):
    return store.facility()


@pytest.fixture
def person(store, clinic):
    """On treatment since START, with drugs for 90 days: expected on 1 April, IIT from 30 April."""
    uuid = store.patient(clinic, art_start_date=START, assumed=START)
    supply(store, clinic, uuid, 1, START, 90, "TDF/3TC/DTG")
    return uuid


def supply(store, clinic, person, number, day, days, regimen, **more):
    stamp = datetime(day.year, day.month, day.day, tzinfo=UTC)
    drug = {"number": number, "date_dispensed": day, "days_supplied": days, "regimen": regimen, "stamp": stamp}
    store.dispense(clinic, person, drug | more)


def unread(store, clinic, person, word=None, day=LISTED, closed=None):
    """A list of a day has a contact that cannot be read."""
    known = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with store.session() as session:
        row = UnreadContact(
            patient_uuid=person,
            source="lamisplus",
            list_kind="radet-lamisplus",
            import_uuid=new_uuid(),
            facility_uuid=clinic,
            list_date=day,
            partner_status=word,
            known_from=known,
            known_to=closed,
        )
        session.add(row)
        session.flush()
        publish(session, "records.changed", {"patient_ids": [person], "kind": "unread_contacts"})


def on(store, person, day):
    with store.session() as session:
        status = service.patient_status(session, person, day)
    return status["status"], status["status_source"], status["day_known"], status["days_late"]


def called(store, day):
    """Who is on a list to be called on a day: at risk, and to be traced."""
    with store.session() as session:
        rules = cohort_settings(session)
        (chunk,) = load_timelines(session)
    at_risk = pending_units(chunk, day_number(day), rules).patient.tolist()
    return at_risk, to_trace(chunk, day_number(day), rules).patient.tolist()


def counted(store, period):
    with store.session() as session:
        ((_, row),) = service.indicator_report(session, period_of(period), ()).rows
    return {name: count for name, count in row.items() if count}


def test_a_contact_that_cannot_be_read_makes_a_person_unknown_from_when_the_list_is_known(store, clinic, person):
    unread(store, clinic, person)
    assert on(store, person, date(2025, 5, 30)) == ("iit", "records", True, 59)
    assert on(store, person, LISTED) == ("unknown", "records", True, 0)
    assert called(store, date(2025, 6, 30)) == ([], [])
    assert counted(store, "2025Q2") == {"TX_CURR_start": 1, "to_unknown": 1}
    with store.session() as session:
        day_status = service.day_status(session, date(2025, 6, 30))
    assert (day_status.statuses["unknown"], day_status.pending, day_status.late, day_status.iit_to_trace) == (
        1,
        0,
        0,
        0,
    )


def test_a_corrected_list_closes_the_gap(store, clinic, person):
    unread(store, clinic, person, closed=datetime(2025, 6, 30, tzinfo=UTC))
    assert on(store, person, LISTED)[0] == "unknown"
    assert on(store, person, date(2025, 6, 30)) == ("iit", "records", True, 90)
    assert called(store, date(2025, 6, 30)) == ([], [0])


@pytest.mark.parametrize(
    ("word", "status", "traced"),
    [("active", "active", []), ("active_restart", "active", []), ("iit", "iit", [0]), ("unknown", "unknown", [])],
)
def test_the_partners_own_status_decides_and_is_marked_as_theirs(store, clinic, person, word, status, traced):
    unread(store, clinic, person, word)
    shown, source, _, late = on(store, person, LISTED)
    assert (shown, source) == (status, "records" if word == "unknown" else "partner")
    with store.session() as session:
        expected = service.patient_status(session, person, LISTED)["expected"]
    assert (expected, late) == (None, None if traced else 0)  # nobody knows when they were expected
    assert called(store, LISTED) == ([], traced)


@pytest.mark.parametrize("word", ["died", "transferred_out", "stopped", "invalid"])
def test_who_died_or_left_by_the_partners_list_is_not_called(store, clinic, person, word):
    unread(store, clinic, person, word, day=date(2025, 2, 1))
    assert on(store, person, date(2025, 2, 1))[0] == word
    assert called(store, date(2025, 3, 1)) == called(store, date(2025, 6, 1)) == ([], [])


@pytest.mark.parametrize("state", ["died", "transferred_out", "stopped", "invalid"])
def test_a_state_without_a_day_counts_from_the_day_on_which_it_was_learned(store, clinic, person, state):
    store.state(clinic, person, 1, state, None, stamp=datetime(2025, 2, 14, 23, 30, tzinfo=UTC))  # the 15th in Lagos
    assert on(store, person, date(2025, 2, 14))[0] == "active"
    assert on(store, person, date(2025, 2, 15)) == (state, "records", False, 0)
    assert called(store, date(2025, 3, 1)) == called(store, date(2025, 6, 1)) == ([], [])
    assert "TX_CURR" not in counted(store, "2025Q1")


def test_an_invalid_record_has_its_own_term(store, clinic, person):
    store.state(clinic, person, 1, "invalid", date(2025, 4, 10))
    assert counted(store, "2025Q2") == {"TX_CURR_start": 1, "invalidated": 1}


def test_only_antiretrovirals_set_the_next_date(store, clinic, person):
    supply(store, clinic, person, 2, START, 180, "INH", antiretroviral=False)
    supply(store, clinic, person, 3, date(2025, 6, 10), 90, "CTX", antiretroviral=False)
    assert on(store, person, date(2025, 4, 29))[0] == "active"
    assert on(store, person, date(2025, 4, 30))[0] == "iit"
    assert on(store, person, date(2025, 6, 10)) == ("iit", "records", True, 70)
    supply(store, clinic, person, 4, date(2025, 6, 11), 90, "TDF/3TC/DTG")
    assert on(store, person, date(2025, 6, 11))[0] == "active"


def test_a_supply_that_cannot_be_believed_is_not_guessed(store, clinic):
    other = store.patient(clinic, number=2, art_start_date=START, assumed=START)
    supply(store, clinic, other, 9, START, 900, "TDF/3TC/DTG")
    assert on(store, other, START + timedelta(60))[0] == "unknown"
    assert called(store, START + timedelta(10)) == called(store, START + timedelta(60)) == ([], [])
