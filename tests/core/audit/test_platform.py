"""What operators do to tenants as a whole is in the platform's audit, with who did it, and stays there."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.audit.platform import acts, record_act
from core.cli.main import run
from core.database import platform_session, tenant_session
from core.errors import Conflict, Invalid
from core.tenancy import create_tenant, describe_tenant, resume_tenant, suspend_tenant, suspension_of
from core.tenancy.archive.deleting import delete_tenant, undelete_tenant


def recorded_acts(tenant):
    return [(row["action"], row["actor"]) for row in acts(tenant_id=tenant.id)]


def test_making_suspending_and_resuming_are_in_it(database, tenant):
    assert [action for action, _ in recorded_acts(tenant)] == ["cli:tenant:create"]
    suspend_tenant(tenant.slug, actor="cli:alice")
    suspend_tenant(tenant.slug, actor="cli:alice")  # it is: nothing is done
    resume_tenant(tenant.slug, actor="cli:bob")
    assert recorded_acts(tenant)[:2] == [("cli:tenant:resume", "cli:bob"), ("cli:tenant:suspend", "cli:alice")]
    assert len(recorded_acts(tenant)) == 3


def test_an_operators_page_suspends_with_a_reason_and_says_since_when_by_whom_and_why(database, tenant):
    assert suspension_of(describe_tenant(tenant.slug)) is None
    suspend_tenant(tenant.slug, actor="operator:1", source="page", reason="The contract has ended")
    suspension = suspension_of(describe_tenant(tenant.slug))
    assert (suspension.actor, suspension.reason) == ("operator:1", "The contract has ended")
    resume_tenant(tenant.slug, actor="operator:2", source="page")
    assert recorded_acts(tenant)[:2] == [("page:tenant:resume", "operator:2"), ("page:tenant:suspend", "operator:1")]
    suspend_tenant(tenant.slug)
    assert suspension_of(describe_tenant(tenant.slug)).reason == ""
    with pytest.raises(Invalid):
        suspend_tenant(tenant.slug, reason="two\nlines")
    with pytest.raises(ProgrammingError, match="permission denied"), platform_session() as session:
        session.execute(text("UPDATE platform.tenants SET name = 'x' WHERE id = :id"), {"id": tenant.id})


def test_deleting_and_undeleting_are_in_it(database, tenant):
    delete_tenant(tenant.slug, confirm=tenant.slug, actor="cli:alice")
    undelete_tenant(tenant.slug, actor="cli:bob")
    assert recorded_acts(tenant)[:2] == [("cli:tenant:undelete", "cli:bob"), ("cli:tenant:delete", "cli:alice")]


def test_an_act_that_fails_is_not_in_it(database, tenant):
    with pytest.raises(Conflict):
        create_tenant(tenant.slug, "Again")
    assert len(recorded_acts(tenant)) == 1


def test_the_command_line_lists_them(database, tenant, capsys):
    assert run(["audit", "acts", tenant.slug]) == 0
    assert "cli:tenant:create" in capsys.readouterr().out
    assert run(["tenant", "suspend", tenant.slug]) == 0
    capsys.readouterr()
    assert run(["audit", "acts", tenant.slug, "--json"]) == 0
    assert '"cli:tenant:suspend"' in capsys.readouterr().out


def test_an_action_that_nobody_declares_is_rejected(database, tenant):
    with pytest.raises(LookupError), platform_session() as session:
        record_act(session, "cli:tenant:paint", actor="cli:a", tenant_id=tenant.id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE platform.audit_events SET actor = 'x'",
        "DELETE FROM platform.audit_events",
        "INSERT INTO platform.audit_events (occurred_at, actor, action, subject_type) VALUES (now(), 'a', 'b', 'c')",
    ],
)
def test_the_application_adds_acts_and_changes_none(database, statement):
    with pytest.raises(ProgrammingError, match="permission denied"), platform_session() as session:
        session.execute(text(statement))


def test_a_tenants_role_does_not_reach_it(tenant):
    with pytest.raises(ProgrammingError, match="permission denied"), tenant_session(tenant, actor="test:1") as session:
        session.execute(text("SELECT * FROM platform.audit_events"))
