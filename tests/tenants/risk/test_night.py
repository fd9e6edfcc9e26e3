"""The night: everybody is scored and the lists of the day are issued, once."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.clock import now
from core.database import node_session
from core.jobs import JobEnd
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
    issued, late = worklist.issue, night.NIGHTS.value("late")
    monkeypatch.setattr(worklist, "issue", issue)
    assert run_night(partner, DAY) == ("done", ["at_risk"])
    with node_session(partner.database) as session:
        session.execute(text("UPDATE node.jobs SET run_after = now() WHERE kind = 'risk.night' AND state = 'queued'"))
    drain(partner)
    with opener(partner)() as session:
        assert sorted(each.kind for each in session.exec(select(Worklist)).all()) == ["at_risk", "to_trace"]
    assert orders == ["at_risk", "to_trace", "at_risk", "to_trace"]
    assert night.NIGHTS.value("late") == late + 1  # the day is long past


def test_a_day_that_no_records_reach_has_no_night(partner):
    assert run_night(partner, now().date() + timedelta(days=2)) == (None, [])


def test_the_night_is_off_until_it_is_switched_on(partner):
    with opener(partner)() as session:
        assert get_schedule(session, "risk.night").active is False
        assert change_schedule(session, "risk.night", cron=None, active=True).next_run is not None


@pytest.mark.parametrize(
    ("due", "ready"),
    [
        ("2027-03-01T01:00:00+00:00", "2027-03-01T06:00:00+01:00"),  # at 2:00, as it is set: by 6:00
        ("2027-03-01T04:30:00+00:00", "2027-03-01T09:30:00+01:00"),  # a partner wants it at 5:30: four hours later
        (None, "2027-03-01T06:00:00+01:00"),
    ],
)
def test_a_list_is_to_be_ready_at_six_or_four_hours_after_a_later_begin(partner, due, ready):
    lagos = replace(partner, time_zone="Africa/Lagos")
    assert night.ready_by(lagos, date(2027, 3, 1), due) == datetime.fromisoformat(ready)


def test_a_night_that_is_given_up_counts_as_failed(partner, monkeypatch):
    monkeypatch.setattr(night, "score_ended", lambda *_: None)
    failed = night.NIGHTS.value("failed")
    for decision in ("given_up", "retried"):
        with opener(partner)() as session:
            night.night_ended(session, JobEnd(decision, uuid4(), night.NIGHT, {}, "attempts", None))
    assert night.NIGHTS.value("failed") == failed + 1
