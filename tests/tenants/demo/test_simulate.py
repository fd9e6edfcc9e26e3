"""The simulated cohort keeps what it promises: published levels, possible histories, the same for the same seed."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tenants.demo.files import LAMIS_HEADINGS, write_contacts, write_generic, write_lamisplus
from tenants.demo.parameters import PARAMETERS, page
from tenants.demo.simulate import Cohort, day_number, from_day_number, simulate

DATA_DATE = date(2026, 9, 30)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate(people=1500, facilities=6, data_date=DATA_DATE, years=4, seed=11)


def test_the_same_seed_gives_the_same_cohort_and_another_seed_another(cohort: Cohort) -> None:
    again = simulate(people=1500, facilities=6, data_date=DATA_DATE, years=4, seed=11)
    other = simulate(people=1500, facilities=6, data_date=DATA_DATE, years=4, seed=12)
    assert again.pickups == cohort.pickups
    assert other.pickups != cohort.pickups


def test_about_a_third_ever_interrupt_as_published(cohort: Cohort) -> None:
    assert 0.22 < cohort.ever_interrupted < 0.42


def test_few_contacts_are_followed_by_an_interruption_as_published(cohort: Cohort) -> None:
    last: dict[int, int] = {}
    followed = interrupted = 0
    for pickup in cohort.pickups:
        if pickup.person in last:
            followed += 1
            interrupted += pickup.day > last[pickup.person] + 28
        last[pickup.person] = pickup.day + pickup.days_supplied
    assert 0.015 < interrupted / followed < 0.06


def test_nobody_comes_before_starting_after_leaving_or_after_the_data_end(cohort: Cohort) -> None:
    for pickup in cohort.pickups:
        person = pickup.person
        assert cohort.art_start[person] <= pickup.day <= cohort.data_day
        for left in (cohort.died[person], cohort.transferred_out[person]):
            assert left == -1 or pickup.day < left


def test_nobody_dies_and_transfers_afterwards(cohort: Cohort) -> None:
    both = (cohort.died >= 0) & (cohort.transferred_out >= 0)
    assert np.all(cohort.transferred_out[both] < cohort.died[both])


def test_a_next_appointment_is_written_down_for_most_but_not_for_all(cohort: Cohort) -> None:
    share = np.mean([pickup.next_appointment is not None for pickup in cohort.pickups])
    assert 0.90 < share < 0.96


def test_viral_loads_and_cd4_counts_are_possible_values(cohort: Cohort) -> None:
    assert all(copies >= 0 for _, _, copies in cohort.viral_loads)
    assert all(0 < count <= 1500 for _, _, count in cohort.cd4_counts)


@pytest.mark.parametrize("wrong", [{"people": 0}, {"facilities": 0}, {"years": 0.1}])
def test_sizes_that_cannot_be_are_rejected(wrong: dict[str, float]) -> None:
    sizes = {"people": 10, "facilities": 2, "years": 2.0} | wrong
    with pytest.raises(ValueError, match="at least"):
        simulate(
            people=int(sizes["people"]),
            facilities=int(sizes["facilities"]),
            data_date=DATA_DATE,
            years=sizes["years"],
            seed=1,
        )


def test_every_parameter_names_its_source_or_says_that_it_is_assumed() -> None:
    assert all(parameter.source and parameter.unit for parameter in PARAMETERS.values())


def test_day_numbers_and_dates_are_inverse() -> None:
    assert from_day_number(day_number(DATA_DATE)) == DATA_DATE


def test_the_records_of_an_earlier_day_are_a_part_of_those_of_the_last(cohort: Cohort) -> None:
    day = cohort.data_day - 7
    before = cohort.known_on(day)
    assert before.pickups == [pickup for pickup in cohort.pickups if pickup.day <= day]
    assert len(before.pickups) < len(cohort.pickups)
    assert before.people == cohort.people
    assert max(before.died.max(), before.transferred_out.max()) <= day
    assert {pickup.person for pickup in before.pickups} == {pickup.person for pickup in cohort.pickups}


def test_a_day_on_which_some_had_not_started_is_rejected(cohort: Cohort) -> None:
    for day in (cohort.data_day - 21, cohort.data_day + 1):
        with pytest.raises(ValueError, match="at most 20 days"):
            cohort.known_on(day)


def test_names_are_numbers_and_phones_are_nobodys(cohort: Cohort, tmp_path: Path) -> None:
    path = write_generic(cohort, tmp_path, prefix="SIMT")[0]
    write_contacts(cohort, tmp_path, prefix="SIMT")
    for listed in (path, tmp_path / "contacts.csv"):
        with listed.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["given_name"] for row in rows} == {"Client"}
        phones = [row["phone"] for row in rows if row["phone"]]
        assert all(len(phone) == 11 and phone.startswith("0800000") for phone in phones)
        assert 0.9 < len(phones) / len(rows) < 0.93


def test_generic_files_hold_every_pickup_and_three_broken_rows(cohort: Cohort, tmp_path: Path) -> None:
    patients, pickups, samples = write_generic(cohort, tmp_path, prefix="SIMT")
    with patients.open(encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == cohort.people
    with gzip.open(pickups, "rt", encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(cohort.pickups) + 3
    with samples.open(encoding="utf-8") as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(cohort.viral_loads) + len(cohort.cd4_counts)


def test_a_pharmacy_list_has_the_headings_and_two_broken_rows(tmp_path: Path) -> None:
    from openpyxl import load_workbook

    cohort = simulate(people=100, facilities=2, data_date=DATA_DATE, years=2, seed=3)
    (path,) = write_lamisplus(cohort, tmp_path, prefix="SIMT")
    book = load_workbook(path, read_only=True)
    rows = list(book["Pharmacy"].iter_rows(values_only=True))
    book.close()
    assert rows[0] == LAMIS_HEADINGS
    assert len(rows) == 1 + len(cohort.pickups) + 2


def test_the_reference_page_shows_the_parameters_as_they_are() -> None:
    shown = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "simulated-cohort.md").read_text(
        encoding="utf-8"
    )
    assert shown == page()
