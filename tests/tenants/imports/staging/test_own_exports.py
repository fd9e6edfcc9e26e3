"""The import rejects a list that this installation exported itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import RunImport, everything, rows
from tests.tenants.imports.formats.fixtures_lists import lamisplus_row, write_csv

JUNE = date(2024, 6, 30)


def test_a_radet_with_identifiers_of_the_platform_is_rejected_and_duplicates_nobody(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    radet = write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(1), lamisplus_row(2)])
    run_import(tenant, [radet], "{}", data_date=JUNE)
    before = everything(tenant)
    with tenant_session(tenant, actor="test:1") as session:
        uuids = [str(row[0]) for row in rows(session, "SELECT uuid FROM patients ORDER BY uuid")]
    exported = [lamisplus_row(number, **{"Patient ID": uuid}) for number, uuid in enumerate(uuids, start=1)]
    radet = write_csv(tmp_path / "exported.csv", HEADINGS, exported)
    with pytest.raises(Invalid, match="one of its own exports") as caught:
        run_import(tenant, [radet], "{}", data_date=date(2024, 7, 31))
    assert [error.field for error in caught.value.errors] == ["Patient ID"]
    assert everything(tenant) == before


def test_identifiers_that_are_uuids_of_the_partner_are_people(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    theirs = "0b6f0c1e-8d2f-4a57-9a53-3f1d0c8f2a11"
    path = write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(1, **{"Patient ID": theirs})])
    for data_date in (JUNE, date(2024, 7, 31)):
        assert run_import(tenant, [path], "{}", data_date=data_date).rows_accepted == 1
