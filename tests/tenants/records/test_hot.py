"""The quick reads answer as the careful ones do."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest

from core.access import Scope
from core.clock import today
from core.database import RoundTripError
from core.identity.principal import Principal
from core.privacy import tenant_keys, vault
from core.web.cursors import Sort
from core.web.keyset import Slice
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
    return [api.add("/patients", facility="FAC1", **body)["id"] for body in bodies]


@pytest.fixture
def scope(api):
    """Who reads."""
    return Scope(Principal("api_key", "k1", api.tenant.id), api.tenant, "r1")


def of_page(page, page_size, **options):
    return PageRequest(page, page_size, sort=Sort("id"), keyed=True, **options)


def by_the_model(session, row, as_of=None):
    return orjson.loads(shown(session, row, as_of).model_dump_json())


def test_one_patient_reads_as_the_model_writes_it(api, uuids, open_session):
    with open_session(api.tenant) as session:
        for uuid in uuids:
            answer = orjson.loads(hot.encoded(hot.one(session, uuid, None)))
            assert answer == by_the_model(session, patient_as_of(session, uuid, None))
            assert set(answer) == set(PatientOut.model_fields)


def test_a_page_reads_as_the_model_writes_it_with_and_without_filters(api, uuids, open_session):
    with open_session(api.tenant) as session:
        for wanted in (PatientFilter(), PatientFilter(sex="F"), PatientFilter(as_of=today("Africa/Lagos"))):
            part = hot.page(session, wanted, of_page(1, 2))
            want = [by_the_model(session, row, wanted.as_of) for row in patients_after(session, wanted, None, 2)]
            assert orjson.loads(orjson.dumps(part.rows, option=orjson.OPT_UTC_Z)) == want
            assert part.total == (1 if wanted.sex else 3)
            assert part.last == (None if wanted.sex else (part.rows[-1]["id"], part.rows[-1]["id"]))
        assert hot.page(session, PatientFilter(), of_page(9, 50)) == Slice([], 3)


def test_one_patient_as_of_a_day_is_what_was_known_then(api, uuids, open_session):
    now = datetime.now(UTC)
    api.call("PATCH", f"/patients/{uuids[0]}", json={"sex": "M"}, headers={"If-Match": "*"})
    with open_session(api.tenant) as session:
        assert hot.one(session, uuids[0], None)["sex"] == "M"
        assert hot.one(session, uuids[0], (now - timedelta(days=2)).date()) is None
        assert hot.one(session, uuids[0], date(2100, 1, 1))["sex"] == "M"


def audit_rows(session):
    """What the audit says of reads: actor, action, whose, request, detail; in order."""
    query = (
        "SELECT actor, action, subject_type, subject_uuid, request_id, detail FROM audit_events"
        " WHERE action LIKE 'api:patient:%%' AND request_id = %s ORDER BY event_id"
    )
    return session.cursor().execute(query, ("r1",)).fetchall()


@pytest.mark.parametrize("as_of", [None, date(2100, 1, 1)])
def test_a_read_in_one_round_trip_answers_and_is_audited_as_a_session_does(api, uuids, scope, as_of, open_session):
    with open_session(api.tenant) as session:
        assert [hot.one_at_once(scope, uuid, as_of) for uuid in uuids] == [
            hot.one(session, uuid, as_of) for uuid in uuids
        ]
        assert [row[3] for row in audit_rows(session)] == [UUID(uuid) for uuid in uuids]
        assert {row[:3] + row[4:] for row in audit_rows(session)} == {
            ("api_key:k1", "api:patient:read", "patient", "r1", None)
        }
        assert hot.one_at_once(scope, uuid4(), as_of) is None
        assert len(audit_rows(session)) == 3, "nobody was read"


def test_a_page_in_one_round_trip_answers_and_is_audited_as_a_session_does(api, uuids, scope, open_session):
    with open_session(api.tenant) as session:
        for paging in (of_page(1, 2), of_page(2, 2), of_page(9, 50)):
            assert hot.page_at_once(scope, paging) == hot.page(session, PatientFilter(), paging)
        assert [row[3] for row in audit_rows(session)] == sorted(UUID(uuid) for uuid in uuids)
        assert [row[5] for row in audit_rows(session)] == [{"filters": []}] * 3


def test_reads_over_the_api_go_in_one_round_trip(api, uuids, monkeypatch):
    api.call("GET", f"/patients/{uuids[0]}")  # has met the tenant's keys

    def reject(*_args, **_kwargs):
        pytest.fail("a session was opened")

    monkeypatch.setattr(Scope, "session", reject)
    assert api.call("GET", f"/patients/{uuids[0]}").json()["given_name"] == "Aaa"
    assert api.call("GET", "/patients").json()["total"] == 3


def test_what_does_not_go_in_one_round_trip_is_answered_all_the_same(api, uuids, monkeypatch):
    before = [api.call("GET", f"/patients/{uuids[0]}"), api.call("GET", "/patients")]

    def reject(*_args):
        raise RoundTripError

    monkeypatch.setattr(hot, "at_once", reject)
    after = [api.call("GET", f"/patients/{uuids[0]}"), api.call("GET", "/patients")]
    assert [answer.content for answer in after] == [answer.content for answer in before]


def test_the_first_reads_of_a_process_are_answered_and_audited_one_time(api, uuids, monkeypatch, open_session):
    for path in (f"/patients/{uuids[0]}", "/patients"):
        before = reads(open_session, api.tenant)
        monkeypatch.setattr(tenant_keys, "_rings", OrderedDict())
        assert api.call("GET", path).status_code == 200
        assert reads(open_session, api.tenant) == before + (1 if "/patients/" in path else 3)


def reads(open_session, tenant):
    with open_session(tenant) as session:
        query = "SELECT count(*) FROM audit_events WHERE action IN ('api:patient:read', 'api:patient:list')"
        return session.cursor().execute(query).fetchone()[0]


def test_an_erased_patient_is_shown_without_a_name(api, uuids, scope, open_session):
    with open_session(api.tenant) as session:
        vault(session).erase_patient(UUID(uuids[0]))
    answer = hot.one_at_once(scope, UUID(uuids[0]), None)
    assert (answer["sex"], answer["given_name"], answer["phone"]) == ("F", None, None)
