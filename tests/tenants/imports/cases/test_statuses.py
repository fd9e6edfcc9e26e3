"""Lists with the troubles that partners report: whole imports give the right status, facts, counts and report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, pharmacy_row, write_csv

from .people import called, statuses

JUNE = date(2024, 6, 30)
PICKUP, REFILL = "Last Pickup Date (yyyy-mm-dd)", "Months of ARV Refill"
STATUS, SINCE, NEXT = "Current ART Status", "Date of Current ART Status", "Next Appointment"
DRUGS, LINE, DAYS = "Regimens(Include supported Drugs)", "Regimen Line", "refill: {unit: days}"
REAL_PHARMACY = [DRUGS if heading == "Regimens" else heading for heading in PHARMACY]
TLD = {DRUGS: "TDF(300mg)+3TC(300mg)+DTG(50mg)", LINE: "Adult 1st Line"}
OTHER = {DRUGS: "Isoniazid-(INH) 300mg", LINE: "Isoniazid Preventive Therapy (IPT)"}
COTRIM = {DRUGS: "Cotrimoxazole 960mg", LINE: "Cotrimoxazole (CTX) Prophylaxis"}


@dataclass(frozen=True)
class List:
    """A list to JUNE, and what is expected after it: each status and its start, by hospital number."""

    headings: list[str]
    rows: list[dict[str, object]]
    people: Mapping[str, tuple[str, str]]
    traced: set[str]
    notes: list[str] = field(default_factory=list)
    problems: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0


def person(
    number: int, status: str, since: str | None = "2024-05-20", pickup: str = "2024-05-02", **more: object
) -> dict[str, object]:
    return lamisplus_row(number, **{STATUS: status, SINCE: since, PICKUP: pickup, **more})


def radet(
    rows: list[dict[str, object]], people: Mapping[str, tuple[str, str]], traced: set[str], **more: object
) -> List:
    return List(list(HEADINGS), rows, people, traced, **more)  # type: ignore[arg-type]


def pharmacy(
    rows: list[dict[str, object]], people: Mapping[str, tuple[str, str]], traced: set[str], **more: object
) -> List:
    return List(REAL_PHARMACY, rows, people, traced, **more)  # type: ignore[arg-type]


UNREAD = "3 people are listed with a contact whose day or supply is missing or cannot be read"
LISTS = {
    "records that the partner calls invalid": radet(
        [
            person(1, "Active", "2024-05-02"),
            person(2, "Invalid - Duplicates"),
            person(3, "Invalid \u2013 Nonexistent"),
            person(4, "Invalid - Biometrical Naive"),
            person(5, "Invalid - Long-term IIT", pickup="2022-02-01"),
            person(6, "Stopped Treatment"),
        ],
        {"H1": ("active", "2024-05-02"), **{f"H{n}": ("invalid", "2024-05-20") for n in (2, 3, 4, 5)},
         "H6": ("stopped", "2024-05-20")},
        set(),
        notes=["4 people are invalid in the partner's own list"],
    ),
    "only antiretrovirals set the next date": pharmacy(
        [
            pharmacy_row(1, "2024-02-01", 180, **OTHER),
            pharmacy_row(1, "2024-02-01", 90, **TLD),
            pharmacy_row(2, "2023-10-03", 90, **TLD),
            pharmacy_row(2, "2024-05-20", 180, **COTRIM, **{NEXT: "2024-11-16"}),
            pharmacy_row(3, "2024-05-10", 90, **TLD),
        ],
        {"H1": ("iit", "2024-05-30"), "H2": ("iit", "2024-01-30"), "H3": ("active", "2024-05-10")},
        {"H1", "H2"},
        notes=["2 people are listed with pick-ups of drugs other than antiretrovirals"],
    ),
    "day 28 and day 29, and a leap day": pharmacy(
        [pharmacy_row(n, day, 90, **TLD) for n, day in enumerate(("2024-03-04", "2024-03-03", "2023-12-05"), start=1)],
        {"H1": ("active", "2024-03-04"), "H2": ("iit", "2024-06-30"), "H3": ("iit", "2024-04-02")},
        {"H1", "H2", "H3"},
    ),
    "deaths and transfers without a day": radet(
        [
            person(1, "Died", None, "2024-01-09"),
            person(2, "Transferred Out", None, "2024-01-09"),
            person(3, "Died", "2024-03-11", "2024-01-09"),
            person(4, "Active", "2024-01-09", "2024-01-09"),
        ],
        {"H1": ("died", "2024-06-30"), "H2": ("transferred_out", "2024-06-30"), "H3": ("died", "2024-03-11"),
         "H4": ("iit", "2024-05-07")},
        {"H4"},
        notes=["1 person is dead on a day that the list does not give"],
    ),
    "pick-ups that cannot be read": radet(
        [
            person(1, "Active", "2024-02-05", "2024-02-05", **{REFILL: "two months"}),
            person(2, "Active", "2024-02-05", "31/04/2024"),
            person(3, "Active", "2024-05-04", "2024-05-04"),
            person(4, "Active", "2024-02-05", "2025-05-04"),
        ],
        {"H1": ("active", "2024-02-05"), "H2": ("active", "2023-01-10"), "H3": ("active", "2024-05-04"),
         "H4": ("active", "2023-01-10")},
        set(),
        notes=[UNREAD],
        problems={"not a number": 1, "not a day of the calendar": 1, "the date lies after the data date": 1},
    ),
    "an appointment sooner than the drugs end": pharmacy(
        [
            pharmacy_row(1, "2024-02-01", 180, **TLD, **{NEXT: "2024-03-01"}),
            pharmacy_row(2, "2024-02-01", 90, **TLD, **{NEXT: "2024-05-01"}),
            pharmacy_row(2, "2024-03-25", 30, **TLD, **{NEXT: "2024-04-24"}),
            pharmacy_row(3, "2023-11-20", 180, **TLD),
            pharmacy_row(3, "2023-12-10", 30, **TLD),
        ],
        {"H1": ("active", "2024-02-01"), "H2": ("iit", "2024-05-30"), "H3": ("iit", "2024-06-16")},
        {"H2", "H3"},
    ),
    "supplies as far as they can be believed": pharmacy(
        [
            pharmacy_row(n, "2024-03-01", supply, **TLD, **{NEXT: appointment})
            for n, (supply, appointment) in enumerate(
                [("", None), ("0", None), ("-30", None), (400, None), (999, None), (180, None), (360, None),
                 (90, "2024-02-10"), (90, "2027-03-01"), (90, "2024-03-15")], start=1)
        ],
        {**{f"H{n}": ("iit", "2024-04-29") for n in (1, 2)},
         **{f"H{n}": ("unknown", "2024-04-01") for n in (3, 4, 5)}, "H6": ("active", "2024-03-01"),
         "H7": ("active", "2024-03-01"), **{f"H{n}": ("iit", "2024-06-28") for n in (8, 9, 10)}},
        {"H1", "H2", "H8", "H9", "H10"},
        problems={"a supply of 0 days": 1, "a negative supply": 1, "the next appointment lies before the visit": 1},
    ),
    "who died, left or stopped is on no list to be called": radet(
        [
            *(person(n, word, "2024-04-10", "2023-12-01")
              for n, word in enumerate(("Transferred Out", "Stopped Treatment", "Died"), start=1)),
            person(4, "Active", "2024-02-18", "2024-02-18"),
            person(5, "Active", "2024-03-20", "2024-03-20"),
        ],
        {"H1": ("transferred_out", "2024-04-10"), "H2": ("stopped", "2024-04-10"), "H3": ("died", "2024-04-10"),
         "H4": ("iit", "2024-06-16"), "H5": ("active", "2024-03-20")},
        {"H4", "H5"},
    ),
    "identifiers that lost digits, and codes that resemble numbers": pharmacy(
        [
            pharmacy_row(1, "2024-05-01", 90, **TLD, **{"Patient Id": "2.34568E+11", "Hospital Num": "6.5E+06"}),
            pharmacy_row(2, "2024-05-03", 90, **TLD, **{"Patient Id": "2.34568E+11", "Hospital Num": "6.5E+06"}),
            pharmacy_row(3, "2024-05-01", 90, **TLD, **{"Patient Id": "417E01", "Hospital Num": "33E02"}),
            pharmacy_row(4, "2024-05-05", 90, **TLD, **{"Patient Id": "4170", "Hospital Num": "3300"}),
        ],
        {"33E02": ("active", "2024-05-01"), "3300": ("active", "2024-05-05")},
        set(),
        problems={"the identifier was saved in scientific notation and has lost digits": 2},
        rejected=2,
    ),
    "white space of every kind": pharmacy(
        [
            pharmacy_row(1, "2024-05-01", 90, **{DRUGS: "TDF/3TC\nDTG", LINE: "First\nline"}),
            pharmacy_row(2, "2024-05-01", "90\u00a0", **TLD, **{"Facility Name": "Clinic\u00a0one"}),
            pharmacy_row(3, "\u00a02024-05-01", 90, **TLD, **{"Patient Id": "person-3\u2007"}),
            pharmacy_row(4, "2024-05-01", 90, **TLD, **{"Hospital Num": "\u200eH4\u00a0"}),
        ],
        {f"H{n}": ("active", "2024-05-01") for n in (1, 2, 3, 4)},
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTS.values(), ids=LISTS.keys())
def test_a_list_with_a_trouble_gives_each_person_the_right_status(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, case: List
) -> None:
    path = write_csv(tmp_path / "list.csv", case.headings, case.rows)
    mapping = DAYS if case.headings is REAL_PHARMACY else "{}"
    summary = run_import(tenant, [path], mapping, data_date=JUNE)
    assert statuses(tenant, JUNE) == case.people
    at_risk, traced = called(tenant, JUNE)
    assert traced == case.traced
    assert not at_risk & {number for number, (status, _) in case.people.items() if status != "active"}
    assert summary.rows_rejected == case.rejected
    for note in case.notes:
        assert any(note in line for line in summary.notes), summary.notes
    problems = {problem["problem"]: problem["count"] for problem in summary.problems}
    assert problems.items() >= case.problems.items()
