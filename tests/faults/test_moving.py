"""A move killed at any point is ended or given up, and what was acknowledged before, meanwhile and after is there."""

from __future__ import annotations

import secrets
import subprocess
import time
from pathlib import Path

import pytest

from core.database import TenantMoving, owner_connection, tenant_session
from core.database.scope import FENCES
from core.errors import Conflict
from core.tenancy import get_tenant, placing
from core.tenancy.move import service
from tests import zygote
from tests.core.jobs.conftest import acts
from tests.core.tenancy.move.conftest import Writer, east, make, rows, writing  # noqa: F401 - fixtures

WORKER = Path(__file__).with_name("move_worker.py")
WRITING = ("captured", "copied", "compared", "held")
"""Points after which the tenant is where it was, and works, though the move was killed."""


def killed(slug, database, point):
    process = zygote.start(WORKER, slug, database, point, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "waiting\n"
    process.kill()
    process.wait()
    process.stdout.close()
    while fenced():  # the server ends a dead client's transaction, and with it its fence, a moment later
        time.sleep(0.02)


def fenced():
    """Whether anybody still holds a tenant's writers alone."""
    with owner_connection() as connection:
        return connection.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s AND mode = 'ExclusiveLock'",
            (FENCES,),
        ).rowcount


def write_some(slug, writer, times=10):
    """Write as ``Writer`` does, in this thread; returns how often it was acknowledged."""
    before = writer.rejected
    for _ in range(times):
        writer.count += 1
        writer.write(f"{writer.name}-{writer.count}", f"{writer.name}-{writer.count // 2}")
    return times - (writer.rejected - before)


def traces(database, schema):
    with owner_connection(database) as connection:
        return connection.execute(
            "SELECT tgname::text FROM pg_trigger WHERE tgname LIKE 'move_capture%%' AND tgrelid IN"
            " (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(%s))"
            " UNION SELECT relname::text FROM pg_class"
            " WHERE relname = 'move_changes' AND relnamespace = to_regnamespace(%s)",
            (schema, schema),
        ).fetchall()


@pytest.mark.parametrize("point", [*WRITING, "expelled", "switched", "carried"])
def test_a_killed_move_is_ended_by_asking_again(east, make, point):  # noqa: F811 - fixtures
    acts["nothing"] = lambda _context, _payload: None
    old = make().ref
    slug = old.slug
    writer = Writer(slug, f"w{secrets.token_hex(2)}")
    assert write_some(slug, writer) == 10
    killed(slug, east, point)
    if point in WRITING:
        assert write_some(slug, writer) == 10, "it works where it was"
        assert get_tenant(slug).database == "default"
    elif point == "expelled":
        assert write_some(slug, writer) == 0, "it is nowhere until the move is ended or given up"
    else:
        assert write_some(slug, writer) == 10, "it works where it went"
        assert get_tenant(slug).database == east
    if point in {"switched", "carried"}:
        with pytest.raises(TenantMoving), tenant_session(old, actor="test:1"):
            pytest.fail("the old place was opened")
        with pytest.raises(Conflict, match="already"):
            service.move(slug, east)
    else:
        service.move(slug, east)
    there = get_tenant(slug)
    assert there.database == east
    assert write_some(slug, writer) == 10
    writer.check(there)
    assert rows(there, "SELECT count(*) FROM node.jobs WHERE state <> 'queued'") == [(0,)]
    assert traces(east, there.schema_name) == []
    assert [row["rows_left"] for row in placing.retired(there.id)] in ([], [False])


@pytest.mark.parametrize("point", ["captured", "compared", "expelled"])
def test_a_killed_move_is_given_up_and_leaves_no_trace(east, make, point):  # noqa: F811 - fixtures
    acts["nothing"] = lambda _context, _payload: None
    old = make().ref
    writer = Writer(old.slug, f"w{secrets.token_hex(2)}")
    write_some(old.slug, writer)
    killed(old.slug, east, point)
    assert service.abort(old.slug)
    assert not service.abort(old.slug)
    assert get_tenant(old.slug) == old
    assert write_some(old.slug, writer) == 10
    writer.check(old)
    assert traces("default", old.schema_name) == []
    with owner_connection(east) as connection:
        assert connection.execute("SELECT FROM node.tenant_schemas WHERE tenant_id = %s", (old.id,)).rowcount == 0
