"""A tenant's locks are its own: no name that it knows leads to another tenant's lock, or to one of the platform's."""

import pytest
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from sqlalchemy import text

from core.database import lock_own, node_session, owner_session, set_local, tenant_session, try_lock_own

NUMBERS = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"


def test_one_tenants_lock_holds_up_itself_and_nobody_else(two_tenants):
    first, second = two_tenants
    with tenant_session(first, actor="test:1") as holder:
        lock_own(holder.cursor(), "records")
        with tenant_session(second, actor="test:1") as other:
            assert try_lock_own(other.cursor(), "records")
        with tenant_session(first, actor="test:1") as again:
            assert not try_lock_own(again.cursor(), "records")
            set_local(again.cursor(), lock_timeout="10ms")
            with pytest.raises(LockNotAvailable):
                lock_own(again.cursor(), "records", shared=True)
            again.rollback()
    with tenant_session(first, actor="test:1") as after:
        assert try_lock_own(after.cursor(), "records"), "it ended with the transaction"


def test_a_lock_that_is_shared_keeps_out_only_who_wants_it_alone(tenant):
    with tenant_session(tenant, actor="test:1") as one, tenant_session(tenant, actor="test:1") as two:
        lock_own(one.cursor(), "records", shared=True)
        lock_own(two.cursor(), "records", shared=True)
        with tenant_session(tenant, actor="test:1") as three:
            assert not try_lock_own(three.cursor(), "records")


def test_the_name_of_another_tenants_lock_does_not_lead_to_it(two_tenants):
    first, second = two_tenants
    taken = []
    for tenant, name in ((first, "records"), (second, f"{first.role_name}:records"), (second, "records")):
        with tenant_session(tenant, actor="test:1") as session:
            lock_own(session.cursor(), name)
            with owner_session() as owner:
                query = f"{NUMBERS} AND pid = :pid"
                pid = session.scalar(text("SELECT pg_backend_pid()"))
                taken += owner.scalars(text(query), {"pid": pid}).all()
    assert len(set(taken)) == 3


@pytest.mark.parametrize("call", ["node.lock_own('a', false)", "node.try_lock_own('a')"])
def test_only_tenants_take_locks_by_name(database, call):
    with pytest.raises(Exception, match="permission denied"), node_session() as session:
        session.execute(text(f"SELECT {call}"))


def test_a_tenant_takes_no_lock_by_number_whatever_the_form(tenant):
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        functions = cursor.execute(
            "SELECT oid::regprocedure::text, has_function_privilege(oid, 'EXECUTE') FROM pg_proc"
            " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ 'advisory'"
        ).fetchall()
    assert len(functions) > 10
    assert [name for name, allowed in functions if allowed] == []
    with pytest.raises(InsufficientPrivilege), tenant_session(tenant, actor="test:1") as session:
        session.cursor().execute("SELECT pg_advisory_unlock_all()")
