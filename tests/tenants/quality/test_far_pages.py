"""A page far into the pairs or the reports reads no more rows than the first one: the plans of PostgreSQL say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.dialects import postgresql
from sqlmodel import col, select

from core.database import owner_connection, tenant_session
from core.web.cursors import Sort
from core.web.keyset import page_statement
from core.web.paging import PageRequest
from tenants.quality.models import LinkageCandidate, QualityReport
from tests.tenants.records.test_far_pages import MANY, PAGE, ROWS, plan_of, rows_read

PAIRS = select(LinkageCandidate).where(col(LinkageCandidate.state) == "pending")
REPORTS = select(QualityReport).where(col(QualityReport.facility_uuid).is_(None))
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def full(module_tenant):
    """A tenant with many pairs and reports."""
    uuid = "lpad(to_hex(n), 32, '0')::uuid"
    with tenant_session(module_tenant, actor="test:1") as session:
        cursor = session.cursor()
        cursor.execute(
            "INSERT INTO linkage_candidates (uuid, first_uuid, second_uuid, probability, evidence, evidence_hash,"  # noqa: S608 - constants
            f" state, found_at, seen_at) SELECT {uuid}, {uuid}, 'ffffffff-ffff-ffff-ffff-ffffffffffff', n / 8192.0,"
            f" '{{}}', 'x', 'pending', now(), now() FROM generate_series(1, {ROWS}) AS n"
        )
        cursor.execute(
            "INSERT INTO quality_reports (uuid, run_uuid, made_at, definitions)"  # noqa: S608 - constants
            f" SELECT {uuid}, {uuid}, '2020-01-01Z'::timestamptz + make_interval(hours => n), '1'"
            f" FROM generate_series(1, {ROWS}) AS n"
        )
    with owner_connection() as connection:
        for table in ("linkage_candidates", "quality_reports"):
            connection.execute(f"ANALYZE {module_tenant.schema_name}.{table}")
    return module_tenant


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", ["probability", "made_at"])
def test_a_cursor_far_into_the_list_skips_nothing(full, name, descending):
    far = 100 if descending else ROWS - 100
    statement, model, value = {
        "probability": (PAIRS, LinkageCandidate, far / 8192),
        "made_at": (REPORTS, QualityReport, BEGIN + timedelta(hours=far)),
    }[name]
    sort = Sort(name, descending=descending)
    pages = (
        PageRequest(1, PAGE, sort=sort, keyed=True),
        PageRequest(150, PAGE, sort=sort, key=(value, UUID(int=far)), keyed=True),
        PageRequest(150, PAGE, sort=sort, keyed=True),
    )
    with tenant_session(full, actor="test:1", readonly=True) as session:
        read = []
        for paging in pages:
            page = page_statement(statement, paging, {name: getattr(model, name)}, col(model.uuid))
            text = str(page.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
            read.append(rows_read(plan_of(session, text)))
    assert max(read[:2]) < MANY < read[2]
