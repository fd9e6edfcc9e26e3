"""Only one process at a time moves, restores or destroys a tenant, and none loses what another has begun."""

import threading

import pytest

from core import audit
from core.audit import sealer
from core.audit.verify import verify, verify_gone
from core.database import owner_connection, tenant_session
from core.errors import AppError, Conflict
from core.tenancy import get_tenant, placing, tenant_lock
from core.tenancy.archive.deleting import delete_tenant, undelete_tenant
from core.tenancy.archive.purging import purge
from core.tenancy.archive.tombstones import tombstone_of
from core.tenancy.backup import service as backups
from core.tenancy.backup.saving import backup
from core.tenancy.move import service
from tests.core.tenancy.move.conftest import put, rows


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(tenant_lock, "PATIENCE_SECONDS", 0.2)


def act(tenant, what):
    with tenant_session(tenant, actor="test:1") as session:
        put(session, what)
        audit.record(session, "api:audit:read", "audit", None, {"what": what})


@pytest.fixture
def backed(east, make, tmp_path):
    """A tenant with a row, and its backup."""
    tenant = make().ref
    act(tenant, "first")
    file = tmp_path / "t.iitbackup"
    backup(tenant.slug, file)
    return tenant, file


def elsewhere(wanted):
    """What ``wanted`` raises in another thread; None where it does not."""
    raised = []

    def run():
        try:
            wanted()
        except AppError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


@pytest.mark.parametrize("point", ["captured", "held", "expelled", "switched"])
def test_a_move_that_runs_can_neither_be_given_up_nor_disturbed(backed, east, point):
    tenant, file = backed
    slug, rejected = tenant.slug, []

    def passed(reached):
        if reached == point:
            rejected.extend(
                elsewhere(wanted)
                for wanted in (
                    lambda: service.abort(slug),
                    lambda: service.move(slug, east),
                    lambda: backups.from_file(slug, file),
                    lambda: delete_tenant(slug, confirm=slug, actor="test:1"),
                    lambda: undelete_tenant(slug, actor="test:1"),
                    lambda: purge(slug, actor="test:1"),
                )
            )
            assert placing.tidy(drop=True, early=True).busy in ([], [slug])

    moved = service.move(slug, east, passed=passed)
    assert [type(error) for error in rejected] == [Conflict] * 6
    assert all("somebody else" in error.detail for error in rejected)
    assert rows(moved.ref, "SELECT key FROM tenant_settings") == [("first",)]


def test_two_restores_at_once_are_one_restore_and_a_plain_rejection(backed):
    tenant, file = backed
    rejected = []

    def progress(_text):
        rejected.append(elsewhere(lambda: backups.from_file(tenant.slug, file)))

    backups.from_file(tenant.slug, file, progress=progress)
    assert {type(error) for error in rejected} == {Conflict}
    assert placing.retired(tenant.id) == []


def test_a_tenant_whose_move_was_cut_off_is_not_restored_over_it(backed, east):
    tenant, file = backed

    class Killed(BaseException):
        pass

    def passed(point):
        if point == "copied":
            raise Killed

    with pytest.raises(Killed):
        service.move(tenant.slug, east, passed=passed)
    with pytest.raises(Conflict, match="being moved") as rejection:
        backups.from_file(tenant.slug, file)
    assert "--abort" in rejection.value.command
    assert service.abort(tenant.slug)
    backups.from_file(tenant.slug, file)
    assert service.move(tenant.slug, east).ref.database == east
    with owner_connection(east) as connection:
        there = connection.execute("SELECT count(*) FROM node.tenant_schemas WHERE tenant_id = %s", (tenant.id,))
        assert there.fetchone() == (1,)


def test_a_tenant_brought_back_and_destroyed_again_keeps_the_audit_of_both_lives(backed):
    tenant, file = backed
    sealer.seal(tenant)
    act(tenant, "after the backup")
    first = destroyed(tenant.slug)
    backups.from_file(tenant.slug, file)
    again = get_tenant(tenant.slug)
    assert [what for what in whats(again) if what] == ["first", "after the backup"], "the audit does not go back"
    act(again, "second")
    sealer.seal(again)
    assert verify(again).intact
    second = destroyed(tenant.slug)
    assert second.purged_at > first.purged_at
    assert second.audit_events > first.audit_events
    assert verify_gone(tenant.id).intact
    with owner_connection() as connection:
        tombstones = connection.execute(
            "SELECT coalesce(detail ->> 'what', action) FROM platform.gone_audit_events WHERE tenant_id = %s"
            " ORDER BY event_id",
            (tenant.id,),
        ).fetchall()
        left = connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (again.schema_name,)).rowcount
    assert [row[0] for row in tombstones] == [
        "first", "after the backup", "cli:tenant:delete", "cli:tenant:restore", "second", "cli:tenant:delete",
    ]  # fmt: skip
    assert left == 0


def destroyed(slug):
    delete_tenant(slug, confirm=slug, actor="test:1", grace_days=0)
    purge(slug, actor="test:1")
    return tombstone_of(slug)


def whats(tenant):
    return [row[0] for row in rows(tenant, "SELECT detail ->> 'what' FROM audit_events ORDER BY event_id")]
