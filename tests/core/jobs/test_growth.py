"""Dead letters that pile up: one event for each threshold, a metric, and a warning on the operators' pages."""

from threading import Event
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from core.database import node_session
from core.errors import Invalid, Unavailable
from core.events import operator_events
from core.jobs import growth, job_metrics
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE
from core.jobs.worker import drain
from tenants.portal import operator_words

BURY = text(
    "INSERT INTO node.dead_letters (id, job_id, tenant_id, tenant_role, kind, payload, reason, attempts, deliveries)"
    " SELECT gen_random_uuid(), gen_random_uuid(), :tenant, :role, 'testing.act', '{}', 'attempts', 1, 1"
    " FROM generate_series(1, :count)"
)
RESOLVE = text(
    "UPDATE node.dead_letters SET resolution = 'discarded', resolved_at = now() WHERE id IN"
    " (SELECT id FROM node.dead_letters WHERE tenant_role = :role AND resolution IS NULL LIMIT :count)"
)
EVENTS = text("SELECT payload FROM node.outbox WHERE tenant_role = :role AND event = :event ORDER BY id")


@pytest.fixture
def letters(tenant):
    """``letters(3)`` adds open dead letters of the tenant, ``letters(-3)`` resolves some."""

    def change(count):
        values = {"role": tenant.role_name, "tenant": tenant.id, "count": abs(count)}
        with node_session() as session:
            session.execute(BURY if count > 0 else RESOLVE, values)

    yield change
    change(-10_000)


@pytest.fixture
def announced(monkeypatch):
    """What operators hear."""
    events = []
    monkeypatch.setattr(operator_events, "announce", lambda name, data=None: events.append((name, data)))
    monkeypatch.setattr(growth, "announce", operator_events.announce)
    return events


@pytest.fixture
def letters_of_the_platform(database):
    values = {"role": PLATFORM_ROLE, "tenant": PLATFORM_ID, "count": 12}
    with node_session() as session:
        session.execute(text("DELETE FROM node.dead_letter_levels WHERE tenant_role = :role"), values)
        session.execute(BURY, values)
    yield
    with node_session() as session:
        session.execute(
            text("DELETE FROM node.dead_letters WHERE tenant_role = :role AND kind = 'testing.act'"), values
        )
        session.execute(text("DELETE FROM node.dead_letter_levels WHERE tenant_role = :role"), values)


def events_of(tenant):
    with node_session() as session:
        return list(session.scalars(EVENTS, {"role": tenant.role_name, "event": growth.GROWING}))


def test_each_threshold_is_told_once_and_again_after_the_letters_were_half_as_many(tenant, letters):
    letters(9)
    assert growth.look_at(tenant.role_name) is None
    letters(1)
    assert growth.look_at(tenant.role_name) == 10
    letters(5)
    assert growth.look_at(tenant.role_name) is None
    letters(-7)
    assert growth.look_at(tenant.role_name) is None, "eight letters are more than half of the threshold"
    letters(3)
    assert growth.look_at(tenant.role_name) is None
    letters(-7)
    assert growth.look_at(tenant.role_name) is None, "fewer letters are no news"
    letters(100)
    assert growth.look_at(tenant.role_name) == 100
    assert events_of(tenant) == [{"open": 10, "threshold": 10}, {"open": 104, "threshold": 100}]


@pytest.mark.parametrize(
    ("before", "count", "level"), [(0, 9, 0), (0, 10, 10), (10, 99, 10), (10, 6, 10), (10, 5, 0), (100, 50, 10)]
)
def test_the_threshold_that_holds(before, count, level):
    assert growth.next_level(before, count) == level


def test_the_metric_and_the_warning_count_open_letters(letters):
    letters(12)
    job_metrics.refresh("default")
    (reading,) = [each for each in job_metrics._read() if each.name == "iit_dead_letters"]
    assert reading.samples[0].value >= 12
    lags = {each.name: each.samples for each in job_metrics._read() if each.name.startswith("iit_outbox_")}
    assert [samples[0].labels for samples in lags.values()] == [("default",), ("default",)]
    growth.recent_count.forget()
    assert str(growth.open_letters()) in operator_words.growth_text()
    letters(-12)
    growth.recent_count.forget()
    assert growth.open_letters() >= 10 or operator_words.growth_text() == ""


def test_pages_count_letters_once_in_a_while_and_never_two_at_the_same_time(monkeypatch):
    recent, answers, clock = growth.RecentCount(), [], SimpleNamespace(now=100.0)

    detail = "the database does not answer"

    def count():
        answers.append(recent.get())  # another page meanwhile
        if len(answers) == 3:
            raise Unavailable(detail)
        return len(answers) * 10

    monkeypatch.setattr(growth, "open_letters", count)
    monkeypatch.setattr(growth.time, "monotonic", lambda: clock.now)
    assert [recent.get(), recent.get()] == [10, 10]
    clock.now += growth.COUNTED_SECONDS
    assert [recent.get(), recent.get()] == [20, 20]
    clock.now += growth.COUNTED_SECONDS
    assert [recent.get(), recent.get()] == [None, None]
    assert answers == [None, 10, 20]


def test_operators_hear_of_partners_and_of_the_platform(tenant, letters, letters_of_the_platform, announced):
    letters(10)
    growth.look(Event())
    growth.look(Event())
    growths = [data for name, data in announced if name == operator_events.GROWING]
    assert {"tenant": tenant.slug, "open": 10, "threshold": 10} in growths
    (own,) = [data for data in growths if data["tenant"] is None]
    assert own["threshold"] == 10


def test_operators_hear_of_each_dead_letter(tenant, ask, announced):
    def fail(_context, _payload):
        message = "there is no such column"
        raise Invalid(message)

    job_id = ask(tenant, fail)
    drain(tenant)
    (letter,) = [data for name, data in announced if name == operator_events.DEAD_LETTER]
    assert letter == {"job_id": job_id, "kind": "testing.act", "reason": "refused", "tenant": tenant.slug}
