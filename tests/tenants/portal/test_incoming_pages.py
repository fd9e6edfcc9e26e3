"""The page on which a message of an unknown phone gets its patient."""

import re
from uuid import uuid4

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from plugins.sdk import IncomingSms
from tenants.messages import incoming
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def admin(application, make_tenant):
    """A browser of a partner's admin, with the partner's API and the number of a patient."""
    owner = make_tenant()
    api = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    api.post("/v1/facilities", json={"datim_id": "FAC001", "name": "Hope Clinic"})
    body = {"facility": "FAC001", "hospital_number": "H-4711", "phone": "08030000017"}
    patient = api.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
    email = f"a@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Ada", members.Grant(["partner_admin"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    client.tenant, client.api, client.patient = owner.ref, api, patient
    return client


def post(client, path, **form):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]
    headers = {"Origin": "http://testserver"}
    return client.post(path, data={"csrf_token": token, **form}, headers=headers, follow_redirects=False)


def test_a_message_of_an_unknown_phone_is_assigned_to_the_patient_who_is_found(admin):
    text = f"it is me {uuid4().hex}"
    with tenant_session(admin.tenant, actor="test:1") as session:
        incoming.take(session, uuid4(), IncomingSms("+2348030000099", text, ""))
    path = re.search(r'href="(/messages/[0-9a-f-]+/patient)"', admin.get("/messages").text)[1]
    assert text in admin.get(path).text
    assert "No patient has this name, number or phone" in post(admin, path, text="H-0000").text
    wrong = post(admin, path, text=" ")
    assert (wrong.status_code, "Write a name, a number or a phone." in wrong.text) == (422, True)
    choice = post(admin, path, text="H-4711").text
    assert f'name="patient_id" value="{admin.patient}"' in choice
    answer = post(admin, path.replace("/patient", "/settle"), answer="call", patient_id=admin.patient)
    assert answer.status_code == 303
    (plan,) = admin.api.get("/v1/interventions", params={"patient_id": admin.patient}).json()["items"]
    assert (plan["kind"], plan["state"]) == ("phone_call", "planned")
    assert admin.get(path).status_code == 404
