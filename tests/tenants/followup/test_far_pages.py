"""The list of attempts: a page far into it reads no more rows than the first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select

from core.database import owner_connection, tenant_session
from core.web.keyset import page_statement
from core.web.paging import PageRequest
from tenants.followup.models import Intervention
from tenants.followup.service import NEWEST_FIRST
from tests.plans import rows_read_by

ROWS = 4_000
PAGE = 20
MANY = 10 * PAGE
START = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def full(module_tenant):
    """A tenant with many attempts."""
    with tenant_session(module_tenant, actor="test:1") as session:
        session.cursor().execute(
            "INSERT INTO interventions (uuid, version_id, patient_uuid, facility_uuid, intervention_type, status,"
            " outcome, created_at, created_by, updated_at)"
            " SELECT lpad(to_hex(n), 32, '0')::uuid, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
            " 'phone_call', 'completed', 'reached', %s + interval '1 minute' * n, 'test:1', now()"
            " FROM generate_series(1, %s) AS n",
            (START, ROWS),
        )
    with owner_connection() as connection:
        connection.execute(f"ANALYZE {module_tenant.schema_name}.interventions")
    return module_tenant


def test_a_cursor_far_into_the_attempts_skips_nothing(full):
    statement = select(Intervention).where(col(Intervention.voided).is_(False), col(Intervention.outcome).is_not(None))
    columns = {"recorded_at": col(Intervention.created_at)}
    key = (START + timedelta(minutes=10), UUID(int=10))
    pages = (
        PageRequest(1, PAGE, sort=NEWEST_FIRST, keyed=True),
        PageRequest(150, PAGE, sort=NEWEST_FIRST, key=key, keyed=True),
        PageRequest(150, PAGE, sort=NEWEST_FIRST, keyed=True),
    )
    with tenant_session(full, actor="test:1", readonly=True) as session:
        read = [
            rows_read_by(session, page_statement(statement, paging, columns, col(Intervention.uuid)))
            for paging in pages
        ]
    assert max(read[:2]) < MANY < read[2], "only a page by its number reads up to it"
