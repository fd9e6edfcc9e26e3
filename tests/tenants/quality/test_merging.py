"""A merge counts one person from its moment on; an unmerge ends it; what was said of earlier days stays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import today
from core.errors import Conflict, Invalid, NotFound
from core.privacy import vault
from tenants.cohort.calendar import period_of
from tenants.cohort.load import load_timelines
from tenants.cohort.service import day_status, indicator_report, patient_status
from tenants.cohort.timelines import Timelines, day_number, snapshot
from tenants.quality.candidates import merge_patients, unmerge_patient
from tenants.records import contacts, identities
from tenants.records.identities import Identity, laid
from tests.tenants.quality.conftest import People

REASON = "registered twice"
TODAY = today("Africa/Lagos")
"""In the tenants' time zone: near midnight it is another day than UTC's."""
A_YEAR_AGO = TODAY - timedelta(days=365)


def came(people: People, facility: UUID, patient: UUID, *days: date, start: int) -> None:
    people.pickups(facility, patient, *days, start=start, next_appointment=None)


@pytest.fixture
def moved(people: People) -> tuple[People, UUID, UUID]:
    """One person: in care at one clinic until 150 days ago, at another from then on, recorded twice."""
    people.data_date = TODAY
    first_clinic, second_clinic = people.facility("FAC1"), people.facility("FAC2")
    first = people.person(first_clinic, 1, sex="F", birthdate=date(1990, 2, 3), art_start_date=A_YEAR_AGO)
    second = people.person(second_clinic, 2, art_start_date=TODAY - timedelta(days=120), transferred_in=True)
    came(people, first_clinic, first, *(A_YEAR_AGO + timedelta(days=28 * n) for n in range(8)), start=100)
    came(people, second_clinic, second, *(TODAY - timedelta(days=120 - 28 * n) for n in range(5)), start=200)
    people.observe(
        first_clinic, first,
        {"number": 300, "obs_datetime": datetime.now(UTC) - timedelta(days=200), "variable_name": "viral_load",
         "value_numeric": 50.0, "assumed": TODAY - timedelta(days=200)},
    )  # fmt: skip
    return people, first, second


def history_of(people: People, patient: UUID, day: date) -> list[Any]:
    """All that a snapshot of a patient on a day holds."""
    with people.session() as session:
        timelines = list(load_timelines(session, patient_uuids=[patient]))
    return facts(timelines[0], day) if timelines else []


def facts(timelines: Timelines, day: date) -> list[Any]:
    seen = snapshot(timelines, np.arange(len(timelines)), day_number(day))
    rows = []
    for name in ("profiles", "contacts", "states", "observations", "bookings"):
        kind = getattr(seen, name)
        columns = [
            f for f in kind.__dataclass_fields__ if f not in ("known_from", "known_to", "entity", "regimen", "line")
        ]
        rows.append([(column, getattr(kind, column).tolist()) for column in columns])
    return rows


def on_treatment(people: People) -> dict[str, int]:
    period = period_of(None, TODAY - timedelta(days=60), TODAY)
    with people.session() as session:
        return indicator_report(session, period, []).rows[0][1]


def test_a_merge_counts_one_person_less_and_an_unmerge_one_more(moved: tuple[People, UUID, UUID]) -> None:
    people, first, second = moved
    with people.session() as session:
        before = day_status(session, TODAY)
    terms = on_treatment(people)
    assert before.patients == 2
    assert (before.statuses["active"], before.statuses["iit"]) == (1, 1)
    with people.session() as session:
        merge_patients(session, first, second, REASON)
    with people.session() as session:
        merged = day_status(session, TODAY)
    assert (merged.patients, merged.statuses["active"], merged.statuses["iit"]) == (1, 1, 0)
    assert merged.iit_to_trace == 0
    assert on_treatment(people)["TX_CURR"] == terms["TX_CURR"] == 1
    assert on_treatment(people)["TX_PVLS_D"] == terms["TX_PVLS_D"] + 1, (
        "the viral load taken at the first clinic counts"
    )
    with people.session() as session:
        unmerge_patient(session, first, REASON)
    with people.session() as session:
        assert day_status(session, TODAY) == before
    assert on_treatment(people) == terms


def test_the_canonical_patient_has_the_whole_history(moved: tuple[People, UUID, UUID]) -> None:
    people, first, second = moved
    with people.session() as session:
        merge_patients(session, first, second, REASON)
        (timelines,) = load_timelines(session, patient_uuids=[second])
        seen = snapshot(timelines, [0], day_number(TODAY))
    assert len(seen.contacts) == 13
    assert len(seen.observations) == 1
    assert seen.profiles.art_start.tolist() == [day_number(A_YEAR_AGO)]
    assert seen.profiles.sex.tolist() == [1]
    assert seen.profiles.transferred_in.tolist() == [False], "a move between the two clinics is no transfer in"
    assert history_of(people, first, TODAY)[1][0] == ("offsets", [0, 0])


def test_what_was_known_before_the_merge_reads_as_it_did(moved: tuple[People, UUID, UUID]) -> None:
    people, first, second = moved
    yesterday = TODAY - timedelta(days=1)
    before = [history_of(people, patient, yesterday) for patient in (first, second)]
    with people.session() as session:
        status = day_status(session, yesterday)
        merge_patients(session, first, second, REASON)
    assert [history_of(people, patient, yesterday) for patient in (first, second)] == before
    with people.session() as session:
        assert day_status(session, yesterday) == status


def test_the_status_of_a_merged_patient_is_that_of_the_canonical_one(moved: tuple[People, UUID, UUID]) -> None:
    people, first, second = moved
    with people.session() as session:
        merge_patients(session, first, second, REASON)
        shown = patient_status(session, first, TODAY)
        assert (shown["patient_id"], shown["status"]) == (second, "active")
        assert patient_status(session, first, TODAY - timedelta(days=1))["patient_id"] == first


def test_a_later_import_of_either_record_goes_on_working(moved: tuple[People, UUID, UUID]) -> None:
    people, first, second = moved
    with people.session() as session:
        merge_patients(session, first, second, REASON)
    came(people, people.facility("FAC1"), first, TODAY, start=500)
    with people.session() as session:
        (timelines,) = load_timelines(session, patient_uuids=[second])
    seen = snapshot(timelines, [0], day_number(TODAY))
    assert seen.contacts.date.tolist()[-1] == day_number(TODAY)
    people.person(people.facility("FAC1"), 1, sex="F", birthdate=date(1991, 2, 3), art_start_date=A_YEAR_AGO)
    with people.session() as session:
        unmerge_patient(session, first, REASON)
        (timelines,) = load_timelines(session, patient_uuids=[first])
    assert len(snapshot(timelines, [0], day_number(TODAY)).contacts) == 9
    assert timelines.profiles.birth.tolist()[-1] == day_number(date(1991, 2, 3))


def test_who_came_along_with_a_merge_goes_back_with_it(people: People) -> None:
    facility = people.facility()
    one, two, three = (people.person(facility, number) for number in (1, 2, 3))
    with people.session() as session:
        merge_patients(session, one, two, REASON)
        merge_patients(session, two, three, REASON)
        assert identities.members_of(session, three) == sorted([one, two])
        unmerge_patient(session, two, REASON)
        assert identities.members_of(session, two) == [one]
        assert identities.members_of(session, three) == []


def test_a_merge_that_makes_no_sense_is_rejected(people: People) -> None:
    facility = people.facility()
    one, two, three = (people.person(facility, number) for number in (1, 2, 3))
    with people.session() as session:
        merge_patients(session, one, two, REASON)
        for patient, canonical in ((one, one), (one, three), (three, one)):
            with pytest.raises(Conflict) as caught:
                merge_patients(session, patient, canonical, REASON)
            if patient != canonical:
                assert caught.value.remedy == f"{one} counts for {two}: name {two} instead, or unmerge {one} first"
        with pytest.raises(NotFound):
            unmerge_patient(session, three, REASON)
        with pytest.raises(Invalid):
            merge_patients(session, three, UUID(int=5), REASON)


def test_an_erased_patient_stays_erased(people: People) -> None:
    facility = people.facility()
    one, two = (people.person(facility, number, given_name="Givenname") for number in (1, 2))
    with people.session() as session:
        vault(session).erase_patient(one)
    with people.session() as session, pytest.raises(Conflict):
        merge_patients(session, one, two, REASON)
    with people.session() as session, session.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM patient_keys WHERE patient_uuid = %s AND wrapped_key IS NULL", (one,))
        assert cursor.fetchone() == (1,)


def instants(hours: list[int]) -> list[datetime]:
    return [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in hours]


@given(st.lists(st.integers(0, 200), min_size=2, max_size=8, unique=True).map(sorted))
def test_every_instant_of_a_merged_patient_counts_for_exactly_one(hours: list[int]) -> None:
    moments = instants(hours)
    patient, others = UUID(int=1), (UUID(int=2), UUID(int=3))
    merges = [
        Identity(patient, others[place % 2], since, until)
        for place, (since, until) in enumerate(zip(moments[::2], [*moments[1::2], None], strict=False))
    ]
    spans = laid(merges)
    for probe in instants([-1, *range(0, 210, 7)]):
        counted = [
            span.counted
            for span in spans
            if (span.since is None or span.since <= probe) and (span.until is None or probe < span.until)
        ]
        canonical = [
            each.canonical
            for each in merges
            if each.known_from <= probe and (each.known_to is None or probe < each.known_to)
        ]
        assert counted == (canonical or [patient])


STEP = st.tuples(st.sampled_from(["merge", "unmerge"]), st.integers(0, 3), st.integers(0, 3))


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=5))
def test_after_all_is_unmerged_everything_is_as_before(people: People, steps: list[tuple[str, int, int]]) -> None:
    people.data_date = TODAY
    facility = people.facility()
    uuids = []
    for number in range(4):
        uuids.append(people.person(facility, number, art_start_date=A_YEAR_AGO))
        days = [A_YEAR_AGO + timedelta(days=20 * number + 30 * n) for n in range(4)]
        came(people, facility, uuids[-1], *days, start=100 * (number + 1))
    before = [history_of(people, uuid, TODAY) for uuid in uuids]
    with people.session() as session:
        for act, one, two in steps:
            try:
                if act == "merge":
                    merge_patients(session, uuids[one], uuids[two], REASON)
                else:
                    unmerge_patient(session, uuids[one], REASON)
            except (Conflict, NotFound):
                continue
            day = day_status(session, TODAY)
            assert day.patients == len({identities.canonical_of(session, uuid) for uuid in uuids})
            assert contacts.refresh(session, uuids) == contacts.RefreshCounts(), "contacts follow from facts and merges"
        while any(identities.canonical_of(session, uuid) != uuid for uuid in uuids):
            for uuid in uuids:
                if identities.canonical_of(session, uuid) != uuid:
                    unmerge_patient(session, uuid, REASON)
    assert [history_of(people, uuid, TODAY) for uuid in uuids] == before
