"""In a tenant's own role, by plain SQL, nothing can be written in ``node`` in another tenant's name."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import node_session, owner_session, tenant_session
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE
from migrations import operations

NOT_ALLOWED = "42501"
JOB = (
    "INSERT INTO node.jobs (id, tenant_id, tenant_role, kind, payload, run_after, max_attempts, requested_by)"
    " VALUES (gen_random_uuid(), :id, :role, 'x', '{}', now(), 1, 'test:1')"
)
USAGE = (
    "INSERT INTO node.usage_events (id, tenant_id, tenant_role, meter, value, key)"
    " VALUES (gen_random_uuid(), :id, :role, 'requests', 1, gen_random_uuid()::text)"
)


def write(tenant, statement, **values):
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(text(statement), values)


@pytest.mark.parametrize("statement", [JOB, USAGE])
def test_a_row_of_its_own_is_written(tenant, statement):
    write(tenant, statement, id=tenant.id, role=tenant.role_name)


@pytest.mark.parametrize("statement", [JOB, USAGE])
def test_another_tenants_id_is_rejected_whatever_the_role_says(two_tenants, statement):
    mine, other = two_tenants
    for role in (mine.role_name, other.role_name):
        with pytest.raises(ProgrammingError) as error:
            write(mine, statement, id=other.id, role=role)
        assert error.value.orig.sqlstate == NOT_ALLOWED


@pytest.fixture
def job_of_platform(database):
    values = {"id": PLATFORM_ID, "role": PLATFORM_ROLE}
    with node_session() as session:
        session.execute(text(JOB), values)
        job_id = session.scalar(text("SELECT id FROM node.jobs WHERE tenant_role = :role"), values)
    yield job_id
    with node_session() as session:
        session.execute(text("DELETE FROM node.jobs WHERE tenant_role = :role"), values)


@pytest.mark.parametrize("own", ["id", "role", "neither"])
def test_a_tenant_adds_no_job_of_the_platform(tenant, own):
    values = {
        "id": tenant.id if own == "id" else PLATFORM_ID,
        "role": tenant.role_name if own == "role" else PLATFORM_ROLE,
    }
    with pytest.raises(ProgrammingError) as error:
        write(tenant, JOB, **values)
    assert error.value.orig.sqlstate == NOT_ALLOWED


def test_a_tenant_neither_reads_nor_ends_a_job_of_the_platform(tenant, job_of_platform):
    with tenant_session(tenant, actor="test:1") as session:
        assert session.scalar(text("SELECT count(*) FROM node.jobs WHERE id = :id"), {"id": job_of_platform}) == 0
        ended = session.execute(text("UPDATE node.jobs SET state = 'done' WHERE id = :id"), {"id": job_of_platform})
        assert ended.rowcount == 0
    with node_session() as session:
        state = session.scalar(text("SELECT state FROM node.jobs WHERE id = :id"), {"id": job_of_platform})
        assert state == "queued"


def test_a_tenant_gives_no_job_of_its_own_to_the_platform(tenant):
    write(tenant, JOB, id=tenant.id, role=tenant.role_name)
    for column, value in (("tenant_role", PLATFORM_ROLE), ("tenant_id", str(PLATFORM_ID)), ("kind", "testing.roll_up")):
        with pytest.raises(ProgrammingError) as error:
            write(tenant, f"UPDATE node.jobs SET {column} = :value", value=value)  # noqa: S608 - constants
        assert error.value.orig.sqlstate == NOT_ALLOWED


def test_no_role_can_have_the_name_that_stands_for_the_platform():
    with pytest.raises(ValueError, match="not an identifier"):
        operations.own_rows_only("SELECT", "node", PLATFORM_ROLE)


def test_a_tenant_learns_its_own_id_and_no_other(two_tenants):
    mine, other = two_tenants
    with tenant_session(mine, actor="test:1") as session:
        assert session.scalar(text("SELECT node.own_tenant_id()")) == mine.id
    with pytest.raises(ProgrammingError) as error:
        write(mine, "SELECT tenant_id FROM node.tenant_schemas WHERE schema_name = :name", name=other.schema_name)
    assert error.value.orig.sqlstate == NOT_ALLOWED


def test_nobody_but_tenants_and_the_owner_may_ask_whose_a_role_is(database):
    with node_session() as session, pytest.raises(ProgrammingError) as error:
        session.execute(text("SELECT node.own_tenant_id()"))
    assert error.value.orig.sqlstate == NOT_ALLOWED
    with owner_session() as session:
        assert session.scalar(text("SELECT node.own_tenant_id()")) is None


def test_every_table_of_node_that_tenants_write_binds_both_role_and_id(database):
    with owner_session() as session:
        policies = session.execute(
            text("SELECT tablename, with_check FROM pg_policies WHERE schemaname = 'node' AND policyname = 'own_rows'")
        ).all()
    assert {name for name, _check in policies} >= {"jobs", "usage_events"}
    for name, check in policies:
        assert "own_tenant_id" in check, name
        assert "CURRENT_USER" in check, name
