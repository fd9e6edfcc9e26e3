"""A changed role holds from the next request on every process, whatever dies in between."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import platform_session
from core.identity.people import members
from core.identity.people.members import Grant
from core.identity.people.sessions import KIND
from core.identity.tenant_roles import changes, compiled, service
from core.identity.tenant_roles.changes import roles_at, settle, settle_all
from core.identity.tenant_roles.service import RoleDraft
from tests.core.identity.people.conftest import add_person, begin  # noqa: F401 - fixtures
from tests.core.identity.tenant_roles.conftest import AUTHOR

ROOT = Path(__file__).parents[4]
OTHER = """
import sys
from core.identity.people.sessions import KIND
for line in sys.stdin:
    print(" ".join(sorted(KIND.verify(line.strip()).principal.permissions)), flush=True)
"""
DYING = """
import os, sys
from core.cli.output import tenant
from core.identity.tenant_roles import changes, service
changes._settle = lambda *_: os._exit(9)
draft = service.RoleDraft("lead", "x", (), (sys.argv[2],))
service.change_role(tenant(sys.argv[1]), draft, service.RoleAuthor("test:1", source="cli"))
"""


@pytest.fixture
def reads(monkeypatch):
    """Counts how often the roles are read from the tenant's schema."""
    count, real = [], compiled.read_rules
    monkeypatch.setattr(compiled, "read_rules", lambda session: count.append(1) or real(session))
    return count


@pytest.fixture
def killed_before_settling(tenant):
    """Changes a role in a process that dies after the tenant's commit, before the version is settled."""

    def change(permission):
        died = subprocess.run([sys.executable, "-c", DYING, tenant.slug, permission], cwd=ROOT, check=False)
        assert died.returncode == 9

    return change


def test_another_process_follows_each_change_from_the_next_request(tenant, create, add_person, begin):  # noqa: F811
    create("lead", "jobs.read")
    secret = begin(add_person("lead")[1]).secret
    with subprocess.Popen(
        [sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:

        def ask():
            other.stdin.write(f"{secret}\n")
            other.stdin.flush()
            return set(other.stdout.readline().split())

        assert ask() == ask() == {"jobs.read"}
        for permission in ("keys.read", "audit.read", "jobs.read"):
            service.change_role(tenant, RoleDraft("lead", "x", (), (permission,)), AUTHOR)
            assert ask() == {permission}
            assert KIND.verify(secret).principal.permissions == {permission}
        other.stdin.close()


def test_unchanged_roles_are_read_one_time(create, permitted, reads):
    create("lead", "jobs.read")
    for _ in range(3):
        assert permitted("lead") == {"jobs.read"}
    assert len(reads) == 1


def test_built_in_roles_never_ask_the_tenant(permitted, reads):
    assert permitted("viewer", "clinician")
    assert not reads


def test_what_an_interrupted_change_wrote_holds_at_once_and_is_cached_when_settled(
    tenant, create, permitted, reads, killed_before_settling
):
    create("lead", "jobs.read")
    assert permitted("lead") == {"jobs.read"}
    killed_before_settling("keys.read")
    assert not roles_at(tenant.id).settled
    for _ in range(2):
        assert permitted("lead") == {"keys.read"}
    assert len(reads) == 3, "what is unsettled is not cached"
    settle_all(threading.Event())
    assert roles_at(tenant.id).settled
    for _ in range(2):
        assert permitted("lead") == {"keys.read"}
    assert len(reads) == 4
    assert not settle(tenant), "there is nothing more to settle"


def test_a_change_that_waits_for_its_commit_is_not_settled_by_the_loop(tenant, create):
    create("lead", "jobs.read")
    with changes.changing(tenant, actor="test:1"):
        assert not settle(tenant)
        assert not roles_at(tenant.id).settled
    assert roles_at(tenant.id).settled


def test_roles_that_were_read_before_a_change_ends_are_not_cached_under_its_version(tenant, create, permitted):
    create("lead", "jobs.read")
    with changes.changing(tenant, actor="test:1") as (_, session):
        session.cursor().execute("UPDATE roles SET permissions = '{keys.read}'")
        assert permitted("lead") == {"jobs.read"}, "it has not committed"
    assert permitted("lead") == {"keys.read"}


def test_a_mark_that_another_change_settled_is_set_again(tenant, create, monkeypatch):
    create("lead", "jobs.read")
    marks, real = [], changes._mark

    def mark(tenant_id):
        real(tenant_id)
        marks.append(1)
        if len(marks) == 1:
            assert settle(tenant)  # as the other change does at its end

    monkeypatch.setattr(changes, "_mark", mark)
    with changes.changing(tenant, actor="test:1"):
        assert not roles_at(tenant.id).settled
    assert len(marks) == 2


def test_a_cached_set_is_read_again_after_a_minute(tenant, create, permitted, reads, monkeypatch):
    create("lead", "jobs.read")
    permitted("lead")
    with platform_session() as session:
        version = session.execute(
            text("SELECT version FROM platform.role_versions WHERE tenant_id = :id"), {"id": tenant.id}
        ).scalar_one()
    later = compiled.time.monotonic() + compiled.LASTS_SECONDS
    monkeypatch.setattr(compiled.time, "monotonic", lambda: later)
    compiled.permissions_of(tenant, ["lead"], compiled.OwnRolesVersion(version))
    assert len(reads) == 2


def test_a_deleted_role_permits_nothing(tenant, create, permitted):
    create("lead", "jobs.read")
    assert permitted("lead")
    service.delete_role(tenant, "lead", AUTHOR)
    assert permitted("lead") == frozenset()


def test_a_session_of_a_person_with_an_own_role_loses_what_the_role_lost(tenant, create, add_person, begin):  # noqa: F811
    from core.errors import Forbidden

    create("lead", "jobs.read", "keys.read")
    person_id, email = add_person("lead")
    principal = KIND.verify(begin(email).secret).principal
    service.change_role(tenant, RoleDraft("lead", "x", (), ("jobs.read",)), AUTHOR)
    with pytest.raises(Forbidden):
        KIND.confirm(principal)
    members.change_member(tenant, person_id, Grant(["lead", "viewer"]), actor="test:1")
