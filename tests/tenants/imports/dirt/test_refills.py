"""The import notices days under a heading of months, and the reverse, and converts them only as the mapping says."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Invalid
from tenants.imports.facts import DispensationFact, Reading, SnapshotFact
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.formats.radet_nmrs import HEADINGS as NMRS_HEADINGS
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.formats.fixtures_lists import lamisplus_row, nmrs_row, write_csv

REFILL = "Months of ARV Refill"


def lamisplus(folder: Path, refills: list[object], mapping: str = "{}") -> list[Reading]:
    list_rows = [lamisplus_row(number, **{REFILL: refill}) for number, refill in enumerate(refills, start=1)]
    path = write_csv(folder / "radet.csv", HEADINGS, list_rows)
    return list(reader("radet-lamisplus").read(from_paths([path]), parse_mapping(mapping)))


def supplies(readings: list[Reading]) -> list[int | None]:
    return [fact.days_supplied for item in readings for fact in item.facts if isinstance(fact, DispensationFact)]


def test_months_are_thirty_days_each(tmp_path: Path) -> None:
    assert supplies(lamisplus(tmp_path, [1, "3", "6.0", 0.5, "", 12])) == [30, 90, 180, 15, None, 360]


def test_packs_of_four_weeks_that_lamisplus_rounds_to_a_decimal_keep_their_days(tmp_path: Path) -> None:
    rounded = [round(28 * packs / 30, 1) for packs in range(1, 13)]
    assert supplies(lamisplus(tmp_path, [*rounded, 1.5, 2, 0.9333])) == [*(28 * n for n in range(1, 13)), 45, 60, 28]


@pytest.mark.parametrize("refills", [[30, 60, 90, 180], [90, 90, 90, 3], ["30", "28", "", "84"]])
def test_a_column_of_months_that_holds_days_is_rejected_until_the_mapping_says_so(
    tmp_path: Path, refills: list[object]
) -> None:
    with pytest.raises(Invalid, match="'Months of ARV Refill' seems to hold days, not months") as caught:
        lamisplus(tmp_path, refills)
    assert "refill: {unit: days}" in caught.value.remedy
    days = supplies(lamisplus(tmp_path, refills, "refill: {unit: days}"))
    assert days == [int(str(refill)) if refill else None for refill in refills]


def test_a_few_days_among_months_reject_that_supply_and_not_the_pick_up(tmp_path: Path) -> None:
    readings = lamisplus(tmp_path, [3, 3, 90, 6, 1])
    wrong = readings[2]
    assert [(bad.field, bad.problem) for bad in wrong.omissions] == [
        (REFILL, "more than 12 months of refill: probably days")
    ]
    assert supplies(readings) == [90, 90, None, 180, 30]
    assert [fact.days_supplied for fact in wrong.facts if isinstance(fact, SnapshotFact)] == [None]


@pytest.mark.parametrize("refills", [[3, 6, 3], [1], [12, 12]])
def test_a_column_of_days_that_holds_months_is_rejected_until_the_mapping_says_so(
    tmp_path: Path, refills: list[int]
) -> None:
    path = write_csv(
        tmp_path / "radet.csv", NMRS_HEADINGS, [nmrs_row(n, DaysOfARVRefil=refill) for n, refill in enumerate(refills)]
    )
    radet = reader("radet-nmrs")
    with pytest.raises(Invalid, match="'DaysOfARVRefil' seems to hold months, not days"):
        list(radet.read(from_paths([path]), parse_mapping("{}")))
    readings = list(radet.read(from_paths([path]), parse_mapping("refill: {unit: months}")))
    assert supplies(readings) == [refill * 30 for refill in refills]


def test_days_of_every_length_are_days(tmp_path: Path) -> None:
    list_rows = [nmrs_row(number, DaysOfARVRefil=days) for number, days in enumerate([7, 30, 84, 180])]
    path = write_csv(tmp_path / "radet.csv", NMRS_HEADINGS, list_rows)
    assert supplies(list(reader("radet-nmrs").read(from_paths([path]), parse_mapping("{}")))) == [7, 30, 84, 180]
