"""A list that is imported again, grown: evaluation reaches the new complete-through date."""

from __future__ import annotations

import csv
import io

import pytest

from core.jobs.worker import drain
from tenants.cohort.load import load_timelines
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.settings import CohortSettings
from tenants.cohort.timelines import to_date
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.sources import from_paths
from tenants.imports.runner import Runner
from tenants.imports.service import GivenFile, Order, begin
from tenants.risk import dataset
from tests.tenants.risk.clinics import END, INTERVAL, clinics
from tests.tenants.risk.conftest import opener

FIRST_END = END - 300
"""The day to which the first list runs."""
COHORT = clinics(150, facilities=1)
MAPPING = """
source: csv:grown
files:
  patients: {name: patients.csv}
  pickups: {name: pickups.csv}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: clinic, name: clinic_name}
    columns: {pepfar_id: id, sex: sex, birthdate: born, art_start_date: art_start}
  - into: dispensations
    file: pickups
    patient: id
    columns: {date_dispensed: day, days_supplied: days, regimen: regimen, next_appointment: next}
"""


def written(folder, until):
    """The partner's two files as they were exported on a day."""
    tables = {
        "patients": [("id", "clinic", "clinic_name", "sex", "born", "art_start")],
        "pickups": [("id", "day", "days", "regimen", "next")],
    }
    for index, days in enumerate(COHORT.contacts):
        known = [day for day in days if day <= until]
        if not known:
            continue
        born, start = to_date(int(COHORT.birth[index])), to_date(int(COHORT.start[index]))
        sex = "F" if COHORT.sex[index] == 1 else "M"
        tables["patients"].append((f"P{index}", "C1", "Clinic one", sex, born, start))
        for day in known:
            regimen = "TDF/3TC/DTG"
            tables["pickups"].append((f"P{index}", to_date(day), INTERVAL, regimen, to_date(day + INTERVAL)))
    folder.mkdir()
    paths = []
    for name, rows in tables.items():
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(text.getvalue())
    return paths


def imported(tenant, paths, data_date):
    sources = from_paths(paths)
    files = [GivenFile(source.name, source.size, source.digest()) for source in sources]
    order = Order(files=files, mapping=parse_mapping(MAPPING), data_date=data_date)
    with opener(tenant)() as session:
        uuid = begin(session, order)[0].uuid
    Runner(opener(tenant), uuid, sources, lambda *_: None).run()
    drain(tenant)


def drawn(tenant):
    with opener(tenant)() as session:
        complete = complete_days(session)
        data, _ = dataset.build(lambda: load_timelines(session), cohort_settings(session), complete)
    return data.where(data.labelled), int(complete[0])


@pytest.fixture
def grown(make_tenant, tmp_path):
    tenant = make_tenant().ref
    imported(tenant, written(tmp_path / "first", FIRST_END), to_date(FIRST_END))
    first, through = drawn(tenant)
    assert through > FIRST_END - 30
    assert len(first) > 100
    imported(tenant, written(tmp_path / "second", END), to_date(END))
    return tenant


def a_month(data, since, until):
    """Decisions a month between two days."""
    return int(((data.day >= since) & (data.day < until)).sum()) * 30 / (until - since)


def test_decisions_are_drawn_up_to_the_grown_lists_complete_through_date(grown):
    data, through = drawn(grown)
    assert through > END - 30
    rules = CohortSettings()
    assert data.deadline.max() > through - 15
    last = through - INTERVAL - rules.grace_days - rules.reporting_lag_days
    before, after = a_month(data, FIRST_END - 300, FIRST_END - 60), a_month(data, FIRST_END, last)
    assert after > 0.7 * before
