"""The LAMIS+ pharmacy list as CSV and xlsx, as partners send it."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports.facts import DispensationFact, PatientFact
from tenants.imports.formats.lamisplus_pharmacy import PharmacyList
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading import workbook as reading_of_workbooks
from tenants.imports.reading.reader import Position, detect
from tenants.imports.reading.sources import Source, from_paths
from tests.tenants.imports.conftest import RunImport, rows

HEADINGS = (
    "S/No", "Facility Name", "DATIM Id", "Patient Id", "Hospital Num", "Date Visit", "Regimen Line", "Regimens",
    "Refill Period", "MMD_Type", "Next Appointment", "DSD Model",
)  # fmt: skip
ROWS: list[tuple[object, ...]] = [
    (
        1,
        "Clinic one",
        "abc123",
        "NG-1",
        "H1",
        "2024-01-10",
        "First line",
        "TDF/3TC/DTG",
        90,
        "MMD-3",
        "2024-04-09",
        "Facility",
    ),
    (2, "Clinic one", "abc123", "NG-2", "H2", "15-Jan-2024", "First line", "TDF/3TC/DTG", 30, "", "14-Feb-2024", ""),
    (3, "Clinic one", "abc123", "NG-1", "H1", 45391, "First line", "TDF/3TC/DTG", 180, "MMD-6", 45571, ""),
    (4, "Clinic one", "abc123", "NG-2", "H2", datetime(2024, 2, 14), "Second line", "AZT/3TC/ATV", "30", "", None, ""),  # noqa: DTZ001
]


def workbook(path: Path, content: list[tuple[object, ...]], *, title: bool = False, merged: bool = False) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    if title:
        sheet.append(("Pharmacy list",))
        if merged:
            sheet.merge_cells("A1:L1")
        sheet.append(())
    sheet.append(HEADINGS)
    for row in content:
        sheet.append(row)
    book.save(path)
    return path


def facts(path: Path, mapping: Mapping | None = None) -> list[DispensationFact]:
    readings = list(PharmacyList().read(from_paths([path]), mapping or Mapping()))
    assert not [bad for reading in readings for bad in reading.rejections]
    return [fact for reading in readings for fact in reading.facts if isinstance(fact, DispensationFact)]


def comma(path: Path, content: list[tuple[object, ...]]) -> Path:
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in (HEADINGS, *content)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("title", [False, True])
def test_a_workbook_is_read_with_its_dates_in_every_form(tmp_path: Path, title: bool) -> None:  # noqa: FBT001 - parametrised
    supplies = facts(workbook(tmp_path / "list.xlsx", ROWS, title=title, merged=title))
    assert [fact.date_dispensed for fact in supplies] == [
        date(2024, 1, 10),
        date(2024, 1, 15),
        date(2024, 4, 9),
        date(2024, 2, 14),
    ]
    assert [fact.days_supplied for fact in supplies] == [90, 30, 180, 30]
    assert [fact.next_appointment for fact in supplies] == [
        date(2024, 4, 9),
        date(2024, 2, 14),
        date(2024, 10, 6),
        None,
    ]


def test_csv_and_workbook_give_the_same_facts(tmp_path: Path) -> None:
    plain = [tuple(cell.date().isoformat() if isinstance(cell, datetime) else cell for cell in row) for row in ROWS]
    assert facts(comma(tmp_path / "list.csv", plain)) == facts(workbook(tmp_path / "list.xlsx", ROWS))


def test_headings_are_recognised_by_their_letters(tmp_path: Path) -> None:
    path = comma(tmp_path / "list.csv", ROWS[:1])
    text = path.read_text(encoding="utf-8-sig")
    path.write_text(
        text.replace("DATIM Id", "Datim ID ").replace("MMD_Type", "MMD Type").replace("Date Visit", "DATE VISIT")
    )
    assert len(facts(path)) == 1
    assert detect(from_paths([path])).name == "lamisplus-pharmacy"


def test_numbers_or_the_mapping_say_that_a_refill_period_is_in_months(tmp_path: Path) -> None:
    months = [(*row[:8], number, *row[9:]) for row, number in zip(ROWS, (3, 1, 6, 1), strict=True)]
    path = workbook(tmp_path / "list.xlsx", months)
    assert [fact.days_supplied for fact in facts(path)] == [90, 30, 180, 30]
    as_days = parse_mapping("format: lamisplus-pharmacy\nrefill: {unit: days}\n")
    assert [fact.days_supplied for fact in facts(path, as_days)] == [3, 1, 6, 1]


def test_a_refill_period_that_fits_both_units_needs_the_mapping(tmp_path: Path) -> None:
    mixed = [(*row[:8], number, *row[9:]) for row, number in zip(ROWS, (3, 1, 6, 90), strict=True)]
    with pytest.raises(Invalid, match="may be in days or in months") as caught:
        facts(workbook(tmp_path / "list.xlsx", mixed))
    assert "refill" in caught.value.remedy


def test_broken_rows_are_rejected_with_their_row_in_the_sheet(tmp_path: Path) -> None:
    broken = [
        *ROWS,
        (5, "Clinic one", "abc123", "", "H9", "2024-01-10", "", "", 30, "", "", ""),
        (6, "Clinic one", "abc123", "NG-9", "H9", "soon", "", "", 30, "", "", ""),
        (7, "Clinic one", "abc123", "NG-9", "H9", None, "", "", 30, "", "", ""),
        (8, "Clinic one", "abc123", "NG-9", "H9", "=TODAY()", "", "", 30, "", "", ""),
        (9, "Clinic one", "", "NG-9", "H9", "2024-01-10", "", "", "ninety", "", "", ""),
    ]
    readings = list(PharmacyList().read(from_paths([workbook(tmp_path / "list.xlsx", broken)]), Mapping()))
    rejections = [(reading.line, bad.field, bad.problem) for reading in readings for bad in reading.rejections]
    assert rejections == [
        (6, "Patient Id", "the identifier is missing"),
        (7, "Date Visit", "not a date in a form that can be read"),
        (8, "Date Visit", "the value is missing"),
        (9, "Date Visit", "the cell holds a formula without a stored value"),
        (10, "DATIM Id", "the identifier is missing"),
    ]


def test_reading_resumes_after_a_row(tmp_path: Path) -> None:
    sources = from_paths([workbook(tmp_path / "list.xlsx", ROWS)])
    rest = list(PharmacyList().read(sources, Mapping(), after=Position(0, 3)))
    assert [reading.line for reading in rest] == [4, 5]


def test_a_workbook_without_the_headings_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "other.xlsx"
    book = Workbook()
    book.active.append(("a", "b"))  # type: ignore[union-attr]
    book.save(path)
    with pytest.raises(Invalid, match="no sheet has the expected headings"):
        facts(path)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.98])
def test_a_workbook_that_is_cut_off_is_rejected(tmp_path: Path, keep: float) -> None:
    path = workbook(tmp_path / "list.xlsx", ROWS * 50)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(Invalid, match="cut off, damaged or locked"):
        facts(path)


def archive_of(**parts: bytes) -> Source:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/") + ".xml", data)
    return Source("list.xlsx", lambda: io.BytesIO(buffer.getvalue()), len(buffer.getvalue()))


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"xl__worksheets__sheet1": b"<a>" + b" " * (2 << 20)}, "expands beyond what a table does"),
        ({"xl__workbook": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'}, "declares XML entities"),
        ({"docs__readme": b"<a/>"}, "a zip archive, not a workbook"),
        ({"xl__workbook": b"<broken"}, "the workbook is damaged"),
    ],
)
def test_bombs_entities_and_other_archives_are_rejected(
    parts: dict[str, bytes], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_of_workbooks, "MIN_BOMB_BYTES", 1 << 20)
    with pytest.raises(Invalid, match=problem):
        list(PharmacyList().read([archive_of(**parts)], parse_mapping("refill: {unit: days}")))


def test_a_row_number_far_beyond_the_rows_is_rejected(tmp_path: Path) -> None:
    plain = workbook(tmp_path / "plain.xlsx", ROWS)
    far = tmp_path / "far.xlsx"
    with zipfile.ZipFile(plain) as original, zipfile.ZipFile(far, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in original.namelist():
            row = b'</row><row r="20000000"><c r="A20000000"><v>1</v></c></row></sheetData>'
            archive.writestr(name, original.read(name).replace(b"</row></sheetData>", row))
    with pytest.raises(Invalid, match="empty rows in a run") as caught:
        list(PharmacyList().read(from_paths([far]), Mapping()))
    assert caught.value.remedy


def test_the_list_becomes_records(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    summary = run_import(tenant, [workbook(tmp_path / "list.xlsx", ROWS)], Mapping())
    assert (summary.format, summary.source) == ("lamisplus-pharmacy", "lamisplus")
    assert summary.data_date == date(2024, 4, 9)
    assert "data date 2024-04-09 taken from the latest row" in summary.notes[0]
    assert (summary.counts["patients"]["inserted"], summary.counts["dispensations"]["inserted"]) == (2, 4)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT datim_id, name FROM facilities") == [("abc123", "Clinic one")]
        latest = rows(session, "SELECT regimen, regimen_line FROM contacts ORDER BY contact_date LIMIT 1")
    assert latest == [("TDF/3TC/DTG", "First line")]


def test_a_person_with_only_broken_rows_is_not_created(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    broken = (9, "Clinic one", "abc123", "NG-9", "H9", "2099-01-10", "", "", 30, "", "", "")
    summary = run_import(
        tenant, [workbook(tmp_path / "list.xlsx", [*ROWS, broken])], Mapping(), data_date=date(2024, 6, 30)
    )
    assert (summary.rows_read, summary.rows_rejected) == (5, 1)
    assert summary.counts["patients"]["inserted"] == 2


def test_patients_are_read_with_the_day_of_their_row(tmp_path: Path) -> None:
    readings = list(PharmacyList().read(from_paths([workbook(tmp_path / "list.xlsx", ROWS)]), Mapping()))
    people = [fact for reading in readings for fact in reading.facts if isinstance(fact, PatientFact)]
    assert [(fact.patient, fact.derived_on) for fact in people[:2]] == [
        ("NG-1", date(2024, 1, 10)),
        ("NG-2", date(2024, 1, 15)),
    ]
