"""Sessions that serve one of two facilities: lists, tables and data values of its people alone."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from core.database import Reach, tenant_session
from core.errors import Invalid
from tenants.cohort.calendar import period_of
from tenants.reports import service
from tenants.reports.dhis2 import Dhis2Mapping
from tests.tenants.reports.conftest import DAY, START, at

QUARTER = period_of("2025Q1")
MAPPING = Dhis2Mapping.model_validate(
    {"elements": [{"indicator": "TX_NEW", "dataElement": "new00000001"}], "zeros": True}
)


@pytest.fixture
def open_other(store, people):
    """Opens sessions that serve a second facility, with one person on treatment."""
    clinic = store.facility("FAC2")
    patient = store.patient(clinic, 91, art_start_date=START, stamp=at(START), sex="M")
    store.visits(clinic, patient, START, start=91, next_appointment=START + timedelta(180), stamp=at(START))

    def opens():
        return tenant_session(store.tenant, actor="test:2", reach=Reach(frozenset({clinic})))

    opens.patient = str(patient)
    return opens


@pytest.mark.parametrize("report", [service.LINE_LIST, service.RADET])
def test_a_list_has_the_people_within_reach(store, people, open_other, report):
    def rows(opens):
        with opens() as session:
            export = service.export_of(session, report, as_of=DAY, facility=None, identifiers=True)
        text = b"".join(service.list_lines(opens, export, "csv")).decode()
        return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))

    assert len(rows(store.session)) > 1
    (row,) = rows(open_other)
    assert open_other.patient in row.values()
    with open_other() as session, pytest.raises(Invalid):
        service.export_of(session, report, as_of=DAY, facility="FAC1", identifiers=False)


def test_tables_and_data_values_count_the_people_within_reach(store, people, open_other):
    def counted(opens):
        with opens() as session:
            text = service.mer_csv(session, QUARTER, "facility").decode()
            values = service.data_value_set(session, QUARTER, MAPPING)["dataValues"]
        rows = [row for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff"))) if row["indicator"] == "TX_NEW"]
        return (
            {row["facility"]: int(row["count"]) for row in rows},
            {value["orgUnit"]: int(value["value"]) for value in values},
        )

    of_all, _ = whole = counted(store.session)
    assert set(of_all) == {"FAC1", "FAC2"}
    assert whole[0] == whole[1]
    assert counted(open_other) == ({"FAC2": 1}, {"FAC2": 1})
    with open_other() as session, pytest.raises(Invalid):
        service.data_value_set(session, QUARTER, MAPPING, "FAC1")
