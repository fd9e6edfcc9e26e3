"""Rolled-up usage and clients of operators for tests of costs."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.database import owner_session, platform_session
from core.identity import csrf
from core.identity.people import accounts, sessions
from tests.keyed import KeyedClient

_ADD = text(
    "INSERT INTO platform.usage_hours (tenant_id, meter, hour, batch, dimensions_key, dimensions, total, uses, maximum,"
    " latest, latest_at) VALUES (:tenant, :meter, :hour, :batch, md5(:dimensions), CAST(:dimensions AS jsonb), :value,"
    " 1, :value, :value, :hour)"
)


@pytest.fixture
def roll():
    """Adds an hour of usage as the roll-up does: ``roll(tenant, "job_seconds", 3600, day, feature="risk")``."""

    def add(tenant, meter, value, day, *, hour=12, batch=1, **dimensions):
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        with owner_session() as session:
            session.execute(
                _ADD,
                {
                    "tenant": tenant.id,
                    "meter": meter,
                    "hour": moment,
                    "batch": batch,
                    "dimensions": json.dumps(dimensions, sort_keys=True),
                    "value": value,
                },
            )

    return add


@pytest.fixture(scope="module")
def operator_client(application):
    """Makes clients of new operators, for the API and for forms of pages."""

    def make(role="platform_admin"):
        person = accounts.add_operator(f"{role}-{uuid4().hex[:8]}@example.org", "Operator", role, actor="test:1")
        with platform_session() as session:
            begun = sessions.begin(session, person, None, signed_in_by="password")
        client = KeyedClient(application, follow_redirects=False)
        client.cookies.set("iit_session", begun.secret)
        client.headers |= {csrf.HEADER: csrf.token_of(begun.secret), "origin": "http://testserver"}
        return client

    return make
