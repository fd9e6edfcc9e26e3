"""A fleet is brought to head: canaries first, past tables in use, past a kill, and it can be seen how far it is.

On servers of its own: a fleet that is behind would be brought to head by any test that migrates.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from core.cli.main import run
from core.database import TenantUpgrading, fleet, owner_session, scripts, tenant_session, upgrade
from core.errors import Invalid
from core.tenancy import create_tenant
from core.tenancy.backup.saving import backup
from core.tenancy.backup.service import from_file
from core.tenancy.fleet import status

HEAD = upgrade.head("tenant")
NEWER = f"{int(HEAD) + 1:04}"
SCRIPT = '''"""A column and an index more."""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None
{more}

def upgrade() -> None:
    op.add_column("tenant_settings", sa.Column("note", sa.Text(), nullable=True))
    op.create_index("ix_tenant_settings_note", "tenant_settings", ["note"])
    op.create_check_constraint("ck_tenant_settings_note", "tenant_settings", "note LIKE '%a' OR note IS NULL")
'''
QUICK = replace(upgrade.Options(), lock_timeout=0.2, backoff=0.05)


@pytest.fixture
def tenants(own_services):
    """Four tenants at head; those of earlier tests are gone."""
    scripts.forget()
    upgrade.migrate()
    return [create_tenant(f"fleet-{number}-{secrets.token_hex(4)}", "Fleet").ref for number in range(4)]


@pytest.fixture
def newer(tenants, tmp_path, monkeypatch):
    """The trees with one more migration for tenants; ``newer(more)`` puts lines at its top."""
    folder = tmp_path / "migrations"
    shutil.copytree(scripts.MIGRATIONS, folder)

    def place(more="", revision=NEWER, before=HEAD):
        script = folder / "tenant" / "versions" / f"{revision}_note.py"
        script.write_text(SCRIPT.format(revision=revision, before=before, more=more))
        monkeypatch.setattr(scripts, "MIGRATIONS", folder)
        scripts.forget()
        return folder

    yield place
    with owner_session() as session:
        for schema in session.scalars(text("SELECT schema_name FROM node.tenant_schemas")).all():
            session.execute(text(f'ALTER TABLE "{schema}".tenant_settings DROP COLUMN IF EXISTS note'))
            stamp(session, schema, HEAD)
        session.execute(text("UPDATE node.tenant_schemas SET revision = :head"), {"head": HEAD})
        session.execute(text("DELETE FROM node.migration_failures"))
    monkeypatch.undo()
    scripts.forget()


def stamp(session, schema, revision):
    session.execute(text(f"SELECT set_config('search_path', '{schema}', true)"))
    session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def standing(tenants):
    with owner_session() as session:
        revisions = dict(session.execute(text("SELECT schema_name, revision FROM node.tenant_schemas")).all())
    return [revisions[tenant.schema_name] for tenant in tenants]


def spoil(tenant):
    """Make the next migration of this tenant fail."""
    with owner_session() as session:
        session.execute(text(f'ALTER TABLE "{tenant.schema_name}".tenant_settings ADD COLUMN note int'))


def shape(tenant):
    with owner_session() as session:
        columns = session.execute(
            text(
                "SELECT (SELECT array_agg(attname::text || atttypid::text ORDER BY attnum) FROM pg_attribute"
                " WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped),"
                " (SELECT array_agg(indexname::text ORDER BY indexname) FROM pg_indexes WHERE schemaname = :schema),"
                " (SELECT array_agg(pg_get_constraintdef(oid) ORDER BY conname) FROM pg_constraint"
                " WHERE conrelid = to_regclass(:table))"
            ),
            {"schema": tenant.schema_name, "table": f'"{tenant.schema_name}".tenant_settings'},
        ).one()
        return tuple(columns)


def test_sql_sent_once_for_all_and_scripts_run_one_by_one_leave_the_same(tenants, newer, monkeypatch):
    newer()
    assert "ADD COLUMN" in scripts.sql_for_many(HEAD, NEWER)
    with owner_session() as session:
        session.execute(
            text("DELETE FROM node.tenant_schemas WHERE schema_name = :one"), {"one": tenants[1].schema_name}
        )
    upgrade.migrate()
    with owner_session() as session:
        session.execute(
            text("INSERT INTO node.tenant_schemas (schema_name, tenant_id, revision) VALUES (:one, :id, :head)"),
            {"one": tenants[1].schema_name, "id": tenants[1].id, "head": HEAD},
        )
    newer("DATA_STEPS = True")
    assert scripts.sql_for_many(HEAD, NEWER) is None
    assert upgrade.migrate().upgraded == (tenants[1].schema_name,)
    assert shape(tenants[0]) == shape(tenants[1])
    assert "'%a'" in str(shape(tenants[0])), "a per cent sign stays one"
    assert standing(tenants) == [NEWER] * 4


def test_a_failed_canary_holds_back_all_others(tenants, newer, capsys):
    newer()
    canary = tenants[2]
    spoil(canary)
    assert run(["migrate", "--canary", canary.slug, "--json"]) == 1
    answer = capsys.readouterr()
    done = json.loads(answer.out)
    assert list(done["failed"]) == [canary.schema_name]
    assert done["postponed"] >= 3
    assert set(standing(tenants)) == {HEAD}
    assert "canary" in answer.err


def test_a_canary_that_does_well_is_followed_by_all(tenants, newer):
    newer()
    upgraded = []
    done = upgrade.migrate(progress=upgraded.append, canaries=[tenants[3].slug])
    assert upgraded[0] == tenants[3].schema_name
    assert (done.failed, done.postponed) == ({}, 0)
    assert standing(tenants) == [NEWER] * 4


def test_a_canary_that_is_no_tenant_is_rejected_before_anything_is_done(tenants, newer):
    newer()
    with pytest.raises(Invalid, match="nobody"):
        upgrade.migrate(canaries=["nobody"])
    assert set(standing(tenants)) == {HEAD}


def test_a_tenant_whose_tables_are_in_use_is_come_back_to_and_holds_up_nobody(tenants, newer):
    newer()
    busy, reported, others = tenants[0], [], len(status_rows()) - 1
    release = threading.Event()

    def progress(schema):
        reported.append(schema)
        if len(reported) == others:
            release.set()

    def use():
        with tenant_session(busy, actor="test:1") as session:
            session.execute(text("SELECT count(*) FROM tenant_settings"))
            began.set()
            release.wait(60)

    began = threading.Event()
    user = threading.Thread(target=use)
    user.start()
    began.wait(60)
    done = upgrade.migrate(progress=progress, options=replace(QUICK, connections=1, attempts=200))
    user.join()
    assert done.failed == {}
    assert reported[-1] == busy.schema_name
    assert standing(tenants) == [NEWER] * 4


def test_a_failure_is_recorded_shown_counted_and_forgotten_when_it_is_mended(tenants, newer, capsys):
    newer()
    broken = tenants[1]
    spoil(broken)
    upgrade.migrate(options=QUICK)
    upgrade.migrate(options=QUICK)
    assert run(["migrate", "status", "--json"]) == 0
    status_report = json.loads(capsys.readouterr().out)
    assert status_report["at_head"] is False
    (one,) = status_report["databases"]
    assert (one["behind"], one["revisions"][HEAD], one["at_head"]) == (1, 1, one["tenants"] - 1)
    (failure,) = one["failed"]
    assert (failure["tenant"], failure["revision"], failure["wanted"]) == (broken.slug, HEAD, NEWER)
    assert failure["attempts"] == 2
    assert "DuplicateColumn" in failure["error"]
    assert run(["migrate", "status"]) == 0
    assert broken.slug in capsys.readouterr().out
    with owner_session() as session:
        session.execute(text(f'ALTER TABLE "{broken.schema_name}".tenant_settings DROP COLUMN note'))
    assert upgrade.migrate().upgraded == (broken.schema_name,)
    assert status().at_head
    assert status().databases[0].failed == ()


def test_a_failure_is_forgotten_when_the_tenant_is_restored_and_so_comes_to_head(tenants, newer, tmp_path, capsys):
    broken = tenants[1]
    backup(broken.slug, tmp_path / "t.iitbackup")
    newer()
    spoil(broken)
    upgrade.migrate(options=QUICK)
    assert status().databases[0].failed
    from_file(broken.slug, tmp_path / "t.iitbackup")
    assert status().at_head
    upgrade.migrate()
    with owner_session() as session:
        assert session.scalar(text("SELECT count(*) FROM node.migration_failures")) == 0


def test_a_schema_that_does_not_stand_where_node_says_is_left_alone_and_it_is_said_where_it_stands(tenants, newer):
    newer()
    other, none = tenants[0].schema_name, tenants[1].schema_name
    with owner_session() as session:
        stamp(session, other, "other")
        session.execute(text(f'DELETE FROM "{none}".alembic_version'))  # noqa: S608 - a schema's name
    failed = upgrade.migrate(options=QUICK).failed
    with owner_session() as session:
        session.execute(text(f'INSERT INTO "{none}".alembic_version VALUES (:head)'), {"head": HEAD})  # noqa: S608 - as above
    start = "MisplacedSchema: the schema is not at the revision that node records: its alembic_version holds"
    rest = f"node.tenant_schemas holds {HEAD}; correct the one that is wrong, and migrate again"
    assert failed == {other: f"{start} other, {rest}", none: f"{start} no revision, {rest}"}
    assert set(standing(tenants[:2])) == {HEAD}


KILLED = """
import os, sys, signal
from pathlib import Path
from core.database import scripts, upgrade
scripts.MIGRATIONS = Path(sys.argv[1])
count = 0
def progress(schema):
    global count
    count += 1
    if count == 2:
        os.kill(os.getpid(), signal.SIGKILL)
upgrade.migrate(progress=progress, options=upgrade.Options(connections=2))
"""


def test_a_run_that_is_killed_is_gone_on_with_by_the_next(tenants, newer):
    folder = newer()
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=os.environ, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    revisions = standing(tenants)
    assert 2 <= revisions.count(NEWER) < len(status_rows()) or HEAD in revisions
    for tenant, revision in zip(tenants, revisions, strict=True):
        assert ("note" in str(shape(tenant)[0])) == (revision == NEWER), "each is whole, or was not begun"
    deadline = time.monotonic() + 30  # until PostgreSQL notices that the killed one is gone
    while time.monotonic() < deadline and (done := upgrade.migrate(options=QUICK)).failed:
        pass
    assert done.failed == {}
    assert standing(tenants) == [NEWER] * 4


def status_rows():
    with owner_session() as session:
        return session.execute(text("SELECT schema_name FROM node.tenant_schemas")).all()


def test_a_tenant_made_by_older_code_meanwhile_is_not_forgotten(tenants, newer, monkeypatch):
    newer()
    late = tenants[3]
    with owner_session() as session:
        session.execute(
            text("UPDATE node.tenant_schemas SET revision = :to WHERE schema_name = :one"),
            {"to": NEWER, "one": late.schema_name},
        )

    statement = "UPDATE node.tenant_schemas SET revision = :to WHERE schema_name = :one"
    upgraded = []

    def progress(schema):
        upgraded.append(schema)
        if len(upgraded) == 1:
            with owner_session() as session:
                session.execute(text(statement), {"to": HEAD, "one": late.schema_name})

    upgrade.migrate(progress=progress)
    assert standing(tenants) == [NEWER] * 4
    assert "note" in str(shape(late)[0])


def test_code_that_is_ahead_of_a_tenant_answers_that_it_is_upgraded_and_serves_the_rest(tenants, newer):
    newer()
    behind, ready = tenants[0], tenants[1]
    spoil(behind)
    upgrade.migrate(options=QUICK)
    with owner_session() as session:
        session.execute(text(f'ALTER TABLE "{behind.schema_name}".tenant_settings DROP COLUMN note'))
    with tenant_session(behind, actor="test:1") as session:
        assert session.scalar(text("SELECT count(*) FROM tenant_settings")) == 0, "what is there is served"
    with (
        pytest.raises(TenantUpgrading, match=behind.slug) as rejected,
        tenant_session(behind, actor="test:1") as session,
    ):
        session.execute(text("SELECT note FROM tenant_settings"))
    assert rejected.value.status == 503
    assert rejected.value.retry_after
    with tenant_session(ready, actor="test:1") as session:
        assert session.execute(text("SELECT note FROM tenant_settings")).all() == []


def test_a_fault_of_our_own_in_a_tenant_at_head_is_called_no_upgrade(tenants):
    with pytest.raises(Exception, match="no_such") as error, tenant_session(tenants[0], actor="test:1") as session:
        session.execute(text("SELECT no_such FROM tenant_settings"))
    assert not isinstance(error.value, TenantUpgrading)


def test_scripts_are_named_by_their_revisions():
    for tree in ("platform", "node", "tenant"):
        assert scripts.head(tree) == scripts.tree(tree).get_current_head()
        assert {one.revision for one in scripts.tree(tree).walk_revisions()} == set(scripts.revisions(tree))


def test_only_a_tenants_opaque_name_is_put_into_sql():
    with pytest.raises(ValueError, match="not a tenant's schema"):
        fleet._send(None, fleet.OutdatedSchema("x'; DROP", "0001"), "SELECT 1", "0002")


def test_nobody_is_told_that_a_fleet_is_at_head_before_it_is_on_the_disk(newer, monkeypatch):
    newer()
    asked = "SELECT pg_current_wal_insert_lsn(), current_setting('synchronous_commit')"
    seen = {}

    def sent(driver, *rest):
        workers(driver, *rest)
        seen["steps"] = seen.get("steps", 0) + 1

    def lasting(connection):
        with connection.begin():
            seen["written"], seen["waits"] = connection.execute(text(asked)).one()
        fleet.lasting(connection)
        with connection.begin():
            flushed = text("SELECT pg_current_wal_flush_lsn() >= CAST(:lsn AS pg_lsn)")
            seen["on_disk"] = connection.scalar(flushed, {"lsn": seen["written"]})

    workers = fleet._send
    monkeypatch.setattr(fleet, "_send", sent)
    monkeypatch.setattr(upgrade, "lasting", lasting)
    done = upgrade.migrate()
    assert len(done.upgraded) >= seen["steps"] >= 4
    assert (seen["waits"], seen["on_disk"]) == ("on", True)
