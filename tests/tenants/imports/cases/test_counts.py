"""Lists with the troubles that partners report: whole imports give the right counts of MER."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from core.web.paging import PageRequest
from tenants.cohort.calendar import period_of
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.quality.candidates import MOST_PROBABLE, list_candidates
from tenants.quality.linkage import search
from tests.tenants.imports.conftest import RunImport, write
from tests.tenants.imports.formats.fixtures_lists import lamisplus_row, write_csv

from .people import counted, numbers

PICKUP, REFILL, SINCE = "Last Pickup Date (yyyy-mm-dd)", "Months of ARV Refill", "Date of Current ART Status"
START, BORN, ENTRY = "ART Start Date (yyyy-mm-dd)", "Date of Birth (yyyy-mm-dd)", "Care Entry Point"
LOAD, LOAD_DAY = "Current Viral Load (c/ml)", "Date of Current Viral Load (yyyy-mm-dd)"
JUNE = date(2024, 6, 30)


def new(number: int, start: str | None, pickup: str, **more: object) -> dict[str, object]:
    return lamisplus_row(number, **{START: start, PICKUP: pickup, SINCE: pickup, **more})


def test_new_patients_are_counted_by_their_age_at_the_start_and_at_the_end(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        new(1, "2024-04-09", "2024-04-09", **{BORN: "2009-05-20"}),
        new(2, "2024-04-16", "2024-04-16", **{BORN: "2023-06-04"}),
    ]
    run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    groups_counted = counted(tenant, "2024Q2", ("sex", "age"))
    for name, groups in {
        "TX_NEW": {("F", "10-14"), ("M", "<1")},
        "TX_CURR": {("F", "15-19"), ("M", "1-4")},
    }.items():
        assert {(group["sex"], group["age"]) for group, row in groups_counted if row.get(name)} == groups


def test_people_who_transferred_in_or_have_no_start_are_not_new(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        new(1, "2014-03-11", "2024-05-08", **{ENTRY: "Transfer-in"}),
        new(2, "2024-04-11", "2024-05-20", **{ENTRY: "Transfer-in"}),
        new(3, None, "2024-05-08"),
        new(4, "2024-05-08", "2024-05-08"),
    ]
    run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    ((_, row),) = counted(tenant, "2024Q2")
    assert row == {"TX_NEW": 1, "transferred_in": 2, "first_seen": 1, "TX_CURR": 4}


def test_a_fiscal_quarter_counts_starts_from_its_first_day_to_its_last(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    starts = ("2023-09-30", "2023-10-01", "2023-12-31", "2024-01-01")
    people = [new(number, start, start) for number, start in enumerate(starts, start=1)]
    run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    new_patients = {
        name: counted(tenant, name)[0][1].get("TX_NEW") for name in ("FY23Q4", "FY24Q1", "2023Q4", "FY24Q2")
    }
    assert new_patients == {"FY23Q4": 1, "FY24Q1": 2, "2023Q4": 2, "FY24Q2": 1}
    with pytest.raises(Invalid):
        period_of("FY24Q5")


LOADS = {
    "suppressed": ["35", "TND", "Target Not Detected", "LDL", "<LDL", "< 40", "<40 copies/ml", "40 cp/mL", "0",
                   "Not detected", "BELOW DETECTION LIMIT "],
    "not suppressed": ["2,300", "3.4E+04", "> 10,000,000", "2300.00"],
    "no result": ["Invalid", "Failed", "-1"],
}  # fmt: skip


def test_words_below_the_limit_are_results_and_failures_are_none(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    texts = [text for kind in LOADS.values() for text in kind]
    people = [
        lamisplus_row(
            number,
            **{LOAD: text, LOAD_DAY: "2024-03-05", "Date of Viral Load Sample Collection (yyyy-mm-dd)": "2024-02-20"},
        )
        for number, text in enumerate(texts, start=1)
    ]
    path = write_csv(tmp_path / "radet.csv", HEADINGS, people)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    ((_, row),) = counted(tenant, "2024Q2")
    assert (row["TX_PVLS_D"], row["TX_PVLS_N"]) == (15, 11)
    assert summary.rows_rejected == 0
    assert sum(problem["count"] for problem in summary.problems if problem["field"] == LOAD) == 3


FLOWS = """
source: csv:flows
data_date: 2024-06-30
files:
  patients: {name: patients.csv}
  pickups: {name: pickups.csv}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: {constant: C1}, name: {constant: Clinic one}}
    columns: {hospital_number: id, art_start_date: started}
  - into: patient_states
    file: patients
    patient: id
    when: {died: {present: true}}
    columns: {state: {constant: died}, start_date: died}
  - into: patient_states
    file: patients
    patient: id
    when: {left: {present: true}}
    columns: {state: {constant: transferred_out}, start_date: left}
  - into: patient_states
    file: patients
    patient: id
    when: {joined: {present: true}}
    columns: {state: {constant: transferred_in}, start_date: joined}
  - into: dispensations
    file: pickups
    patient: id
    columns: {date_dispensed: day, days_supplied: days}
"""
# Id, start, died, left, joined; then pick-ups, each a day and a number of days.
MOVES = {
    "new-lost,2024-04-03,,,": ["2024-04-03,30"],
    "new-dead,2024-04-03,2024-05-20,,": ["2024-04-03,90"],
    "left,2019-01-02,,2024-05-12,": ["2024-03-03,90"],
    "lost-after-years,2019-01-02,,,": ["2024-01-15,60"],
    "back-after-two-months,2019-01-02,,,": ["2023-11-02,60", "2024-04-10,90"],
    "back-after-a-year,2018-01-02,,,": ["2023-03-01,60", "2024-05-10,90"],
    "lost-and-back-within,2018-01-02,,,": ["2024-02-25,30", "2024-06-10,90"],
    "back-and-dead,2018-01-02,2024-06-20,,": ["2023-11-02,60", "2024-04-20,90"],
    "left-before-and-back,2018-01-02,,2024-02-10,": ["2024-01-02,90", "2024-05-02,90"],
    "day-28-on-the-last-day,2018-01-02,,,": ["2024-03-30,64"],
    "joined-and-lost,2014-01-02,,,2024-04-04": ["2024-04-04,30"],
}


def test_the_flows_of_a_quarter_equal_those_worked_out_by_hand(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = "\n".join(["id,started,died,left,joined", *MOVES, ""])
    pickups = "\n".join(
        [
            "id,day,days",
            *(f"{who.split(',')[0]},{pick_up}" for who, pick_ups in MOVES.items() for pick_up in pick_ups),
            "",
        ]
    )
    run_import(tenant, write(tmp_path, patients__csv=people, pickups__csv=pickups), FLOWS)
    ((_, row),) = counted(tenant, "FY24Q3")
    assert row == {
        "TX_CURR_start": 4, "TX_NEW": 2, "TX_RTT": 2, "TX_RTT_lt3": 1, "TX_RTT_6plus": 1, "transferred_in": 1,
        "returned_after_transfer_out": 1, "TX_ML": 4, "TX_ML_died": 1, "TX_ML_iit_lt3": 1, "TX_ML_iit_6plus": 1,
        "TX_ML_transferred_out": 1, "joined_and_lost": 1, "joined_and_lost_iit": 1, "TX_CURR": 5,
    }  # fmt: skip


NAMES = """
source: csv:names
data_date: 2024-06-30
files:
  patients: {name: patients.csv}
  pickups: {name: pickups.csv}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: clinic}
    columns:
      {hospital_number: id, given_name: given, family_name: family, sex: sex, birthdate: born, phone: phone,
       art_start_date: started}
  - into: dispensations
    file: pickups
    patient: id
    columns: {date_dispensed: day, days_supplied: days}
"""
CLINIC, OTHER_CLINIC = "FAC0000001A", "SITE900002B"
SAME = [
    ("\u0198abiru", "\u018aanladi", "Kabiru", "Danladi", "M", "1984-02-13", "", ""),
    ("Fat\u00efma", "N'Gozi", "Fatima", "Ngozi", "F", "1992-10-21", "", ""),
    ("\u1ee4zoma", "\u1eccbiora", "Uzoma", "Obiora", "F", "1977-08-19", "", ""),
    ("\u01b3an'uwa", "\u0181ala", "Yanuwa", "Bala", "M", "1981-12-05", "", ""),
    ("Joy", "Adewale", "Joy", "Adewale", "F", "1986-06-07", "+234 806 111 2222", "08061112222"),
]


def test_hooked_letters_and_phones_pair_and_twins_are_never_certain(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people, pickups = ["id,clinic,given,family,sex,born,phone,started"], ["id,day,days"]
    for number, (first, family, other_first, other_family, sex, born, phone, other_phone) in enumerate(SAME, start=1):
        people.append(f"A{number},{CLINIC},{first},{family},{sex},{born},{phone},2023-01-10")
        people.append(f"B{number},{OTHER_CLINIC},{other_first},{other_family},{sex},{born},{other_phone},2024-01-10")
        pickups += [f"A{number},2023-0{month}-10,30" for month in range(1, 7)]
        pickups += [f"B{number},2024-0{month}-10,30" for month in range(1, 6)]
    for twin, first in (("T1", "Taiwo"), ("T2", "Kehinde")):
        people.append(f"{twin},{CLINIC},{first},Ajayi,M,2000-11-03,08063334444,2023-01-10")
        pickups += [f"{twin},2024-0{month}-{10 + (twin == 'T2')},30" for month in range(1, 6)]
    for number in range(40):
        born = date(1950 + number, 1 + number % 12, 1 + number % 28)
        people.append(f"X{number},{CLINIC},Given{chr(65 + number % 26)}{number},Fam{number},F,{born},,2023-01-10")
    run_import(
        tenant, write(tmp_path, patients__csv="\n".join([*people, ""]), pickups__csv="\n".join([*pickups, ""])), NAMES
    )
    with tenant_session(tenant, actor="test:1") as session:
        search.search(session)
        known = numbers(session)
        pairs = list_candidates(session, PageRequest(sort=MOST_PROBABLE), "pending").rows
    by_people = {tuple(sorted(known[side.patient_id][0] for side in pair.patients)): pair for pair in pairs}
    assert {(f"A{n}", f"B{n}") for n in range(1, 6)} <= by_people.keys()
    twins = by_people.pop(("T1", "T2"), None)
    assert twins is None or (search.MAY_BE_TWINS in twins.differ and twins.probability <= search.THRESHOLD)
    assert not [pair for pair in by_people if pair[0].startswith("X") or pair[1].startswith("X")]
