"""Who reaches assigned patients only: no list, search, page or file shows another patient, whoever is assigned."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import platform_session, tenant_session
from core.identity import csrf
from core.identity.people import members, sessions
from core.identity.people.members import Grant
from tenants.records.models import PatientAssignment
from tenants.risk import worklist
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import scored

EVERYBODY = range(5)
LISTS = (
    "/v1/patients",
    "/v1/patients/export",
    "/v1/visits",
    "/v1/visits/export",
    "/v1/observations",
    "/v1/attempts",
    "/v1/risk/predictions",
)
OF_ONE = (
    "/v1/patients/{}",
    "/v1/patients/{}/versions",
    "/v1/patients/{}/timeline",
    "/v1/patients/{}/status",
    "/v1/assignments/{}/assignees",
    "/patients/{}",
    "/assign/{}",
)
LEAST = 3
"""Lists that a sound run of the test finds filled, so that an answer without anybody proves something."""


class Partner:
    """A tenant with five people on today's lists, at two clinics, and a case manager who reaches assigned ones only."""

    def __init__(self, application, owner, client, roles=("case_manager", "clinician")):
        self.tenant, self.owner = owner.ref, client
        by_kind = scored(owner.ref, client, clinics=2)
        self.patients = [*by_kind["at_risk"], *by_kind["to_trace"]]
        self.place = {}
        for patient in self.patients:
            self.place[patient] = client.get(f"/v1/patients/{patient}").json()["facility"]
            client.post(
                "/v1/visits", json={"patient_id": patient, "date_started": "2025-02-03", "visit_type": "clinical"}
            )
            observed = {"patient_id": patient, "obs_datetime": "2025-02-03T09:00:00Z", "variable_name": "weight"}
            client.post("/v1/observations", json={**observed, "value_numeric": 60})
            attempt = {"id": str(uuid4()), "patient_id": patient, "outcome": "not_reached"}
            client.post("/v1/attempts", json=attempt)
        self.person = members.add_member(
            owner.ref, f"{uuid4().hex[:10]}@example.org", "Person", Grant(roles, assigned_only=True), actor="test:1"
        )
        with platform_session() as session:
            members.accept(session, self.person, owner.ref.id)
            begun = sessions.begin(session, self.person, owner.ref.id, signed_in_by="password")
        self.client = KeyedClient(application, follow_redirects=False)
        self.client.cookies.set("iit_session", begun.secret)
        self.client.headers.update({"Origin": "http://testserver", csrf.HEADER: csrf.token_of(begun.secret)})
        with tenant_session(owner.ref, actor="test:1") as session:
            orders = [
                worklist.order_for(session, kind, worklist.worklist_repository.newest_scored_day(session))
                for kind in worklist.KINDS
            ]
        self.lists = [
            worklist.issue(owner.ref, lambda: tenant_session(owner.ref, actor="test:1"), order) for order in orders
        ]

    def assign(self, patients):
        """Make these the person's patients, and no others."""
        with tenant_session(self.tenant, actor="test:1") as session:
            with session.cursor() as cursor:
                cursor.execute("DELETE FROM patient_assignments")
            session.add_all(
                PatientAssignment(patient_uuid=UUID(patient), person_id=self.person, assigned_by="test:1")
                for patient in patients
            )

    def grant(self, **reach):
        """Give the person another reach."""
        roles = ["case_manager", "clinician"]
        members.change_member(self.tenant, self.person, Grant(roles, **reach), actor="test:1")

    def named(self, answer):
        """The patients whom an answer names."""
        return {patient for patient in self.patients if patient in answer.text}


@pytest.fixture
def partner(application, client_for, make_tenant):
    owner = make_tenant()
    return Partner(application, owner, client_for(application, owner.api_key))


def seen(partner):
    """Where the person sees which patients: address -> those whom the answer names."""
    answers = {path: partner.client.get(path) for path in LISTS}
    assert {answer.status_code for answer in answers.values()} == {200}
    for uuid in partner.lists:
        for path in (f"/v1/worklists/{uuid}", f"/v1/worklists/{uuid}/file", f"/v1/worklists/{uuid}/file?format=html"):
            answers[path] = partner.client.get(path)
    for kind in worklist.KINDS:
        answers[f"/today?list={kind}"] = partner.client.get(f"/today?list={kind}")
    answers["search"] = partner.client.post("/v1/patients/search", json={"phone": "08000000412"})
    return {path: partner.named(answer) for path, answer in answers.items()}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(assigned=st.sets(st.sampled_from(EVERYBODY)), at_one_clinic=st.booleans())
def test_no_answer_names_a_patient_who_is_not_assigned(partner, assigned, at_one_clinic):
    clinic = partner.place[partner.patients[0]]
    partner.grant(assigned_only=True, facilities=[clinic] if at_one_clinic else None)
    partner.assign([partner.patients[number] for number in assigned])
    own = {
        patient
        for number, patient in enumerate(partner.patients)
        if number in assigned and (not at_one_clinic or partner.place[patient] == clinic)
    }
    shown = seen(partner)
    assert {path: names - own for path, names in shown.items() if names - own} == {}
    whole = [path for path in (*LISTS, "search") if shown[path] == own]
    assert len(whole) == len(LISTS) + 1, shown
    for patient in partner.patients:
        statuses = {path: partner.client.get(path.format(patient)).status_code for path in OF_ONE}
        assert set(statuses.values()) == {200 if patient in own else 404}, statuses


def test_lists_and_totals_count_assigned_patients_only(partner):
    own = partner.patients[:LEAST]
    partner.assign(own[1:])
    for path in LISTS:
        answer = partner.client.get(path)
        if answer.headers["content-type"].startswith("application/json"):
            assert answer.json()["total"] == LEAST - 1, path
    (head,) = partner.client.get("/v1/worklists").json()["items"]
    assert (head["entries"], head["candidates"]) == (LEAST - 1, LEAST - 1)
    assert sum(each["listed"] for each in head["facilities"]) == LEAST - 1
    detail = partner.client.get(f"/v1/worklists/{head['id']}").json()
    assert {entry["patient_id"] for entry in detail["people"]} == set(own[1:])
    assert len(partner.client.get("/v1/facilities").json()["items"]) == len({partner.place[each] for each in own[1:]})


def test_an_assignment_gives_the_reach_and_its_end_takes_it_with_the_next_request(partner):
    patient = partner.patients[0]
    assert partner.client.get(f"/v1/patients/{patient}").status_code == 404
    assignees = partner.owner.get(f"/v1/assignments/{patient}/assignees").json()
    assert str(partner.person) in {each["id"] for each in assignees}
    assert partner.owner.put(f"/v1/assignments/{patient}", json={"person_id": str(partner.person)}).status_code == 200
    assert partner.client.get(f"/v1/patients/{patient}").status_code == 200
    assert partner.owner.delete(f"/v1/assignments/{patient}").status_code == 204
    assert partner.client.get(f"/v1/patients/{patient}").status_code == 404
    partner.grant()
    assert partner.client.get(f"/v1/patients/{patient}").status_code == 200


def test_who_hands_a_patient_on_loses_the_patient(partner):
    patient = partner.patients[0]
    partner.assign([patient])
    colleague = members.add_member(
        partner.tenant, f"{uuid4().hex[:10]}@example.org", "C", Grant(["case_manager"]), actor="test:1"
    )
    with platform_session() as session:
        members.accept(session, colleague, partner.tenant.id)
    answer = partner.client.post(f"/assign/{patient}", data={"person_id": str(colleague)})
    assert answer.status_code == 303
    assert partner.client.get(f"/v1/patients/{patient}").status_code == 404


def test_what_concerns_whole_facilities_is_closed_and_says_why(partner):
    partner.assign(partner.patients)
    for path in ("/v1/cohort/status", "/v1/cohort/facilities", "/programme"):
        answer = partner.client.get(path)
        assert (answer.status_code, "assigned to you" in answer.text) == (403, True), path
    body = {"facility": partner.place[partner.patients[0]], "sex": "F"}
    assert partner.client.post("/v1/patients", json=body).status_code == 403
    assert partner.client.get("/start").headers["location"] == "/today"
    assert 'href="/programme"' not in partner.client.get("/today").text
