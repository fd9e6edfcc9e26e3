"""In a tenant's own role, by plain SQL, nothing can be written in ``node`` in another tenant's name."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import node_session, owner_session, tenant_session

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
def test_another_tenants_id_is_refused_whatever_the_role_says(two_tenants, statement):
    mine, other = two_tenants
    for role in (mine.role_name, other.role_name):
        with pytest.raises(ProgrammingError) as error:
            write(mine, statement, id=other.id, role=role)
        assert error.value.orig.sqlstate == NOT_ALLOWED


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
