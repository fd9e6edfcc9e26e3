"""Reports made by jobs: what they hold, who may read them at which moment, when they expire, and their schedules."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from core import blobs, clock
from core.database import node_session
from core.identity import CredentialOwner, Principal, all_permissions, credentials
from core.identity.credentials import BEARER, credential_kinds
from core.jobs.worker import drain
from core.web import texts
from core.web.typesetting import typeset
from tenants.records.erasing import erase_person
from tenants.reports import due, linelist, making, printed_list
from tests.keyed import KeyedClient
from tests.tenants.reports.conftest import DAY, START, at
from tests.tenants.reports.test_schedules import run_again

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

    def present(self, actor, _tenant):
        return next((principal for principal in self.people.values() if principal.actor == actor), None)

    def counts_as_guess(self, error):
        return False


@pytest.fixture
def tokens(store, monkeypatch):
    tokens = Tokens(store.tenant)
    kinds = (*credential_kinds(), tokens)
    monkeypatch.setattr(credentials, "credential_kinds", lambda: kinds)
    monkeypatch.setattr(due, "present_principal", tokens.present)
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
        return KeyedClient(application, headers={"Authorization": f"Bearer {token}"})

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
        for module in ("tenants.reports.files", "tenants.reports.due"):
            patch.setattr(f"{module}.now", lambda: real() + timedelta(days=days))
        yield


def test_a_report_is_made_and_downloaded_in_each_format(api, store, clinics):
    wanted = [
        (LIST, b"as_of,facility"),
        ({**LIST, "format": "xlsx"}, b"PK"),
        ({**LIST, "format": "pdf"}, b"%PDF"),
        ({**LIST, "kind": "radet", "format": "xlsx"}, b"PK"),
        (TABLES, b"start,end,as_of,facility"),
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


def test_a_report_that_cannot_be_made_says_why_and_is_not_tried_again(api, store, clinics, monkeypatch):
    path = api.post("/v1/reports/files", json={**LIST, "format": "pdf"}).headers["location"]
    monkeypatch.setattr(making, "MOST_PEOPLE", 1)
    drain(store.tenant)
    report = api.get(path).json()
    assert report["state"] == "failed"
    assert "at most 1 people" in report["problem"]
    assert "Choose one facility, or xlsx or csv" in report["problem"]
    assert api.get(f"{path}/content").status_code == 409
    query = "SELECT state FROM node.jobs WHERE tenant_role = :role AND kind = 'reports.make'"
    with node_session(store.tenant.database) as session:
        assert session.execute(text(query), {"role": store.tenant.role_name}).scalars().all() == ["done"]


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
        {"kind": "radet", "format": "pdf"},
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

    assert due.request_due(store.tenant) == 0
    with later(monkeypatch, 7):
        assert [due.request_due(store.tenant), due.request_due(store.tenant)] == [1, 0]
    drain(store.tenant)
    (report,) = owner.get("/v1/reports/files").json()["items"]
    assert (report["state"], report["schedule_id"]) == ("made", answer.json()["id"])
    assert report["period"] == "2025Q2", "the last quarter that the records cover"
    content = owner.get(f"/v1/reports/files/{report['id']}/content").text
    assert "FAC1" not in content
    assert person("b", {clinics[0]}).get("/v1/reports/files").json()["total"] == 0
    assert owner.delete(answer.headers["location"]).status_code == 204
    assert owner.get("/v1/reports/schedules").json()["total"] == 0


def test_a_list_on_paper_is_bounded_and_says_what_to_choose(api, store, people, monkeypatch):
    body = {**LIST, "format": "pdf"}
    monkeypatch.setattr(making, "MOST_PEOPLE", len(people))
    path = api.post("/v1/reports/files", json=body).headers["location"]
    monkeypatch.setattr(making, "MOST_PEOPLE", len(people) - 1)
    answer = api.post("/v1/reports/files", json=body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], "xlsx or csv" in error["remedy"]) == ("body.format", True)
    assert api.post("/v1/reports/files", json={**body, "kind": "radet"}).status_code == 422
    drain(store.tenant)  # the list has grown since it was asked for
    assert api.get(path).json()["state"] != "made"


def test_a_list_on_paper_holds_texts_as_they_are(monkeypatch):
    content = {}
    monkeypatch.setattr(printed_list, "typeset", lambda source, data: content.update(data) or typeset(source, data))
    hostile = "#pagebreak() *José* $x$ [a] \\ <a> \u202eعلي\x00\n= b"
    row = dict.fromkeys(linelist.columns(identifiers=True)) | {
        "facility": "FAC1", "facility_name": hostile, "case_manager": hostile, "status": "iit", "patient_id": "1",
        "hospital_number": "H1", "data_date": DAY, "expected_date": DAY, "viral_load_copies_ml": 2500.0,
    }  # fmt: skip
    other = {**row, "patient_id": "2", "expected_date": None, "facility": "FAC2", "facility_name": "B"}
    with texts.reading_in("pt"):
        written = printed_list.line_list_pdf(
            [tuple(row.values()), tuple(other.values())], DAY, identifiers=True, asked_by=hostile,
            asked_at=clock.now(), zone=ZoneInfo("Africa/Lagos"), language="pt",
        )  # fmt: skip
    assert written.startswith(b"%PDF")
    assert [clinic["name"] for clinic in content["clinics"]] == [
        "#pagebreak() *José* $x$ [a] \\ <a> علي = b (FAC1)", "B (FAC2)",
    ]  # fmt: skip
    assert "H1" in content["clinics"][0]["rows"][0]


def test_an_erasure_deletes_the_files_of_lists_and_no_other(api, store, people, make_ready):
    listed, tables = make_ready(api, LIST), make_ready(api, TABLES)
    waiting = api.post("/v1/reports/files", json=LIST).headers["location"]
    with store.session() as session:
        keys = dict(session.cursor().execute("SELECT kind, blob FROM report_files WHERE blob IS NOT NULL").fetchall())
        erase_person(session, people["active"], reason="request 1")
    assert api.get(f"{listed}/content").status_code == 404
    assert api.get(listed).json()["state"] == "expired"
    drain(store.tenant)
    assert {kind: blobs.exists(store.tenant, key) for kind, key in keys.items()} == {"line-list": False, "mer": True}
    assert api.get(f"{tables}/content").status_code == 200
    assert api.get(f"{waiting}/content").status_code == 200


def test_a_list_that_was_read_before_an_erasure_is_not_stored(api, store, people, monkeypatch):
    path = api.post("/v1/reports/files", json=LIST).headers["location"]
    whole = making.make

    def erased_meanwhile(tenant, row):
        file = whole(tenant, row)
        with store.session() as session:
            erase_person(session, people["active"], reason="request 1")
        return file

    with monkeypatch.context() as patch:
        patch.setattr(making, "make", erased_meanwhile)
        drain(store.tenant)
    assert api.get(path).json()["state"] == "waiting"
    run_again(store)
    drain(store.tenant)
    assert api.get(path).json()["state"] == "made"
