"""Files as partners send them: encodings, delimiters, broken rows, wrong kinds, bombs; joins and filters."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from tenants.imports.facts import DispensationFact, PatientFact, Reading
from tenants.imports.formats.generic import GenericCsv
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading import sources
from tenants.imports.reading.csv_files import MAX_LINES, open_table
from tenants.imports.reading.reader import Position, detect
from tenants.imports.reading.sources import Limits, Source, from_paths
from tests.tenants.imports.conftest import MAPPING, PATIENTS, PICKUPS, write

SIMPLE = """
source: csv:test
data_date: 2024-06-30
files: {t: {name: t.csv}}
facility: {datim_id: {constant: C1}}
records:
  - {into: patients, file: t, patient: id, columns: {given_name: name, art_start_date: start}}
"""


def explained(rejected: Invalid) -> None:
    """Assert that the rejection of a whole file says what to do."""
    assert rejected.remedy


def source(name: str, data: bytes, **limits: int) -> Source:
    return Source(name, lambda: io.BytesIO(data), len(data), Limits(**limits))


def read(text: str | bytes, mapping: str = SIMPLE, name: str = "t.csv") -> list[Reading]:
    data = text.encode() if isinstance(text, str) else text
    return list(GenericCsv().read([source(name, data)], parse_mapping(mapping)))


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("id,name,start\nP1,Adébáyọ̀,2020-01-01\n".encode(), "utf-8"),
        ("id,name,start\nP1,Adé,2020-01-01\n".encode("utf-8-sig"), "utf-8-sig"),
        ("id,name,start\nP1,Adé,2020-01-01\n".encode("cp1252"), "cp1252"),
    ],
)
def test_the_encoding_is_detected(data: bytes, encoding: str) -> None:
    with open_table(source("t.csv", data)) as table:
        assert table.encoding == encoding
        assert next(table.rows).cells[1].startswith("Ad\u00e9")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_detected(delimiter: str) -> None:
    (reading,) = read(f"id{delimiter}name{delimiter}start\nP1{delimiter}Aaa{delimiter}2020-01-01\n")
    assert isinstance(reading.facts[1], PatientFact)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old .xls workbook"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\x7fELF\0\0\0", "binary"),
        (b"PK\x03\x04" + b"\0" * 60, "workbook or archive"),
        (b"\n\n", "the file is empty"),
        (b"id,id,start\n", "have the same heading"),
        (b"id,name\nP1,Aaa\n", "has no column 'start'"),
        (gzip.compress(b"id,name,start\n" + b"P1,Aaa,2020-01-01\n" * 90, mtime=0)[:-12], "cut off"),
        (b"\x1f\x8b\x08\x00garbage that is no deflate stream", "damaged"),
        (b"id,name,start\n" + b"x" * (2 << 20), "a line of more than 1 MB"),
    ],
)
def test_a_file_of_the_wrong_kind_is_rejected_with_a_sentence(data: bytes, problem: str) -> None:
    with pytest.raises(Invalid, match=problem) as caught:
        read(data)
    assert caught.value.remedy


def test_a_file_that_expands_beyond_bounds_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    large = gzip.compress(b"id,name,start\n" + b"P1,Ada,2020-01-01\n" * 100_000)
    small = Source("t.csv.gz", lambda: io.BytesIO(large), len(large), Limits(expanded=1 << 20))
    with pytest.raises(Invalid, match=r"expands to more than 1(\.0)? MB"):
        list(GenericCsv().read([small], parse_mapping(SIMPLE)))
    monkeypatch.setattr(sources, "MIN_BOMB_BYTES", 1 << 20)
    bomb = gzip.compress(b"id,name,start\n" + (b" " * 60_000 + b"\n") * 100, 9)
    with pytest.raises(Invalid, match="expands to more than"):
        read(bomb, name="t.csv.gz")


def test_a_character_outside_the_encoding_rejects_only_its_row() -> None:
    head = "id,name,start\n" + "P1,Ad\u00e9,2020-01-01\n" * 6000
    readings = read(head.encode() + b"P2,Ad\xe9,2020-01-01\nP3,Aaa,2020-01-01\n")
    rejected = [reading for reading in readings if reading.rejections]
    assert [reading.line for reading in rejected] == [6002]
    assert "utf-8" in rejected[0].rejections[0].problem


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    readings = read('id,name,start\n\nP1,"Aaa\nMmm",2020-01-01\nP2,Bbb,never\n')
    assert [(reading.line, bool(reading.omissions)) for reading in readings] == [(3, False), (5, True)]


def test_rows_that_are_left_out_count_neither_as_read_nor_as_rejected(tmp_path: Path) -> None:
    mapping = MAPPING.replace("{name: patients.csv}", "{name: patients.csv, where: {clinic: C1}}").replace(
        "{name: pickups.csv}",
        "{name: pickups.csv, join: {file: patients, match: {id: id}}, where: {patients.clinic: [C1]}}",
    )
    sources = from_paths(write(tmp_path, patients__csv=PATIENTS, pickups__csv=PICKUPS + "P8,2023-01-01,30,A,\n"))
    readings = list(GenericCsv().read(sources, parse_mapping(mapping)))
    assert [reading.left_out for reading in readings] == [False, False, True, False, False, False, True, False]
    assert [bad.problem for reading in readings for bad in reading.rejections] == ["no row of patients has this key"]


def test_reading_resumes_after_any_position(tmp_path: Path) -> None:
    sources = from_paths(write(tmp_path, patients__csv=PATIENTS, pickups__csv=PICKUPS))
    mapping = parse_mapping(MAPPING)
    whole = list(GenericCsv().read(sources, mapping))
    for at, reading in enumerate(whole, start=1):
        rest = list(GenericCsv().read(sources, mapping, after=Position(reading.file, reading.line)))
        assert [(r.file, r.line) for r in rest] == [(r.file, r.line) for r in whole[at:]]


def test_units_codes_and_constants(tmp_path: Path) -> None:
    mapping = """
data_date: 2024-06-30
files: {t: {name: t.csv}}
facility: {datim_id: {constant: C1}}
records:
  - into: observations
    file: t
    patient: id
    columns:
      obs_datetime: day
      variable_name: {constant: viral_load}
      value_numeric: {column: result, unit: log10, values: {TND: "<1"}}
  - into: dispensations
    file: t
    patient: id
    columns: {date_dispensed: day, days_supplied: {column: months, unit: months}}
"""
    readings = read("id,day,result,months\nP1,2024-01-01,3,2\nP1,2024-02-01,tnd,\n", mapping)
    first, second = (reading.facts for reading in readings)
    assert (first[0].value_numeric, first[0].value_text) == (1000.0, None)  # type: ignore[attr-defined]
    assert (second[0].value_numeric, second[0].value_text) == (10.0, "<")  # type: ignore[attr-defined]
    assert isinstance(first[1], DispensationFact)
    assert first[1].days_supplied == 60


def test_the_data_date_is_read_where_the_mapping_says() -> None:
    files = [source("t.csv", b"id,name,start\n"), source("ends.csv", b"programme,last\nA,2015-06-08\nB,2015-06-21\n")]
    base = SIMPLE.replace("{t: {name: t.csv}}", "{t: {name: t.csv}, ends: {name: ends.csv}}")
    one = base.replace("2024-06-30", "{file: ends, column: last, where: {programme: A}}")
    assert GenericCsv().data_date(files, parse_mapping(one)) == date(2015, 6, 8)
    latest = base.replace("2024-06-30", "{file: ends, column: last, latest: true}")
    assert GenericCsv().data_date(files, parse_mapping(latest)) == date(2015, 6, 21)
    several = base.replace("2024-06-30", "{file: ends, column: last}")
    with pytest.raises(Invalid, match="several rows give different dates"):
        GenericCsv().data_date(files, parse_mapping(several))


def test_a_constant_that_does_not_fit_its_field_is_rejected() -> None:
    with pytest.raises(Invalid, match="the constant 'X': an unknown code"):
        read("id,name,start\nP1,Aaa,2020-01-01\n", SIMPLE.replace("given_name: name", "sex: {constant: X}"))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"needs a file named pickups.csv .*the files given are: patients.csv"):
        list(GenericCsv().read(from_paths(write(tmp_path, patients__csv=PATIENTS)), parse_mapping(MAPPING)))


def test_formats_are_detected_and_others_rejected() -> None:
    assert detect([source("t.csv", b"id,name\n")]).name == "csv"
    with pytest.raises(Invalid, match="not recognised"):
        detect([source("t.json", b'{"id": 1, "name": 2}')])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(st.text(max_size=40), st.sampled_from(PATIENTS.splitlines()[1:])), max_size=12),
    st.binary(max_size=60),
)
def test_any_damage_gives_readings_or_an_error_with_a_remedy(lines: list[str], tail: bytes) -> None:
    header = PATIENTS.splitlines()[0]
    mapping = parse_mapping(
        MAPPING.split("  - into: dispensations", maxsplit=1)[0].replace("  pickups: {name: pickups.csv}\n", "")
    )
    data = "\n".join([header, *lines]).encode("utf-8", "surrogatepass") + b"\n" + tail
    try:
        readings = list(GenericCsv().read([source("patients.csv", data)], mapping))
    except Invalid as rejected:
        explained(rejected)
        return
    numbers = [reading.line for reading in readings]
    assert numbers == sorted(set(numbers))
    assert all(reading.facts or reading.rejections for reading in readings)


def test_a_workbook_named_csv_is_not_read_as_text() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(Invalid, match="workbook or archive"):
        read(buffer.getvalue())


@pytest.mark.parametrize("closed_later", [False, True])
def test_a_quotation_mark_that_never_closes_loses_no_line_silently(closed_later):
    good = "".join(f"P{n},Aaa,2020-01-01\n" for n in range(3, 300))
    end = 'P300,B"bb,2020-01-01\n' if closed_later else ""
    readings = read(f'id,name,start\nP1,Aaa,2020-01-01\nP2,"Aaa,2020-01-01\n{good}{end}')
    assert [reading.line for reading in readings] == list(range(2, 2 + len(readings)))
    assert len(readings) == 1 + 1 + 297 + closed_later
    assert not readings[0].rejections
    assert all(reading.rejections for reading in readings[1:MAX_LINES])
