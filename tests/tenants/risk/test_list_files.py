"""Lists to work from: clinic names, names for those who may see them, spreadsheets and pages to print."""

from __future__ import annotations

import csv
import io
import re
from contextlib import contextmanager
from uuid import UUID

import openpyxl
import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from core.identity.keys import create_key
from core.privacy import vault
from core.tenancy import settings as tenant_settings
from tenants.cohort.timelines import to_date
from tenants.records.personal import seal_patient
from tenants.risk import commands, identities, levels, presenting, scoring, worklist
from tenants.risk.list_files import PERSONAL, as_file
from tenants.risk.settings import RiskSettings
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, store

DAY = to_date(END)
COHORT = clinics(60, facilities=2)
FORMULA = "=HYPERLINK(1)"


def person(index):
    return {
        "given_name": FORMULA if index == 0 else f"Given{index}",
        "family_name": f"<b>Family{index}</b>",
        "phone": f"+23480{index:08}",
        "hospital_number": f"H/{index}",
        "pepfar_id": f"P-{index}",
    }


@pytest.fixture(scope="module")
def owner(make_tenant):
    """A scored tenant whose people have names."""
    created = make_tenant()
    store(created.ref, COHORT)
    with opener(created.ref)() as session:
        vault(session).ensure_patient_keys(COHORT.uuids())
        for index, uuid in enumerate(COHORT.uuids()):
            sealed = seal_patient(session, uuid, person(index))
            with session.cursor() as cursor:
                for name, value in sealed.items():
                    query = sql.SQL("UPDATE patients SET {} = %s WHERE uuid = %s").format(sql.Identifier(name))
                    cursor.execute(query, (value, uuid))
    scoring.score(created.ref, opener(created.ref), DAY)
    return created


@pytest.fixture(scope="module")
def application_client(application, owner):
    from tests.keyed import KeyedClient

    def client(*permissions):
        key = owner.api_key if not permissions else create_key(owner.ref, name="x", permissions=permissions).plaintext
        return KeyedClient(application, headers={"Authorization": f"Bearer {key}"})

    return client


def issued(tenant, kind="at_risk", **options):
    with opener(tenant)() as session:
        order = worklist.order_for(session, kind, DAY, **options)
    return worklist.issue(tenant, opener(tenant), order)


def shown(tenant, uuid, *, names=True):
    with opener(tenant)() as session:
        return presenting.view(session, uuid, identities=names)


def sights(tenant):
    """Who was seen, and with names or without."""
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT subject_uuid, detail ->> 'identities' FROM audit_events WHERE action = 'risk:worklist:read'"
            " ORDER BY event_id"
        )
        return cursor.fetchall()


def cells(content):
    return list(csv.DictReader(io.StringIO(content.decode() if isinstance(content, bytes) else content)))


def test_a_list_names_the_clinic_and_for_those_who_may_see_them_the_people(owner, application_client):
    uuid = issued(owner.ref, due_within=365, capacity=100)
    client = application_client()
    answer = client.get(f"/v1/worklists/{uuid}").json()
    assert answer["people"]
    place = {str(uuid): index for index, uuid in enumerate(COHORT.uuids())}
    for one in answer["people"]:
        assert one["clinic"] == f"Clinic {COHORT.facility[place[one['patient_id']]]}"
        assert one["identity"] == person(place[one["patient_id"]])


def test_the_people_of_a_list_are_sent_a_page_at_a_time_and_only_those_sent_are_in_the_audit(owner, application_client):
    uuid = issued(owner.ref, due_within=365, capacity=100)
    client = application_client()
    everybody = [str(entry.patient_uuid) for entry in shown(owner.ref, uuid).people]
    assert len(everybody) > 3
    before, sent = len(sights(owner.ref)), []
    for page in range(1, len(everybody) // 3 + 2):
        answer = client.get(f"/v1/worklists/{uuid}", params={"page": page, "page_size": 3}).json()
        assert (answer["page"], answer["page_size"], answer["entries"]) == (page, 3, len(everybody))
        assert len(answer["people"]) <= 3
        sent += [one["patient_id"] for one in answer["people"]]
        assert len(sights(owner.ref)) - before == len(sent)
    assert sent == everybody
    assert client.get(f"/v1/worklists/{uuid}", params={"page_size": 501}).status_code == 422


def test_the_links_of_a_list_lead_through_its_people_by_facility_and_rank(owner, application_client):
    client = application_client()
    body = {"kind": "at_risk", "as_of": str(DAY), "capacity": 50, "due_within": 365}
    answer = client.post("/v1/worklists", params={"page_size": 3}, json=body).json()
    uuid, people = answer["id"], answer["people"]
    while answer["next"]:
        assert f"/v1/worklists/{uuid}?page_size=3&after=" in answer["next"]
        answer = client.get(answer["next"]).json()
        people += answer["people"]
    order = [(one["facility"], one["rank"]) for one in people]
    assert len({facility for facility, _ in order}) > 1
    assert len(order) == answer["entries"] > 6
    assert order == sorted(order)
    turned = client.get(f"/v1/worklists/{uuid}", params={"sort": "-facility", "page_size": 500}).json()
    assert turned["people"] == people[::-1]


@pytest.mark.parametrize("form", ["csv", "xlsx", "html"])
def test_a_file_is_read_clinic_by_clinic_and_holds_everybody(owner, application_client, monkeypatch, form):
    uuid = issued(owner.ref, due_within=365, capacity=100)
    everybody = {str(entry.patient_uuid) for entry in shown(owner.ref, uuid, names=False).people}
    read, seen = presenting.view, []

    def watched(*args, **words):
        shown_list = read(*args, **words)
        seen.append({entry.facility_uuid for entry in shown_list.people})
        return shown_list

    monkeypatch.setattr(presenting, "view", watched)
    client = application_client("worklists.read")
    answer = client.get(f"/v1/worklists/{uuid}/file", params={"format": form})
    assert answer.status_code == 200
    assert len(seen) > 1
    assert {len(clinics) for clinics in seen} == {1}
    if form == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        text = " ".join(str(cell) for row in book["at_risk"].iter_rows(values_only=True) for cell in row)
    else:
        text = answer.text
    assert all(patient in text for patient in everybody)
    assert text.count("worklist_uuid") <= 1, "one head"
    assert client.get(f"/v1/worklists/{UUID(int=1)}/file", params={"format": form}).status_code == 404


def test_names_are_not_shown_to_who_may_not_see_them_and_cannot_be_asked_for(owner, application_client):
    uuid = issued(owner.ref, due_within=365, capacity=100)
    client = application_client("worklists.read")
    answer = client.get(f"/v1/worklists/{uuid}").json()
    assert {one["identity"] for one in answer["people"]} == {None}
    for path in ("", "/file"):
        rejected = client.get(f"/v1/worklists/{uuid}{path}", params={"identities": True})
        assert rejected.status_code == 403
        assert "patients.read" in rejected.json()["detail"]
    for form in ("csv", "html"):
        text = client.get(f"/v1/worklists/{uuid}/file", params={"format": form}).text
        assert "Family" not in text
        assert "+23480" not in text


def test_each_sight_of_a_person_is_one_row_of_the_audit_that_says_whether_names_were_shown(owner):
    uuid = issued(owner.ref, due_within=365, capacity=5)
    before = len(sights(owner.ref))
    people = shown(owner.ref, uuid, names=True).people
    assert sorted(sights(owner.ref)[before:]) == sorted((entry.patient_uuid, "true") for entry in people)
    before = len(sights(owner.ref))
    shown(owner.ref, uuid, names=False)
    assert {row[1] for row in sights(owner.ref)[before:]} == {"false"}


@contextmanager
def statements():
    """Statements sent meanwhile."""
    queries = []
    with pytest.MonkeyPatch.context() as patch:
        execute = psycopg.Cursor.execute

        def counted(self, query, *args, **kwargs):
            queries.append(str(query))
            return execute(self, query, *args, **kwargs)

        patch.setattr(psycopg.Cursor, "execute", counted)
        yield queries


def test_names_of_a_whole_list_take_as_many_statements_as_those_of_one_person(owner):
    uuids = COHORT.uuids()
    counts = []
    for some in (uuids[:1], uuids):
        with opener(owner.ref)() as session, statements() as sent:
            assert len(identities.identities_of(session, some)) == len(some)
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_one_damaged_name_costs_that_person_and_not_the_list(owner):
    uuids = COHORT.uuids()
    with opener(owner.ref)() as session:
        with session.cursor() as cursor:
            cursor.execute("UPDATE patients SET phone_enc = decode('00ff', 'hex') WHERE uuid = %s", (uuids[3],))
        identities_by_uuid = identities.identities_of(session, uuids[:5])
        session.rollback()
    assert identities_by_uuid[uuids[3]]["phone"] == identities.UNREADABLE
    assert identities_by_uuid[uuids[4]]["phone"] == person(4)["phone"]


def test_spreadsheets_run_no_formula_of_a_name(owner, application_client):
    uuid = issued(owner.ref, due_within=365, capacity=100)
    client = application_client()
    answer = client.get(f"/v1/worklists/{uuid}/file", params={"format": "csv"})
    assert answer.headers["content-disposition"].endswith('.csv"')
    rows = cells(answer.text)
    assert list(rows[0]) == list(presenting.columns(identities=True))
    book = openpyxl.load_workbook(
        io.BytesIO(client.get(f"/v1/worklists/{uuid}/file", params={"format": "xlsx"}).content)
    )
    sheet = [list(row) for row in book["at_risk"].iter_rows(values_only=True)]
    assert sheet[0] == list(rows[0])
    assert len(sheet) == len(rows) + 1
    assert any("usual risk" in str(cell.value) for row in book["about"].iter_rows() for cell in row)
    names = {row["name"] for row in rows} | {row[sheet[0].index("name")] for row in sheet[1:]}
    assert not any(name.startswith("=") for name in names)
    if str(COHORT.uuids()[0]) in {row["patient_id"] for row in rows}:
        assert f"'{FORMULA} <b>Family0</b>" in names


def test_each_clinic_has_a_page_of_its_own_that_can_be_written_on(owner):
    uuid = issued(owner.ref, due_within=365, capacity=100)
    worklist_shown = shown(owner.ref, uuid)
    text = as_file("html", [worklist_shown]).decode()
    sections = re.findall(r"<section>.*?</section>", text, re.DOTALL)
    assert [re.search(r"<h1>(.*?)</h1>", section).group(1) for section in sections] == ["Clinic 0", "Clinic 1"]
    assert "break-before:page" in text
    for section in sections:
        assert "<th>Called on</th>" in section
        assert PERSONAL in section
        assert "Levels follow each facility" in section
    assert "<b>" not in text, "names are text, not markup"
    assert "&lt;b&gt;Family" in text
    assert PERSONAL not in as_file("html", [shown(owner.ref, uuid, names=False)]).decode()


def test_a_list_at_risk_holds_who_is_due_within_the_tenants_horizon_and_capacity_by_default(owner):
    tenant = owner.ref
    worklist_shown = shown(tenant, issued(tenant), names=False)
    assert (worklist_shown.worklist.due_within, worklist_shown.worklist.capacity) == (14, 20)
    assert all((entry.expected_date - DAY).days <= 14 for entry in worklist_shown.people)
    with opener(tenant)() as session:
        tenant_settings.put(session, RiskSettings(horizon_days=3, capacity=2))
    try:
        worklist_shown = shown(tenant, issued(tenant), names=False)
        assert (worklist_shown.worklist.due_within, worklist_shown.worklist.capacity) == (3, 2)
        traced = shown(tenant, issued(tenant, "to_trace"), names=False)
        assert (traced.worklist.due_within, traced.worklist.capacity) == (None, 2)
    finally:
        with opener(tenant)() as session:
            tenant_settings.put(session, RiskSettings())


def test_a_list_is_issued_over_the_api_without_a_capacity_or_a_horizon(owner, application_client):
    answer = application_client().post("/v1/worklists", json={"kind": "at_risk", "as_of": str(DAY)}).json()
    assert (answer["capacity"], answer["due_within"]) == (20, 14)
    assert answer["meaning"].startswith("Levels follow each facility's capacity")
    everybody = {"kind": "at_risk", "as_of": str(DAY), "due_within": 365, "capacity": 100}
    assert application_client().post("/v1/worklists", json=everybody).json()["candidates"] > answer["candidates"]


def test_every_person_on_a_list_has_one_line_that_says_why(owner):
    for kind in ("at_risk", "to_trace"):
        worklist_shown = shown(owner.ref, issued(owner.ref, kind, capacity=100), names=False)
        assert worklist_shown.people
        assert all(worklist_shown.why(entry) for entry in worklist_shown.people)


def test_levels_are_said_to_be_by_capacity_wherever_they_are_shown():
    text = levels.meaning(0.3, 0.14)
    assert "high is the 30% of its people at risk" in text
    assert "medium the next 30%" in text
    assert "14%" in text
    assert "the same risk can be high at one facility and medium at another" in text


def run(slug, *arguments):
    result = CliRunner().invoke(commands.worklist, [slug, "--as-of", str(DAY), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_the_command_prints_and_writes_lists_in_every_form(owner, tmp_path):
    slug = owner.ref.slug
    output = run(slug).stdout
    assert "Clinic 0" in output
    assert "Family" not in output
    assert "Levels follow" in output
    assert "Family" in run(slug, "--identities").stdout
    for form in ("csv", "xlsx", "html"):
        to = tmp_path / f"lists.{form}"
        run(slug, "--format", form, "--identities", "--to", str(to))
        assert to.stat().st_mode & 0o077 == 0, "only its owner reads a file that names people"
    assert {row["list"] for row in cells((tmp_path / "lists.csv").read_bytes())} == {"at_risk", "to_trace"}
    assert openpyxl.load_workbook(tmp_path / "lists.xlsx").sheetnames == ["at_risk", "to_trace", "about"]
    assert (tmp_path / "lists.html").read_text().count("<section>") == 4
