"""Behind PgBouncer in transaction mode with one server connection: every tenant sees its own rows, and only these."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.app.factory import create_app
from core.database import node_session, scope, tenant_session
from core.database.engines import application_engine
from core.jobs import enqueue
from core.jobs.worker import drain
from core.settings import master_key
from tests.isolation.bouncer import bouncer
from tests.isolation.test_connections import forgotten_scope, pid, remember, remembered


@pytest.fixture(scope="module")
def address(database):
    with bouncer(database, pool_size=1) as pooled:
        yield pooled


@pytest.fixture
def behind(address, database, settings_of):
    """The application's connections go through PgBouncer; the owner's, for migrations, do not."""
    key = b64encode(master_key()).decode()
    settings_of(
        database_url=address, database_owner_url=database.database_owner_url, redis_url=database.redis_url,
        database_pool_size=5, master_key=key,
    )  # fmt: skip


def test_two_tenants_on_one_server_connection_see_only_their_own_rows(behind, two_tenants):
    first, second = two_tenants
    with tenant_session(first, actor="test:1") as session:
        backend = pid(session)
        remember(session, "of the first")
    with tenant_session(second, actor="test:1") as session:
        assert pid(session) == backend
        assert remembered(session) == set()
        remember(session, "of the second")
    with tenant_session(first, actor="test:1") as session:
        assert pid(session) == backend
        assert remembered(session) == {"of the first"}


def test_a_statement_without_scope_finds_no_tenants_table(behind, tenant):
    with tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
        remember(session, "secret")
    with application_engine().connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == backend
    with pytest.raises(ProgrammingError):
        forgotten_scope()


def test_the_canary_leaks_to_whoever_gets_the_server_connection_next(behind, two_tenants, monkeypatch):
    """The known-bad way, a SET that outlasts the transaction: behind a pooler even another client meets it."""
    first, _ = two_tenants
    good = scope._SCOPE
    monkeypatch.setattr(scope, "_SCOPE", good.replace("true", "false"))
    with tenant_session(first, actor="test:1") as session:
        remember(session, "secret")
    monkeypatch.setattr(scope, "_SCOPE", good)
    try:
        assert forgotten_scope()[1:] == (first.role_name, {"secret"})
    finally:  # the one server connection must not stay as the canary left it
        with application_engine().connect() as connection:
            connection.execute(text("SET ROLE NONE"))
            connection.execute(text("SET search_path TO ''"))


def test_many_transactions_at_once_take_turns_and_never_mix(behind, two_tenants):
    for tenant in two_tenants:
        with tenant_session(tenant, actor="test:1") as session:
            remember(session, tenant.slug)

    def look(number):
        tenant = two_tenants[number % 2]
        with tenant_session(tenant, actor="test:1") as session:
            return remembered(session) == {tenant.slug}

    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(look, range(100)))


def test_the_api_and_its_jobs_work(behind, owner, client_for):
    client = client_for(create_app(), owner.api_key)
    answer = client.post("/v1/facilities", json={"datim_id": "FAC1", "name": "Clinic"})
    assert answer.status_code == 201, answer.text
    patient = client.post("/v1/patients", json={"facility": "FAC1", "hospital_number": "H1"})
    assert patient.status_code == 201, patient.text
    assert client.get(f"/v1/patients/{patient.json()['id']}").json()["hospital_number"] == "H1"
    with tenant_session(owner.ref, actor="test:1") as session:
        job = enqueue(session, "cohort.rebuild", {})
    drain(owner.ref)
    with node_session() as session:
        query = text("SELECT state FROM node.jobs WHERE id = :job")
        assert session.scalar(query, {"job": job}) == "done"
