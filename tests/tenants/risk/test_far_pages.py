"""Lists of models and scores: a page far into them, in the order nobody chose, reads no more rows than the first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select

from core.database import owner_connection, tenant_session
from core.web.cursors import Sort
from core.web.keyset import page_statement
from core.web.paging import PageRequest
from tenants.risk.models import Prediction, RiskModel
from tenants.risk.repository import PREDICTION_ORDERS
from tests.plans import rows_read_by

ROWS = 4_000
PAGE = 20
MANY = 10 * PAGE
"""More rows than a page reads at any place in a list, and far fewer than stand before the last pages."""

DAY = date(2025, 2, 1)
START = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def full(module_tenant):
    """A tenant with many models, and with many scores of one day."""
    with tenant_session(module_tenant, actor="test:1") as session:
        cursor = session.cursor()
        cursor.execute(
            "INSERT INTO predictions (uuid, patient_uuid, facility_uuid, as_of, kind, prediction_timestamp,"
            " model_version, risk_level, days_late, within_capacity, stale, rank)"
            " SELECT lpad(to_hex(n), 32, '0')::uuid, gen_random_uuid(), gen_random_uuid(), %s, 'to_trace',"
            " now(), 'naive-1', 'late', 1, false, false, n FROM generate_series(1, %s) AS n",
            (DAY, ROWS),
        )
        cursor.execute(
            "INSERT INTO models (uuid, name, plugin, plugin_version, version, state, trained_at, features, calibrator,"
            " metrics, card, gates, trained_by, state_changed_at)"
            " SELECT lpad(to_hex(n), 32, '0')::uuid, 'naive', 'naive', '1', 'naive-' || n, 'candidate',"
            " %s + interval '1 day' * (n / 4), '[]', '{}', '{}', '{}', '{}', 'test:1', now()"
            " FROM generate_series(1, %s) AS n",
            (START, ROWS),
        )
    with owner_connection() as connection:
        for table in ("predictions", "models"):
            connection.execute(f"ANALYZE {module_tenant.schema_name}.{table}")
    return module_tenant


FAR = 10
"""The number of the row after which a far page begins: the newest come first."""

LISTS = {
    "scores": (Prediction, PREDICTION_ORDERS, Sort("as_of", descending=True), DAY),
    "models": (
        RiskModel,
        {"trained_at": col(RiskModel.trained_at)},
        Sort("trained_at", descending=True),
        START + timedelta(days=FAR // 4),
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_far_into_a_list_skips_nothing(full, name):
    model, columns, sort, value = LISTS[name]
    first = PageRequest(1, PAGE, sort=sort, keyed=True)
    far = PageRequest(150, PAGE, sort=sort, key=(value, UUID(int=FAR)), keyed=True)
    with tenant_session(full, actor="test:1", readonly=True) as session:
        read = [
            rows_read_by(session, page_statement(select(model), paging, columns, col(model.uuid)))
            for paging in (first, far, PageRequest(150, PAGE, sort=sort, keyed=True))
        ]
    assert max(read[:2]) < MANY < read[2], "only a page by its number reads up to it"
