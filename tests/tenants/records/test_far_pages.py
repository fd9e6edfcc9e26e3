"""A page far into a list reads no more rows than the first one: the plans of PostgreSQL say so."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from core.database import owner_connection, tenant_session
from core.web.cursors import Sort
from core.web.keyset import page_statement
from core.web.paging import PageRequest
from tenants.records import hot
from tenants.records.days import visible
from tenants.records.models import Visit
from tenants.records.repository_care import VISITS, sort_columns
from tests.plans import plan_of, rows_read, rows_read_by

ROWS = 4_000
PAGE = 20
MANY = 10 * PAGE
"""More rows than a page reads at any place in a list, and far fewer than stand before the last pages."""

BOOKKEEPING = "source, source_key, known_from, data_date, row_hash, changed_by, facility_uuid"
VALUES = "'csv:a', n::text::bytea, '2024-01-01Z', '2024-01-01', n::text::bytea, 'test:1', gen_random_uuid()"


@pytest.fixture(scope="module")
def full(module_tenant):
    """A tenant with many patients and visits."""
    with tenant_session(module_tenant, actor="test:1") as session:
        cursor = session.cursor()
        cursor.execute(
            f"INSERT INTO patients (uuid, version_id, datim_id, birthdate_estimated, transferred_in, {BOOKKEEPING})"  # noqa: S608 - constants
            f" SELECT lpad(to_hex(n), 32, '0')::uuid, gen_random_uuid(), 'FAC1', false, false, {VALUES}"
            f" FROM generate_series(1, {ROWS}) AS n"
        )
        cursor.execute(
            f"INSERT INTO visits (uuid, version_id, patient_uuid, date_started, {BOOKKEEPING})"  # noqa: S608 - constants
            f" SELECT lpad(to_hex(n), 32, '0')::uuid, gen_random_uuid(), gen_random_uuid(), date '2000-01-01' + n / 4,"
            f" {VALUES} FROM generate_series(1, {ROWS}) AS n"
        )
    with owner_connection() as connection:
        for table in ("patients", "visits"):
            connection.execute(f"ANALYZE {module_tenant.schema_name}.{table}")
    return module_tenant


def visits_read(tenant, paging):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        statement = select(Visit).where(visible(Visit, session.tenant, None))
        page = page_statement(statement, paging, sort_columns(VISITS), VISITS.identity)
        return rows_read_by(session, page)


@pytest.mark.parametrize("descending", [False, True])
def test_a_cursor_far_into_the_visits_skips_nothing(full, descending):
    sort = Sort("date_started", descending=descending)
    far = 10 if descending else ROWS - 100
    key = (date(2000, 1, 1) + timedelta(days=far // 4), UUID(int=far))
    assert visits_read(full, PageRequest(1, PAGE, sort=sort, keyed=True)) < MANY
    assert visits_read(full, PageRequest(150, PAGE, sort=sort, key=key, keyed=True)) < MANY
    assert visits_read(full, PageRequest(150, PAGE, sort=sort, keyed=True)) > MANY, (
        "a page by its number reads up to it"
    )


@pytest.mark.parametrize("descending", [False, True])
def test_a_cursor_far_into_the_patients_skips_nothing(full, descending):
    far = UUID(int=ROWS // 40 if descending else ROWS - ROWS // 40)
    sort = Sort("id", descending=descending)
    with tenant_session(full, actor="test:1", readonly=True) as session:
        read = [
            rows_read(plan_of(session, *hot.page_query(paging)))
            for paging in (
                PageRequest(1, PAGE, sort=sort, keyed=True),
                PageRequest(150, PAGE, sort=sort, key=(far, far), keyed=True),
                PageRequest(150, PAGE, sort=sort, keyed=True),
            )
        ]
    assert max(read[:2]) < MANY < read[2]
