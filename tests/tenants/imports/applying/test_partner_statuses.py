"""A status from a partner's list stands until a newer list or contact contradicts it, in any order of lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from core.database import TenantRef, tenant_session
from core.privacy import vault
from tenants.cohort import service
from tenants.cohort.calendar import period_of
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, pharmacy_row, write_csv

JUNE, SEPTEMBER, OCTOBER, DECEMBER = date(2024, 6, 30), date(2024, 9, 30), date(2024, 10, 31), date(2024, 12, 31)
PICKUP, REFILL = "Last Pickup Date (yyyy-mm-dd)", "Months of ARV Refill"
STATUS, SINCE, START = "Current ART Status", "Date of Current ART Status", "ART Start Date (yyyy-mm-dd)"

either_order = pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])


def radet(day: date, *people: Mapping[str, object]) -> tuple[date, list[str], list[dict[str, object]]]:
    """A RADET of a day, given the cells of each person that differ from the fixture's."""
    return day, list(HEADINGS), [lamisplus_row(n, **{SINCE: None, **cells}) for n, cells in enumerate(people, 1)]


def bring(tenant: TenantRef, run_import: RunImport, folder: Path, *lists: Any, newest_first: bool) -> None:
    for number, (day, headings, list_rows) in enumerate(reversed(lists) if newest_first else lists):
        path = write_csv(folder / f"{number}.csv", headings, list_rows)
        mapping = "refill: {unit: days}" if headings == list(PHARMACY) else "{}"
        assert run_import(tenant, [path], mapping, data_date=day).state == "done"


def statuses(tenant: TenantRef, person: int, *days: date) -> list[str]:
    """The status of a person on some days, as known now."""
    with tenant_session(tenant, actor="test:1") as session:
        index = vault(session).blind_index("pepfar_id", f"NG-{person:04d}")
        moves = rows(
            session,
            "SELECT t.to_status, t.date FROM status_transitions AS t JOIN patients AS p ON p.uuid = t.patient_uuid"
            " WHERE p.known_to IS NULL AND p.pepfar_id_bidx = %s ORDER BY t.seq DESC",
            index,
        )
    return [next((status for status, since in moves if since <= day), "none") for day in days]


def counted(tenant: TenantRef, period: str) -> dict[str, int]:
    with tenant_session(tenant, actor="test:1") as session:
        ((_, row),) = service.indicator_report(session, period_of(period), ()).rows
    return {name: count for name, count in row.items() if count and not name.startswith("TX_PVLS")}


@either_order
def test_a_newer_list_supersedes_an_invalid_record_or_a_death(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, newest_first: bool
) -> None:
    pickups, days = ("2024-03-20", "31/03/2024", None), ("2024-06-01", None)
    cases = list(product(("Invalid - Duplicates", "Died"), days, pickups, ("2024-08-20", "31/09/2024")))
    wrong = radet(JUNE, *[{PICKUP: pickup, STATUS: word, SINCE: since} for word, since, pickup, _ in cases])
    right = radet(SEPTEMBER, *[{PICKUP: later, SINCE: "2024-08-20"} for *_, later in cases])
    bring(tenant, run_import, tmp_path, wrong, right, newest_first=newest_first)
    statuses_by_case = {case: statuses(tenant, number, SEPTEMBER) for number, case in enumerate(cases, 1)}
    assert statuses_by_case == {case: ["active"] for case in cases}


@either_order
def test_an_invalid_record_that_the_newest_list_has_as_invalid_stays_so(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, newest_first: bool
) -> None:
    wrong = {PICKUP: "2024-03-20", STATUS: "Invalid - Duplicates", SINCE: "2024-06-01"}
    lists = [radet(JUNE, wrong), radet(SEPTEMBER, wrong)]
    bring(tenant, run_import, tmp_path, *lists, newest_first=newest_first)
    assert statuses(tenant, 1, SEPTEMBER, DECEMBER) == ["invalid", "invalid"]


@either_order
@pytest.mark.parametrize("kind", ["pharmacy", "radet"])
def test_a_later_pick_up_leaves_the_partners_status_of_a_past_quarter(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, kind: str, *, newest_first: bool
) -> None:
    cases = list(product(("Active", "IIT"), (None, "31/09/2024"), ("2020-01-10", None)))
    first = radet(SEPTEMBER, *[{STATUS: word, PICKUP: cell, START: start} for word, cell, start in cases])
    then = (OCTOBER, list(PHARMACY), [pharmacy_row(number, "2024-10-11") for number, _ in enumerate(cases, 1)])
    if kind == "radet":
        then = radet(OCTOBER, *[{PICKUP: "2024-10-11", START: start} for *_, start in cases])
    bring(tenant, run_import, tmp_path, first, then, newest_first=newest_first)
    statuses_by_case = {case: statuses(tenant, number, SEPTEMBER, OCTOBER) for number, case in enumerate(cases, 1)}
    assert statuses_by_case == {case: [case[0].lower(), "active"] for case in cases}
    assert counted(tenant, "2024Q3")["TX_CURR"] == 4
    october = counted(tenant, "2024-10")
    assert (october["TX_CURR_start"], october["TX_CURR"], october["TX_RTT"]) == (4, 8, 4)
    assert "first_seen" not in october


@either_order
def test_a_corrected_cell_replaces_the_partners_status(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, newest_first: bool
) -> None:
    lists = [radet(SEPTEMBER, {PICKUP: None}), radet(OCTOBER, {PICKUP: "2024-05-01", STATUS: "IIT"})]
    bring(tenant, run_import, tmp_path, *lists, newest_first=newest_first)
    assert statuses(tenant, 1, date(2024, 7, 31), SEPTEMBER) == ["active", "iit"]


@either_order
def test_without_a_refill_the_partners_active_decides_until_the_next_contact(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, newest_first: bool
) -> None:
    cases = list(product((None, "0", "3 months"), ("Active", "IIT")))
    refills = [{PICKUP: "2024-06-01", REFILL: refill, STATUS: word} for refill, word in cases]
    regular = [{PICKUP: "2024-09-01", REFILL: 3}] * 20  # by which the list's unit is recognised
    lists = [radet(JUNE, *[{PICKUP: "2024-03-01"}] * 6), radet(SEPTEMBER, *refills, *regular)]
    bring(tenant, run_import, tmp_path, *lists, newest_first=newest_first)
    on = [SEPTEMBER, SEPTEMBER + timedelta(28), SEPTEMBER + timedelta(29)]
    statuses_by_case = {case: statuses(tenant, number, *on) for number, case in enumerate(cases, 1)}
    expected = {"Active": ["active", "active", "unknown"], "IIT": ["iit", "iit", "iit"]}
    assert statuses_by_case == {case: expected[case[1]] for case in cases}
