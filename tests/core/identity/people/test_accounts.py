"""Accounts: deactivation ends all access at once, for an admin's own people alone; operators are added and removed."""

import json
from functools import partial

import pytest

from core.cli.main import run
from core.database import platform_session
from core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from core.identity.keys import list_keys
from core.identity.people import accounts, links, members
from core.identity.people.deactivation import deactivate_member, reactivate_member
from core.identity.people.members import Grant
from core.identity.people.sessions import COOKIE, Sessions
from tests.keyed import KeyedClient

ANY = {"If-Match": "*"}


@pytest.fixture
def session_of(application, begin):
    """A client with a new session of the account: ``session_of(email)``."""

    def start(email):
        client = KeyedClient(application, follow_redirects=False)
        client.cookies.set(COOKIE, begin(email).secret)
        return client

    return start


@pytest.fixture
def token():
    """The token of the client's pages, for its writes."""

    def read(client):
        text = client.get("/me").text
        return {"X-CSRF-Token": text.split('name="csrf_token" value="')[1].split('"')[0]}

    return read


@pytest.fixture
def make_key(session_of, token, application, client_for):
    """A client with an API key that the person created: ``make_key(email)``."""

    def create(email, **body):
        client = session_of(email)
        answer = client.post("/v1/keys", json={"name": "reports", **body}, headers=token(client))
        assert answer.status_code == 201, answer.text
        return client_for(application, answer.json()["api_key"])

    return create


@pytest.mark.parametrize("by", ["operator", "admin"])
def test_deactivation_ends_sessions_links_and_keys_at_once(by, tenant, add_person, begin, make_key):
    add_person("partner_admin")
    person, email = add_person("partner_admin")
    session, key = begin(email), make_key(email)
    link = links.create_link(person, links.RESET, actor="test:1", tenant_id=tenant.id).path.removeprefix(links.PATH)
    assert key.get("/v1/me").status_code == 200
    act = partial(accounts.deactivate, person) if by == "operator" else partial(deactivate_member, tenant, person)
    act(actor="test:1")
    assert key.get("/v1/me").status_code == 401
    with pytest.raises(Unauthenticated):
        Sessions().verify(session.secret)
    with pytest.raises(NotFound):
        links.holder_of(link)
    with pytest.raises(Unauthenticated if by == "operator" else Forbidden):
        begin(email)
    assert members.get_member(tenant, person).state == "deactivated"


def test_a_reactivated_person_signs_in_again_and_the_old_keys_stay_revoked(tenant, add_person, begin, make_key):
    person, email = add_person("data_officer")
    add_person("partner_admin")
    admin, _ = add_person("partner_admin")
    members.change_member(tenant, person, Grant(["partner_admin"]), actor="test:1")
    key = make_key(email)
    for _ in range(2):
        deactivate_member(tenant, person, actor="test:1")
    for _ in range(2):
        reactivate_member(tenant, person, actor="test:1")
    assert begin(email).tenant_id == tenant.id
    assert key.get("/v1/me").status_code == 401
    assert members.get_member(tenant, admin).state == "active"


def test_an_admin_deactivates_nobody_who_was_only_invited_or_is_a_stranger(tenant, make_tenant):
    invited = members.add_member(tenant, "new@example.org", "New", Grant(["viewer"]), actor="test:1")
    with pytest.raises(Conflict):
        deactivate_member(tenant, invited, actor="test:1")
    for act in (deactivate_member, reactivate_member):
        with pytest.raises(NotFound):
            act(make_tenant().ref, invited, actor="test:1")


def test_the_last_admin_of_a_tenant_stays_active_also_for_the_operator(tenant, add_person, capsys):
    person, email = add_person("partner_admin")
    with pytest.raises(Conflict):
        deactivate_member(tenant, person, actor="test:1")
    assert run(["people", "deactivate", email]) == 1
    assert "last admin" in capsys.readouterr().err
    add_person("partner_admin")
    assert run(["people", "deactivate", email, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": str(person), "deactivated": True}
    assert run(["people", "reactivate", email]) == 0
    assert members.get_member(tenant, person).state == "active"


def test_the_api_deactivates_with_the_version_that_was_read_and_says_so_in_the_audit(
    tenant, make_tenant, application, client_for
):
    owner = make_tenant()
    client = client_for(application, owner.api_key)
    body = {"email": "tracker@example.com", "name": "Tracker", "roles": ["viewer"]}
    person = client.post("/v1/people", json=body)
    path = f"/v1/people/{person.json()['id']}"
    with platform_session() as session:
        members.accept(session, members.person_of(body["email"]), owner.ref.id)
    assert client.post(f"{path}/deactivate").status_code == 428
    assert client.post(f"{path}/deactivate", headers={"If-Match": '"old"'}).status_code == 412
    assert client.post(f"{path}/deactivate", headers=ANY).json()["state"] == "deactivated"
    assert client.post(f"{path}/links", json={}).status_code == 404
    assert client.post(f"{path}/reactivate").json()["state"] == "active"
    acts = [event["action"] for event in client.get("/v1/audit").json()["items"]]
    assert {"api:person:deactivate", "api:person:reactivate"} <= set(acts)


def test_links_of_the_tenant_alone_are_revoked(make_tenant, application, client_for):
    owners = [make_tenant(), make_tenant()]
    secrets, clients, body = [], [], {"email": "two@example.com", "name": "Two", "roles": ["viewer"]}
    for owner in owners:
        clients.append(client_for(application, owner.api_key))
        invited = clients[-1].post("/v1/people", json=body).json()
        secrets.append(invited["link"]["path"].removeprefix(links.PATH))
    assert clients[0].delete(f"/v1/people/{invited['id']}/links").status_code == 204
    with pytest.raises(NotFound):
        links.holder_of(secrets[0])
    assert links.holder_of(secrets[1]).email == body["email"]


def test_people_are_searched_by_name_and_address(client_for, application, make_tenant):
    client = client_for(application, make_tenant().api_key)
    for name, email in (("Ann 50%", "z@example.com"), ("Ben", "anna@example.com"), ("Cy", "c@example.com")):
        client.post("/v1/people", json={"email": email, "name": name, "roles": ["viewer"]})

    def names(text):
        answer = client.get("/v1/people", params={"search": text, "page_size": 2}).json()
        return [person["name"] for person in answer["items"]], answer["total"]

    assert names("ANN") == (["Ann 50%", "Ben"], 2)
    assert names("50%") == (["Ann 50%"], 1)
    assert names("_") == ([], 0)


def test_a_key_permits_no_more_than_its_creator_may_do_now(tenant, add_person, make_key):
    add_person("partner_admin")
    person, email = add_person("partner_admin")
    key = make_key(email)
    assert key.get("/v1/me").json()["on_behalf_of"] == f"person:{person}"
    assert key.get("/v1/people").status_code == 200
    chained = key.post("/v1/keys", json={"name": "of a key"}).json()
    assert chained["created_by"] == f"person:{person}"
    second = KeyedClient(key.app, headers={"X-API-Key": chained["api_key"]})
    members.change_member(tenant, person, Grant(["data_officer"]), actor="test:1")
    for client in (key, second):
        assert client.get("/v1/people").status_code == 403
        assert client.get("/v1/settings").status_code == 200
    grant = Grant(["data_officer"], states=["Lagos"], assigned_only=True)
    members.change_member(tenant, person, grant, actor="test:1")
    assert key.get("/v1/me").json()["scope"] == {"facilities": None, "states": ["Lagos"], "assigned_only": True}
    assert key.get("/v1/settings").status_code == 403
    members.remove_member(tenant, person, actor="test:1")
    for client in (key, second):
        assert client.get("/v1/me").status_code == 401


def test_the_explanation_of_a_key_names_its_creator(tenant, add_person, make_key):
    from core.access.explain import explain

    add_person("partner_admin")
    person, email = add_person("partner_admin")
    make_key(email)
    prefix = list_keys(tenant, limit=1)[0].prefix
    assert explain(tenant, prefix, "people.read").allowed
    members.change_member(tenant, person, Grant(["viewer"]), actor="test:1")
    assert explain(tenant, prefix, "people.read").reasons == ["its creator does not hold it"]


def test_an_operator_is_removed_with_sessions_and_password(begin, capsys):
    from tests.core.identity.people.conftest import PASSWORD

    person = accounts.add_operator("ops-gone@example.org", "Operator", "platform_admin", actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1")
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    session = begin("ops-gone@example.org")
    assert run(["people", "operators", "--json"]) == 0
    assert "ops-gone@example.org" in capsys.readouterr().out
    assert run(["people", "remove-operator", "ops-gone@example.org"]) == 0
    with pytest.raises(Unauthenticated):
        Sessions().verify(session.secret)
    with pytest.raises(Unauthenticated):
        begin("ops-gone@example.org")
    assert run(["people", "remove-operator", "ops-gone@example.org"]) == 1
    assert "ops-gone" not in json.dumps([str(operator) for operator in accounts.list_operators()])


@pytest.mark.parametrize("compromised", [False, True])
def test_a_reset_ends_password_sessions_and_keys_at_once_if_somebody_else_knew_it(
    compromised, tenant, add_person, begin, make_key, session_of, token
):
    admin = session_of(add_person("partner_admin")[1])
    person, email = add_person("partner_admin")
    session, key = begin(email), make_key(email)
    body, headers = {"purpose": "reset", "compromised": compromised}, token(admin)
    link = admin.post(f"/v1/people/{person}/links", json=body, headers=headers).json()["path"]
    assert key.get("/v1/me").status_code == (401 if compromised else 200)
    if compromised:
        with pytest.raises(Unauthenticated):
            Sessions().verify(session.secret)
        with pytest.raises(Unauthenticated):
            begin(email)
    else:
        assert Sessions().verify(session.secret)
    links.use_link(link.removeprefix(links.PATH), "three quiet rivers and a lamp")
    assert begin(email, "three quiet rivers and a lamp").tenant_id == tenant.id
    assert key.get("/v1/me").status_code == (401 if compromised else 200)
    details = [event["detail"] for event in admin.get("/v1/audit", headers=headers).json()["items"]]
    assert ({"purpose": "reset", "compromised": True} in details) is compromised


def test_the_page_of_a_person_and_the_command_line_offer_to_end_keys_with_a_reset(
    add_person, make_key, session_of, token, capsys
):
    admin = session_of(add_person("partner_admin")[1])
    admin.base_url, admin.headers["Origin"] = "http://localhost", "http://localhost"
    person, email = add_person("partner_admin")
    key = make_key(email)
    assert 'name="compromised"' in admin.get(f"/admin/people/{person}").text
    form = {"csrf_token": token(admin)["X-CSRF-Token"], "compromised": "true"}
    assert admin.post(f"/admin/people/{person}/link", data=form).status_code == 200
    assert key.get("/v1/me").status_code == 401
    second, other = add_person("partner_admin")
    key = make_key(other)
    assert run(["people", "link", other]) == 0
    assert key.get("/v1/me").status_code == 200
    assert run(["people", "link", other, "--compromised"]) == 0
    assert key.get("/v1/me").status_code == 401
    assert run(["people", "link", other, "--compromised", "--tenant", "x"]) == 2
    assert second
    capsys.readouterr()
