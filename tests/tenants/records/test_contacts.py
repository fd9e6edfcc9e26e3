"""Contacts follow from facts, as of every day, in whatever order facts come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import tenant_session
from tenants.records import contacts, writing
from tenants.records.contacts import RefreshCounts
from tenants.records.days import end_of_day
from tenants.records.ids import entity_uuid, new_uuid
from tenants.records.models import Appointment, Dispensation, Visit
from tenants.records.upsert import staging, upsert

FACILITY = UUID("0197c1f0-0000-7000-8000-00000000000f")
PATIENT = UUID("0197c1f0-0000-7000-8000-00000000000a")
DAY = date(2024, 1, 10)


def put(session, model, data_date, number=1, **content):
    """One fact of PATIENT, told by data that run to ``data_date``."""
    voided = content.pop("voided", False)
    with staging(session, model, source="csv:a") as stage:
        stage.add(FACILITY, number.to_bytes(16, "big"), {"patient_uuid": PATIENT, **content}, voided=voided)
    return upsert(session, stage, import_uuid=new_uuid(), data_date=data_date)


def known(session, as_of=None):
    """Contacts as (date, clinical, pickup, days, next appointment, regimen)."""
    instant = datetime(9000, 1, 1, tzinfo=UTC) if as_of is None else end_of_day(session.tenant, as_of)
    return (
        session.cursor()
        .execute(
            "SELECT contact_date, clinical, pickup, days_supplied, next_appointment, regimen FROM contacts"
            " WHERE known_from < %(at)s AND (known_to IS NULL OR known_to >= %(at)s) ORDER BY contact_date",
            {"at": instant},
        )
        .fetchall()
    )


def test_the_days_facts_are_merged(session):
    put(session, Visit, date(2024, 2, 1), date_started=DAY, visit_type="clinical", next_appointment=date(2024, 2, 9))
    put(session, Dispensation, date(2024, 2, 1), 1, date_dispensed=DAY, days_supplied=30, regimen="CTX")
    put(
        session,
        Dispensation,
        date(2024, 2, 1),
        2,
        date_dispensed=DAY,
        days_supplied=90,
        regimen="TDF/3TC/DTG",
        next_appointment=date(2024, 4, 9),
    )
    assert contacts.refresh(session, [PATIENT]) == RefreshCounts(added=1)
    assert known(session) == [(DAY, True, True, 90, date(2024, 4, 9), "TDF/3TC/DTG")]


@pytest.mark.parametrize(
    ("visit_type", "expected"),
    [
        ("clinical", [(DAY, True, False, None, None, None)]),
        (None, [(DAY, True, False, None, None, None)]),
        ("pharmacy", [(DAY, False, True, None, None, None)]),
        ("laboratory", []),
    ],
)
def test_what_a_visit_makes_of_a_day(session, visit_type, expected):
    put(session, Visit, date(2024, 2, 1), date_started=DAY, visit_type=visit_type)
    contacts.refresh(session, [PATIENT])
    assert known(session) == expected


@pytest.mark.parametrize("status", ["scheduled", "kept", "missed", "cancelled"])
def test_only_a_kept_appointment_is_a_contact(session, status):
    put(session, Appointment, date(2024, 2, 1), booked_on=DAY, due_date=DAY + timedelta(5), status=status)
    contacts.refresh(session, [PATIENT])
    expected = [(DAY + timedelta(5), True, False, None, None, None)] if status == "kept" else []
    assert known(session) == expected


def test_an_implausible_next_appointment_yields_to_a_plausible_one(session):
    put(session, Visit, date(2024, 2, 1), 1, date_started=DAY, next_appointment=date(2042, 2, 9))
    contacts.refresh(session, [PATIENT])
    assert known(session)[0][4] == date(2042, 2, 9)
    put(session, Visit, date(2024, 2, 1), 2, date_started=DAY, next_appointment=date(2024, 2, 9))
    contacts.refresh(session, [PATIENT])
    assert known(session)[0][4] == date(2024, 2, 9)


def test_a_fact_learned_later_is_not_known_before(session):
    put(session, Visit, date(2024, 1, 15), date_started=DAY, visit_type="clinical")
    contacts.refresh(session, [PATIENT])
    put(session, Dispensation, date(2024, 2, 15), date_dispensed=DAY, days_supplied=90, regimen="TDF/3TC/DTG")
    assert contacts.refresh(session, [PATIENT]) == RefreshCounts(added=1, closed=1)
    assert known(session, date(2024, 1, 14)) == []
    assert known(session, date(2024, 1, 15)) == [(DAY, True, False, None, None, None)]
    assert known(session, date(2024, 2, 14)) == [(DAY, True, False, None, None, None)]
    assert known(session, date(2024, 2, 15)) == [(DAY, True, True, 90, None, "TDF/3TC/DTG")]


def test_other_drugs_are_no_contact_and_no_supply(session):
    ran = date(2024, 2, 1)
    put(session, Dispensation, ran, 1, date_dispensed=DAY, days_supplied=180, regimen="INH", antiretroviral=False)
    contacts.refresh(session, [PATIENT])
    assert known(session) == []
    put(session, Dispensation, ran, 2, date_dispensed=DAY, days_supplied=90, regimen="TLD")
    contacts.refresh(session, [PATIENT])
    assert known(session) == [(DAY, False, True, 90, None, "TLD")]


def test_a_days_supply_is_its_longest_that_can_be_believed(session):
    for number, days in enumerate((30, 90, 900)):
        put(session, Dispensation, date(2024, 2, 1), number, date_dispensed=DAY, days_supplied=days)
    contacts.refresh(session, [PATIENT])
    assert [row[3] for row in known(session)] == [90]
    put(session, Dispensation, date(2024, 2, 1), 9, date_dispensed=DAY + timedelta(1), days_supplied=900)
    contacts.refresh(session, [PATIENT])
    assert [row[3] for row in known(session)] == [90, 900]


def test_a_refresh_that_finds_nothing_new_touches_nothing(session):
    put(session, Visit, date(2024, 1, 15), date_started=DAY)
    contacts.refresh(session, [PATIENT])
    before = session.cursor().execute("SELECT contacts.*, xmin::text FROM contacts").fetchall()
    assert contacts.refresh(session, [PATIENT, PATIENT]) == RefreshCounts()
    assert contacts.refresh(session, []) == RefreshCounts()
    assert session.cursor().execute("SELECT contacts.*, xmin::text FROM contacts").fetchall() == before


def test_a_contact_whose_facts_were_voided_is_closed_and_stays_in_the_history(session):
    put(session, Visit, date(2024, 1, 15), date_started=DAY)
    contacts.refresh(session, [PATIENT])
    put(session, Visit, date(2024, 3, 1), date_started=DAY, voided=True)
    assert contacts.refresh(session, [PATIENT]) == RefreshCounts(closed=1)
    assert known(session) == []
    assert known(session, date(2024, 2, 29)) == [(DAY, True, False, None, None, None)]


def test_a_visit_moved_to_another_day_moves_its_contact(session):
    put(session, Visit, date(2024, 1, 15), date_started=DAY)
    put(session, Visit, date(2024, 3, 1), date_started=DAY + timedelta(1))
    contacts.refresh(session, [PATIENT])
    assert [row[0] for row in known(session)] == [DAY + timedelta(1)]
    assert [row[0] for row in known(session, date(2024, 2, 1))] == [DAY]


def test_contacts_follow_a_void_by_hand(session):
    put(session, Visit, date(2024, 1, 15), date_started=DAY)
    contacts.refresh(session, [PATIENT])
    uuid = entity_uuid("visits", FACILITY, "csv:a", (1).to_bytes(16, "big"))
    writing.void(session, writing.open_version(session, Visit, uuid, lock=True), "entered twice")
    contacts.refresh(session, [PATIENT])
    assert known(session) == []


FACTS = st.one_of(
    st.tuples(
        st.just(Visit),
        st.integers(1, 2),
        st.sampled_from(["clinical", "pharmacy", "laboratory", "voided"]),
        st.integers(0, 1),
    ),
    st.tuples(st.just(Dispensation), st.integers(1, 2), st.sampled_from([30, 90, "voided"]), st.integers(0, 1)),
)


def tell(session, month, fact):
    model, number, what, day = fact
    happened = DAY + timedelta(day)
    voided = what == "voided"
    if model is Visit:
        content = {"date_started": happened, "visit_type": "clinical" if voided else what}
    else:
        content = {"date_dispensed": happened, "days_supplied": None if voided else what}
    put(session, model, DAY + timedelta(30 * (month + 1)), number, voided=voided, **content)


KNOWN = "WHERE known_from < %(at)s AND (known_to IS NULL OR known_to >= %(at)s) AND NOT voided"
VISITS_KNOWN = f"SELECT date_started, visit_type FROM visits {KNOWN}"  # noqa: S608 - a constant
DISPENSATIONS_KNOWN = f"SELECT date_dispensed, days_supplied FROM dispensations {KNOWN}"  # noqa: S608 - a constant


def merged(session, as_of):
    """What the contacts as of a day must be: the merge of the facts that were known then, worked out in Python."""
    instant = end_of_day(session.tenant, as_of)
    bound = {"at": instant}
    days: dict[date, list] = {}
    for day, word in session.cursor().execute(VISITS_KNOWN, bound):
        if word != "laboratory":
            row = days.setdefault(day, [False, False, None])
            row[0 if word == "clinical" else 1] = True
    for day, supplied in session.cursor().execute(DISPENSATIONS_KNOWN, bound):
        row = days.setdefault(day, [False, False, None])
        row[1] = True
        row[2] = max((n for n in (row[2], supplied) if n is not None), default=None)
    return [(day, *row, None, None) for day, row in sorted(days.items())]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(FACTS, min_size=1, max_size=5), data=st.data())
def test_as_of_any_day_contacts_are_the_merge_of_the_facts_known_then(module_tenant, facts, data):
    order = data.draw(st.permutations(list(enumerate(facts))))
    with tenant_session(module_tenant, actor="test:1") as session:
        for month, fact in order:
            tell(session, month, fact)
            contacts.refresh(session, [PATIENT])
        for month in range(len(facts) + 1):
            as_of = DAY + timedelta(30 * (month + 1) - 1 + data.draw(st.integers(0, 1)))
            assert known(session, as_of) == merged(session, as_of)
        assert known(session) == merged(session, date(2100, 1, 1))
        assert contacts.refresh(session, [PATIENT]) == RefreshCounts()
        session.rollback()  # the next example finds an empty tenant
