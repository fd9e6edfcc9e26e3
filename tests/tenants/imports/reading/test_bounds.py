"""A small file cannot make its reader take much memory: a process with little memory rejects it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MEMORY = 900 << 20
"""Bytes of address space: Python with all its libraries takes half of them before it opens a file."""
_READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
from core.errors import Invalid
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
count = rejected = 0
try:
    for reading in reader(sys.argv[1]).read(from_paths([Path(sys.argv[2])]), parse_mapping(sys.argv[3])):
        count += 1
        rejected += bool(reading.rejections)
except Invalid as error:
    print("rejected:", error.detail)
else:
    print("read:", count, "rejected:", rejected)
"""
GENERIC = """
data_date: 2024-06-30
files: {t: {name: '*'}}
facility: {datim_id: {constant: C1}}
records: [{into: patients, file: t, patient: id, columns: {given_name: name}}]
"""
_MAIN = b"<workbook><sheets><sheet name='a' sheetId='1' r:id='r1' xmlns:r='urn:r'/></sheets></workbook>"
_RELATIONS = (
    b"<Relationships><Relationship Id='r1' Type='t/worksheet' Target='worksheets/sheet1.xml'/>"
    b"<Relationship Id='r2' Type='t/sharedStrings' Target='texts.xml'/>"
    b"<Relationship Id='r3' Type='t/styles' Target='styles.xml'/></Relationships>"
)
_ROW = (
    b"<row r='1'><c r='A1' t='inlineStr'><is><t>id</t></is></c><c r='B1' t='inlineStr'><is><t>name</t></is></c></row>"
)


def pieces(one: bytes, count: int) -> Iterator[bytes]:
    """Repeat these bytes, a megabyte at a time."""
    block = max(1, (1 << 20) // len(one))
    while count > 0:
        yield one * min(block, count)
        count -= block


def book(
    path: Path, sheet: Iterator[bytes], texts: Iterator[bytes] | None = None, styles: Iterator[bytes] | None = None
) -> Path:
    """A workbook with these parts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (
            ("[Content_Types].xml", b"<Types/>"),
            ("xl/workbook.xml", _MAIN),
            ("xl/_rels/workbook.xml.rels", _RELATIONS),
        ):
            archive.writestr(name, data)
        for name, parts in (
            ("xl/worksheets/sheet1.xml", sheet),
            ("xl/texts.xml", texts or iter((b"<sst/>",))),
            ("xl/styles.xml", styles or iter((b"<styleSheet/>",))),
        ):
            with archive.open(name, "w") as part:
                for piece in parts:
                    part.write(piece)
    return path


def around(begin: bytes, middle: Iterator[bytes], end: bytes) -> Iterator[bytes]:
    yield begin
    yield from middle
    yield end


def cells_in_one_row(path: Path) -> Path:
    return book(
        path, around(b"<worksheet><sheetData><row>", pieces(b"<c/>", 15_000_000), b"</row></sheetData></worksheet>")
    )


def one_endless_text(path: Path) -> Path:
    start = b"<worksheet><sheetData><row><c t='inlineStr'><is><t>"
    return book(path, around(start, pieces(b"a", 60 << 20), b"</t></is></c></row></sheetData></worksheet>"))


def shared_texts_by_another_name(path: Path) -> Path:
    sheet = around(
        b"<worksheet><sheetData>" + _ROW,
        iter((b"<row r='2'><c r='A2' t='s'><v>0</v></c></row>",)),
        b"</sheetData></worksheet>",
    )
    return book(path, sheet, around(b"<sst>", pieces(b"<si/>", 12_000_000), b"</sst>"))


def endless_styles(path: Path) -> Path:
    sheet = around(b"<worksheet><sheetData>" + _ROW, iter(()), b"</sheetData></worksheet>")
    return book(
        path, sheet, styles=around(b"<styleSheet><cellXfs>", pieces(b"<xf/>", 10_000_000), b"</cellXfs></styleSheet>")
    )


def what_stands_before_the_rows(path: Path) -> Path:
    return book(
        path, around(b"<worksheet><cols>", pieces(b"<col><x/></col>", 4_000_000), b"</cols><sheetData/></worksheet>")
    )


def entities_under_another_name(path: Path) -> Path:
    declared = b"<!DOCTYPE w [<!ENTITY a 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'>]>"
    return book(path, around(declared + b"<worksheet><sheetData>" + _ROW, iter(()), b"</sheetData></worksheet>"))


def a_row_without_end(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(b'id,name\n"')
        for piece in pieces(b'a\n","', 300_000):
            file.write(piece)
    return path


def lines_of_a_megabyte(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(b"id,name\n")
        for _ in range(80):  # as lists of fields they would take 640 MB
            file.write(b"P1," + b"," * 1_000_000 + b"\n")
    return path


def brackets(path: Path) -> Path:
    path.write_bytes(b'{"messageHeader":{},"messageData":{"demographics":{"a":[' + b"[]," * 10_000_000 + b"[]]}}}")
    return path


def elements_of_xml(path: Path) -> Path:
    path.write_bytes(b"<Container><IndividualReport>" + b"<a><b/></a>" * 2_900_000 + b"</IndividualReport></Container>")
    return path


def a_bundle_of_one_text(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(b'{"resourceType":"Bundle",\n"entry":[{"resource":{"resourceType":"Patient","id":"')
        for piece in pieces(b"a", 400 << 20):
            file.write(piece)
        file.write(b'"}}]}')
    return path


@pytest.mark.parametrize(
    ("name", "make", "file", "message"),
    [
        ("csv", cells_in_one_row, "t.xlsx", "takes more than 4 MB"),
        ("csv", one_endless_text, "t.xlsx", "takes more than 4 MB"),
        ("csv", shared_texts_by_another_name, "t.xlsx", "different texts"),
        ("csv", endless_styles, "t.xlsx", "expands to over"),
        ("csv", what_stands_before_the_rows, "t.xlsx", "takes more than 4 MB"),
        ("csv", entities_under_another_name, "t.xlsx", "declares XML entities"),
        ("csv", a_row_without_end, "t.csv", "rejected: "),
        ("csv", lines_of_a_megabyte, "t.csv", "read: 80"),
        ("nmrs-json", brackets, "t.json", "rejected: 1"),
        ("ndr-xml", elements_of_xml, "t.xml", "rejected: 1"),
        ("fhir-r4", a_bundle_of_one_text, "t.json", "takes more than 8 MB"),
    ],
)
def test_no_element_of_a_file_takes_more_memory_than_its_bound(
    tmp_path: Path, name: str, make: Callable[[Path], Path], file: str, message: str
) -> None:
    path = make(tmp_path / file)
    command = [sys.executable, "-c", _READ.format(memory=MEMORY), name, str(path), GENERIC if name == "csv" else "{}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    assert message in done.stdout
