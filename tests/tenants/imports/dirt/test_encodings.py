"""Text in the encodings that partners' programs write, for tables by a mapping and for lists."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from core.errors import Invalid
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import detect, reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, pharmacy_row, write_csv

GENERIC = """
source: csv:test
data_date: 2024-06-30
files: {t: {name: t.csv}}
facility: {datim_id: {constant: C1}}
records:
  - {into: patients, file: t, patient: id, columns: {given_name: name}}
"""
NAME = "Ad\u00e9b\u00f3l\u00e1"


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("cp1252", b""),
        ("utf-16", b""),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_a_table_is_read_whatever_its_encoding(tmp_path: Path, encoding: str, mark: bytes, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    text = f"id,name\nP1,{NAME}\nP2,Aaa\n".replace(",", delimiter)
    path.write_bytes(mark + text.encode(encoding))
    first, second = reader("csv").read(from_paths([path]), parse_mapping(GENERIC))
    assert not first.rejections
    assert (first.facts[1].given_name, second.facts[1].given_name) == (NAME, "Aaa")  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_list_is_detected_and_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    row = pharmacy_row(1, "2024-01-10", **{"Facility Name": NAME})
    sources = from_paths([write_csv(tmp_path / "list.csv", PHARMACY, [row], encoding=encoding)])
    assert detect(sources).name == "lamisplus-pharmacy"
    (reading,) = detect(sources).read(sources, parse_mapping("{}"))
    assert reading.facts[0].name == NAME  # type: ignore[attr-defined]


def test_a_character_of_another_encoding_rejects_its_row_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    good = "id,name\n" + f"P1,{NAME}\n" * 8000
    path.write_bytes(good.encode() + b"P2,Ad\xe9\n")
    readings = list(reader("csv").read(from_paths([path]), parse_mapping(GENERIC)))
    assert [reading.line for reading in readings if reading.rejections] == [8002]


def test_utf_16_without_a_byte_order_mark_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f"id,name\nP1,{NAME}\n".encode("utf-16-le"))
    with pytest.raises(Invalid, match="binary, not a table") as caught:
        list(reader("csv").read(from_paths([path]), parse_mapping(GENERIC)))
    assert caught.value.remedy


def test_utf_16_cut_off_within_a_letter_rejects_only_the_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f"id,name\nP1,{NAME}\nP2,Bbb".encode("utf-16")[:-1])
    readings = list(reader("csv").read(from_paths([path]), parse_mapping(GENERIC)))
    assert [bool(reading.rejections) for reading in readings] == [False, True]
