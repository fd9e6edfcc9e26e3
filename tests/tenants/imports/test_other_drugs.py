"""An import stores drugs that are no antiretrovirals, and states without a day, as such."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports.mapping import parse_mapping

from .conftest import RunImport, rows, write

OTHER_DRUGS = """
format: csv
source: partner
data_date: 2023-03-31
files: {people: {name: people.csv}, drugs: {name: drugs.csv}}
facility: {datim_id: {constant: C1}}
records:
  - {into: patients, file: people, patient: id, columns: {sex: sex}}
  - into: patient_states
    file: people
    patient: id
    when: {died: {present: true}}
    columns: {state: {constant: died}, start_date: died_on}
  - into: dispensations
    file: drugs
    patient: id
    columns: {date_dispensed: day, days_supplied: days, regimen: drug, antiretroviral: {column: arv}}
"""


def test_other_drugs_and_deaths_without_a_day_are_stored_as_such(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    files = write(
        tmp_path,
        people__csv="id,sex,died,died_on\np1,F,,\np2,M,yes,\np3,M,yes,2023-02-02\n",
        drugs__csv="id,day,days,drug,arv\np1,2023-01-10,90,TLD,\np1,2023-01-10,180,INH,no\n",
    )
    summary = run_import(tenant, files, parse_mapping(OTHER_DRUGS))
    assert (summary.state, summary.rows_rejected) == ("done", 0)
    with tenant_session(tenant, actor="test:1") as session:
        drugs = rows(session, "SELECT regimen, days_supplied, antiretroviral FROM dispensations ORDER BY 1")
        assert drugs == [("INH", 180, False), ("TLD", 90, True)]
        deaths = rows(session, "SELECT start_date, (known_from AT TIME ZONE 'Africa/Lagos')::date FROM patient_states")
    assert sorted(deaths, key=lambda row: row[1], reverse=True) == [
        (None, date(2023, 3, 31)),
        (date(2023, 2, 2), date(2023, 2, 2)),
    ]


def test_a_constant_state_needs_a_condition() -> None:
    with pytest.raises(Invalid, match="'when' says which rows have this state"):
        parse_mapping(OTHER_DRUGS.replace("    when: {died: {present: true}}\n", ""))
