"""Roles of a tenant's own: what they may be, and what deleting and changing them does."""

import threading

import pytest
from sqlalchemy import text

from core.database import platform_session
from core.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from core.identity.people import members
from core.identity.people.members import Grant
from core.identity.roles import ROLES, permissions_of_role
from core.identity.tenant_roles import service
from core.identity.tenant_roles.service import RoleAuthor, RoleDraft
from core.web.etag import ExpectedVersions
from tests.core.identity.tenant_roles.conftest import AUTHOR


def test_a_role_permits_what_it_names_and_what_it_includes(tenant, create):
    role = create("lead", "jobs.read", includes=("case_manager",))
    assert (role.includes, role.permissions) == (("case_manager",), ("jobs.read",))
    assert set(role.effective_permissions) == permissions_of_role("case_manager") | {"jobs.read"}
    assert service.get_role(tenant, "lead") == role
    assert [each.name for each in service.list_roles(tenant) if not each.built_in] == ["lead"]


def test_a_role_of_one_tenant_is_none_of_another(two_tenants, create):
    ours, theirs = two_tenants
    create("lead", "jobs.read", of=ours)
    with pytest.raises(NotFound):
        service.get_role(theirs, "lead")
    with pytest.raises(Invalid):
        members.add_member(theirs, "a@example.org", "Person", Grant(["lead"]), actor="test:1")


@pytest.mark.parametrize(
    "draft",
    [
        RoleDraft("Lead", "x"),
        RoleDraft("case_lead", "x"),
        RoleDraft("lead", " "),
        RoleDraft("lead", "x", ("partner_admin",)),
        RoleDraft("lead", "x", ("platform_admin",)),
        RoleDraft("lead", "x", ("other-own",)),
        RoleDraft("lead", "x", (), ("no.permission",)),
    ],
)
def test_what_cannot_be_a_role_is_rejected(tenant, draft):
    with pytest.raises(Invalid):
        service.create_role(tenant, draft, AUTHOR)


def test_no_name_of_a_built_in_role_can_be_taken_now_or_later(tenant):
    with pytest.raises(Conflict):
        service.create_role(tenant, RoleDraft("viewer", "x"), AUTHOR)
    # A tenant cannot take a name with an underscore, so a role that a release adds never meets one of a tenant's own.
    assert {name for name in ROLES if "_" not in name} == {"clinician", "viewer", "service"}


def test_nobody_creates_or_changes_a_role_beyond_what_they_hold(tenant, create):
    create("lead", "jobs.read")
    author = RoleAuthor("person:1", permissions=permissions_of_role("viewer"))
    for draft in (RoleDraft("lead", "x", ("case_manager",)), RoleDraft("lead", "x", (), ("keys.write",))):
        with pytest.raises(Forbidden):
            service.change_role(tenant, draft, author)
        with pytest.raises(Forbidden):
            service.create_role(tenant, RoleDraft("more", "x", draft.includes, draft.permissions), author)
    assert service.get_role(tenant, "lead").permissions == ("jobs.read",)


def test_a_built_in_role_cannot_be_changed_or_deleted(tenant):
    with pytest.raises(Conflict):
        service.change_role(tenant, RoleDraft("viewer", "x"), AUTHOR)
    with pytest.raises(Conflict):
        service.delete_role(tenant, "viewer", AUTHOR)


def test_a_change_with_an_old_version_is_rejected(tenant, create):
    read = create("lead", "jobs.read").version_id
    service.change_role(
        tenant, RoleDraft("lead", "x", (), ("keys.read",)), AUTHOR, ExpectedVersions(frozenset({f'"{read}"'}))
    )
    with pytest.raises(PreconditionFailed):
        service.change_role(tenant, RoleDraft("lead", "y"), AUTHOR, ExpectedVersions(frozenset({f'"{read}"'})))
    assert service.get_role(tenant, "lead").permissions == ("keys.read",)


def test_a_role_that_somebody_has_cannot_be_deleted(tenant, create):
    create("lead", "jobs.read")
    person_id = members.add_member(tenant, "lead@example.org", "Person", Grant(["lead"]), actor="test:1")
    with pytest.raises(Conflict, match="1 of the tenant's people"):
        service.delete_role(tenant, "lead", AUTHOR)
    members.change_member(tenant, person_id, Grant(["viewer"]), actor="test:1")
    service.delete_role(tenant, "lead", AUTHOR)
    with pytest.raises(NotFound):
        service.get_role(tenant, "lead")


def test_a_role_that_is_being_given_is_not_deleted_meanwhile(tenant, create, monkeypatch):
    create("lead", "jobs.read")
    checked, ended = threading.Event(), []
    real = members.ensure_person

    def slow(*arguments):
        checked.set()
        deleter.join(0.5)  # it waits for us: it must not end before the membership is there
        return real(*arguments)

    def delete():
        checked.wait()
        with pytest.raises(Conflict):
            service.delete_role(tenant, "lead", AUTHOR)
        ended.append(True)

    monkeypatch.setattr(members, "ensure_person", slow)
    deleter = threading.Thread(target=delete)
    deleter.start()
    members.add_member(tenant, "given@example.org", "Person", Grant(["lead"]), actor="test:1")
    deleter.join()
    assert ended
    assert service.get_role(tenant, "lead")


def test_each_change_is_in_the_audit(tenant, create, open_session):
    create("lead", "jobs.read")
    service.change_role(tenant, RoleDraft("lead", "x"), AUTHOR)
    service.delete_role(tenant, "lead", AUTHOR)
    with open_session(tenant) as session, session.cursor() as cursor:
        cursor.execute(
            "SELECT action, detail ->> 'name' FROM audit_events WHERE subject_type = 'role' ORDER BY event_id"
        )
        assert cursor.fetchall() == [(f"cli:role:{act}", "lead") for act in ("create", "change", "delete")]


def test_a_rejected_change_changes_neither_the_roles_nor_for_long_the_cache(tenant, create, permitted):
    create("lead", "jobs.read")
    with pytest.raises(Conflict):
        create("lead", "keys.read")
    assert permitted("lead") == {"jobs.read"}
    with platform_session() as session:
        assert session.execute(
            text("SELECT count(*) FROM platform.role_versions WHERE tenant_id = :id"), {"id": tenant.id}
        ).scalar_one()
