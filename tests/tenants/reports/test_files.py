"""Reports made by jobs: what they hold, who may read them at which moment, when they expire, and their schedules."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from core import clock
from core.database import tenant_session
from core.identity import CredentialOwner, Principal, all_permissions, credentials
from core.identity.credentials import BEARER, credential_kinds
from core.jobs.worker import drain
from tenants.reports import schedules
from tests.tenants.reports.conftest import DAY, START, at

LIST = {"kind": "line-list", "format": "csv", "as_of": DAY.isoformat()}
TABLES = {"kind": "mer", "format": "csv", "period": "2025Q1"}
MAPPING = {"elements": [{"indicator": "TX_NEW", "dataElement": "new00000001"}], "zeros": True}


class Tokens:
    """Bearer tokens whose principals a test decides."""

    name = "token-of-reports"
    places = frozenset({BEARER})

    def __init__(self, tenant):
        self.tenant = tenant
        self.people = {}

    def recognizes(self, credential):
        return credential.startswith("reports-")

    def verify(self, credential):
        return CredentialOwner(self.people[credential], self.tenant)

    def confirm(self, principal):
        pass

    def counts_as_guess(self, error):
        return False


@pytest.fixture
def tokens(store, monkeypatch):
    tokens = Tokens(store.tenant)
    kinds = (*credential_kinds(), tokens)
    monkeypatch.setattr(credentials, "credential_kinds", lambda: kinds)
    return tokens


@pytest.fixture
def person(application, store, tokens):
    """Signs a person in: ``person("a", {clinic}, {"reports.read"})``; again with other rights, these hold from then."""

    def sign_in(name, facilities=None, permissions=None):
        token = f"reports-{name}"
        tokens.people[token] = Principal(
            "person", str(UUID(int=ord(name[0]))), store.tenant.id,
            frozenset(permissions) if permissions is not None else all_permissions(),
            credential=tokens.name, credential_id=token,
            facility_ids=None if facilities is None else frozenset(facilities),
        )  # fmt: skip
        return TestClient(application, headers={"Authorization": f"Bearer {token}"})

    return sign_in


@pytest.fixture
def clinics(store, people):
    """The clinic of ``people``, and a second one with one person."""
    second = store.facility("FAC2")
    patient = store.patient(second, 91, art_start_date=START, stamp=at(START), sex="M")
    store.visits(second, patient, START, start=91, next_appointment=START + timedelta(180), stamp=at(START))
    with store.session() as session:
        first = session.cursor().execute("SELECT uuid FROM facilities WHERE datim_id = 'FAC1'").fetchone()[0]
    return first, second, str(patient)


@pytest.fixture
def make_ready(store):
    """Asks for a report, has it made, and gives its path."""

    def make(client, body):
        answer = client.post("/v1/reports/files", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "waiting"
        path = answer.headers["location"]
        assert client.get(f"{path}/content").status_code == 409
        drain(store.tenant)
        state = client.get(path).json()
        assert (state["state"], state["problem"]) == ("made", None)
        return path

    return make


@contextmanager
def later(monkeypatch, days):
    real = clock.now
    with monkeypatch.context() as patch:
        for module in ("tenants.reports.files", "tenants.reports.schedules"):
            patch.setattr(f"{module}.now", lambda: real() + timedelta(days=days))
        yield


def test_a_report_is_made_and_downloaded_in_each_format(api, store, clinics):
    wanted = [
        (LIST, b"as_of,facility"),
        ({**LIST, "format": "xlsx"}, b"PK"),
        ({**LIST, "kind": "radet", "format": "xlsx"}, b"PK"),
        (TABLES, b"start,end,facility"),
        ({**TABLES, "format": "xlsx"}, b"PK"),
        ({**TABLES, "format": "pdf"}, b"%PDF"),
    ]
    paths = [api.post("/v1/reports/files", json=body).headers["location"] for body, _ in wanted]
    drain(store.tenant)
    for path, (body, begins) in zip(paths, wanted, strict=True):
        answer = api.get(f"{path}/content")
        assert answer.status_code == 200, (body, answer.text)
        assert answer.content.removeprefix(b"\xef\xbb\xbf").startswith(begins), body
        assert f".{body['format']}" in answer.headers["content-disposition"]


def test_a_data_value_set_follows_the_mapping_of_the_tenant(api, clinics, make_ready):
    body = {"kind": "dhis2", "format": "json", "period": "2025Q1"}
    assert api.post("/v1/reports/files", json=body).status_code == 409
    answer = api.put("/v1/settings/reports", json={"dhis2": MAPPING}, headers={"If-Match": "*"})
    assert answer.status_code == 200, answer.text
    content = api.get(f"{make_ready(api, body)}/content").json()
    assert content["period"] == "2025Q1"
    assert {value["orgUnit"] for value in content["dataValues"]} == {"FAC1", "FAC2"}
    assert {value["dataElement"] for value in content["dataValues"]} == {"new00000001"}


def test_a_confined_persons_report_has_their_facilities_and_others_reach_none_of_it(person, clinics, make_ready):
    first, second, patient = clinics
    owner, stranger = person("a", {second}), person("b", {first})
    path = make_ready(owner, LIST)
    rows = list(csv.DictReader(io.StringIO(owner.get(f"{path}/content").text.lstrip("\ufeff"))))
    assert [row["patient_id"] for row in rows] == [patient]
    assert owner.get("/v1/reports/files").json()["total"] == 1
    assert person("c").get(f"{path}/content").status_code == 200
    assert person("d", {first, second}).get(f"{path}/content").status_code == 200
    for answer in (stranger.get(path), stranger.get(f"{path}/content"), stranger.delete(path)):
        assert answer.status_code == 404
    assert stranger.get("/v1/reports/files").json()["total"] == 0


def test_a_report_of_the_whole_tenant_is_for_those_who_reach_all_of_it(person, clinics, make_ready):
    path = make_ready(person("a"), TABLES)
    assert person("b", set(clinics[:2])).get(path).status_code == 404
    one = make_ready(person("a"), {**TABLES, "facility": "FAC2"})
    assert person("b", {clinics[1]}).get(f"{one}/content").status_code == 200
    assert "FAC1" not in person("b", {clinics[1]}).get(f"{one}/content").text


def test_reach_and_permissions_count_at_the_moment_of_the_download(person, clinics, make_ready):
    first, second, _ = clinics
    path = make_ready(person("a", {second}), {**LIST, "identifiers": True})
    assert person("a", {second}).get(f"{path}/content").status_code == 200
    assert person("a", {first}).get(f"{path}/content").status_code == 404
    reading = {"reports.read", "patients.read"}
    answer = person("a", {second}, reading).get(f"{path}/content")
    assert answer.status_code == 403
    assert "reports.identify" in answer.json()["detail"]
    assert person("a", {second}, reading).get("/v1/reports/files").json()["total"] == 0


def test_a_report_that_cannot_be_is_rejected(person, clinics):
    for body, missing in (
        (LIST, "patients.read"), (TABLES, "cohort.read"), ({**LIST, "kind": "radet"}, "reports.identify"),
    ):  # fmt: skip
        answer = person("a", None, all_permissions() - {missing}).post("/v1/reports/files", json=body)
        assert answer.status_code == 403
        assert missing in answer.json()["detail"]
    for change in (
        {"format": "pdf"},
        {"period": "2025Q1"},
        {"facility": "FAC9"},
        {"as_of": "0001-01-01"},
        {"kind": "mer"},
    ):
        assert person("a").post("/v1/reports/files", json={**LIST, **change}).status_code == 422, change
    for path in (f"/v1/reports/schedules/{uuid4()}", f"/v1/reports/files/{uuid4()}"):
        assert person("a").get(path).status_code == 404
        assert person("a").delete(path).status_code == 404


def test_a_file_expires_after_the_days_that_the_tenant_sets(api, clinics, make_ready, monkeypatch):
    api.put("/v1/settings/reports", json={"keep_days": 2}, headers={"If-Match": "*"})
    path = make_ready(api, TABLES)
    with later(monkeypatch, 1):
        assert api.get(f"{path}/content").status_code == 200
    with later(monkeypatch, 3):
        assert api.get(path).json()["state"] == "expired"
        assert api.get(f"{path}/content").status_code == 404


def test_people_delete_their_own_reports_and_those_of_others_with_the_permission(person, clinics):
    reading = {"reports.read", "cohort.read"}
    for name, status in (("b", 403), ("a", 204)):
        path = person("a", None, reading).post("/v1/reports/files", json=TABLES).headers["location"]
        assert person(name, None, reading).delete(path).status_code == status
    assert person("c").delete(path.replace(path.rsplit("/", 1)[1], str(uuid4()))).status_code == 404
    (left,) = person("c").get("/v1/reports/files").json()["items"]
    assert person("c").delete(f"/v1/reports/files/{left['id']}").status_code == 204


def test_each_act_is_in_the_audit(api, store, clinics, make_ready):
    path = make_ready(api, TABLES)
    api.get(f"{path}/content")
    api.delete(path)
    query = "SELECT action FROM audit_events WHERE subject_type = 'report_file' ORDER BY occurred_at"
    with store.session() as session:
        acts = [row[0] for row in session.cursor().execute(query).fetchall()]
    assert acts == ["report:file:request", "job:report_file:make", "report:file:download", "report:file:delete"]


def test_a_schedule_asks_for_its_report_when_it_is_due_and_only_then(person, store, clinics, monkeypatch):
    owner = person("a", {clinics[1]})
    body = {"kind": "mer", "format": "csv", "every": "week", "on_day": 1, "at_hour": 6, "period": "quarter"}
    answer = owner.post("/v1/reports/schedules", json=body)
    assert answer.status_code == 201, answer.text
    assert owner.get(answer.headers["location"]).json() == answer.json()
    assert person("b", {clinics[0]}).get(answer.headers["location"]).status_code == 404

    def due():
        with tenant_session(store.tenant, actor="system:reports") as session:
            return schedules.request_due(session)

    assert due() == 0
    with later(monkeypatch, 7):
        assert [due(), due()] == [1, 0]
    drain(store.tenant)
    (report,) = owner.get("/v1/reports/files").json()["items"]
    assert (report["state"], report["schedule_id"]) == ("made", answer.json()["id"])
    content = owner.get(f"/v1/reports/files/{report['id']}/content").text
    assert "FAC1" not in content
    assert person("b", {clinics[0]}).get("/v1/reports/files").json()["total"] == 0
    assert owner.delete(answer.headers["location"]).status_code == 204
    assert owner.get("/v1/reports/schedules").json()["total"] == 0


@pytest.mark.parametrize(
    ("every", "on_day", "after", "moment"),
    [
        ("week", 1, "2026-11-29T10:00", "2026-11-30T05:00"),
        ("week", 7, "2026-11-29T04:00", "2026-11-29T05:00"),
        ("week", 7, "2026-11-29T05:00", "2026-12-06T05:00"),
        ("month", 5, "2026-12-31T23:30", "2027-01-05T05:00"),
        ("month", 28, "2026-02-27T10:00", "2026-02-28T05:00"),
    ],
)
def test_the_next_moment_is_by_the_clock_of_the_tenant(every, on_day, after, moment):
    begins = datetime.fromisoformat(after).replace(tzinfo=UTC)
    following = schedules.next_moment(every, on_day, 6, begins, "Africa/Lagos")  # an hour before UTC
    assert following == datetime.fromisoformat(moment).replace(tzinfo=UTC)
