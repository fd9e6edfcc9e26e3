"""Numbers of documents have no gaps, whatever runs at once and whatever is killed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from billing.invoices.issuing import advance
from billing.invoices.loop import issue_for
from billing.plans.service import Act
from core.database import platform_session
from core.errors import AppError
from tests.billing.conftest import Partner

ACT = Act("test:1", "cli", "A test")
YEAR = 2091
"""A year of this module's own, so that its series is empty."""


@pytest.fixture
def partners(make_tenant, ledger_complete):
    """Two partners with six months to invoice each."""
    partners = [Partner(make_tenant().ref) for _ in range(2)]
    for partner in partners:
        partner.subscribe({"base_fee": "10"}, f"{YEAR}-01-01")
    return partners


def issued():
    query = text("SELECT number FROM platform.invoices WHERE series = :series ORDER BY number")
    with platform_session() as session:
        return list(session.execute(query, {"series": f"INV-{YEAR}"}).scalars())


def test_numbers_have_no_gaps_when_workers_run_at_once_and_are_killed(partners):
    moment = datetime(YEAR, 7, 10, tzinfo=UTC)

    def kill(session):
        pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with platform_session() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    def work(number):
        partner = partners[number % len(partners)]
        for attempt in range(4):
            try:
                with platform_session() as session:
                    advance(session, partner.ref.id, now=moment, act=ACT)
                    if (number + attempt) % 3 == 0:
                        # The connection dies before the commit, as that of a killed process does.
                        kill(session)
            except AppError:
                continue

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    for partner in partners:
        list(issue_for(partner.ref.id, moment, ACT))
    numbers = issued()
    assert len(numbers) == len(partners) * 6
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_tenant_without_an_account_has_nothing_to_advance(database):
    with pytest.raises(AppError, match="no billing account"), platform_session() as session:
        advance(session, uuid4(), now=datetime(YEAR, 1, 1, tzinfo=UTC), act=ACT)
