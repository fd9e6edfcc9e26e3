"""A list of which no person is known, though its source has many on record: lost leading zeros, or new people."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.cli.main import run as iit
from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, everything, rows
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, pharmacy_row, write_csv

JUNE = date(2024, 6, 30)


def listed(folder: Path, *identifiers: str, day: str = "2024-04-10") -> list[Path]:
    """A pharmacy list of one clinic, with a pick-up of each person."""
    list_rows = [pharmacy_row(1, day, **{"Patient Id": one, "Hospital Num": None}) for one in identifiers]
    return [write_csv(folder / "list.csv", PHARMACY, list_rows)]


def padded(people: int) -> list[str]:
    return [f"{number:05d}" for number in range(1, people + 1)]


def test_a_list_that_lost_its_leading_zeros_changes_nothing_and_says_so(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    run_import(tenant, listed(tmp_path, *padded(20)), "{}", data_date=JUNE)
    before = everything(tenant)
    lost = listed(tmp_path, *(one.lstrip("0") for one in padded(5)), day="2024-06-01")
    with pytest.raises(Invalid) as failed:
        run_import(tenant, lost, "{}", data_date=JUNE)
    assert failed.value.detail == (
        "none of the 5 people of facility abc123 in this list is known, though 20 people of this source are there:"
        " leading zeros may be lost, or the identifiers are of another kind"
    )
    assert "(new_people)" in str(failed.value.remedy)
    assert everything(tenant) == before
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT state FROM imports ORDER BY created_at") == [("done",), ("failed",)]
        assert rows(session, "SELECT count(*) FROM import_staging") == [(0,)]
    assert iit(["import", tenant.slug, str(lost[0]), "--data-date", "2024-06-30", "--new-people"]) == 0
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM patients WHERE known_to IS NULL") == [(25,)]


@pytest.mark.parametrize(("there", "named"), [(19, 5), (20, 4)])
def test_a_note_replaces_the_rejection_where_few_people_are_on_record_or_listed(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, there: int, named: int
) -> None:
    run_import(tenant, listed(tmp_path, *padded(there)), "{}", data_date=JUNE)
    lost = [one.lstrip("0") for one in padded(named)]
    summary = run_import(tenant, listed(tmp_path, *lost), "{}", data_date=JUNE)
    assert summary.counts["patients"]["inserted"] == named
    assert (
        f"none of the {named} people of facility abc123 in this list is known, though {there} people of this source"
        " are there: see that the identifiers are right"
    ) in summary.notes


@pytest.mark.parametrize("radet", [False, True])
def test_a_list_without_the_zeros_of_many_is_held_though_others_match(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, radet: bool
) -> None:
    def with_identifiers(*identifiers: str) -> list[Path]:
        if not radet:
            return listed(tmp_path, *identifiers)
        list_rows = [lamisplus_row(number, **{"Patient ID": one}) for number, one in enumerate(identifiers)]
        return [write_csv(tmp_path / "radet.csv", HEADINGS, list_rows)]

    run_import(tenant, with_identifiers(*padded(25), "A900"), "{}", data_date=JUNE)
    before = everything(tenant)
    with pytest.raises(Invalid, match="25 people of facility abc123 in this list would be known if their identifiers"):
        run_import(tenant, with_identifiers(*(one.lstrip("0") for one in padded(25)), "A900"), "{}", data_date=JUNE)
    assert everything(tenant) == before


def test_numbers_beside_the_same_ones_with_zeros_are_other_people(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    run_import(tenant, listed(tmp_path, *padded(25)), "{}", data_date=JUNE)
    both = [*padded(25), *(one.lstrip("0") for one in padded(10)), *map(str, range(700, 720))]
    summary = run_import(tenant, listed(tmp_path, *both, day="2024-06-01"), "{}", data_date=JUNE)
    assert summary.counts["patients"]["inserted"] == 30


def test_one_known_person_is_enough(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    run_import(tenant, listed(tmp_path, *padded(20)), "{}", data_date=JUNE)
    mixed = [padded(1)[0], *(f"new-{number}" for number in range(9))]
    summary = run_import(tenant, listed(tmp_path, *mixed, day="2024-06-01"), "{}", data_date=JUNE)
    assert (summary.rows_rejected, summary.counts["patients"]["inserted"]) == (0, 9)
    assert not [note for note in summary.notes if "is known" in note]
