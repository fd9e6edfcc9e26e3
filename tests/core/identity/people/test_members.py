"""People of a tenant: invited, changed, removed, and never without an admin."""

import json

import pytest

from core.access.explain import explain
from core.cli.main import run
from core.errors import Conflict, Invalid, NotFound
from core.identity.people import accounts, members
from core.identity.people.members import Grant


def body(**facts):
    return {"email": "tracker@example.org", "name": "Tracking officer", "roles": ["tracking_officer"], **facts}


@pytest.fixture
def client(application, client_for, make_tenant):
    owner = make_tenant()
    client = client_for(application, owner.api_key)
    client.tenant = owner.ref
    return client


def test_an_invitation_gives_a_link_that_is_shown_one_time(client):
    answer = client.post("/v1/people", json=body())
    assert answer.status_code == 201
    assert answer.json()["link"]["path"].startswith("/password/")
    shown = client.get(answer.headers["location"])
    assert shown.json()["invited"] is True
    assert "link" not in shown.json()


def test_a_person_of_two_tenants_has_one_account(client, application, client_for, make_tenant):
    other = client_for(application, make_tenant().api_key)
    first, second = client.post("/v1/people", json=body()), other.post("/v1/people", json=body(roles=["viewer"]))
    assert first.json()["link"]["path"] != second.json()["link"]["path"]
    assert first.json()["id"] == second.json()["id"]
    assert other.get("/v1/people").json()["items"][0]["roles"] == ["viewer"]
    assert client.post("/v1/people", json=body()).status_code == 409


def test_people_are_listed_in_pages_and_sorted(client):
    for name, email in (("Ann", "z@example.org"), ("Ben", "a@example.org"), ("Ben", "m@example.org")):
        assert client.post("/v1/people", json=body(name=name, email=email)).status_code == 201
    orders = {
        "name": ["z@example.org", "a@example.org", "m@example.org"],
        "-email": ["z@example.org", "m@example.org", "a@example.org"],
        "-created_at": ["m@example.org", "a@example.org", "z@example.org"],
    }
    for sort, emails in orders.items():
        first = client.get("/v1/people", params={"sort": sort, "page_size": 2}).json()
        second = client.get(first["next"]).json()
        assert [person["email"] for person in first["items"] + second["items"]] == emails, sort


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"name": " "}, "name"),
        ({"roles": ["nobody"]}, "roles"),
        ({"roles": ["platform_admin"]}, "roles"),
    ],
)
def test_what_is_not_valid_is_rejected_by_field(client, facts, field):
    answer = client.post("/v1/people", json=body(**facts))
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"]


def test_nobody_grants_more_than_they_may_do(client, application, client_for):
    from core.identity.keys import create_key

    key = create_key(client.tenant, name="few", permissions=["people.read", "people.write"]).plaintext
    few = client_for(application, key)
    assert few.post("/v1/people", json=body(roles=["partner_admin"])).status_code == 403
    assert few.get("/v1/people").json()["total"] == 0


def test_facilities_are_read_and_written_as_datim_ids(client):
    for name in ("Fac1", "Fac2"):
        assert client.post("/v1/facilities", json={"datim_id": name, "name": name}).status_code == 201
    person = client.post("/v1/people", json=body(facilities=["Fac2", "Fac1"])).json()
    assert person["facilities"] == ["Fac1", "Fac2"]
    path, any_version = f"/v1/people/{person['id']}", {"If-Match": "*"}
    changed = client.put(path, json={"roles": ["viewer"], "facilities": ["Fac2"]}, headers=any_version)
    assert changed.json()["facilities"] == client.get(path).json()["facilities"] == ["Fac2"]
    assert client.get("/v1/people").json()["items"][0]["facilities"] == ["Fac2"]
    assert client.put(path, json={"roles": ["viewer"]}, headers=any_version).json()["facilities"] is None


def test_an_explanation_names_the_facilities_by_their_datim_ids(client, add_person):
    client.post("/v1/facilities", json={"datim_id": "Fac1", "name": "First"})
    _, email = add_person("viewer", of=client.tenant, facilities=["Fac1"])
    assert explain(client.tenant, email, "cohort.read").facilities == ["Fac1"]


def test_the_command_line_takes_and_prints_datim_ids(client, capsys):
    client.post("/v1/facilities", json={"datim_id": "Fac1", "name": "First"})
    add = ["people", "add", client.tenant.slug, "p@example.org", "--name", "P", "--role", "viewer", "--facility"]
    assert run([*add, "nowhere"]) == 1
    assert "facilities.0" in capsys.readouterr().err
    assert run([*add, "Fac1", "--assigned-only"]) == 0
    capsys.readouterr()
    assert run(["people", "list", client.tenant.slug, "--json"]) == 0
    (person,) = json.loads(capsys.readouterr().out)["people"]
    assert (person["facilities"], person["assigned_only"]) == (["Fac1"], True)


def test_the_role_of_programs_is_not_for_people(client):
    answer = client.post("/v1/people", json=body(roles=["service"]))
    assert answer.status_code == 422
    assert [(error["field"], "service" in error["remedy"]) for error in answer.json()["errors"]] == [
        ("body.roles", False)
    ]


def test_an_unknown_facility_is_rejected_by_its_place(client):
    facility = client.post("/v1/facilities", json={"datim_id": "Fac1", "name": "First"}).json()
    for unknown in ("nowhere", facility["id"]):
        answer = client.post("/v1/people", json=body(facilities=["Fac1", unknown]))
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["body.facilities.1"]
    assert client.get("/v1/people").json()["total"] == 0


def test_a_change_or_a_removal_needs_the_version_that_was_read(client):
    person = client.post("/v1/people", json=body())
    path, first = f"/v1/people/{person.json()['id']}", {"If-Match": person.headers["etag"]}
    read = {"If-Match": client.get(path).headers["etag"]}
    assert client.put(path, json={"roles": ["viewer"]}).status_code == 428
    changed = client.put(path, json={"roles": ["viewer"], "states": ["Lagos"]}, headers=read)
    assert changed.status_code == 200
    for stale in (first, read):
        assert client.put(path, json={"roles": ["data_officer"]}, headers=stale).status_code == 412
        assert client.delete(path, headers=stale).status_code == 412
    assert client.get(path).json()["roles"] == ["viewer"]
    assert client.delete(path).status_code == 428
    assert client.delete(path, headers={"If-Match": changed.headers["etag"]}).status_code == 204


def test_the_last_admin_can_neither_be_removed_nor_changed(tenant, add_person):
    first, second = add_person("partner_admin")[0], add_person("partner_admin")[0]
    members.remove_member(tenant, second, actor="test:1")
    members.add_member(tenant, "invited@example.org", "Admin", Grant(["partner_admin"]), actor="test:1")
    with pytest.raises(Conflict):
        members.remove_member(tenant, first, actor="test:1")
    with pytest.raises(Conflict):
        members.change_member(tenant, first, Grant(["viewer"]), actor="test:1")
    for reach in ({"states": ["Lagos"]}, {"assigned_only": True}):
        with pytest.raises(Conflict):
            members.change_member(tenant, first, Grant(["partner_admin"], **reach), actor="test:1")
    with pytest.raises(NotFound):
        members.get_member(tenant, second)


def test_an_operator_joins_no_tenant_and_a_member_is_no_operator(tenant):
    accounts.add_operator("ops@example.org", "Operator", "platform_support", actor="test:1")
    with pytest.raises(Conflict):
        members.add_member(tenant, "ops@example.org", "Operator", Grant(["viewer"]), actor="test:1")
    members.add_member(tenant, "member@example.org", "Member", Grant(["viewer"]), actor="test:1")
    with pytest.raises(Conflict):
        accounts.add_operator("member@example.org", "Member", "platform_admin", actor="test:1")
    with pytest.raises(Invalid):
        accounts.add_operator("third@example.org", "Third", "viewer", actor="test:1")


def test_who_may_do_less_makes_no_link_for_and_changes_nothing_of_who_may_do_more(client, application, client_for):
    from core.identity.keys import create_key

    admin = client.post("/v1/people", json=body(roles=["partner_admin"])).json()["id"]
    key = create_key(client.tenant, name="few", permissions=["people.read", "people.write"]).plaintext
    few = client_for(application, key)
    statuses = [
        few.post(f"/v1/people/{admin}/links", json={}).status_code,
        few.put(f"/v1/people/{admin}", json={"roles": ["viewer"]}, headers={"If-Match": "*"}).status_code,
        few.delete(f"/v1/people/{admin}", headers={"If-Match": "*"}).status_code,
    ]
    assert statuses == [403, 403, 403]
