"""The report counts people whom the previous list names and the newest does not; their records stay as they are."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, pharmacy_row, write_csv

JUNE, SEPTEMBER, DECEMBER = date(2024, 6, 30), date(2024, 9, 30), date(2024, 12, 31)


def radet(folder: Path, people: list[int], code: str = "abc123", **cells: object) -> list[Path]:
    list_rows = [lamisplus_row(person, **{"DatimId": code, "Facility Name": code, **cells}) for person in people]
    return [write_csv(folder / "radet.csv", HEADINGS, list_rows)]


def pharmacy(folder: Path, *pickups: tuple[int, str]) -> list[Path]:
    return [write_csv(folder / "pharmacy.csv", PHARMACY, [pharmacy_row(person, day) for person, day in pickups])]


def absent(notes: list[str]) -> list[str]:
    return [note.split(":")[0] for note in notes if "of the previous list" in note]


def test_people_who_vanish_from_the_next_radet_are_counted_and_stay(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    first = run_import(tenant, radet(tmp_path, [1, 2, 3, 4]), "{}", data_date=JUNE)
    assert absent(first.notes) == []
    second = run_import(tenant, radet(tmp_path, [1, 2]), "{}", data_date=SEPTEMBER)
    assert absent(second.notes) == ["2 people of the previous list (to 2024-06-30) are not in this one"]
    third = run_import(tenant, radet(tmp_path, [1]), "{}", data_date=DECEMBER)
    assert absent(third.notes) == ["1 person of the previous list (to 2024-09-30) is not in this one"]
    with tenant_session(tenant, actor="test:1") as session:
        ((people,),) = rows(session, "SELECT count(*) FROM patients WHERE known_to IS NULL AND NOT voided")
    assert people == 4


def test_a_list_of_another_facility_or_of_some_people_makes_nobody_absent(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    run_import(tenant, radet(tmp_path, [1, 2, 3]), "{}", data_date=JUNE)
    other = run_import(tenant, radet(tmp_path, [7], "xyz789"), "{}", data_date=SEPTEMBER)
    assert absent(other.notes) == []
    some = run_import(tenant, radet(tmp_path, [1]), "coverage: changes", data_date=SEPTEMBER)
    assert absent(some.notes) == []


@pytest.mark.parametrize("cells", [{"Last Pickup Date (yyyy-mm-dd)": "31/06/2024"}, {"Current ART Status": "nonsense"}])
def test_a_row_with_a_rejected_fact_still_names_its_person(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, cells: dict[str, object]
) -> None:
    run_import(tenant, radet(tmp_path, [1]), "{}", data_date=JUNE)
    assert absent(run_import(tenant, radet(tmp_path, [1], **cells), "{}", data_date=SEPTEMBER).notes) == []


def test_a_full_list_of_events_lacks_only_people_who_came_on_its_days(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    earlier = pharmacy(tmp_path, (1, "2024-01-10"), (1, "2024-06-10"), (2, "2024-06-11"), (3, "2024-01-12"))
    run_import(tenant, earlier, "{}", data_date=JUNE)
    later = run_import(tenant, pharmacy(tmp_path, (1, "2024-06-10"), (1, "2024-09-01")), "{}", data_date=SEPTEMBER)
    assert absent(later.notes) == ["1 person of the previous list (to 2024-06-30) is not in this one"]
