"""A tenant is destroyed only after its slug was written again and its days of grace are over; killed anywhere, the next
run ends it; its audit, its usage and a tombstone stay."""

from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text

from core import audit, blobs, metering
from core.audit import sealer
from core.audit.verify import verify_gone
from core.database import TenantSession, lock_own, owner_session, tenant_session
from core.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from core.identity.keys import verify_key
from core.jobs.worker import drain
from core.services import bootstrap, state
from core.services.manager import superuser_url
from core.settings import get_settings
from core.tenancy import create_tenant, describe_tenant, get_tenant, resume_tenant, suspend_tenant
from core.tenancy.archive import purging
from core.tenancy.archive.deleting import delete_tenant, undelete_tenant
from core.tenancy.archive.purging import STEPS, due, purge
from core.tenancy.archive.restoring import import_archive
from core.tenancy.archive.tombstones import tombstone_of
from core.tenancy.archive.writing import export
from tests.core.tenancy.archive.conftest import fill


@pytest.fixture
def doomed(make_tenant, open_session):
    """A tenant with records, files, usage and a job, whose days of grace are over."""
    new_tenant = make_tenant()
    fill(new_tenant.ref, open_session, patients=5)
    with open_session(new_tenant.ref) as session:
        metering.record(session, "imports", 3, key="one")
        session.cursor().execute(
            "INSERT INTO node.jobs (id, tenant_id, tenant_role, kind, payload, run_after, max_attempts, requested_by)"
            " VALUES (gen_random_uuid(), %s, current_user, 'x.y', '{}', now(), 1, 't')",
            (new_tenant.ref.id,),
        )
    delete_tenant(new_tenant.ref.slug, confirm=new_tenant.ref.slug, actor="test:1", grace_days=0)
    return new_tenant


@pytest.fixture
def as_tenant(services):
    """Opens a connection that acts as a tenant, past the application."""

    @contextmanager
    def connect(ref):
        with psycopg.connect(services.database_url, autocommit=True) as connection:
            connection.execute(f'SET ROLE "{ref.role_name}"')
            yield connection

    return connect


def traces(ref):
    """What is left of a tenant, by where."""
    queries = {
        "row": "platform.tenants WHERE id = :id",
        "keys": "platform.api_keys WHERE tenant_id = :id",
        "schema": "pg_namespace WHERE nspname = :schema",
        "role": "pg_roles WHERE rolname = :schema",
        "version": "node.tenant_schemas WHERE tenant_id = :id",
        "jobs": "node.jobs WHERE tenant_id = :id",
        "usage": "node.usage_events WHERE tenant_id = :id",
        "audit": "platform.gone_audit_events WHERE tenant_id = :id",
    }
    with owner_session() as session:
        counts = {
            name: session.scalar(text(f"SELECT count(*) FROM {where}"), {"id": ref.id, "schema": ref.schema_name})  # noqa: S608 - fixed
            for name, where in queries.items()
        }
    return {**counts, "blobs": len(blobs.permanent_keys(ref))}


def assert_gone(ref):
    left = traces(ref)
    assert {name for name, count in left.items() if count} == {"usage", "audit"}
    assert left["usage"] == 1
    verdict, stone = verify_gone(ref.id), tombstone_of(ref.slug)
    assert (verdict.intact, verdict.events) == (True, left["audit"])
    assert (stone.audit_events, stone.audit_seals, stone.audit_digest) == (left["audit"], verdict.seals, verdict.head)
    assert (stone.counts["patients"], stone.counts["blobs"], stone.purged_by) == (5, 2, "test:1")
    assert stone.purged_at is not None
    assert stone.requested_at <= stone.purge_began_at <= stone.purged_at


def test_the_wrong_confirmation_changes_nothing(tenant):
    with pytest.raises(Invalid, match="slug"):
        delete_tenant(tenant.slug, confirm="other", actor="test:1")
    assert get_tenant(tenant.slug) == tenant


def test_a_tenant_to_be_deleted_is_rejected_everywhere_until_it_is_taken_back(make_tenant):
    new_tenant = make_tenant()
    slug = new_tenant.ref.slug
    row = delete_tenant(slug, confirm=slug, actor="test:1")
    assert (row.delete_after - row.phase_since).days == 30
    assert describe_tenant(slug).ref().state == "deleting"
    with pytest.raises(Forbidden, match="scheduled for deletion"):
        get_tenant(slug)
    with pytest.raises(Forbidden, match="being deleted"):
        verify_key(new_tenant.api_key)
    with pytest.raises(Conflict, match="days of grace"):
        purge(slug, actor="test:1")
    for act in (resume_tenant, suspend_tenant):
        with pytest.raises(Conflict, match="scheduled for deletion"):
            act(slug)
    with pytest.raises(Conflict, match="already"):
        delete_tenant(slug, confirm=slug, actor="test:1")
    assert slug not in {one.slug for one in due()}
    undelete_tenant(slug, actor="test:1")
    assert verify_key(new_tenant.api_key).tenant == get_tenant(slug) == new_tenant.ref
    with tenant_session(new_tenant.ref, actor="test:1") as session:
        query = "SELECT action FROM audit_events ORDER BY event_id"
        assert [row[0] for row in session.cursor().execute(query)] == ["cli:tenant:delete", "cli:tenant:undelete"]


def test_an_api_request_of_a_tenant_to_be_deleted_is_answered_403_with_what_to_do(api, owner):
    delete_tenant(owner.ref.slug, confirm=owner.ref.slug, actor="test:1")
    answer = api.get("/v1/audit")
    assert answer.status_code == 403
    assert "being deleted" in answer.json()["detail"]


def test_a_tenant_that_was_suspended_is_suspended_again_when_taken_back(tenant):
    suspend_tenant(tenant.slug)
    delete_tenant(tenant.slug, confirm=tenant.slug, actor="test:1")
    assert undelete_tenant(tenant.slug, actor="test:1").ref().state == "suspended"


def test_its_jobs_wait_while_a_tenant_is_to_be_deleted(doomed):
    drain(doomed.ref, most=3)
    assert traces(doomed.ref)["jobs"] == 2, "its own, and the look at alerts that its end asked for"


def test_a_tenant_that_nobody_asked_to_delete_is_not_purged(tenant):
    with pytest.raises(Conflict, match="nobody asked"):
        purge(tenant.slug, actor="test:1")
    with pytest.raises(NotFound):
        purge("nobody-here", actor="test:1")
    with pytest.raises(Conflict, match="not scheduled for deletion"):
        undelete_tenant(tenant.slug, actor="test:1")


def test_a_tenant_that_is_on_its_way_elsewhere_is_neither_deleted_nor_purged(doomed, tenant):
    with owner_session() as session:
        for ref in (doomed.ref, tenant):
            session.execute(
                text(
                    "INSERT INTO platform.tenant_moves (tenant_id, database, schema_name, step)"
                    " VALUES (:id, 'default', 't_00000000000000000000', 'copying')"
                ),
                {"id": ref.id},
            )
    with pytest.raises(Conflict, match="moved"):
        purge(doomed.ref.slug, actor="test:1")
    with pytest.raises(Conflict, match="moved"):
        delete_tenant(tenant.slug, confirm=tenant.slug, actor="test:1")
    with owner_session() as session:
        session.execute(text("DELETE FROM platform.tenant_moves"))


def test_a_purged_tenant_is_gone_but_for_its_audit_its_usage_and_a_tombstone(doomed):
    assert doomed.ref.slug in {one.slug for one in due()}
    purge(doomed.ref.slug, actor="test:1")
    assert_gone(doomed.ref)
    assert doomed.ref.slug not in {one.slug for one in due()}
    with pytest.raises(NotFound):
        purge(doomed.ref.slug, actor="test:1")
    with pytest.raises(Conflict, match="stays reserved"):
        create_tenant(doomed.ref.slug, "Another")


@pytest.mark.parametrize("step", STEPS)
def test_a_purge_that_was_killed_after_any_step_is_ended_by_the_next(doomed, step):
    def kill(done):
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(doomed.ref.slug, actor="test:1", after=kill)
    if step != STEPS[-1]:
        if step != STEPS[0] and describe_or_none(doomed.ref.slug):
            with pytest.raises(Conflict):
                undelete_tenant(doomed.ref.slug, actor="test:1")
        assert doomed.ref.slug in {one.slug for one in due()}
        purge(doomed.ref.slug, actor="test:1")
    assert_gone(doomed.ref)


def describe_or_none(slug):
    try:
        return describe_tenant(slug)
    except NotFound:
        return None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Conflict("broken"), "broken"),
        (psycopg.errors.DeadlockDetected("x"), "busy"),
        (ZeroDivisionError("x"), "ZeroDivisionError"),
    ],
)
def test_one_tenant_that_cannot_be_purged_does_not_keep_the_others(doomed, monkeypatch, error, reason):
    real = purging.purge

    def broken(slug, **options):
        if slug == "always-first":
            raise error
        return real(slug, **options)

    monkeypatch.setattr(purging, "purge", broken)
    monkeypatch.setattr(
        purging, "due", lambda: [purging.DuePurge(None, "always-first"), purging.DuePurge(None, doomed.ref.slug)]
    )
    gone, failed = [], []
    purging.purge_due(actor="test:1", done=gone.append, failed=lambda slug, error: failed.append((slug, error.detail)))
    assert [stone.slug for stone in gone] == [doomed.ref.slug]
    ((slug, why),) = failed
    assert slug == "always-first"
    assert reason in why


def test_nothing_is_destroyed_while_a_part_of_the_audit_cannot_be_sealed(doomed, monkeypatch):
    monkeypatch.setattr(purging, "SEAL_TRIES", 2)
    monkeypatch.setattr(purging, "SEAL_PAUSE_SECONDS", 0.01)
    with tenant_session(doomed.ref, actor="test:1") as session:  # as a worker's sealer does
        lock_own(session.cursor(), sealer.SEALING)
        with pytest.raises(Unavailable, match="cannot be sealed"):
            purge(doomed.ref.slug, actor="test:1")
    assert describe_tenant(doomed.ref.slug).phase == "deleting"
    purge(doomed.ref.slug, actor="test:1")
    assert verify_gone(doomed.ref.id).pending == 0


def test_what_is_done_between_sealing_and_moving_is_sealed_too(doomed):
    def meanwhile(step):
        if step == "purge begun":
            with tenant_session(doomed.ref, actor="test:1") as session:
                audit.record(session, "cli:tenant:export", "tenant", doomed.ref.id)

    with pytest.raises(Conflict, match="nothing was destroyed"):
        purge(doomed.ref.slug, actor="test:1", after=meanwhile)
    stone = purge(doomed.ref.slug, actor="test:1")
    verdict = verify_gone(doomed.ref.id)
    assert (verdict.pending, verdict.events) == (0, stone.audit_events)


def test_what_the_role_owns_outside_its_schema_is_destroyed_with_it(doomed, as_tenant):
    role = doomed.ref.role_name
    with psycopg.connect(
        superuser_url(state.read(get_settings().state_dir), bootstrap.DATABASE), autocommit=True
    ) as link:
        (large,) = link.execute("SELECT lo_create(0)").fetchone()
        link.execute(f'ALTER LARGE OBJECT {large} OWNER TO "{role}"')
    with as_tenant(doomed.ref) as connection:  # a pool keeps connections, and with them their temporary tables
        connection.execute("CREATE TEMP TABLE kept (a int)")
        connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")
        purge(doomed.ref.slug, actor="test:1")
    assert_gone(doomed.ref)
    with owner_session() as session:
        assert (
            session.scalar(text("SELECT count(*) FROM pg_largeobject_metadata WHERE oid = :oid"), {"oid": large}) == 0
        )


@pytest.mark.parametrize("call", ["lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'x')"])
def test_a_tenant_makes_no_large_objects(tenant, as_tenant, call):
    with as_tenant(tenant) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SELECT {call}")


def test_the_first_archive_brings_a_tenant_back_after_every_life_of_it(make_tenant, keys, tmp_path):
    first = make_tenant().ref
    export(first.slug, tmp_path / "first.age", keys[1], actor="test:1")
    lives = [first.id]
    for _ in range(2):
        delete_tenant(first.slug, confirm=first.slug, actor="test:1", grace_days=0)
        purge(first.slug, actor="test:1")
        with pytest.raises(Conflict, match="stays reserved"):
            create_tenant(first.slug, "Somebody else")
        lives.append(import_archive(tmp_path / "first.age", keys[0], actor="test:1").ref.id)
    assert len(set(lives)) == 3


def test_what_a_running_job_stores_while_its_tenant_is_destroyed_is_destroyed_too(doomed):
    stored = []

    def meanwhile(step):
        if step == "files gone":
            stored.append(blobs.put(doomed.ref, "late", b"late"))

    purge(doomed.ref.slug, actor="test:1", after=meanwhile)
    assert stored
    assert blobs.permanent_keys(doomed.ref) == []


def test_a_tenant_whose_audit_was_tampered_with_is_purged_only_on_purpose_and_the_tombstone_says_so(doomed):
    with (
        owner_session() as session,
        TenantSession(session.connection(), doomed.ref, actor="test:1", as_owner=True) as within,
    ):
        within.execute(text("DELETE FROM audit_events WHERE event_id = 3"))
    with pytest.raises(Conflict, match="not intact"):
        purge(doomed.ref.slug, actor="test:1")
    assert describe_tenant(doomed.ref.slug).phase == "deleting"
    stone = purge(doomed.ref.slug, actor="test:1", despite_audit=True)
    assert stone.audit_problems
    assert not verify_gone(doomed.ref.id).intact


def test_its_own_archive_may_have_the_slug_of_a_purged_tenant_back(doomed, keys, tmp_path):
    export(doomed.ref.slug, tmp_path / "a.age", keys[1], actor="test:1")
    purge(doomed.ref.slug, actor="test:1")
    back = import_archive(tmp_path / "a.age", keys[0], actor="test:1")
    assert (back.ref.slug, back.contents) == (doomed.ref.slug, back.manifest.contents)
    assert back.ref.id != doomed.ref.id


def test_the_archive_of_another_may_not(doomed, keys, archive):
    purge(doomed.ref.slug, actor="test:1")
    with pytest.raises(Conflict, match="stays reserved"):
        import_archive(archive[0], keys[0], slug=doomed.ref.slug, actor="test:1")
