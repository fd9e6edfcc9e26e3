"""Dates as spreadsheets and people write them: the import guesses no date row by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from core.errors import Invalid
from tenants.imports.facts import DispensationFact, FacilityFact, PatientFact, Reading, UnreadContactFact, VisitFact
from tenants.imports.formats.generic import GenericCsv
from tenants.imports.formats.lamisplus_pharmacy import PharmacyList
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.formats import documents_of
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, pharmacy_row, write_csv, write_xlsx


def read(path: Path, mapping: str = "{}") -> list[Reading]:
    return list(reader("lamisplus-pharmacy").read(from_paths([path]), parse_mapping(mapping)))


def container(day: str) -> str:
    """An NMRS container, one of whose visits began on this day."""
    document = documents_of.container()
    document["messageData"]["visits"][0]["dateStarted"] = day
    return json.dumps(document)


def message(day: str) -> str:
    """An NDR message, one of whose visits was on this day."""
    return documents_of.message().replace("<VisitDate>2024-01-10</VisitDate>", f"<VisitDate>{day}</VisitDate>", 1)


def observation(day: str) -> str:
    """A FHIR observation of this day."""
    return json.dumps(
        {
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            "code": {"coding": [{"code": "856"}]},
            "subject": {"reference": "Patient/p1"},
            "effectiveDateTime": day,
            "valueQuantity": {"value": 40},
        }
    )


def days(readings: list[Reading]) -> list[date]:
    return [fact.date_dispensed for item in readings for fact in item.facts if isinstance(fact, DispensationFact)]


def listed(folder: Path, *cells: object, **more: object) -> Path:
    return write_csv(folder / "list.csv", PHARMACY, [pharmacy_row(1, cell, **more) for cell in cells])


@pytest.mark.parametrize(
    "cell", ["2024-04-03", "2024-04-03 08:30:00", "2024-04-03T08:30:00Z", "03-Apr-2024", "3 April 2024", "45385"]
)
def test_formats_that_spell_the_month_are_read_together(tmp_path: Path, cell: str) -> None:
    assert days(read(listed(tmp_path, cell, "2024-05-01"))) == [date(2024, 4, 3), date(2024, 5, 1)]


@pytest.mark.parametrize(("decisive", "expected"), [("25/04/2024", date(2024, 4, 3)), ("04/25/2024", date(2024, 3, 4))])
def test_one_date_that_reads_only_one_way_decides_its_column(tmp_path: Path, decisive: str, expected: date) -> None:
    assert days(read(listed(tmp_path, "03/04/2024", decisive, "03/04/2024")))[0] == expected


def test_an_ambiguous_column_follows_the_others_of_its_file(tmp_path: Path) -> None:
    path = listed(tmp_path, "03/04/2024", "05/04/2024", **{"Next Appointment": "28/06/2024"})
    assert days(read(path)) == [date(2024, 4, 3), date(2024, 4, 5)]


@pytest.mark.parametrize("cells", [("03/04/2024", "05/06/2024"), ("25/04/2024", "04/25/2024", "03/04/2024")])
def test_an_ambiguous_date_rejects_its_row_where_the_file_does_not_decide(
    tmp_path: Path, cells: tuple[str, ...]
) -> None:
    readings = read(listed(tmp_path, *cells))
    rejected = [bool(reading.rejections) for reading in readings]
    assert rejected == [cell in ("03/04/2024", "05/06/2024") for cell in cells]
    assert {bad.problem for reading in readings for bad in reading.rejections} == {
        "it is unclear which number of this date is the day, and which the month"
    }
    rejected = [fact for reading in readings if reading.rejections for fact in reading.facts]
    assert {type(fact) for fact in rejected} == {FacilityFact, PatientFact, UnreadContactFact}


def test_the_report_asks_for_the_order_and_shows_both_readings_of_the_first_such_date(tmp_path: Path) -> None:
    source = from_paths([listed(tmp_path, "01/01/2024", "03/04/2024", "05/06/2024")])
    (question,) = PharmacyList().notes(source, parse_mapping("{}"))
    assert "question: does the day or the month come first in 'Date Visit'? Line 3" in question
    assert "2024-04-03 with the day first, 2024-03-04 with the month first" in question
    assert PharmacyList().notes(source, parse_mapping("dates: day-first")) == []


@pytest.mark.parametrize(("order", "first"), [("day-first", date(2024, 4, 3)), ("month-first", date(2024, 3, 4))])
def test_a_configured_order_reads_all_dates(tmp_path: Path, order: str, first: date) -> None:
    path = listed(tmp_path, "03/04/2024", "05/06/2024")
    assert days(read(path, f"dates: {order}"))[0] == first
    assert PharmacyList().data_date(from_paths([path]), parse_mapping(f"dates: {order}")) is not None


def test_a_configured_order_reads_dates_by_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,born\nP1,03/04/1990\n")
    mapping = """
data_date: 2024-06-30
dates: day-first
files: {t: {name: t.csv}}
facility: {datim_id: {constant: C1}}
records: [{into: patients, file: t, patient: id, columns: {birthdate: born}}]
"""
    readings = list(GenericCsv().read(from_paths([path]), parse_mapping(mapping)))
    assert [fact.birthdate for item in readings for fact in item.facts if isinstance(fact, PatientFact)] == [
        date(1990, 4, 3)
    ]


def test_the_mapping_decides_where_the_file_cannot(tmp_path: Path) -> None:
    path = listed(tmp_path, "03/04/2024", "05/06/2024")
    assert days(read(path, 'date_formats: [iso, "%d/%m/%Y"]'))[0] == date(2024, 4, 3)
    assert days(read(path, 'date_formats: [iso, "%m/%d/%Y"]'))[0] == date(2024, 3, 4)


def test_a_mapping_with_ambiguous_date_formats_is_rejected() -> None:
    with pytest.raises(Invalid, match="read one text as different days"):
        parse_mapping('date_formats: ["%d/%m/%Y", "%m/%d/%Y"]')


@pytest.mark.parametrize("cell", ["03/04/2024", "25/04/2024", "03.04.2024", "3-4-2024 08:30"])
@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("nmrs-json", container, "messageData.visits[0].dateStarted"),
        ("ndr-xml", message, "IndividualReport.Condition[0].Encounters.HIVEncounter[0].VisitDate"),
        ("fhir-r4", observation, "Observation.effectiveDateTime"),
    ],
)
def test_a_document_has_no_column_that_decides_what_its_dates_mean(
    tmp_path: Path, name: str, content: Callable[[str], str], field: str, cell: str
) -> None:
    path = tmp_path / "one"
    path.write_text(content(cell), encoding="utf-8")
    (bad,) = [bad for item in reader(name).read(from_paths([path]), parse_mapping("{}")) for bad in item.rejections]
    assert bad.field == field
    assert "whether the day or the month comes first" in bad.problem
    assert "date_formats" in bad.remedy
    assert cell not in f"{bad.problem}{bad.remedy}"


@pytest.mark.parametrize(("form", "expected"), [("%d/%m/%Y", date(2024, 4, 3)), ("%m/%d/%Y", date(2024, 3, 4))])
@pytest.mark.parametrize(("name", "content"), [("nmrs-json", container), ("ndr-xml", message)])
def test_the_mapping_says_what_the_dates_of_a_document_mean(
    tmp_path: Path, name: str, content: Callable[[str], str], form: str, expected: date
) -> None:
    path = tmp_path / "one"
    path.write_text(content("03/04/2024"), encoding="utf-8")
    (item,) = reader(name).read(from_paths([path]), parse_mapping(f'date_formats: [iso, "{form}"]'))
    assert expected in {fact.date_started for fact in item.facts if isinstance(fact, VisitFact)}
    assert not item.rejections


@pytest.mark.parametrize("mac", [False, True])
def test_serial_dates_of_both_systems_are_the_same_days(tmp_path: Path, mac: bool) -> None:  # noqa: FBT001
    book = Workbook()
    sheet: Any = book.active
    if mac:
        book.epoch = CALENDAR_MAC_1904
    serial = (date(2024, 4, 3) - (date(1904, 1, 1) if mac else date(1899, 12, 30))).days
    sheet.append(PHARMACY)
    for cell in (serial, datetime(2024, 4, 3)):  # noqa: DTZ001 - as a workbook stores it
        row = pharmacy_row(1, cell)
        sheet.append([row.get(name) for name in PHARMACY])
    book.save(tmp_path / "list.xlsx")
    assert days(read(tmp_path / "list.xlsx")) == [date(2024, 4, 3)] * 2


def test_days_that_are_not_in_the_calendar_reject_their_row(tmp_path: Path) -> None:
    readings = read(listed(tmp_path, "2024-02-30", "31/04/2024", "2024-13-01", "1850-01-01", "2024-04-03"))
    assert [bool(item.rejections) for item in readings] == [True, True, True, True, False]
    assert {bad.field for item in readings for bad in item.rejections} == {"Date Visit"}


def test_workbook_and_text_give_the_same_days(tmp_path: Path) -> None:
    rows = [pharmacy_row(1, cell) for cell in ("25/04/2024", "03/04/2024")]
    assert days(read(write_xlsx(tmp_path / "list.xlsx", PHARMACY, rows))) == [date(2024, 4, 25), date(2024, 4, 3)]
    assert reader("lamisplus-pharmacy").data_date(from_paths([tmp_path / "list.xlsx"]), Mapping()) == date(2024, 4, 25)
