"""Lists as LAMIS+ and NMRS export them, about people who do not exist: headings exact, cells given by name."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from tenants.imports.formats.radet_lamisplus import HEADINGS as LAMISPLUS_RADET
from tenants.imports.formats.radet_nmrs import HEADINGS as NMRS_RADET

PHARMACY_DAY = date(2024, 6, 30)
PHARMACY = (
    "S/No", "Facility Name", "DATIM Id", "Patient Id", "Hospital Num", "Date Visit", "Regimen Line", "Regimens",
    "Refill Period", "MMD_Type", "Next Appointment", "DSD Model",
)  # fmt: skip
VERIFICATION = (
    "State", "Facility Name", "Serial Enrollment No", "Patient Id", "Hospital Number", "Date of Observation",
    "Indication For Client Verification", "Date Of Attempt", "No of Verfication Attempts", "Verification Attempts",
    "Outcome", "DSD Model", "Comment", "Date Returned To Care", "Referred To", "Discontinued",
    "Date of Discontinuation", "Reason For Discontinuation",
)  # fmt: skip
MISSED = (
    "PepfarID", "HospID", "FirstName", "FamilyName", "Sex", "PhoneNo", "DOB", "PatientAddress", "Age",
    "AppointmentDate", "VisitDate",
)  # fmt: skip
MISSED_MAPPING = "facility: {datim_id: {constant: abc123}, name: {constant: Clinic one}}\n"

Cells = Mapping[str, object]


def write_csv(path: Path, headings: Sequence[str], rows: Sequence[Cells], *, encoding: str = "utf-8-sig") -> Path:
    """A list as CSV; cells that a row does not name are empty."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        for row in rows:
            writer.writerow(["" if row.get(name) is None else row[name] for name in headings])
    return path


def write_xlsx(path: Path, headings: Sequence[str], rows: Sequence[Cells], *, title: str = "") -> Path:
    """A list as a workbook, with an optional title line above it."""
    book = Workbook()
    sheet: Any = book.active
    if title:
        sheet.append((title,))
    sheet.append(list(headings))
    for row in rows:
        sheet.append([row.get(name) for name in headings])
    book.save(path)
    return path


def lamisplus_row(person: int, **cells: object) -> dict[str, object]:
    """A person of a LAMIS+ RADET; ``cells`` by heading, dates as the list writes them."""
    row: dict[str, object] = {
        "S/No.": person,
        "State": "Aaa",
        "L.G.A": "Bbb",
        "Facility Name": "Clinic one",
        "DatimId": "abc123",
        "Patient ID": f"person-{person}",
        "NDR Patient Identifier": f"abc123_person-{person}",
        "Hospital Number": f"H{person}",
        "Unique Id": f"NG-{person:04d}",
        "Sex": "Female" if person % 2 else "Male",
        "Date of Birth (yyyy-mm-dd)": "1990-05-01",
        "Age": 34,
        "Care Entry Point": "OPD",
        "ART Start Date (yyyy-mm-dd)": "2023-01-10",
        "Last Pickup Date (yyyy-mm-dd)": "2024-04-09",
        "Months of ARV Refill": 3,
        "Current Regimen Line": "Adult 1st line ARV regimen",
        "Current ART Regimen": "TDF(300mg)+3TC(300mg)+DTG(50mg)",
        "Current ART Status": "Active",
        "Date of Current ART Status": "2024-04-09",
        "Current DSD model": "Facility - MMD",
        "Case Manager": "CM-1",
    }
    return row | cells


def nmrs_row(person: int, **cells: object) -> dict[str, object]:
    """A person of an NMRS RADET."""
    row: dict[str, object] = {
        "DatimCode": "abc123",
        "PatientUniqueID": f"NG-{person:04d}",
        "PatientHospitalNo": f"H{person}",
        "Sex": "F" if person % 2 else "M",
        "TransferInStatus": "Non-Transfer in",
        "ARTStartDate": "10-Jan-2023",
        "LastPickupDate": "09-Apr-2024",
        "LastVisitDate": "09-Apr-2024",
        "DaysOfARVRefil": 90,
        "CurrentRegimenLine": "Adult first line",
        "CurrentFirstLineRegimen": "TDF-3TC-DTG",
        "CurrentViralLoad(c/ml)": 40,
        "ViralLoadSampleCollectionDate": "10-Jan-2024",
        "ViralLoadReportedDate": "30-Jan-2024",
        "CurrentARTStatus": "Active",
        "DateOfBirth": "01-May-1990",
        "CurrentWeight(Kg)": 61.5,
        "CurrentWeightDate": "09-Apr-2024",
    }
    return row | cells


def pharmacy_row(person: int, day: object, supply: object = 90, **cells: object) -> dict[str, object]:
    """A pick-up of a LAMIS+ pharmacy list."""
    row: dict[str, object] = {
        "S/No": person,
        "Facility Name": "Clinic one",
        "DATIM Id": "abc123",
        "Patient Id": f"person-{person}",
        "Hospital Num": f"H{person}",
        "Date Visit": day,
        "Regimen Line": "First line",
        "Regimens": "TDF/3TC/DTG",
        "Refill Period": supply,
    }
    return row | cells


def verification_row(person: int, **cells: object) -> dict[str, object]:
    """A person of a LAMIS+ client verification list."""
    row: dict[str, object] = {
        "State": "Aaa",
        "Facility Name": "Clinic one",
        "Patient Id": f"person-{person}",
        "Hospital Number": f"H{person}",
        "Date of Observation": "2024-05-20",
        "Indication For Client Verification": "Missed appointment",
        "Date Of Attempt": "2024-05-18",
        "No of Verfication Attempts": 2,
        "Verification Attempts": "Phone call",
        "Outcome": "Valid",
        "Comment": "Givenname said that ...",
        "Date Returned To Care": "2024-05-22",
    }
    return row | cells


def missed_row(person: int, **cells: object) -> dict[str, object]:
    """An appointment of an NMRS missed-appointment list."""
    row: dict[str, object] = {
        "PepfarID": f"NG-{person:04d}",
        "HospID": f"H{person}",
        "FirstName": "Givenname",
        "FamilyName": "Familyname",
        "Sex": "F" if person % 2 else "M",
        "PhoneNo": f"0803000{person:04d}",
        "DOB": "01-May-1990",
        "PatientAddress": "1 Street",
        "Age": 34,
        "AppointmentDate": "10-Jun-2024",
    }
    return row | cells


def generic_csv(folder: Path) -> list[Path]:
    """The generic partner's two tables."""
    from tests.tenants.imports.conftest import PATIENTS, PICKUPS, write

    return write(folder, patients__csv=PATIENTS, pickups__csv=PICKUPS)


def pharmacy_list(folder: Path) -> list[Path]:
    """A pharmacy list, as a workbook and as CSV."""
    days = ("2024-01-10", "2024-02-14", "2024-04-09")
    rows = [pharmacy_row(person, day) for person in (1, 2, 3) for day in days]
    return [
        write_xlsx(folder / "pharmacy.xlsx", PHARMACY, rows),
        write_csv(folder / "pharmacy.csv", PHARMACY, [pharmacy_row(4, day) for day in days]),
    ]


def lamisplus_radet(folder: Path) -> list[Path]:
    """A LAMIS+ RADET, as a workbook and as CSV, with every status."""
    rows = [
        lamisplus_row(1),
        lamisplus_row(
            2, **{"Current ART Status": "Died", "Date of Current ART Status": "2024-05-01", "Cause of Death": "Other"}
        ),
        lamisplus_row(
            3, **{"Current ART Status": "IIT", "Last Pickup Date (yyyy-mm-dd)": "2024-01-09",
                  "Date of Current ART Status": "2024-05-08"}
        ),
        lamisplus_row(
            4, **{"Current ART Status": "Active Restart", "Date of Last CD4 Count": "2024-02-01", "Last CD4 Count": 350,
                  "Date of Viral Load Sample Collection (yyyy-mm-dd)": "2024-02-01", "Current Viral Load (c/ml)": "<20",
                  "Date of Current Viral Load (yyyy-mm-dd)": "2024-02-20"}
        ),
    ]  # fmt: skip
    more = [
        lamisplus_row(5, **{"Current ART Status": "Stopped", "Date of Current ART Status": "2024-05-02"}),
        lamisplus_row(6, **{"Current ART Status": "Transferred Out", "Date of Current ART Status": "2024-05-03"}),
    ]
    return [
        write_xlsx(folder / "radet.xlsx", LAMISPLUS_RADET, rows),
        write_csv(folder / "radet.csv", LAMISPLUS_RADET, more),
    ]


def nmrs_radet(folder: Path) -> list[Path]:
    """An NMRS RADET as CSV, and a second facility's as a workbook."""
    rows = [
        nmrs_row(1),
        nmrs_row(2, CurrentARTStatus="Death", MarkAsDeseased="True", MarkAsDeseasedDeathDate="01-May-2024"),
        nmrs_row(3, CurrentARTStatus="LTFU", LastPickupDate="09-Jan-2024", LastVisitDate="09-Jan-2024"),
    ]
    more = [nmrs_row(person, DatimCode="def456") for person in (4, 5)]
    return [
        write_csv(folder / "radet.csv", NMRS_RADET, rows, encoding="utf-8"),
        write_xlsx(folder / "radet2.xlsx", NMRS_RADET, more),
    ]


def verification_list(folder: Path) -> list[Path]:
    """A client verification list as a workbook."""
    rows = [
        verification_row(1),
        verification_row(
            2, **{"Outcome": "Invalid", "Date Returned To Care": None, "Discontinued": "Yes",
                  "Date of Discontinuation": "2024-05-19", "Reason For Discontinuation": "Death"}
        ),
        verification_row(3),
    ]  # fmt: skip
    return [write_xlsx(folder / "verification.xlsx", VERIFICATION, rows)]


def missed_appointments(folder: Path) -> list[Path]:
    """A missed-appointment list as CSV."""
    rows = [missed_row(1), missed_row(2), missed_row(3, VisitDate="14-Jun-2024")]
    return [write_csv(folder / "missed.csv", MISSED, rows, encoding="utf-8")]


def missed_of_lamisplus(folder: Path) -> list[Path]:
    """A LAMIS+ missed-appointment list as CSV."""
    rows = [
        {
            "Patient Id": f"P-{person}",
            "Hospital Num": f"H{person}",
            "Sex": "Female",
            "Date Birth": "1990-05-01",
            "Phone": f"0803000{person:04d}",
            "Date Of Last Visit": "2024-03-01",
            "Date Of Next Visit": "2024-05-30",
        }
        for person in (1, 2, 3)
    ]
    return [write_csv(folder / "missed.csv", list(rows[0]), rows, encoding="utf-8")]
