"""Every page, opened by who may, as nobody, by a role that may not, by another tenant, and from another facility."""

import html
from uuid import uuid4

import pytest

from core.access.require import (
    Requirement,
    access_rules,
    alternatives_of,
    is_public,
    page_routes,
    permissions_of,
)
from core.database import platform_session
from core.identity import permission_words
from core.identity.people import members, sessions
from core.identity.roles import permissions_of_role
from tests.isolation import (
    pages_admin,
    pages_alerts,
    pages_billing,
    pages_data,
    pages_followup,
    pages_knowledge,
    pages_messages,
    pages_models,
)
from tests.isolation.pages import OWN, Row
from tests.isolation.things import Things, sso_domain
from tests.keyed import KeyedClient

_PROVIDER = {"issuer": "http://127.0.0.1:9", "client_id": "iit", "version": "*"}
ROWS = [
    Row("GET", "/sign-in", "public", status=303),
    Row("GET", "/alerts", "alerts.read"),
    Row("GET", "/alerts/stream", "alerts.read"),
    Row("GET", "/alerts/{alert_id}", "alerts.read", names=("alert_id",)),
    Row("GET", "/alerts/{alert_id}/people", "alerts.read", names=("alert_id",)),
    Row(
        "POST",
        "/alerts/{alert_id}/act",
        "alerts.act",
        names=("alert_id",),
        form={"act": "acknowledge"},
        status=303,
    ),
    Row("POST", "/alerts/act", "alerts.act", names=("alert_id",), form={"act": "acknowledge"}, status=303),
    Row("POST", "/sign-in", "public", form={"email": "nobody@example.org", "password": "wrong"}, status=401),
    Row("GET", "/sign-in/sso", "public", status=403),
    Row("GET", "/sign-in/sso/callback", "public", status=403),
    Row("GET", "/kit", "public"),
    Row("POST", "/language", "public", form={"language": "pt"}, status=303),
    Row("GET", "/password/{secret}", "public", status=404),
    Row("GET", "/password", "public", status=404),
    Row("POST", "/password", "public", form={"password": "seven green bicycles"}, status=404),
    Row("GET", "/sign-in/code", "public", status=303),
    Row("POST", "/sign-in/code", "public", form={"code": "000000"}, status=303),
    Row("GET", "/sign-in/set-up", "public", status=303),
    Row("POST", "/sign-in/set-up", "public", form={"code": "000000"}, status=303),
    Row("GET", "/me/second-factor", "own"),
    Row("POST", "/me/second-factor", "own", form={"password": "wrong"}, status=409),
    Row("GET", "/me/second-factor/set-up", "own", status=303),
    Row("POST", "/me/second-factor/set-up", "own", form={"code": "000000"}, status=303),
    Row("POST", "/me/second-factor/codes", "own", form={"password": "wrong", "code": "000000"}, status=409),
    Row("POST", "/me/second-factor/remove", "own", form={"password": "wrong", "code": "000000"}, status=409),
    Row("GET", "/start", "own", status=303),
    Row("GET", "/me", "own"),
    Row("POST", "/me/name", "own", form={"name": "Ann Ade"}, status=303),
    Row("POST", "/me/sessions/{session_id}/end", "own", status=404),
    Row("POST", "/me/tenant", "own", form={"tenant_id": "{tenant_id}"}, status=404),
    Row("POST", "/sign-out", "own", status=303),
    Row("GET", "/admin/sso", "sso.manage"),
    Row("POST", "/admin/sso", "sso.manage", form=_PROVIDER, status=303),
    Row("POST", "/admin/sso/test", "sso.manage"),
    Row("POST", "/admin/sso/enforce", "sso.manage", form={"version": "*"}, status=303),
    Row("POST", "/admin/sso/remove", "sso.manage", form={"version": "*"}, status=303),
    Row("POST", "/admin/sso/domains", "sso.manage", form={"domain": "{number}.example.org"}, status=303),
    Row("POST", "/admin/sso/domains/{domain_id}/check", "sso.manage", names=("domain_id",), status=303),
    Row("POST", "/admin/sso/domains/{domain_id}/remove", "sso.manage", names=("domain_id",), status=303),
    Row("GET", "/today", "worklists.read"),
    Row("GET", "/today/rest", "worklists.read"),
    Row(
        "POST",
        "/today/attempts",
        "attempts.write",
        names=("patient_id",),
        form={"id": "{new_id}", "outcome": "reached"},
        status=303,
    ),
    Row("POST", "/today/attempts/{attempt_id}/undo", "attempts.write", names=("attempt_id",), status=303),
    Row("POST", "/today/assignments", "assignments.write", names=("patient_id",), form={"person_id": ""}, status=303),
    Row("GET", "/patients", "patients.read"),
    Row("POST", "/patients", "patients.read", form={"text": "{number}"}),
    Row("GET", "/patients/{patient_id}", "patients.read", names=("patient_id",)),
    Row(
        "POST",
        "/patients/{patient_id}/attempts/{attempt_id}/undo",
        "attempts.write",
        names=("patient_id", "attempt_id"),
        status=303,
    ),
    *pages_followup.ROWS,
    Row("GET", "/programme", "cohort.read"),
    Row("GET", "/programme/people", "patients.read"),
    Row("GET", "/programme/disagreements", "cohort.read"),
    *pages_admin.ROWS,
    Row("GET", "/reports", "reports.read"),
    Row("POST", "/reports", "reports.read", form={"report": "mer.csv", "period": "2025Q1"}, status=303),
    # No job has made it: 409 for whoever may read it.
    Row("GET", "/reports/files/{report_id}", "reports.read", names=("report_id",), status=409),
    Row("POST", "/reports/files/{report_id}/delete", "reports.read", names=("report_id",), status=303),
    Row(
        "POST",
        "/reports/schedules",
        "reports.write",
        form={"report": "mer.csv", "moment": "month-5", "at_hour": "6"},
        status=303,
    ),
    Row("POST", "/reports/schedules/{schedule_id}/delete", "reports.write", names=("schedule_id",), status=303),
    *pages_data.ROWS,
    *pages_messages.ROWS,
    *pages_knowledge.ROWS,
    *pages_alerts.ROWS,
    *pages_models.ROWS,
    *pages_billing.ROWS,
]
GUARDED = [row for row in ROWS if row.needs not in ("public", "own")]
ROWS_OF_ALL = [*ROWS, *pages_admin.OPERATORS, *pages_billing.BUSINESS]
NAMING = [row for row in GUARDED if row.names]
OF_THE_WHOLE_TENANT = {"sso.manage"}
"""What nobody does who reaches a part of the facilities only."""
SEARCH = next(row for row in ROWS if str(row) == "POST /patients")


def may(row):
    """A role that holds what the page needs."""
    if row.path.startswith(("/data", "/reports")) or row.needs == "models.promote":
        return "data_officer"
    if row.needs in OF_THE_WHOLE_TENANT:
        return "partner_admin"
    if row.needs == "attempts.write" or row.path.startswith("/programme"):
        return "case_manager"
    return "tracking_officer" if row.needs in permissions_of_role("tracking_officer") else "partner_admin"


def may_not(row):
    """A role that lacks what the page needs."""
    return "tracking_officer" if row.needs in ("cohort.read", "reports.read") else "viewer"


@pytest.fixture(scope="module")
def places(world):
    """Two facilities of the owner: where the patients are, and an empty one."""
    places = []
    for name in ("Clinic", "Empty"):
        body = {"datim_id": f"P{uuid4().hex[:10]}", "name": name}
        places.append(world.json("POST", "/v1/facilities", json=body))
    return places


@pytest.fixture(scope="module")
def signed_in(application, two, places):
    """Clients with a session: ``signed_in("owner", "viewer")``, confined to a facility or to assigned patients."""
    clients = {}

    def begin(whose, role, facility=None, *, assigned_only=False):
        key = (whose, role, facility, assigned_only)
        if key not in clients:
            tenant = two[0 if whose == "owner" else 1].ref
            reach = None if facility is None else [facility]
            email = f"{role}-{uuid4().hex[:8]}@example.org"
            grant = members.Grant([role], reach, assigned_only=assigned_only)
            person = members.add_member(tenant, email, "Person", grant, actor="test:1")
            with platform_session() as session:
                members.accept(session, person, tenant.id)
                begun = sessions.begin(session, person, tenant.id, signed_in_by="password")
            client = KeyedClient(application, base_url=OWN, follow_redirects=False)
            client.cookies.set("iit_session", begun.secret)
            clients[key] = client
        return clients[key]

    return begin


@pytest.fixture(scope="module")
def things(world, places):
    """What the rows name: all of the owner's, new for each test; ``case_manager`` recorded the attempt."""

    def prepare(recorder, row):
        number = f"H-{uuid4().hex[:10]}"
        body = {"facility": places[0]["datim_id"], "hospital_number": number, "art_start_date": "2025-01-10"}
        patient = world.owner.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
        named = {"patient_id": patient, "number": number, "new_id": str(uuid4()), "attempt_id": str(uuid4())}
        named |= {name: str(uuid4()) for name in ("session_id", "tenant_id", "secret", "absence_id")}
        if row.path.startswith("/admin/sso"):
            named["domain_id"] = sso_domain(world)
        named |= pages_admin.things_of(world, row.names)
        named |= pages_data.things_of(world, row.names, places[0]["datim_id"])
        named |= pages_alerts.things_of(world, row.names)
        named |= pages_billing.things_of(world, row.names)
        named |= pages_messages.things_of(world, row.names, places[0]["datim_id"])
        named |= pages_knowledge.things_of(world, row.names) | pages_models.things_of(world, row.names)
        if recorder is not None:
            recorded = next(row for row in ROWS if row.path == "/today/attempts")
            assert recorded.ask(recorder, {**named, "new_id": named["attempt_id"]}).status_code == recorded.status
        return Things(named, world, places[0]["datim_id"])

    return prepare


@pytest.fixture(scope="module")
def standing(things):
    """Things that no test changes, for requests that are rejected: shared by the rows that name the same."""
    shared = {}

    def find(row):
        key = (row.names, row.path.startswith("/admin/sso"))
        if key not in shared:
            shared[key] = things(None, row)
        return shared[key]

    return find


def test_every_page_has_its_row_and_every_row_its_page(application):
    pages = {(method, route.path) for route in page_routes(application) for method in route.methods}
    rows = {(row.method, row.path) for row in ROWS_OF_ALL}
    assert sorted(pages - rows) == []
    assert sorted(rows - pages) == []


def test_each_page_needs_what_its_row_says(application):
    needed = {}
    for route in page_routes(application):
        for method in route.methods:
            permissions = permissions_of(route) | alternatives_of(route)
            needed[method, route.path] = permissions or {"public" if is_public(route) else "own"}
    assert [str(row) for row in ROWS_OF_ALL if row.needs not in needed[row.method, row.path]] == []


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_who_may_gets_the_page(row, things, signed_in):
    client = signed_in("owner", may(row)) if str(row) != "POST /sign-out" else signed_in("owner", "clinician")
    answer = row.ask(client, things(client if "attempt_id" in row.names else None, row))
    assert answer.status_code == row.status, answer.text


@pytest.mark.parametrize("row", [row for row in ROWS if row.needs != "public"], ids=str)
def test_nobody_is_sent_to_the_sign_in(row, application, standing):
    answer = row.ask(KeyedClient(application, base_url=OWN, follow_redirects=False), standing(row))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("row", GUARDED, ids=str)
def test_another_role_is_told_what_is_needed(row, standing, signed_in):
    assert row.needs not in permissions_of_role(may_not(row))
    answer = row.ask(signed_in("owner", may_not(row)), standing(row))
    assert answer.status_code == 403
    assert "text/html" in answer.headers["content-type"]
    text, needed = html.unescape(answer.text), {row.needs, "alerts.read", "patients.read", "risk.read"}
    assert any(permission_words(name) in text for name in needed)
    assert row.needs not in text


@pytest.mark.parametrize("row", NAMING, ids=str)
def test_another_tenant_has_no_such_thing(row, things, signed_in):
    recorder = signed_in("owner", "case_manager")
    named = things(recorder if "attempt_id" in row.names else None, row)
    answer = row.ask(signed_in("stranger", may(row)), named)
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]
    assert named["number"] not in answer.text


@pytest.mark.parametrize("row", [row for row in GUARDED if row.needs in OF_THE_WHOLE_TENANT], ids=str)
def test_who_reaches_a_part_of_the_facilities_does_nothing_to_the_whole_tenant(row, standing, signed_in, places):
    answer = row.ask(signed_in("owner", may(row), places[0]["datim_id"]), standing(row))
    assert answer.status_code == 403
    assert "you reach some" in answer.text


@pytest.mark.parametrize("row", [row for row in NAMING if row.shared], ids=str)
def test_what_is_shared_is_open_to_whoever_holds_the_permission(row, standing, signed_in, places):
    for reach in ({"facility": places[1]["datim_id"]}, {"assigned_only": True}):
        assert row.ask(signed_in("owner", may(row), **reach), standing(row)).status_code == row.status


OF_A_FACILITY = [row for row in NAMING if not row.shared and row.needs not in OF_THE_WHOLE_TENANT]


@pytest.mark.parametrize("row", OF_A_FACILITY, ids=str)
def test_who_works_at_another_facility_has_no_such_thing(row, things, signed_in, places):
    recorder = signed_in("owner", "case_manager")
    named = things(recorder if "attempt_id" in row.names else None, row)
    answer = row.ask(signed_in("owner", may(row), places[1]["datim_id"]), named)
    assert answer.status_code == (404 if row.confined else 403)
    assert named["number"] not in answer.text
    ours = signed_in("owner", may(row), places[0]["datim_id"])
    if row.confined and "attempt_id" not in row.names:
        assert row.ask(ours, named).status_code == row.status


@pytest.fixture(scope="module")
def by_patient(application):
    """The pages that open to who reaches assigned patients only."""
    return {
        (method, route.path)
        for route in page_routes(application)
        for method in route.methods
        if all(isinstance(rule, Requirement) and rule.by_patient for rule in access_rules(route))
    }


@pytest.mark.parametrize("row", [row for row in GUARDED if row.confined and not row.shared], ids=str)
def test_who_has_no_assigned_patient_sees_none(row, things, signed_in, by_patient):
    named = things(signed_in("owner", "case_manager") if "attempt_id" in row.names else None, row)
    answer = row.ask(signed_in("owner", may(row), assigned_only=True), named)
    assert f"/patients/{named['patient_id']}" not in answer.text
    if (row.method, row.path) in by_patient:
        assert answer.status_code == (404 if row.names else row.status)
    else:
        assert answer.status_code == 403
        assert "assigned to you" in answer.text or "you reach some" in answer.text


@pytest.mark.parametrize("row", [row for row in GUARDED if not row.confined], ids=str)
def test_who_reaches_some_facilities_is_told_that_the_page_concerns_all(row, standing, signed_in, places):
    answer = row.ask(signed_in("owner", may(row), places[0]["datim_id"]), standing(row))
    assert answer.status_code == 403
    assert "all facilities" in answer.text


def test_a_search_shows_whom_the_reader_reaches_and_nobody_else(things, signed_in, places):
    named = things(None, SEARCH)
    href = f'href="/patients/{named["patient_id"]}"'
    for client, shown in (
        (signed_in("owner", "tracking_officer"), True),
        (signed_in("owner", "tracking_officer", places[0]["datim_id"]), True),
        (signed_in("owner", "tracking_officer", places[1]["datim_id"]), False),
        (signed_in("stranger", "tracking_officer"), False),
    ):
        answer = SEARCH.ask(client, named)
        assert answer.status_code == 200, answer.text
        assert (href in answer.text) is shown


def test_a_number_of_the_programme_counts_and_opens_whom_the_reader_reaches(things, signed_in, places):
    named = things(None, SEARCH)
    query = "period=2025Q1&show=TX_NEW&page={page}"
    href = f'href="/patients/{named["patient_id"]}"'
    for client, shown in (
        (signed_in("owner", "case_manager"), True),
        (signed_in("owner", "case_manager", places[0]["datim_id"]), True),
        (signed_in("owner", "case_manager", places[1]["datim_id"]), False),
        (signed_in("stranger", "case_manager"), False),
    ):
        lists = [client.get(f"/programme/people?{query.format(page=page)}") for page in range(1, 9)]
        assert {answer.status_code for answer in lists} == {200}
        assert any(href in answer.text for answer in lists) is shown
        assert ("show=TX_NEW" in client.get("/programme?period=2025Q1").text) is shown


def test_who_reads_numbers_only_gets_no_link_to_people(things, signed_in):
    things(None, SEARCH)
    page = signed_in("owner", "viewer").get("/programme?period=2025Q1")
    assert page.status_code == 200
    assert "/programme/people" not in page.text
    assert "the permission to see patients" in page.text
