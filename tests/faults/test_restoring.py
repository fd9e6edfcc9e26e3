"""A restore killed at any point has changed nothing or is ended by asking again, and leaves no schema for ever."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from core import metering
from core.database import TenantMoving, owner_connection, tenant_session
from core.tenancy import get_tenant, placing
from core.tenancy.backup import service
from core.tenancy.backup.saving import backup
from core.tenancy.move.service import abort
from tests import zygote
from tests.core.tenancy.backup.test_restore import digest_of
from tests.core.tenancy.move.conftest import put

WORKER = Path(__file__).with_name("restore_worker.py")


def killed(slug, file, point):
    process = zygote.start(WORKER, slug, file, point, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "waiting\n"
    process.kill()
    process.wait()
    process.stdout.close()


def schemas_of(tenant_id):
    with owner_connection() as connection:
        rows = connection.execute("SELECT schema_name FROM platform.retired_schemas WHERE tenant_id = %s", (tenant_id,))
        return [row[0] for row in rows]


@pytest.fixture
def damaged(tenant, tmp_path):
    """A tenant, its backup, its digest at that time, after it was changed."""
    file = tmp_path / "t.iitbackup"
    with tenant_session(tenant, actor="test:1") as session:
        put(session, "wanted")
        metering.record(session, "imports", 1, key="a")
    wanted = digest_of(tenant)
    backup(tenant.slug, file)
    with tenant_session(tenant, actor="test:1") as session:
        put(session, "after")
    return tenant, file, wanted


@pytest.mark.parametrize("point", ["loaded", "expelled", "switched"])
def test_a_killed_restore_is_ended_by_asking_again(damaged, point):
    tenant, file, wanted = damaged
    killed(tenant.slug, file, point)
    if point == "loaded":
        with tenant_session(tenant, actor="test:1") as session:
            put(session, "it works as it was")
    elif point == "expelled":
        with pytest.raises(TenantMoving), tenant_session(tenant, actor="test:1"):
            pytest.fail("opened")
    else:
        ref = get_tenant(tenant.slug)
        assert digest_of(ref) == wanted
        with tenant_session(ref, actor="test:1") as session:
            assert metering.record(session, "imports", 0, key="meanwhile"), "it works where it is now"
    service.from_file(tenant.slug, file)
    ref = get_tenant(tenant.slug)
    assert digest_of(ref) == wanted
    with tenant_session(ref, actor="test:1") as session:
        assert metering.totals(session)["imports"] == 1
    placing.drop_retired(ref.id, early=True)
    assert schemas_of(ref.id) == []
    with owner_connection() as connection:
        cursor = connection.execute("SELECT schema_name FROM node.tenant_schemas WHERE tenant_id = %s", (ref.id,))
        assert cursor.fetchall() == [(ref.schema_name,)]


def test_a_restore_killed_while_nobody_could_write_is_given_up(damaged):
    tenant, file, _ = damaged
    before = digest_of(tenant)
    killed(tenant.slug, file, "expelled")
    assert not abort(tenant.slug)
    assert digest_of(get_tenant(tenant.slug)) == before
    with tenant_session(tenant, actor="test:1") as session:
        put(session, "it works as it was")
    assert len(schemas_of(tenant.id)) == 1
    assert placing.drop_retired(tenant.id) == [], "a restore may still be under way"
    assert len(placing.drop_retired(tenant.id, early=True)) == 1


def test_rows_that_a_killed_restore_left_are_brought_by_looking(damaged):
    tenant, file, _ = damaged
    killed(tenant.slug, file, "switched")
    placing.tidy()
    with tenant_session(get_tenant(tenant.slug), actor="test:1") as session:
        assert metering.totals(session)["imports"] == 1


def test_what_a_killed_restore_left_can_be_dropped_and_the_tenant_works_on(damaged):
    tenant, file, _ = damaged
    before = digest_of(tenant)
    killed(tenant.slug, file, "expelled")
    left = schemas_of(tenant.id)
    assert len(left) == 1
    assert set(left) <= set(placing.tidy(drop=True, early=True).dropped)
    with tenant_session(tenant, actor="test:1") as session:
        assert metering.record(session, "imports", 1, key="b"), "what is written in node is the tenant's"
    assert digest_of(tenant) == before
