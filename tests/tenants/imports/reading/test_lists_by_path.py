"""A list reader stages and rejects rows alike, whether it reads many together or each by itself."""

from __future__ import annotations

import csv
from datetime import date, datetime, time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from openpyxl import Workbook

from core.database import TenantRef, tenant_session
from core.privacy import vault
from tenants.imports.facts import FacilityFact
from tenants.imports.formats.listing import ListReader
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.blocks import PortionLimits, chunks
from tenants.imports.reading.reader import Position, formats, reader
from tenants.imports.reading.reader_process import Portions
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.reading.staged_rows import facilities, have_facilities, staged, without_facilities

DATA_DATE = date(2024, 6, 30)
LISTS = [name for name, each in formats().items() if isinstance(each, ListReader)]
ROWS = 80
MAPPING = "{data_date: 2024-06-30, time_zone: Africa/Lagos, dates: day-first, facility: {datim_id: {constant: C1}}}"


def stored(year: int, month: int, day: int) -> datetime:
    """The number that a workbook stores for a day."""
    return datetime.combine(date(year, month, day), time(0))


DAYS: list[object] = [
    stored(2024, 1, 5), stored(2023, 11, 30), "2024-03-04", "04/03/2024", "31/12/2023", "12/31/2023", "2999-01-01",
    "1900-01-01", "never", 45292, 45292.0, True, 1, 1.0, "1", "", None, "\u00a02024-03-04\u200b",
]  # fmt: skip
"""Cells of dates: valid ones, and ones that are equal in Python but mean different things."""
IDENTIFIERS: list[object] = [
    "P1", "P2", "P3", " P1 ", "IP/01/0002", 7, 7.0, "7", True, 1, 1.0, "1.0", 1234567890123456, 1.5e16, "1.23E+11",
    "2024-03-04", stored(2024, 3, 4), "", None, "a\u200bb", "half \x01", "x" * 1200,
]  # fmt: skip
WORDS: list[object] = [
    "Active", "IIT", "Died", "Transferred Out", "F", "Male", "female", "TDF/3TC/DTG", "Isoniazid 300mg", "1st Line",
    "Returned", "<20", "TND", "1,000", "0", 0, -0.0, 30, 30.0, "90", "3", 1, True, 1.0, "2,8", "", None, "y" * 2100,
]  # fmt: skip


def cells_of(layout: Any, random: Random) -> dict[str, object]:
    """A mostly valid row, with cells of every kind among them."""
    row: dict[str, object] = {}
    for heading, name in layout.columns.items():
        if name in layout.dates:
            row[heading] = random.choice(DAYS) if random.random() < 0.3 else stored(2024, 1, random.randint(1, 28))
        elif name in ("datim_id", "patient_id"):
            row[heading] = random.choice(IDENTIFIERS) if random.random() < 0.15 else f"C{random.randint(1, 3)}"
        elif name == "refill":
            row[heading] = random.choice(WORDS) if random.random() < 0.2 else random.choice((30, 90, "60"))
        else:
            row[heading] = random.choice([*WORDS, *IDENTIFIERS])
    return row


def written(path: Path, layout: Any) -> Path:
    """A list of many rows, as a workbook or as CSV, with a total and repeated headings among them."""
    random = Random(path.name)  # noqa: S311 - simulated rows
    headings = list(layout.columns)
    rows = [[cells_of(layout, random)[name] for name in headings] for _ in range(ROWS)]
    rows[10:10] = [list(headings), ["Total", *[None] * (len(headings) - 1)]]
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([headings, *rows])
        return path
    book = Workbook()
    sheet: Any = book.active
    for row in [headings, *rows]:
        sheet.append([cell.replace("\x01", "") if isinstance(cell, str) else cell for cell in row])
    book.save(path)
    return path


def mapping_of(name: str) -> Mapping:
    """The mapping that decides how to read the list's dates and refills."""
    chosen = reader(name)
    refill = isinstance(chosen, ListReader) and chosen.refill is not None
    return parse_mapping(MAPPING[:-1] + (", refill: {unit: days}}" if refill else "}"))


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("name", LISTS)
def test_rows_of_a_list_are_staged_alike_among_many_and_each_by_itself(
    module_tenant: TenantRef, tmp_path: Path, name: str, suffix: str
) -> None:
    chosen, mapping = reader(name), mapping_of(name)
    assert isinstance(chosen, ListReader)
    sources = from_paths([written(tmp_path / f"{name}.{suffix}", chosen.layout)])
    lines = [reading.line for reading in chosen.read(sources, mapping)]
    alone = [next(chosen.read(sources, mapping, after=Position(0, line - 1))) for line in lines]
    codes = {fact.key for reading in alone for fact in reading.facts if isinstance(fact, FacilityFact)}
    results = []
    for limits in (PortionLimits(1000, 10_000, 1000), None):
        with tenant_session(module_tenant, actor="test:1") as session:
            have_facilities(session, *codes)
            if limits is None:
                blocks = chunks(alone, PortionLimits(1, 1, 1))
            else:
                blocks = Portions(name, sources, mapping, None, DATA_DATE, limits, vault(session).maker).read()
            results.append(staged(session, blocks, DATA_DATE, chosen.source))
            session.rollback()
    together, singly = results
    assert without_facilities(together[0]) == without_facilities(singly[0])
    assert facilities(together[0]) == facilities(singly[0])
    assert together[1] == singly[1]
    assert together[2][:3] == singly[2][:3]
    assert together[0]
    assert together[1]
    assert together[2][2] == 2  # the total and the headings
