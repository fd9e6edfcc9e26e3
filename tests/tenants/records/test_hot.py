"""The quick reads answer as the careful ones do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from core.clock import today
from core.web.paging import PageRequest
from tenants.records import hot
from tenants.records.filters import PatientFilter
from tenants.records.repository import patient_as_of, patients_after
from tenants.records.schemas import PatientOut
from tenants.records.service import shown

BODY = {
    "pepfar_id": "PEP-1", "hospital_number": "H 1", "given_name": "Aaa", "family_name": "Bbb", "phone": "08030000000",
    "sex": "F", "birthdate": "1990-02-28", "state_province": "Lagos", "art_start_date": "2024-01-10",
}  # fmt: skip


@pytest.fixture
def uuids(api):
    bodies = [BODY, {"hospital_number": "H2"}, {"pepfar_id": "P3", "sex": "M", "birthdate": "2020-12-31"}]
    return [api.add("/patients", facility="FAC1", **body)["uuid"] for body in bodies]


def by_the_model(session, row, as_of=None):
    return orjson.loads(shown(session, row, as_of).model_dump_json())


def test_one_patient_reads_as_the_model_writes_it(api, uuids, open_session):
    with open_session(api.tenant) as session:
        for uuid in uuids:
            told = orjson.loads(hot.encoded(hot.one(session, uuid, None)))
            assert told == by_the_model(session, patient_as_of(session, uuid, None))
            assert set(told) == set(PatientOut.model_fields)


def test_a_page_reads_as_the_model_writes_it_with_and_without_filters(api, uuids, open_session):
    with open_session(api.tenant) as session:
        for wanted in (PatientFilter(), PatientFilter(sex="F"), PatientFilter(as_of=today("Africa/Lagos"))):
            rows, total = hot.page(session, wanted, PageRequest(1, 2))
            want = [by_the_model(session, row, wanted.as_of) for row in patients_after(session, wanted, None, 2)]
            assert orjson.loads(orjson.dumps(rows, option=orjson.OPT_UTC_Z)) == want
            assert total == (1 if wanted.sex else 3)
        assert hot.page(session, PatientFilter(), PageRequest(9, 50)) == ([], 3)


def test_one_patient_as_of_a_day_is_what_was_known_then(api, uuids, open_session):
    now = datetime.now(UTC)
    api.call("PATCH", f"/patients/{uuids[0]}", json={"sex": "M"}, headers={"If-Match": "*"})
    with open_session(api.tenant) as session:
        assert hot.one(session, uuids[0], None)["sex"] == "M"
        assert hot.one(session, uuids[0], (now - timedelta(days=2)).date()) is None
        assert hot.one(session, uuids[0], date(2100, 1, 1))["sex"] == "M"
