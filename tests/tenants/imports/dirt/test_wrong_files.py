"""The import rejects a file that is no table, cut off or far too large, and says what it is and what to do."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from core.errors import Invalid
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import detect, formats, reader
from tenants.imports.reading.sources import Source, from_paths
from tests.tenants.imports.formats.corpus import CORPUS

LISTS = ("lamisplus-pharmacy", "radet-lamisplus", "radet-nmrs", "lamisplus-verification", "missed-appointments")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
SPREADSHEET_2003 = b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook/>'


def named(name: str, data: bytes) -> Source:
    return Source(name, lambda: io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("radet.xls", OLE, "an old .xls workbook or one with a password"),
        ("locked.xlsx", OLE, "an old .xls workbook or one with a password"),
        ("radet.csv", b"%PDF-1.7\n%", "a PDF"),
        ("radet.csv", b"\x89PNG\r\n\x1a\n" + bytes(50), "a picture \\(PNG\\)"),
        ("radet.csv", b"\xff\xd8\xff\xe0" + bytes(50), "a picture \\(JPEG\\)"),
        ("radet.xls", b"<html><body><table><tr><td>DatimId</td></tr></table>", "a web page"),
        ("radet.xls", b"\xef\xbb\xbf \r\n<TABLE border=1>", "a web page"),
        ("radet.xls", '<!DOCTYPE html><html lang="en">'.encode("utf-16"), "a web page"),
        ("radet.xls", SPREADSHEET_2003, "an XML spreadsheet of 2003"),
        ("radet.rtf", b"{\\rtf1\\ansi", "a text document"),
        ("dump.db", b"SQLite format 3\x00", "an SQLite database"),
        ("radet.zip", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ("radet.csv", b"", "the file is empty"),
        ("radet.csv", b"\xef\xbb\xbf \r\n\t\n", "the file is empty"),
        ("radet.csv", "\ufeff".encode("utf-16-le"), "the file is empty"),
        ("radet.csv.gz", gzip.compress(b"\n", mtime=0), "the file is empty"),
        ("radet.csv.gz", gzip.compress(b"%PDF-1.7\n", mtime=0), "a PDF"),
        ("radet.csv.gz", gzip.compress(b"DatimId,Patient ID\n" * 9000, mtime=0)[:-20], "cut off before its end"),
    ],
)
@pytest.mark.parametrize("chosen", ["", *LISTS])
def test_a_file_that_is_no_table_is_named_for_what_it_is(chosen: str, name: str, data: bytes, problem: str) -> None:
    source = named(name, data)
    with pytest.raises(Invalid, match=problem) as caught:
        format_reader = reader(chosen) if chosen else detect([source])
        list(format_reader.read([source], parse_mapping("refill: {unit: days}")))
    assert caught.value.remedy


@pytest.mark.parametrize("name", sorted(formats()))
def test_a_file_larger_than_any_may_be_is_rejected_before_it_is_read(tmp_path: Path, name: str) -> None:
    path = CORPUS[name].make(tmp_path)[0]
    with path.open("r+b") as file:
        file.truncate(10 << 30)  # sparse: it takes no disk space
    (source,) = from_paths([path])
    for act in (source.head, source.digest):
        with pytest.raises(Invalid, match=r"10,240 MB, more than the") as caught:
            act()
        assert "split it" in caught.value.remedy


@pytest.mark.parametrize("name", [name for name in LISTS if name != "lamisplus-verification"])
def test_zeros_after_the_rows_end_the_reading_at_once(tmp_path: Path, name: str) -> None:
    path = next(path for path in CORPUS[name].make(tmp_path) if path.suffix == ".csv")
    with path.open("r+b") as file:
        file.truncate(5 << 30)
    with pytest.raises(Invalid, match=r"binary|a line of more than"):
        list(reader(name).read(from_paths([path]), parse_mapping("refill: {unit: days}")))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", [name for name in LISTS if name != "missed-appointments"])
def test_a_truncated_workbook_yields_no_rows(tmp_path: Path, name: str, keep: float) -> None:
    path = next(path for path in CORPUS[name].make(tmp_path) if path.suffix == ".xlsx")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(Invalid, match=r"cut off, damaged or locked|the workbook is damaged"):
        list(reader(name).read(from_paths([path]), parse_mapping("{}")))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_without_its_columns_says_which_are_missing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,name\n1,Aaa\n", encoding="utf-8")
    with pytest.raises(Invalid, match="it has no column") as caught:
        list(reader(name).read(from_paths([path]), parse_mapping("{}")))
    assert "name another format" in caught.value.remedy


@pytest.mark.parametrize("name", ["csv", *(name for name in LISTS if name != "lamisplus-verification")])
def test_headings_without_rows_are_noted(tmp_path: Path, name: str) -> None:
    paths = [path for path in CORPUS[name].make(tmp_path) if path.suffix == ".csv"]
    mapping = parse_mapping(CORPUS[name].mapping or "{}")
    assert reader(name).notes(from_paths(paths), mapping) == []  # type: ignore[attr-defined]
    for path in paths:
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    (note,) = reader(name).notes(from_paths(paths), mapping)  # type: ignore[attr-defined]
    assert note.startswith("nothing was read")
