"""The demo has a whole month of business behind it: an invoice for each partner, which opens to its uses."""

from datetime import date
from uuid import UUID, uuid4

import pytest

from billing.console.documents import get_document, uses_of_line
from billing.demo.service import first_day, set_up
from core.database import platform_session
from core.tenancy import create_tenant


@pytest.fixture(scope="module")
def bills(own_services):
    """Two partners on servers of the module's own: uses of other tests would hold up the roll-up."""
    slugs = [f"demo-{uuid4().hex[:8]}" for _ in range(2)]
    for slug in slugs:
        create_tenant(slug, f"Partner {slug}", time_zone="Africa/Lagos")
    return slugs, set_up(slugs)


def test_each_partner_has_a_plan_of_its_own_and_an_invoice_of_the_month(bills):
    slugs, shown = bills
    assert [bill.tenant for bill in shown] == slugs
    assert len({(bill.plan, bill.currency) for bill in shown}) == 2
    assert all(bill.invoice and bill.uses for bill in shown)
    assert [bill.state for bill in shown] == ["final", "paid"]


def test_every_line_of_use_opens_to_the_uses_that_it_counts(bills):
    for bill in bills[1]:
        with platform_session() as session:
            document = get_document(session, UUID(bill.invoice_id), {})
        lines = [line for line in document.lines if line.meter is not None and line.quantity]
        assert lines
        for line in lines:
            number, values = 1, []
            while page := uses_of_line(document, line.position, actor="test:1", number=number).uses:
                values += [use.value for use in page]
                number += 1
            assert {"sum": sum, "max": max}[line.aggregation](values) == line.quantity, line.meter


def test_setting_it_up_again_bills_nothing_twice(bills):
    slugs, first = bills
    assert [(bill.invoice, bill.total) for bill in set_up(slugs)] == [(bill.invoice, bill.total) for bill in first]


@pytest.mark.parametrize(
    ("today", "start"),
    [("2026-12-01", "2026-10-01"), ("2026-12-05", "2026-11-01"), ("2027-01-03", "2026-11-01")],
)
def test_the_first_month_is_one_whose_days_of_grace_are_over(today, start):
    assert first_day(date.fromisoformat(today)) == date.fromisoformat(start)
