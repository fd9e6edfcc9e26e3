"""``iit access explain``: yes or no, through which role, and how far."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from core.access.commands import access
from core.access.explain import explain
from core.database import platform_session
from core.errors import Invalid, NotFound
from core.identity import all_permissions
from core.identity.keys import create_key, list_keys, revoke_key
from core.identity.people import members
from core.identity.people.members import Grant
from core.identity.tenant_roles import service
from core.identity.tenant_roles.changes import roles_at
from core.identity.tenant_roles.compiled import permissions_of

AUTHOR = service.RoleAuthor("test:1", source="cli")


@pytest.fixture
def lead(tenant):
    """The address of a person of this tenant with an own role, for assigned patients in one state."""
    draft = service.RoleDraft("lead", "Leads", ("case_manager",), ("jobs.read",))
    service.create_role(tenant, draft, AUTHOR)
    email = f"lead-{tenant.slug}@example.org"
    grant = Grant(["lead", "viewer"], states=["Lagos"], assigned_only=True)
    person = members.add_member(tenant, email, "Person", grant, actor="test:1")
    with platform_session() as session:
        members.accept(session, person, tenant.id)
    return email


def test_a_person_may_through_the_role_that_has_the_rule(tenant, lead):
    assert explain(tenant, lead, "jobs.read").through == ["lead"]
    assert explain(tenant, lead, "patients.read").through == ["lead, which includes case_manager"]
    assert explain(tenant, lead, "cohort.read").through == ["lead, which includes case_manager", "viewer"]
    rejected = explain(tenant, lead, "keys.write")
    assert (rejected.allowed, rejected.through, rejected.states) == (False, [], ["Lagos"])
    assert rejected.reasons == ["none of the roles permits it: lead, viewer"]


def test_the_explanation_says_what_a_request_is_answered(tenant, lead):
    permitted = permissions_of(tenant, ["lead", "viewer"], roles_at(tenant.id))
    for permission in sorted(all_permissions()):
        assert explain(tenant, lead, permission).allowed == (permission in permitted), permission


def test_a_deactivated_person_may_nothing(tenant, lead):
    with platform_session() as session:
        session.execute(text("UPDATE platform.people SET state = 'deactivated' WHERE email = :email"), {"email": lead})
    answer = explain(tenant, lead, "jobs.read")
    assert (answer.allowed, answer.through, answer.reasons) == (False, ["lead"], ["the person is deactivated"])


def test_an_invited_person_may_nothing_yet(tenant, lead):
    members.add_member(tenant, f"new-{lead}", "Person", Grant(["lead"]), actor="test:1")
    answer = explain(tenant, f"new-{lead}", "jobs.read")
    assert (answer.allowed, answer.reasons) == (False, ["the person has not accepted the invitation"])


def test_a_key_may_what_it_holds_until_it_is_revoked(tenant):
    create_key(tenant, name="reports", permissions=["jobs.read"])
    prefix = next(key.prefix for key in list_keys(tenant) if key.name == "reports")
    assert explain(tenant, prefix, "jobs.read").through == ["the permissions of the key"]
    assert explain(tenant, prefix, "keys.read").reasons == ["the key does not hold it"]
    revoke_key(tenant, prefix)
    assert explain(tenant, prefix, "jobs.read").reasons == ["the key was revoked"]


def test_people_and_keys_of_another_tenant_are_not_there(two_tenants, lead):
    _, other = two_tenants
    with pytest.raises(NotFound):
        explain(other, lead, "jobs.read")
    with pytest.raises(NotFound):
        explain(other, "0123456789ab", "jobs.read")


def test_an_unknown_permission_names_the_nearest(tenant, lead):
    with pytest.raises(Invalid) as raised:
        explain(tenant, lead, "patient.read")
    assert raised.value.errors[0].remedy == "Do you mean patients.read?"


def test_the_command_prints_the_answer_and_the_reach(tenant, lead):
    arguments = ["explain", lead, "patients.read", "--tenant", tenant.slug]
    printed = CliRunner().invoke(access, arguments, catch_exceptions=False).stdout.splitlines()
    assert printed[:2] == ["yes", "through: lead, which includes case_manager"]
    assert printed[2:] == ["only the states: Lagos", "only patients who are assigned to the person"]
    answer = json.loads(CliRunner().invoke(access, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert (answer["allowed"], answer["states"], answer["assigned_only"]) == (True, ["Lagos"], True)
