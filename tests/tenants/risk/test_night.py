"""The night: everybody is scored and the lists of the day are issued, once."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.clock import now
from core.database import node_session
from core.jobs.worker import drain
from core.schedules.service import change_schedule, get_schedule
from tenants.cohort.timelines import to_date
from tenants.risk import night, repository, worklist
from tenants.risk.models import Worklist
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener, store

DAY = to_date(END)


@pytest.fixture(scope="module")
def partner(make_tenant, cohort):
    tenant = make_tenant().ref
    store(tenant, cohort)
    return tenant


def run_night(tenant, day):
    due = datetime.combine(day, datetime.min.time(), ZoneInfo(tenant.time_zone)) + timedelta(hours=2)
    with opener(tenant)() as session:
        night.enqueue_night(session, due)
    drain(tenant)
    with opener(tenant)() as session:
        lists = session.exec(select(Worklist).where(Worklist.as_of == day)).all()
        run = repository.run_of(session, day)
        return None if run is None else run.state, sorted(each.kind for each in lists)


def test_everybody_is_scored_and_both_lists_are_issued_once_even_if_a_try_stops_between(partner, monkeypatch):
    orders = []

    def issue(tenant, open_session, order):
        orders.append(order.kind)
        if len(orders) == 2:
            raise failure
        return issued(tenant, open_session, order)

    failure = ZeroDivisionError()
    issued = worklist.issue
    monkeypatch.setattr(worklist, "issue", issue)
    assert run_night(partner, DAY) == ("done", ["at_risk"])
    with node_session(partner.database) as session:
        session.execute(text("UPDATE node.jobs SET run_after = now() WHERE kind = 'risk.night' AND state = 'queued'"))
    drain(partner)
    with opener(partner)() as session:
        assert sorted(each.kind for each in session.exec(select(Worklist)).all()) == ["at_risk", "to_trace"]
    assert orders == ["at_risk", "to_trace", "at_risk", "to_trace"]


def test_a_day_that_no_records_reach_has_no_night(partner):
    assert run_night(partner, now().date() + timedelta(days=2)) == (None, [])


def test_the_night_is_off_until_it_is_switched_on(partner):
    with opener(partner)() as session:
        assert get_schedule(session, "risk.night").active is False
        assert change_schedule(session, "risk.night", cron=None, active=True).next_run is not None
