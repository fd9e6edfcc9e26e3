"""Files with the troubles that partners report: whole imports give the right people, facts and report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, nmrs_row, pharmacy_row, write_csv

from .people import facts, statuses

JUNE, SEPTEMBER = date(2024, 6, 30), date(2024, 9, 30)
PICKUP, REFILL, SINCE = "Last Pickup Date (yyyy-mm-dd)", "Months of ARV Refill", "Date of Current ART Status"
START, BORN = "ART Start Date (yyyy-mm-dd)", "Date of Birth (yyyy-mm-dd)"
NMRS = ["DatimCode", "PatientUniqueID", "PatientHospitalNo", "Sex", "DateOfBirth", "ARTStartDate", "LastPickupDate",
        "DaysOfARVRefil", "CurrentARTStatus"]  # fmt: skip
CLINIC = "Cl\u00ednica S\u00e3o Jos\u00e9"


def problems(summary: object) -> dict[tuple[str, str], int]:
    return {(item["field"], item["problem"]): item["count"] for item in summary.problems}  # type: ignore[attr-defined]


def test_years_of_two_digits_are_read_in_the_century_that_fits(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        nmrs_row(n, DateOfBirth=born, ARTStartDate="10-Jan-20", LastPickupDate="12-May-24")
        for n, born in enumerate(("7-Oct-58", "3-Feb-02"), start=1)
    ]
    run_import(tenant, [write_csv(tmp_path / "radet.csv", NMRS, people)], "{}", data_date=JUNE)
    start = date(2020, 1, 10)
    assert facts(tenant) == {"H1": ("F", date(1958, 10, 7), start), "H2": ("M", date(2002, 2, 3), start)}
    assert set(statuses(tenant, JUNE).values()) == {("active", "2024-05-12")}


def test_sept_is_read_foreign_months_reject_their_cell_and_1900_is_no_start(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        nmrs_row(1, DateOfBirth="08-Sept-1979", LastPickupDate="04-Sept-2024"),
        nmrs_row(2, LastPickupDate="04-September-2024"),
        nmrs_row(3, LastPickupDate="04-ao\u00fbt-2024"),
        nmrs_row(4, ARTStartDate="1900-01-01", LastPickupDate="04-Sep-2024 00:00"),
    ]
    path = write_csv(tmp_path / "radet.csv", NMRS, people)
    summary = run_import(tenant, [path], "{}", data_date=SEPTEMBER)
    assert (summary.rows_accepted, summary.rows_rejected) == (4, 0)
    assert [problem["field"] for problem in summary.problems] == ["LastPickupDate"]
    known, status = facts(tenant), statuses(tenant, SEPTEMBER)
    assert known["H1"][1] == date(1979, 9, 8)
    assert known["H4"][2] is None
    assert {number: status[number][0] for number in ("H1", "H2", "H4")} == dict.fromkeys(("H1", "H2", "H4"), "active")


def test_impossible_sexes_and_births_reject_their_cell_and_a_changed_sex_is_noted(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        lamisplus_row(1),
        lamisplus_row(2, Sex="femaLe "),
        lamisplus_row(3, Sex="Fmale"),
        *(lamisplus_row(n, Sex="M", **{BORN: born})
          for n, born in enumerate(("2031-01-01", "2024-03-01", "1885-01-01", "2005-02-29", "2004-02-29"), start=4)),
        lamisplus_row(1, Sex="Male"),
    ]  # fmt: skip
    path = write_csv(tmp_path / "first.csv", HEADINGS, people)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert (summary.rows_read, summary.rows_accepted, summary.rows_rejected) == (9, 8, 1)
    assert problems(summary) == {
        ("Sex", "the word is not known"): 1,
        (BORN, "the date lies after the data date"): 1,
        (BORN, "the date of birth lies after the start of treatment"): 1,
        (BORN, "a date outside 1900-2200"): 1,
        (BORN, "not a day of the calendar"): 1,
        ("Patient ID", "another row with the same key has different values (first.csv, line 2)"): 1,
    }
    known = facts(tenant)
    assert {number: known[number][0] for number in ("H1", "H2", "H3")} == {"H1": "F", "H2": "F", "H3": None}
    assert [known[f"H{n}"][1] for n in range(4, 9)] == [None, None, None, None, date(2004, 2, 29)]
    path = write_csv(tmp_path / "second.csv", HEADINGS, [lamisplus_row(1, Sex="Male")])
    later = run_import(tenant, [path], "{}", data_date=SEPTEMBER)
    assert any("1 person is listed with another sex than before" in note for note in later.notes)
    assert facts(tenant)["H1"][0] == "M"


def test_marks_around_a_code_are_ignored_and_another_code_is_no_known_clinic(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    code = "qWe4rTy8UiO"
    run_import(
        tenant, [write_csv(tmp_path / "a.csv", HEADINGS, [lamisplus_row(1, DatimId=code)])], "{}", data_date=JUNE
    )
    codes = [f"{code} ", f"\u00a0{code}\u00a0", code.lower(), "qWe 4rTy8UiO"]
    people = [lamisplus_row(n, DatimId=text) for n, text in enumerate(codes, start=1)]
    later = run_import(tenant, [write_csv(tmp_path / "b.csv", HEADINGS, people)], "{}", data_date=SEPTEMBER)
    assert (later.rows_accepted, later.rows_rejected) == (2, 2)
    assert facts(tenant).keys() == {"H1", "H2"}
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT datim_id FROM facilities") == [(code,)]


def test_packs_of_four_weeks_and_numbers_like_formulas_come_back_as_they_are(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [
        lamisplus_row(1, **{REFILL: "0.9", "Hospital Number": "'-21/43"}),
        lamisplus_row(2, **{REFILL: "2.8", "Hospital Number": "-56/78"}),
    ]
    run_import(tenant, [write_csv(tmp_path / "radet.csv", HEADINGS, people)], "{}", data_date=JUNE)
    assert facts(tenant).keys() == {"-21/43", "-56/78"}
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT days_supplied FROM dispensations ORDER BY 1") == [(28,), (84,)]


COLUMNS = ["DatimId", "Facility Name", "Patient ID", "Hospital Number", "Sex", BORN, START, PICKUP, REFILL,
           "Current ART Status", SINCE]  # fmt: skip


def table(delimiter: str = ",", refill: str = "2.8", end: str = "\r\n") -> str:
    """A list of one person."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    row = lamisplus_row(1, **{REFILL: refill, "Facility Name": CLINIC})
    writer.writerows([COLUMNS, [row[name] for name in COLUMNS]])
    return text.getvalue()


FILES: dict[str, bytes] = {
    "Windows letters": table().encode("cp1252"),
    "UTF-16 with tabs": table("\t").encode("utf-16"),
    "semicolons after a mark": table(";").encode("utf-8-sig"),
    "decimal commas": table(";", "2,8").encode(),
    "line ends of old computers": table(end="\r").encode(),
    "blank lines": table(end="\r\n\r\n").encode(),
    "a line that names the separator": b"sep=;\r\n" + table(";").encode(),
    "titles above, a total below": (
        "RADET of June" + "," * 10 + "\r\nState: Aaa" + "," * 10 + "\r\n" + table() + "Total" + ",,,,,,,,1,,\r\n"
    ).encode(),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_a_text_is_read_whatever_its_form(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "radet.csv"
    path.write_bytes(content)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert (summary.rows_accepted, summary.problems) == (1, [])
    assert facts(tenant) == {"H1": ("F", date(1990, 5, 1), date(2023, 1, 10))}
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT name FROM facilities") == [(CLINIC,)]
        assert rows(session, "SELECT days_supplied FROM dispensations") == [(84,)]


def book_of(change: Callable[[Workbook, list[list[object]]], None]) -> Workbook:
    book = Workbook()
    day = datetime(2024, 5, 2)  # noqa: DTZ001 - a cell has no zone
    people = [lamisplus_row(n, **{PICKUP: day}) for n in (1, 2)]
    change(book, [list(COLUMNS), *([row[name] for name in COLUMNS] for row in people)])
    return book


def titled(book: Workbook, lines: list[list[object]]) -> None:
    for line in [["RADET of June"], [], *lines, ["Total", *[None] * 7, 2]]:
        book.active.append(line)  # type: ignore[union-attr]


def of_1904(book: Workbook, lines: list[list[object]]) -> None:
    book.epoch = CALENDAR_MAC_1904
    for line in lines:
        book.active.append(line)  # type: ignore[union-attr]


def behind_a_hidden_one(book: Workbook, lines: list[list[object]]) -> None:
    hidden = book.active
    shown = book.create_sheet("shown")
    for line in lines:
        shown.append(line)
    other = [
        lines[0],
        ["other" if name == "Patient ID" else cell for name, cell in zip(COLUMNS, lines[1], strict=True)],
    ]
    for line in other:
        hidden.append(line)  # type: ignore[union-attr]
    hidden.sheet_state = "hidden"  # type: ignore[union-attr]
    book.active = 1
    shown.row_dimensions[3].hidden = True


@pytest.mark.parametrize("change", [titled, of_1904, behind_a_hidden_one])
def test_a_workbook_is_read_whatever_its_form(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, change: Callable[[Workbook, list[list[object]]], None]
) -> None:
    path = tmp_path / "radet.csv"  # the content decides, not the name
    book_of(change).save(path)
    summary = run_import(tenant, [path], "{}", data_date=JUNE)
    assert (summary.rows_accepted, summary.rows_rejected) == (2, 0)
    assert statuses(tenant, JUNE) == {"H1": ("active", "2024-05-02"), "H2": ("active", "2024-05-02")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("page.xls", b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old .xls workbook or one with a password"),
        ("plain.csv", table().encode("utf-16-le"), "binary, not a table"),
        ("~$radet.xlsx", b"\x05Field" + bytes(160), "lock file"),
    ],
)
def test_the_message_says_what_a_file_that_is_no_list_is_and_nothing_changes(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Invalid, match=message) as caught:
        run_import(tenant, [path], "{}", data_date=JUNE)
    assert caught.value.remedy
    assert facts(tenant) == {}


def test_bystanders_of_a_folder_are_left_out_and_named(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "pharmacy.csv", PHARMACY, [pharmacy_row(1, "2024-05-02")])
    for name in ("~$pharmacy.xlsx", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\x00\x01" * 80)
    summary = run_import(tenant, [tmp_path], "refill: {unit: days}", data_date=JUNE)
    assert statuses(tenant, JUNE) == {"H1": ("active", "2024-05-02")}
    assert summary.rows_accepted == 1
    assert path.exists()
