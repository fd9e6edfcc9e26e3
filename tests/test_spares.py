"""The schema of an ended test becomes another tenant's, as new, or stays as it is."""

from __future__ import annotations

import pytest

from core import audit
from core.audit.service import declared_actions
from core.database import tenant_session
from tests.spares import RESTING, Spares


@pytest.fixture
def ended(make_tenant, monkeypatch):
    """A tenant with an audited act, whose schema is free; it is the next to be given."""
    spares = Spares()
    spares.install(monkeypatch)
    tenant, *_ = [make_tenant().ref for _ in range(RESTING + 1)]
    assert act(tenant) == 1
    spares._end("function")
    return tenant


def act(tenant):
    """Audit an act; return its number."""
    with tenant_session(tenant, actor="test:1") as session:
        audit.record(session, min(declared_actions()), "tenant", tenant.id)
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        return session.cursor().execute("SELECT max(event_id) FROM audit_events").fetchone()[0]


def oid(tenant):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        return session.cursor().execute("SELECT %s::regnamespace::oid", (tenant.schema_name,)).fetchone()


def test_a_free_schema_is_given_to_the_next_tenant_and_counts_from_one(ended, make_tenant):
    schema = oid(ended)
    following = make_tenant().ref
    assert oid(following) == schema
    assert act(following) == 1


def test_a_schema_that_is_in_use_stays_as_it_is(ended, make_tenant):
    with tenant_session(ended, actor="test:1") as session:
        session.cursor().execute("SELECT FROM audit_events").fetchall()
        assert oid(make_tenant().ref) != oid(ended)
    assert act(ended) == 2
