"""Jobs of tests: what each does is put into ``acts`` by the test that asks for it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.app.factory import create_app
from core.database import node_session, platform_session, tenant_session
from core.feature import feature
from core.identity import csrf
from core.identity.people import accounts, sessions
from core.jobs import Retry, enqueue, job, payloads
from core.privacy.errors import CannotDecrypt
from tests.keyed import KeyedClient

acts = {}


@job("testing.act", retry=Retry(3, first=timedelta(0)), lease=timedelta(seconds=30))
def act(context, payload):
    """Do what the test wants done."""
    acts[payload["act"]](context, payload)


@job("testing.slow_backoff", retry=Retry(2, first=timedelta(minutes=10)))
def act_slowly(context, payload):
    """The same, tried again only after an hour."""
    acts[payload["act"]](context, payload)


@pytest.fixture
def ask():
    """``ask(tenant, function)`` enqueues a job that calls the function; gives the job's id."""

    def enqueue_(tenant, function=lambda _context, _payload: None, *, kind="testing.act", **options):
        name = f"{tenant.slug}-{len(acts)}"
        acts[name] = function
        with tenant_session(tenant, actor="test:1", request_id="r-1") as session:
            return enqueue(session, kind, {"act": name, **options.pop("payload", {})}, **options)

    return enqueue_


@pytest.fixture
def row():
    """``row(job_id)`` gives the job's row, with its payload decrypted where that is possible."""

    def read(job_id):
        with node_session() as session:
            stored = session.execute(text("SELECT * FROM node.jobs WHERE id = :id"), {"id": job_id}).mappings().one()
        try:
            return {**stored, "payload": payloads.open_payload(stored)}
        except CannotDecrypt:
            return stored

    return read


@pytest.fixture
def change():
    """``change(job_id, "state = 'sent'")`` changes the row, as time or a crash would."""

    def update(job_id, assignment):
        with node_session() as session:
            session.execute(text(f"UPDATE node.jobs SET {assignment} WHERE id = :id"), {"id": job_id})  # noqa: S608

    return update


@pytest.fixture
def effects():
    """``effects(tenant)`` lists what jobs wrote in the tenant's schema, each as often as it was written."""

    def read(tenant):
        with tenant_session(tenant, actor="test:1") as session:
            return list(session.scalars(text("SELECT detail ->> 'effect' FROM audit_events ORDER BY event_id")))

    return read


@pytest.fixture
def effect():
    """``effect(session, "a")`` writes one."""

    def write(session, name):
        with session.cursor() as cursor:
            cursor.execute(
                "INSERT INTO audit_events (actor, action, subject_type, detail)"
                " VALUES (%s, 'test:job:act', 'test', jsonb_build_object('effect', %s::text))",
                (session.actor, name),
            )

    return write


@pytest.fixture(scope="module")
def kernel_application(database):
    """An application of the kernel's own feature."""
    return create_app([feature])


@pytest.fixture
def operator_client(kernel_application):
    """``operator_client(role)`` gives a client of a new operator."""

    def make(role):
        person = accounts.add_operator(f"{role}-{uuid4().hex[:8]}@example.org", "Operator", role, actor="test:1")
        with platform_session() as session:
            begun = sessions.begin(session, person, None, signed_in_by="password")
        headers = {csrf.HEADER: csrf.token_of(begun.secret), "Origin": "http://testserver"}
        client = KeyedClient(kernel_application, headers=headers)
        client.cookies.set("iit_session", begun.secret)
        return client

    return make
