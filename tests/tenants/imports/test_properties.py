"""Rows with any damage: no crash, no partial import, each rejected row in the report, accepted + rejected = read."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports import repository
from tenants.imports.reading.no_records import _is_number

from .conftest import MAPPING, RunImport, rows, write

CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            "P1",
            "P2",
            "P3",
            "NA",
            "2023-01-10",
            "10-Jan-2023",
            "2023-13-01",
            "1899-12-31",
            "2999-01-01",
            "30",
            "-5",
            "1e9",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
)
GOOD = st.builds(
    lambda person, day, supply: [f"P{person}", day.isoformat(), str(supply), "TDF/3TC/DTG", ""],
    st.integers(1, 4),
    st.dates(date(2022, 1, 1), date(2024, 6, 30)),
    st.sampled_from([30, 60, 90]),
)
ROW = st.one_of(GOOD, GOOD, st.lists(CELLS, min_size=5, max_size=5), st.lists(CELLS, max_size=7))
PEOPLE = "id,clinic,clinic_name,name,phone,sex,born,art_start,died_on\n" + "".join(
    f"P{n},C{n % 2},Clinic,Name,,F,1990-01-01,2022-01-01,\n" for n in (1, 2, 3)
)


def explained(rejected: Invalid) -> None:
    """Assert that the rejection of a whole file says what to do."""
    assert rejected.remedy


def quoted(cells: list[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def _is_sum(cells: list[str]) -> bool:
    """Whether a row names nobody and has numbers alone: it counts the others, and is no row."""
    return not cells[0] and all(map(_is_number, filter(None, cells)))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(ROW, max_size=25))
def test_accepted_and_rejected_rows_add_up_to_the_rows_read(
    module_tenant: TenantRef, run_import: RunImport, damaged: list[list[str]]
) -> None:
    text = "\n".join(["id,day,days,regimen,next", *(quoted(cells) for cells in damaged)]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder), patients__csv=PEOPLE, pickups__csv=text)
        with tenant_session(module_tenant, actor="test:1") as session:
            before = rows(session, "SELECT count(*) FROM dispensations")[0][0]
        try:
            summary = run_import(module_tenant, paths, MAPPING)
        except Invalid as rejected:
            explained(rejected)
            return
    given_rows = sum(any(cells) and not _is_sum(cells) for cells in damaged) + 3
    with tenant_session(module_tenant, actor="test:1") as session:
        reported = {(file, line) for file, line, *_ in repository.rejections(session, summary.id)}
        after = rows(session, "SELECT count(*) FROM dispensations")[0][0]
        assert rows(session, "SELECT count(*) FROM import_staging") == [(0,)]
    assert summary.rows_read == given_rows
    assert summary.rows_rejected + summary.rows_in_part == len(reported)
    assert summary.rows_accepted + summary.rows_rejected + summary.rows_waiting == summary.rows_read
    counts = summary.counts.get("dispensations", {})
    assert sum(counts.values()) == summary.rows_accepted - summary.rows_repeated - 3
    # Of two imports of one day, the digest decides: the loser may add an earlier version, so one row more or none.
    earlier = after - before - counts.get("inserted", 0) - counts.get("updated", 0)
    assert 0 <= earlier <= counts.get("superseded", 0)
