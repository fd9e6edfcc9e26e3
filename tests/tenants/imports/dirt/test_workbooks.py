"""Workbooks as people make them: formulas, merged cells, errors, several sheets, bombs, entities, lies about rows."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from core.errors import Invalid
from tenants.imports.facts import DispensationFact, FacilityFact, Reading
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading import sources, workbook
from tenants.imports.reading.reader import detect, reader
from tenants.imports.reading.sources import Limits, Source, from_paths
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, pharmacy_row, write_xlsx

DAYS = "refill: {unit: days}\n"


def read(path: Path, mapping: str = DAYS, name: str = "lamisplus-pharmacy") -> list[Reading]:
    return list(reader(name).read(from_paths([path]), parse_mapping(mapping)))


def sheet_of(path: Path, *rows: dict[str, object], change: Callable[[Any], None] | None = None) -> Path:
    """A pharmacy list with a sheet that is changed before it is saved."""
    book = Workbook()
    sheet: Any = book.active
    sheet.append(PHARMACY)
    for row in rows:
        sheet.append([row.get(name) for name in PHARMACY])
    if change is not None:
        change(sheet)
    book.save(path)
    return path


def parts_changed(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The archive with its parts changed."""
    with zipfile.ZipFile(path) as original:
        parts = {name: original.read(name) for name in original.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, change(name, data))
    return path


def test_a_formula_gives_the_value_stored_with_it_and_is_never_evaluated(tmp_path: Path) -> None:
    path = sheet_of(tmp_path / "list.xlsx", pharmacy_row(1, "2024-01-10", "=30*3"), pharmacy_row(2, "2024-01-10", "=1"))

    def store(name: str, data: bytes) -> bytes:
        return re.sub(rb"<f>30\*3</f><v ?(?:/>|></v>)", b"<f>30*3</f><v>60</v>", data)

    first, second = read(parts_changed(path, store))
    assert [fact.days_supplied for fact in first.facts if isinstance(fact, DispensationFact)] == [60]
    assert [(bad.field, bad.problem) for bad in second.omissions] == [
        ("Refill Period", "the cell holds a formula without a stored value")
    ]


def test_a_cell_with_an_error_of_the_spreadsheet_program_rejects_its_row(tmp_path: Path) -> None:
    rows = (pharmacy_row(1, "#REF!"), pharmacy_row(2, "2024-01-10", **{"Next Appointment": "#N/A"}))
    first, second = read(sheet_of(tmp_path / "list.xlsx", *rows))
    assert first.rejections[0].problem == "the cell holds an error of the spreadsheet program"
    assert not second.rejections


def test_a_cell_merged_downwards_counts_for_each_of_its_rows(tmp_path: Path) -> None:
    rows = [pharmacy_row(1, "2024-01-10")]
    rows += [pharmacy_row(n, "2024-01-10", **{"DATIM Id": None, "Facility Name": None}) for n in (2, 3)]

    def merge(sheet: Any) -> None:
        sheet.merge_cells("B2:B4")
        sheet.merge_cells("C2:C4")

    readings = read(sheet_of(tmp_path / "list.xlsx", *rows, change=merge))
    places = [(fact.key, fact.name) for item in readings for fact in item.facts if isinstance(fact, FacilityFact)]
    assert places == [("abc123", "Clinic one")] * 3


def test_cells_merged_across_columns_reject_their_row_and_are_named(tmp_path: Path) -> None:
    rows = [pharmacy_row(1, "2024-01-10"), pharmacy_row(2, "2024-01-11")]
    path = sheet_of(tmp_path / "list.xlsx", *rows, change=lambda sheet: sheet.merge_cells("F2:G2"))
    first, second = read(path)
    assert first.rejections[0].problem == "the cell is part of cells merged across columns"
    assert not second.rejections


def test_the_sheet_with_the_headings_is_found_behind_others_and_below_a_title(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "list.xlsx", PHARMACY, [pharmacy_row(1, "2024-01-10")], title="Pharmacy list")
    from openpyxl import load_workbook

    book = load_workbook(path)
    book.create_sheet("Cover", 0).append(("About this file",))
    book.save(path)
    assert detect(from_paths([path])).name == "lamisplus-pharmacy"
    (reading,) = read(path)
    assert (reading.line, len(reading.facts)) == (3, 3)


@pytest.mark.parametrize("sheet", ["", "sheet: People, "])
def test_a_mapping_reads_a_workbook_as_it_reads_a_table(tmp_path: Path, sheet: str) -> None:
    book = Workbook()
    first: Any = book.active
    first.title = "People"
    first.append(("id", "born", "left over"))
    first.append(("P1", date(1990, 5, 1), None))
    first.append((2, "1991-06-02", None))
    first.append((3, "=TODAY()", None))
    first.append(("P4", "1990-01-01", None, "more"))
    book.save(tmp_path / "people.xlsx")
    mapping = f"""
data_date: 2024-06-30
files: {{t: {{{sheet}name: people.xlsx}}}}
facility: {{datim_id: {{constant: C1}}}}
records:
  - {{into: patients, file: t, patient: id, columns: {{birthdate: born}}}}
"""
    readings = read(tmp_path / "people.xlsx", mapping, "csv")
    people = [fact for item in readings for fact in item.facts if not isinstance(fact, FacilityFact)]
    assert [(fact.key, fact.birthdate) for fact in people] == [  # type: ignore[attr-defined]
        ("P1", date(1990, 5, 1)),
        ("2", date(1991, 6, 2)),
        ("3", None),
    ]
    assert [(item.line, bad.field) for item in readings for bad in (*item.rejections, *item.omissions)] == [
        (4, "born"),
        (5, "row"),
    ]
    with pytest.raises(Invalid, match="no sheet 'Visits'"):
        read(
            tmp_path / "people.xlsx",
            mapping.replace("name: people", "sheet: Visits, name: people", 1)
            if not sheet
            else mapping.replace("People", "Visits"),
            "csv",
        )


def as_source(**parts: bytes) -> Source:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/") + ".xml", data)
    return Source("list.xlsx", lambda: io.BytesIO(buffer.getvalue()), len(buffer.getvalue()), Limits(workbook=64 << 20))


ENTITY = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'


@pytest.mark.parametrize("name", ["lamisplus-pharmacy", "radet-lamisplus", "radet-nmrs", "missed-appointments"])
@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"xl__worksheets__sheet1": b"<a>" + b" " * (2 << 20)}, "expands beyond what a table does"),
        ({"xl__worksheets__sheet1": bytes(65 << 20)}, "expands to 65 MB"),
        ({"xl__workbook": ENTITY.encode()}, "declares XML entities"),
        ({"xl__workbook": ENTITY.replace("<!DOCTYPE", "<!--" + " " * 50 + "--><!DOCTYPE").encode()}, "XML entities"),
        ({"xl__workbook": ENTITY.encode("utf-16")}, "declares XML entities"),
        ({"xl__workbook": b'<?xml version="1.0"?><!--' + b" " * 9000 + b"--><x/>"}, "the workbook is damaged"),
        ({"docs__readme": b"<a/>"}, "a workbook or archive, not CSV|a zip archive, not a workbook"),
        ({"xl__workbook": b"<broken"}, "the workbook is damaged"),
    ],
)
def test_bombs_entities_and_other_archives_are_rejected_in_every_list(
    name: str, parts: dict[str, bytes], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MIN_BOMB_BYTES", 1 << 20)
    monkeypatch.setattr(sources, "MIN_BOMB_BYTES", 1 << 20)
    with pytest.raises(Invalid, match=problem) as caught:
        list(reader(name).read([as_source(**parts)], parse_mapping(DAYS)))
    assert caught.value.remedy


def test_more_merged_cells_than_any_list_has_are_rejected(tmp_path: Path) -> None:
    path = sheet_of(tmp_path / "list.xlsx", pharmacy_row(1, "2024-01-10"))
    merged = b"<mergeCells>" + b'<mergeCell ref="A1:A2"/>' * 10_001 + b"</mergeCells></worksheet>"
    parts_changed(path, lambda name, data: data.replace(b"</worksheet>", merged) if "sheet1" in name else data)
    with pytest.raises(Invalid, match="merged cells"):
        read(path)
