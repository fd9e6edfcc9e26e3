"""Write the simulated cohort as a partner would send it: generic CSV files, or a LAMIS+ pharmacy list.

Each set has a few rows broken on purpose, so that the report of rejected rows has something to show.
"""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING, TextIO

from tenants.demo.simulate import from_day_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tenants.demo.simulate import Cohort

LAMIS_HEADINGS = (
    "S/No",
    "Facility Name",
    "DATIM Id",
    "Patient Id",
    "Hospital Num",
    "Date Visit",
    "Regimen Line",
    "Regimens",
    "Refill Period",
    "MMD_Type",
    "Next Appointment",
    "DSD Model",
)
MMD_LEAST_DAYS = 84
MMD_SIX_MONTHS = 168
PHONELESS = 12
CONTACT_HEADINGS = ("patient_id", "facility_id", "given_name", "family_name", "phone")


def write_generic(cohort: Cohort, folder: Path, *, prefix: str, broken: bool = True) -> list[Path]:
    """Write ``patients.csv``, ``pickups.csv.gz`` and ``samples.csv``, and return their paths.

    Args:
        cohort: the cohort to write.
        folder: the target folder; created if missing.
        prefix: beginning of every facility code and programme identifier, such as ``SIMN``.
        broken: whether to add the three rows broken on purpose.
    """
    folder.mkdir(parents=True, exist_ok=True)
    patients, pickups, samples = folder / "patients.csv", folder / "pickups.csv.gz", folder / "samples.csv"
    with patients.open("w", newline="", encoding="utf-8") as file:
        _write(
            file,
            (
                "patient_id",
                "facility_id",
                "facility_name",
                "state",
                "given_name",
                "family_name",
                "phone",
                "sex",
                "birthdate",
                "art_start_date",
                "transferred_in",
                "death_date",
                "transfer_out_date",
            ),
            (
                (
                    _person(prefix, i),
                    _facility(prefix, int(cohort.facility[i])),
                    _facility_name(prefix, int(cohort.facility[i])),
                    "Simulated State",
                    *_identity(i),
                    str(cohort.sex[i]),
                    _day(int(cohort.birth[i])),
                    _day(int(cohort.art_start[i])),
                    "yes" if cohort.transferred_in[i] else "no",
                    _day(int(cohort.died[i])),
                    _day(int(cohort.transferred_out[i])),
                )
                for i in range(cohort.people)
            ),
        )
    with gzip.open(pickups, "wt", newline="", encoding="utf-8", compresslevel=1) as file:
        _write(
            file,
            ("patient_id", "pickup_date", "days_supplied", "next_appointment", "regimen"),
            [
                *(
                    (_person(prefix, p.person), _day(p.day), str(p.days_supplied), _day(p.next_appointment), p.regimen)
                    for p in cohort.pickups
                ),
                *(_broken_pickups(cohort, prefix) if broken else ()),
            ],
        )
    with samples.open("w", newline="", encoding="utf-8") as file:
        rows = [(p, d, "viral_load", v) for p, d, v in cohort.viral_loads] + [
            (p, d, "cd4", v) for p, d, v in cohort.cd4_counts
        ]
        _write(
            file,
            ("patient_id", "sample_date", "test", "result"),
            ((_person(prefix, p), _day(d), test, f"{v:g}") for p, d, test, v in rows),
        )
    return [patients, pickups, samples]


def write_lamisplus(cohort: Cohort, folder: Path, *, prefix: str, broken: bool = True) -> list[Path]:
    """Write the cohort's pick-ups as a LAMIS+ pharmacy list (xlsx), and return its path.

    The list has neither sex nor age nor deaths, so these stay unknown.
    """
    from openpyxl import Workbook

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pharmacy_list.xlsx"
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Pharmacy")
    sheet.append(LAMIS_HEADINGS)
    for number, pickup in enumerate(cohort.pickups, start=1):
        facility = int(cohort.facility[pickup.person])
        sheet.append(
            (
                number,
                _facility_name(prefix, facility),
                _facility(prefix, facility),
                _person(prefix, pickup.person),
                f"H{pickup.person:06d}",
                _day(pickup.day),
                "First line",
                pickup.regimen,
                pickup.days_supplied,
                _mmd(pickup.days_supplied),
                _day(pickup.next_appointment),
                "",
            )
        )
    if broken:
        last = len(cohort.pickups)
        clinic = (_facility_name(prefix, 0), _facility(prefix, 0))
        sheet.append((last + 1, *clinic, "", "H000000", _day(cohort.data_day), "", "", 30, "", "", ""))
        sheet.append((last + 2, *clinic, _person(prefix, 0), "H000000", "soon", "", "", 30, "", "", ""))
    book.save(path)
    return [path]


def write_contacts(cohort: Cohort, folder: Path, *, prefix: str) -> Path:
    """Write ``contacts.csv``, a list of names and phones, and return its path.

    No phone number in it belongs to anybody.
    """
    path = folder / "contacts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = ((_person(prefix, i), _facility(prefix, int(cohort.facility[i])), *_identity(i)) for i in _seen(cohort))
        _write(file, CONTACT_HEADINGS, rows)
    return path


def _seen(cohort: Cohort) -> list[int]:
    """The people who have a pick-up."""
    return sorted({pickup.person for pickup in cohort.pickups})


def _broken_pickups(cohort: Cohort, prefix: str) -> list[tuple[str, ...]]:
    """Three rows: a day that does not exist, a supply that is not a number, and an unknown person."""
    day = _day(cohort.data_day - 40)
    return [
        (_person(prefix, 0), "31/02/2026", "30", "", "TDF/3TC/DTG"),
        (_person(prefix, 1), day, "thirty", "", "TDF/3TC/DTG"),
        (f"{prefix}-nobody", day, "30", "", "TDF/3TC/DTG"),
    ]


def _write(file: TextIO, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)


def _person(prefix: str, index: int) -> str:
    return f"{prefix}-{index:06d}"


def _identity(index: int) -> tuple[str, str, str]:
    """An invented given name, family name and phone. One in twelve has no phone."""
    phone = "" if index % PHONELESS == PHONELESS - 1 else f"0800000{index % 10_000:04d}"
    return "Client", f"{index:04d}", phone


def _facility(prefix: str, index: int) -> str:
    return f"{prefix}F{index + 1:03d}"


def _facility_name(prefix: str, index: int) -> str:
    return f"Simulated clinic {prefix} {index + 1}"


def _day(number: int | None) -> str:
    return "" if number is None or number == -1 else from_day_number(number).isoformat()


def _mmd(days: int) -> str:
    if days < MMD_LEAST_DAYS:
        return "MMD-1"
    return "MMD-3" if days < MMD_SIX_MONTHS else "MMD-6"
