"""Two tenants and one address: neither learns of the other's person, nor hinders or colours the other's membership."""

import json
from uuid import uuid4

import pytest

from core.cli.main import run
from core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from core.identity.people import accounts, deactivation, links, members
from core.identity.people.account_rows import choose_language, choose_name
from core.identity.people.members import Grant
from core.identity.people.sessions import KIND
from core.jobs.worker import drain
from tests.core.identity.people.conftest import PASSWORD
from tests.keyed import KeyedClient

TYPED = {"name": "Typed Name", "roles": ["viewer"], "language": "pt"}
ANY = {"If-Match": "*"}


@pytest.fixture
def ours(application, client_for, make_tenant):
    return client_of(application, client_for, make_tenant)


@pytest.fixture
def theirs(application, client_for, make_tenant):
    return client_of(application, client_for, make_tenant)


def client_of(application, client_for, make_tenant):
    owner = make_tenant()
    client = client_for(application, owner.api_key)
    client.tenant = owner.ref
    return client


@pytest.fixture
def email():
    return f"both-{uuid4().hex[:10]}@example.org"


def invite(client, email, **facts):
    answer = client.post("/v1/people", json={**TYPED, "email": email, **facts})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["link"]["path"].removeprefix(links.PATH)


@pytest.fixture
def real(theirs, set_up, email):
    """Makes the person of the other tenant: named otherwise, with a second factor and a language."""

    def join(secret=None):
        person_id, secret = (members.person_of(email), secret) if secret else invite(theirs, email, name="First Name")
        links.use_link(secret, PASSWORD)
        choose_name(person_id, "Real Name")
        choose_language(person_id, "fr")
        set_up(person_id, email)
        return person_id

    return join


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_until_the_person_accepts_the_inviter_sees_what_they_typed(
    first, ours, theirs, real, begin, add_person, capsys, email
):
    if first == "theirs":
        real()
        person_id, secret = invite(ours, email)
    else:
        person_id, secret = invite(ours, email)
        real(invite(theirs, email, name="First Name")[1])
    shown = ours.get(f"/v1/people/{person_id}").json()
    expected = {"name": "Typed Name", "second_factor": False, "language": "pt", "state": "active", "invited": True}
    assert {name: shown[name] for name in expected} == expected
    assert ours.get("/v1/people", params={"search": "real"}).json()["total"] == 0
    assert ours.get("/v1/people", params={"search": "typed"}).json()["items"] == [shown]
    assert run(["people", "list", ours.tenant.slug, "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["people"]
    assert (listed["name"], listed["language"]) == ("Typed Name", "pt")
    assert members.names_of(ours.tenant, [members.person_of(email)]) == {members.person_of(email): "Typed Name"}
    assert links.holder_of(secret).name == "Typed Name"
    admin = KeyedClient(ours.app)
    admin.cookies.set("iit_session", begin(add_person("partner_admin", of=ours.tenant)[1]).secret)
    pages = admin.get("/admin/people").text + admin.get(f"/admin/people/{person_id}").text
    assert "Typed Name" in pages
    assert not any(fact in pages for fact in ("Real Name", "First Name", "Français</dd>", "It is on"))
    links.use_link(secret, PASSWORD)
    accepted = ours.get(f"/v1/people/{person_id}").json()
    assert (accepted["name"], accepted["second_factor"], accepted["language"]) == ("Real Name", True, "fr")


def test_no_act_on_an_invitation_tells_whether_the_account_is_in_use(ours, real, email):
    real()
    used, unused = invite(ours, email)[0], invite(ours, f"new-{email}")[0]

    def answers(person_id):
        path = f"/v1/people/{person_id}"
        calls = (
            ours.delete(f"{path}/second-factor"),
            ours.post(f"{path}/deactivate", headers=ANY),
            ours.post(f"{path}/reactivate"),
            ours.post(f"{path}/links", json={"purpose": "reset", "compromised": True}),
        )
        return [(call.status_code, call.json().get("detail")) for call in calls]

    assert answers(used) == answers(unused)
    accounts.deactivate(members.person_of(email), actor="test:1")
    assert ours.get(f"/v1/people/{used}").json()["state"] == "active"


@pytest.mark.parametrize("accepted", [False, True])
def test_an_inviter_who_deactivates_an_address_does_not_hinder_another(ours, theirs, begin, accepted, email):
    person_id, squatted = invite(theirs, email, name="Squatter's Name", language="fr")
    if accepted:
        links.use_link(squatted, PASSWORD)
    answer = theirs.post(f"/v1/people/{person_id}/deactivate", headers=ANY)
    assert answer.status_code == (200 if accepted else 409)
    invited, secret = invite(ours, email)
    assert ours.get(f"/v1/people/{invited}").json()["name"] == "Typed Name"
    links.use_link(secret, PASSWORD)
    session = begin(email)
    assert session.tenant_id == ours.tenant.id
    if not accepted:
        shown = ours.get(f"/v1/people/{invited}").json()
        assert (shown["name"], shown["language"]) == ("Typed Name", "pt")
        assert theirs.get(f"/v1/people/{invited}").json()["name"] == "Squatter's Name"


@pytest.mark.parametrize("deactivated_first", [True, False])
def test_a_deactivation_concerns_its_tenant_alone(ours, theirs, begin, add_person, deactivated_first):
    person_id, email = add_person(of=ours.tenant)
    act = {"actor": "test:1"}
    if deactivated_first:
        deactivation.deactivate_member(ours.tenant, person_id, **act)
        with pytest.raises(Forbidden):
            begin(email)
    links.use_link(invite(theirs, email)[1], PASSWORD)
    session = begin(email)
    if not deactivated_first:
        assert KIND.verify(session.secret).tenant == ours.tenant
        deactivation.deactivate_member(ours.tenant, person_id, **act)
        with pytest.raises(Unauthenticated):
            KIND.verify(session.secret)
        session = begin(email)
    assert [tenant["id"] for tenant in members.tenants_of(person_id)] == [session.tenant_id] == [theirs.tenant.id]
    states = [members.get_member(place.tenant, person_id).state for place in (ours, theirs)]
    assert states == ["deactivated", "active"]
    deactivation.reactivate_member(ours.tenant, person_id, **act)
    assert len(members.tenants_of(person_id)) == 2


def test_what_the_operator_deactivated_no_admin_activates(ours, add_person):
    person_id, _ = add_person(of=ours.tenant)
    accounts.deactivate(person_id, actor="test:1")
    with pytest.raises(Conflict, match="operator"):
        deactivation.reactivate_member(ours.tenant, person_id, actor="test:1")
    assert members.get_member(ours.tenant, person_id).state == "deactivated"
    with pytest.raises(NotFound):
        links.create_link(person_id, links.RESET, actor="test:1", tenant_id=ours.tenant.id)


def test_a_letter_of_an_unused_account_has_the_name_and_the_language_of_its_own_inviter(box, ours, theirs, email):
    invite(theirs, email, name="Squatter's Name", language="fr")
    invite(ours, email)
    drain(ours.tenant)
    (letter,) = box.letters
    assert "Typed Name" in letter.get_content()
    assert letter["Content-Language"] == "pt"


def test_a_person_chooses_their_own_name_for_every_tenant(ours, theirs, begin, email):
    links.use_link(invite(ours, email)[1], PASSWORD)
    links.use_link(invite(theirs, email, name="Another")[1], PASSWORD)
    session = begin(email)
    client = KeyedClient(ours.app, headers={"Origin": "http://testserver"}, follow_redirects=False)
    client.cookies.set("iit_session", session.secret)
    token = client.get("/me").text.split('name="csrf_token" value="')[1].split('"')[0]
    rejected = client.post("/me/name", data={"csrf_token": token, "name": " "})
    assert (rejected.status_code, 'aria-invalid="true"' in rejected.text) == (422, True)
    assert client.post("/me/name", data={"csrf_token": token, "name": " Ann  Ade "}).status_code == 303
    person_id = members.person_of(email)
    assert {members.get_member(place.tenant, person_id).name for place in (ours, theirs)} == {"Ann Ade"}
    answer = client.put("/v1/me", json={"name": "Ann B", "language": None}, headers={"X-CSRF-Token": token})
    assert answer.json()["name"] == client.get("/v1/me", headers={"X-CSRF-Token": token}).json()["name"] == "Ann B"


def test_an_operator_has_the_name_that_the_operator_gave(theirs, email):
    person_id, _ = invite(theirs, email, name="Squatter's Name")
    members.remove_member(theirs.tenant, members.person_of(email), actor="test:1")
    accounts.add_operator(email, "Operator", "platform_support", actor="test:1")
    names = {str(operator.id): operator.name for operator in accounts.list_operators()}
    assert names[person_id] == "Operator"


def test_a_grant_of_one_tenant_is_not_changed_by_the_other(ours, theirs, email):
    person_id, _ = invite(ours, email)
    invite(theirs, email, roles=["data_officer"])
    members.change_member(theirs.tenant, members.person_of(email), Grant(["partner_admin"]), actor="test:1")
    assert ours.get(f"/v1/people/{person_id}").json()["roles"] == ["viewer"]
