"""A list that names clinics without their DATIM ids: the name decides for a person who is known at several clinics."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import VERIFICATION, lamisplus_row, verification_row, write_csv

JUNE = date(2024, 6, 30)
SEVERAL = "patients of several facilities have this identifier"
WHERE = """
SELECT f.datim_id FROM encounters AS e JOIN facilities AS f ON f.uuid = e.facility_uuid WHERE e.known_to IS NULL
"""


def radet(folder: Path, *clinics: tuple[str, str]) -> list[Path]:
    """A RADET with the same person at each clinic (DATIM id, name)."""
    people = [lamisplus_row(1, **{"DatimId": code, "Facility Name": name}) for code, name in clinics]
    return [write_csv(folder / "radet.csv", HEADINGS, people)]


def verified(folder: Path, name: str) -> list[Path]:
    """A verification list with a row of that person, at a clinic given only by name."""
    return [write_csv(folder / "verified.csv", VERIFICATION, [verification_row(1, **{"Facility Name": name})])]


def places(tenant: TenantRef) -> list[str]:
    with tenant_session(tenant, actor="test:1") as session:
        return [place for (place,) in rows(session, WHERE)]


@pytest.mark.parametrize("name", ["Clinic two", "CLINIC  TWO", "clinic-two."])
def test_a_row_belongs_to_the_clinic_that_it_names(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, name: str
) -> None:
    run_import(tenant, radet(tmp_path, ("abc123", "Clinic one"), ("xyz789", "Clinic two")), "{}", data_date=JUNE)
    summary = run_import(tenant, verified(tmp_path, name), "{}", data_date=JUNE)
    assert (summary.rows_rejected, summary.problems) == (0, [])
    assert places(tenant) == ["xyz789"]


@pytest.mark.parametrize(
    ("second", "name"), [("Clinic one", "Clinic one"), ("Clinic two", "Clinic three"), ("Clinic two", "")]
)
def test_a_name_of_no_clinic_or_of_several_decides_nothing(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, second: str, name: str
) -> None:
    run_import(tenant, radet(tmp_path, ("abc123", "Clinic one"), ("xyz789", "Elsewhere")), "{}", data_date=JUNE)
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("UPDATE facilities SET name = %s WHERE datim_id = 'xyz789'", (second,))
    summary = run_import(tenant, verified(tmp_path, name), "{}", data_date=JUNE)
    assert [(entry["problem"], entry["rows"]) for entry in summary.waiting] == [(SEVERAL, 1)]
    assert places(tenant) == []


def test_a_name_moves_nobody_to_a_clinic_where_they_are_not_known(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    run_import(tenant, radet(tmp_path, ("abc123", "Clinic one")), "{}", data_date=JUNE)
    other = [
        write_csv(
            tmp_path / "other.csv", HEADINGS, [lamisplus_row(2, **{"DatimId": "xyz789", "Facility Name": "Clinic two"})]
        )
    ]
    run_import(tenant, other, "{}", data_date=JUNE)
    assert run_import(tenant, verified(tmp_path, "Clinic two"), "{}", data_date=JUNE).rows_rejected == 0
    assert places(tenant) == ["abc123"]
