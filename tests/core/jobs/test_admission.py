"""Whose turn it is: tenants take turns, and within one tenant pauses, limits and priorities decide."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.audit.platform import acts as platform_acts
from core.database import node_session, platform_session
from core.errors import Invalid, NotFound
from core.jobs import Retry, job, limits, pauses
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE
from core.jobs.broker import LocalMessages
from core.jobs.pauses import pause, resume
from core.jobs.relay import Relay
from core.jobs.scopes import JobScope
from core.jobs.worker import drain
from core.tenancy import create_tenant

BY = {"actor": "test:1"}


@job("testing.narrow", at_once=1, retry=Retry(1))
def narrow(_context, _payload):
    """Of these, one at a time runs for each tenant."""


@pytest.fixture(scope="module")
def tenants(own_services):
    return [create_tenant(f"turns-{name}", "Turns").ref for name in ("one", "two")]


@pytest.fixture(autouse=True)
def empty(own_services):
    with node_session() as session:
        session.execute(text("DELETE FROM node.jobs"))
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.job_pauses"))
        session.execute(text("DELETE FROM platform.job_limits"))


def tick():
    """One round of a relay; gives the ids that it sent."""
    messages = LocalMessages()
    Relay(messages).tick()
    return [job_id for job_id, _ in messages.sent]


BACKLOG = """
INSERT INTO node.jobs (id, tenant_id, tenant_role, kind, payload, priority, run_after, max_attempts, requested_by)
SELECT gen_random_uuid(), :id, :role, 'testing.act', '{}', :priority, now() - interval '1 hour' * random(), 1, 'test:1'
FROM generate_series(1, :jobs)
"""


def backlog(tenant, jobs, priority=1):
    values = {"id": tenant.id, "role": tenant.role_name, "jobs": jobs, "priority": priority}
    with node_session() as session:
        session.execute(text(BACKLOG), values)


def test_after_ten_thousand_jobs_of_one_tenant_the_one_of_another_is_next(tenants, ask, settings_of):
    settings_of(jobs_window=2)
    backlog(tenants[0], 10_000, priority=0)
    late = ask(tenants[1], priority="low")
    assert late in tick(), "one place for each"


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    jobs=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=30), window=st.integers(1, 6)
)
def test_whatever_waits_no_tenant_gets_a_second_place_before_another_gets_its_first(tenants, jobs, window, settings_of):
    with node_session() as session:
        session.execute(text("DELETE FROM node.jobs"))
    settings_of(jobs_window=window, jobs_per_tenant=4)
    for tenant, priority in jobs:
        backlog(tenants[tenant], 1, priority)
    tick()
    with node_session() as session:
        query = "SELECT tenant_role, count(*) FROM node.jobs WHERE state = 'sent' GROUP BY 1"
        sent = dict(session.execute(text(query)).tuples().all())
    waiting = [sum(owner == number for owner, _ in jobs) for number in (0, 1)]
    first, second = (sent.get(tenant.role_name, 0) for tenant in tenants)
    assert first + second == min(window, sum(min(4, each) for each in waiting))
    for mine, other, had in ((first, second, waiting[1]), (second, first, waiting[0])):
        assert mine <= other + 1 or other == min(4, had), "more only where the other has no more"


def test_high_comes_before_normal_and_normal_before_low_of_the_same_tenant(tenants, ask, settings_of):
    settings_of(jobs_window=1)
    low, normal, high = (ask(tenants[0], priority=priority) for priority in ("low", "normal", "high"))
    order = []
    for _ in range(3):
        (sent,) = tick()
        order.append(sent)
        with node_session() as session:
            session.execute(text("DELETE FROM node.jobs WHERE id = :id"), {"id": sent})
    assert order == [high, normal, low]


def test_a_low_job_waits_for_normal_ones_of_two_hours_and_no_longer(tenants, ask, change, settings_of):
    settings_of(jobs_window=1)
    aged, fresh = ask(tenants[0], priority="low"), ask(tenants[0])
    change(aged, "run_after = now() - interval '119 minutes'")
    assert tick() == [fresh]
    change(fresh, "state = 'queued'")
    change(aged, "run_after = now() - interval '121 minutes'")
    assert tick() == [aged]


def test_a_kind_has_its_own_limit_for_each_tenant(tenants, ask):
    first = [ask(tenants[0], kind="testing.narrow") for _ in range(3)]
    second = ask(tenants[1], kind="testing.narrow")
    other = ask(tenants[0])
    assert set(tick()) == {first[0], second, other}
    assert tick() == [], "the first is under way"


def test_a_kind_at_its_limit_holds_up_no_other_kind_of_its_tenant(tenants, ask, settings_of):
    settings_of(jobs_per_tenant=2)
    for _ in range(5):
        ask(tenants[0], kind="testing.narrow", priority="high")
    other = ask(tenants[0], priority="low")
    assert other in tick()


@pytest.mark.parametrize(
    ("set_to", "sent"),
    [
        ([((None, "testing.narrow"), 3)], 3),
        ([((None, "testing.narrow"), 3), ((0, "testing.narrow"), 2)], 2),
        ([((None, "testing.narrow"), 4), ((0, None), 2)], 2),
        ([((0, None), 2)], 1),
        ([((1, "testing.narrow"), 4)], 1),
    ],
)
def test_the_narrowest_limit_of_an_operator_counts(tenants, ask, set_to, sent):
    for _ in range(5):
        ask(tenants[0], kind="testing.narrow")
    for (number, kind), at_once in set_to:
        scope = JobScope(None if number is None else tenants[number], kind)
        limits.set_limit(scope, at_once, "a test", **BY)
    assert len(tick()) == sent


def test_no_limit_of_an_operator_takes_the_last_thread_from_other_tenants(tenants):
    backlog(tenants[0], 10)
    limits.set_limit(JobScope(tenants[0]), 100, "a test", **BY)
    messages = LocalMessages()
    assert Relay(messages, threads=4).tick().admitted == 3


def test_a_removed_limit_no_longer_counts(tenants, ask):
    scope = JobScope(tenants[0], "testing.act")
    for _ in range(3):
        ask(tenants[0])
    limits.set_limit(scope, 1, "a test", **BY)
    assert len(tick()) == 1
    limits.remove_limit(scope, **BY)
    assert limits.list_limits() == []
    assert len(tick()) == 2
    with pytest.raises(NotFound):
        limits.remove_limit(scope, **BY)


@pytest.mark.parametrize(("number", "kind"), [(0, None), (None, "testing.act"), (0, "testing.act")])
def test_paused_jobs_wait_until_somebody_resumes_them(tenants, ask, number, kind):
    scope = JobScope(None if number is None else tenants[number], kind)
    paused, free = ask(tenants[0]), ask(tenants[1], kind="testing.narrow")
    stored = pause(scope, " the store moves ", **BY)
    assert (stored.reason, stored.set_by, stored.kind, stored.tenant_id) == (
        "the store moves",
        "test:1",
        kind,
        scope.tenant_id,
    )
    assert pauses.list_pauses() == [stored]
    assert tick() == [free]
    assert drain(tenants[0]) == 0
    resume(scope, **BY)
    assert tick() == [paused]
    with pytest.raises(NotFound):
        resume(scope, **BY)
    acts = [act for act in platform_acts(limit=10) if act["action"].startswith("cli:job:")]
    assert [act["action"] for act in acts[:2]] == ["cli:job:resume", "cli:job:pause"]
    assert acts[1]["detail"] == {"target": scope.target, "reason": "the store moves"}


def test_a_message_that_no_worker_has_taken_is_withdrawn_by_a_pause(tenants, ask, row):
    job_id = ask(tenants[0])
    assert tick() == [job_id]
    pause(JobScope(tenants[0]), "a test", **BY)
    assert tick() == []
    assert row(job_id)["state"] == "queued"


def test_the_jobs_of_the_platform_are_paused_by_themselves(tenants, ask):
    ours = ask(tenants[0])
    owner = {"id": PLATFORM_ID, "role": PLATFORM_ROLE, "jobs": 1, "priority": 1}
    with node_session() as session:
        session.execute(text(BACKLOG), owner)
    pause(JobScope(platform=True), "a test", **BY)
    assert tick() == [ours]
    assert pauses.list_pauses()[0].platform


@pytest.mark.parametrize(
    ("scope", "reason", "field"),
    [
        (JobScope(), "why", "kind"),
        (JobScope(kind="testing.unknown"), "why", "kind"),
        (JobScope(kind="testing.act"), "  ", "reason"),
        (JobScope(kind="testing.act"), "x" * 201, "reason"),
    ],
)
def test_a_pause_and_a_limit_need_jobs_and_a_reason(own_services, scope, reason, field):
    for act in (lambda: pause(scope, reason, **BY), lambda: limits.set_limit(scope, 1, reason, **BY)):
        with pytest.raises(Invalid) as error:
            act()
        assert error.value.errors[0].field == field


def test_a_limit_of_none_is_no_limit(own_services):
    with pytest.raises(Invalid, match="limit"):
        limits.set_limit(JobScope(kind="testing.act"), 0, "why", **BY)


def test_a_job_after_its_deadline_is_not_sent(tenants, ask, change):
    job_id = ask(tenants[0])
    change(job_id, "deadline = now() - interval '1 s'")
    assert tick() == []
