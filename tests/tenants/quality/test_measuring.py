"""Every measure counts what its definition says: one record that is amiss moves it by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from core.database import TenantRef
from core.tenancy import settings as tenant_settings
from tenants.cohort.service import refresh_completeness
from tenants.quality.catalog import BY_NAME
from tenants.quality.measuring import Shares, add, measure
from tenants.quality.settings import Linkage
from tenants.records.ids import new_uuid
from tenants.records.models import Dispensation
from tests.tenants.quality.conftest import DATA_DATE, People

TODAY = date(2026, 7, 10)


def shares_of(people: People, facility: object = None) -> Shares:
    with people.session() as session:
        refresh_completeness(session)
        measured = measure(session, TODAY, None if facility is None else [facility])  # type: ignore[list-item]
    return add([shares for _, shares in measured.values()])


def monthly(until: date = DATA_DATE, months: int = 12) -> list[date]:
    return [until - timedelta(days=28 * back) for back in range(months)][::-1]


@pytest.fixture
def clinic(people: People) -> tuple[People, object, list[object]]:
    """Twenty people who came every four weeks, each on a day of their own, with nothing amiss."""
    facility = people.facility()
    uuids, rows = [], []
    for number in range(20):
        uuid = people.person(
            facility, number, given_name=f"Given{number}", family_name="Familyname", phone=f"080300000{number:02}",
            pepfar_id=f"P{number}", hospital_number=f"H{number}", sex="F", birthdate=date(1990, 3, 2 + number),
            art_start_date=date(2024, 1, 10),
        )  # fmt: skip
        days = [day - timedelta(days=number * 7 // 5) for day in monthly()]
        rows += [
            {
                "number": 100 * number + place,
                "patient_uuid": uuid,
                "date_dispensed": day,
                "assumed": day,
                "days_supplied": 28,
                "next_appointment": day + timedelta(days=28),
                "regimen": "TLD",
                "regimen_line": "first line",
            }
            for place, day in enumerate(days)
        ]
        uuids.append(uuid)
    people.rows(Dispensation, facility, *rows)
    return people, facility, uuids


def test_nothing_amiss_measures_as_nothing_amiss(clinic: tuple[People, object, list[object]]) -> None:
    people, _, _ = clinic
    shares = shares_of(people)
    assert shares["birthdate_filled"] == (20, 20)
    assert shares["days_supplied_filled"] == shares["regimen_filled"] == (240, 240)
    amiss = {name: pair for name, pair in shares.items() if pair[0] != pair[1]}
    assert set(amiss) == {"data_to_today"}
    assert amiss["data_to_today"] == (80, 90)
    assert set(shares) <= set(BY_NAME)


def test_what_is_not_filled_is_counted(people: People) -> None:
    facility = people.facility()
    people.person(facility, 1)
    people.person(facility, 2, sex="M", birthdate=date(1980, 5, 5), phone="08030000001", hospital_number="H1")
    shares = shares_of(people)
    for name in ("sex_filled", "birthdate_filled", "phone_filled", "identifier_filled"):
        assert shares[name] == (1, 2), name
    assert shares["art_start_filled"] == (0, 2)


def test_events_that_cannot_be_and_that_contradict_are_counted(clinic: tuple[People, object, list[object]]) -> None:
    people, facility, uuids = clinic
    day = date(2026, 5, 6)
    first, second, third, fourth = uuids[:4]
    people.dispense(
        facility, first,
        {"number": 9001, "date_dispensed": day, "assumed": day, "days_supplied": 900},
        {"number": 9002, "date_dispensed": day, "assumed": day, "days_supplied": 30, "regimen": "AZT/3TC/LPV/r",
         "regimen_line": "Adult 1st line", "next_appointment": day - timedelta(days=1)},
    )  # fmt: skip
    people.dispense(facility, new_uuid(), {"number": 9003, "date_dispensed": day, "assumed": day, "regimen": "EFV"})
    people.state(facility, second, 9100, "died", date(2026, 3, 1), assumed=date(2026, 3, 1))
    people.state(facility, third, 9101, "transferred_out", date(2026, 3, 1), assumed=date(2026, 3, 1))
    people.person(
        facility, 3, sex="F", birthdate=date(1890, 3, 5), art_start_date=date(2026, 6, 1), phone="08030000003",
        pepfar_id="P3", hospital_number="H3",
    )  # fmt: skip
    people.observe(
        facility, fourth,
        {"number": 9201, "obs_datetime": datetime(2026, 5, 5, 9, tzinfo=UTC), "variable_name": "viral_load"},
        {"number": 9202, "obs_datetime": datetime(2026, 5, 5, 9, tzinfo=UTC), "variable_name": "viral_load",
         "value_numeric": 5e7},
        {"number": 9203, "obs_datetime": datetime(2026, 5, 5, 9, tzinfo=UTC), "variable_name": "weight",
         "value_numeric": 12.5},
    )  # fmt: skip
    shares = shares_of(people)
    assert shares["supply_plausible"] == (241, 242)
    assert shares["supply_once"] == (242, 243)
    assert shares["line_fits_regimen"] == (240, 241)
    assert shares["events_of_patients"] == (242, 243)
    assert shares["dead_stay_away"] == (0, 1)
    assert shares["transferred_stay_away"] == (0, 1)
    assert shares["start_before_pickup"] == (19, 20)
    assert shares["age_plausible"] == (19, 20)
    assert shares["result_filled"] == (1, 2)
    assert shares["viral_load_plausible"] == (0, 1)
    assert shares["weight_plausible"] == (0, 1)
    assert shares["next_after_contact"] == (240, 241)


def test_identifiers_used_twice_are_counted_here_and_elsewhere(people: People) -> None:
    clinic, other_clinic = people.facility("FAC1"), people.facility("FAC2")
    people.person(clinic, 1, pepfar_id="P1", hospital_number="H1")
    people.person(other_clinic, 2, pepfar_id="P1", hospital_number="H1")
    people.person(clinic, 3, pepfar_id="P3", hospital_number="H3")
    people.person(clinic, 4, hospital_number="H3")
    shares = shares_of(people)
    assert shares["pepfar_id_unique"] == (1, 3)
    assert shares["hospital_number_unique"] == (2, 4)
    assert shares_of(people, other_clinic)["pepfar_id_unique"] == (0, 1), (
        "one facility alone is still judged against all"
    )


def test_candidates_count_once_they_were_looked_for(people: People) -> None:
    facility = people.facility()
    people.person(facility, 1)
    assert shares_of(people)["not_twice"] == (0, 0)
    with people.session() as session:
        tenant_settings.put(session, Linkage(finished_at=datetime(2026, 7, 1, tzinfo=UTC)))
    assert shares_of(people)["not_twice"] == (1, 1)


def test_dates_heaped_on_the_first_of_the_month_are_counted(people: People) -> None:
    facility = people.facility()
    for number in range(30):
        uuid = people.person(facility, number, birthdate=date(1960 + number, 1, 1))
        people.pickups(facility, uuid, *[date(2026, month, 1) for month in range(1, 7)], start=100 * number)
    shares = shares_of(people)
    assert shares["days_not_heaped"][0] < 0.2 * shares["days_not_heaped"][1]
    assert shares["birthdates_not_heaped"] == (1, 30)


def test_a_silent_facility_is_neither_timely_nor_wholly_reported(people: People) -> None:
    facility = people.facility()
    for number in range(20):
        uuid = people.person(facility, number)
        people.pickups(facility, uuid, *monthly(date(2026, 3, 1) - timedelta(days=number % 7)), start=100 * number)
    shares = shares_of(people)
    assert shares["complete_to_data_date"][0] == 0, "ended four months before the data date"
    reported, weeks = shares["weeks_reported"]
    assert 10 < reported < weeks - 15


def test_a_facility_whose_volume_jumps_is_not_steady(people: People) -> None:
    facility = people.facility()
    for number in range(40):
        uuid = people.person(facility, number)
        came = monthly()[-12:] if number < 5 else monthly()[-3:]
        people.pickups(facility, uuid, *came, start=100 * number)
    steady, bins = shares_of(people)["volume_steady"]
    assert (steady, bins) == (8, 11)


def test_a_year_ago_is_not_judged(people: People) -> None:
    facility = people.facility()
    uuid = people.person(facility, 1)
    people.pickups(facility, uuid, date(2024, 1, 1), date(2026, 6, 1), days_supplied=999)
    assert shares_of(people)["supply_plausible"] == (0, 1)


def test_another_tenants_records_are_not_measured(people: People, two_tenants: tuple[TenantRef, TenantRef]) -> None:
    people.person(people.facility(), 1)
    other = People(two_tenants[0], data_date=DATA_DATE)
    assert shares_of(other) == {}
