"""No message about a file quotes one of its cells: no rejection, omission, note or failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.conftest import MAPPING
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, nmrs_row, write_csv, write_xlsx

SECRETS = ["Zaynabzz Qqmusa", "0803zz1234567", "zz12-Mar-20zz26", "zzTLDzz\u00a0", "1.2zzE+11", "-zz9"]
NAMES = ("lamisplus-pharmacy", "radet-lamisplus", "radet-nmrs", "lamisplus-verification", "missed-appointments", "csv")


def sentences(name: str, path: Path) -> Iterator[str]:
    """All sentences that result from reading a file."""
    mapping = parse_mapping(MAPPING.replace("patients.csv", path.name) if name == "csv" else "{}")
    format_reader, sources = reader(name), from_paths([path])
    acts = (
        lambda: format_reader.notes(sources, mapping),
        lambda: format_reader.data_date(sources, mapping),
        lambda: list(format_reader.read(sources, mapping)),
    )
    for act in acts:
        try:
            result = act()
        except Invalid as error:
            yield from (error.detail, error.remedy, *(str(each) for each in error.errors))
            continue
        for one in result if isinstance(result, list) else ():
            yield from (
                [one]
                if isinstance(one, str)
                else [f"{bad.field} {bad.problem} {bad.remedy}" for bad in (*one.rejections, *one.omissions)]
            )


def check(name: str, path: Path) -> None:
    assert not [sentence for sentence in sentences(name, path) if "zz" in sentence.casefold()]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_headings_shows_nobody(tmp_path: Path, name: str, ending: str) -> None:
    write = write_csv if ending == ".csv" else write_xlsx
    headings = [*SECRETS, SECRETS[0]]
    check(name, write(tmp_path / f"list{ending}", headings, [dict.fromkeys(headings, "zzcell")]))


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(data=st.data())
def test_no_message_repeats_a_cell(tmp_path: Path, data: st.DataObject, ending: str) -> None:
    write = write_csv if ending == ".csv" else write_xlsx
    rows = {"radet-lamisplus": lamisplus_row(1), "radet-nmrs": nmrs_row(1)}
    name = data.draw(st.sampled_from(["lamisplus-pharmacy", *rows]))
    row = dict(rows.get(name, dict.fromkeys(PHARMACY, "1")))
    for heading in data.draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=6)):
        row[heading] = data.draw(st.sampled_from(SECRETS))
    check(name, write(tmp_path / f"list{ending}", list(row), [row]))
