"""What SQL cannot change, not even with the owner's login."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.database import owner_session, tenant_session
from core.metering import record

TERMS = {"base_fee": "100"}


@pytest.fixture
def rejects():
    """Asserts that the owner cannot run a statement: ``rejects("UPDATE ...", "never change", id=...)``."""

    def ask(statement, message, **values):
        with pytest.raises(DBAPIError, match=message), owner_session() as session:
            session.execute(text(statement), values)

    return ask


def test_a_recorded_use_never_changes(tenant, rejects):
    with tenant_session(tenant, actor="test:1") as session:
        record(session, "import_rows", 5, key="first", occurred_at=datetime(2027, 2, 1, tzinfo=UTC))
    for change in ("UPDATE node.usage_events SET value = 1", "DELETE FROM node.usage_events"):
        rejects(f"{change} WHERE tenant_role = :role", "by a counter-entry", role=tenant.role_name)
    rejects("TRUNCATE node.usage_events", "never change")
    move = "SELECT set_config('iit.moves_uses_of', :role, true)"
    with pytest.raises(DBAPIError, match="by a counter-entry"), owner_session() as session:
        session.execute(text(move), {"role": tenant.role_name})
        session.execute(
            text("UPDATE node.usage_events SET value = 1 WHERE tenant_role = :role"), {"role": tenant.role_name}
        )


def test_a_series_of_numbers_begins_at_one_and_has_no_gap(rejects):
    series = f"T-{uuid4().hex[:8]}"
    rejects("INSERT INTO platform.number_series VALUES (:series, 2)", "begins at 1", series=series)
    with owner_session() as session:
        session.execute(text("INSERT INTO platform.number_series VALUES (:series, 1)"), {"series": series})
        session.execute(text("UPDATE platform.number_series SET last = 2 WHERE series = :series"), {"series": series})
    for change in ("UPDATE platform.number_series SET last = last", "DELETE FROM platform.number_series"):
        rejects(f"{change} WHERE series = :series", "goes on by 1", series=series)
    rejects("UPDATE platform.number_series SET last = 4 WHERE series = :series", "goes on by 1", series=series)
    rejects("TRUNCATE platform.number_series", "never change")


def test_a_subscription_is_invoiced_until_the_end_of_its_last_issued_invoice(partner, rejects):
    partner.subscribe(TERMS, "2027-02-01")
    wrong = "UPDATE platform.subscriptions SET invoiced_until = '2027-04-01' WHERE tenant_id = :id"
    rejects(wrong, "last issued invoice", id=partner.ref.id)
    partner.issue("2027-03-04")
    rejects(wrong, "last issued invoice", id=partner.ref.id)
    rejects(wrong.replace("'2027-04-01'", "NULL"), "last issued invoice", id=partner.ref.id)
    rejects("DELETE FROM platform.subscriptions WHERE tenant_id = :id", "never changes", id=partner.ref.id)
    rejects(wrong.replace("invoiced_until", "started_on"), "never changes", id=partner.ref.id)
    rejects("TRUNCATE platform.subscriptions CASCADE", "never change")
