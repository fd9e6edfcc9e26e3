"""Schedules: due once in each time zone whatever the clock does, missed runs caught up once, never fired twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from core.cli.main import run as iit
from core.database import owner_connection, tenant_session
from core.errors import Invalid, NotFound, PreconditionFailed
from core.feature import feature as kernel
from core.feature_registry import Feature, Schedule
from core.schedules import firing, service
from core.schedules.times import next_time, settled
from core.web.etag import ExpectedVersions, etag

ZONES = ("Africa/Lagos", "Africa/Casablanca", "Europe/Lisbon", "America/Santiago", "Australia/Lord_Howe", "UTC")
NAME = "testing.work"
START = datetime(2026, 3, 20, tzinfo=UTC)


def work(session, due):
    """What the schedule of the tests does."""
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_events (actor, action, subject_type, detail)"
            " VALUES (%s, 'test:job:act', 'test', jsonb_build_object('due', %s::text))",
            (session.actor, due.isoformat()),
        )
    if FAILS:
        raise ZeroDivisionError


FAILS = []


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    schedule = Schedule(NAME, "0 2 * * *", f"{__name__}:work", "Works.")
    monkeypatch.setattr("core.feature_registry.features", lambda: (kernel, Feature("testing", schedules=(schedule,))))
    FAILS.clear()


@pytest.fixture
def runs(tenant):
    def read():
        with tenant_session(tenant, actor="test:1") as session:
            query = text("SELECT detail ->> 'due' FROM audit_events WHERE action = 'test:job:act' ORDER BY event_id")
            return list(session.scalars(query))

    return read


@pytest.fixture
def begun(tenant):
    """The tenant's schedule, which a leader has seen one day before it is first due."""
    assert firing.fire(tenant, NAME, START) is None
    return service


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    start=st.integers(0, 700 * 1440),
    pauses=st.lists(st.integers(1, 3000), min_size=5, max_size=60),
)
def test_every_day_is_due_once_in_every_time_zone(zone, hour, minute, start, pauses):
    cron, moment = f"{minute} {hour} * * *", START + timedelta(minutes=start)
    begin, next_run, fired = moment, next_time(cron, zone, moment), []
    for pause in pauses:
        moment += timedelta(minutes=pause)
        due, next_run = settled(next_run, cron, zone, moment)
        assert next_run > moment
        if due is not None:
            assert due <= moment
            fired.append(due.astimezone(ZoneInfo(zone)).date())
    assert len(set(fired)) == len(fired), "no day is due twice, not even where the clock repeats an hour"
    local = ZoneInfo(zone)
    gaps = [(later - earlier).days for earlier, later in pairwise(fired)]
    longest = max(pauses) // 1440 + 2
    assert all(1 <= gap <= longest for gap in gaps), "no day is missed while the leader looks often enough"
    assert all(begin.astimezone(local).date() <= day <= moment.astimezone(local).date() for day in fired)


def test_a_time_that_the_clock_skips_is_due_after_the_gap():
    due = next_time("30 2 * * *", "Europe/Paris", datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert due == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_time_that_the_clock_repeats_is_due_once():
    first = next_time("30 2 * * *", "Europe/Paris", datetime(2026, 10, 25, 0, 0, tzinfo=UTC))
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    after = next_time("30 2 * * *", "Europe/Paris", datetime(2026, 10, 25, 1, 15, tzinfo=UTC))
    assert after == datetime(2026, 10, 26, 1, 30, tzinfo=UTC), "half past two of the second pass is skipped"


@pytest.mark.parametrize("cron", ["", "x", "0 2 * *", "0 25 * * *", "0 0 30 2 *", "0 0 2 * * *", "@daily", "0 " * 200])
def test_what_is_no_time_of_cron_is_rejected(cron):
    with pytest.raises(Invalid):
        next_time(cron, "UTC", START)


def test_missed_runs_are_caught_up_once(tenant, begun, runs):
    late = START + timedelta(days=5, hours=6)
    missed, ran = firing.RUNS.value(NAME, "missed"), firing.RUNS.value(NAME, "ran")
    assert firing.waiting(tenant, late) == [NAME]
    assert firing.fire(tenant, NAME, late) == datetime(2026, 3, 20, 1, tzinfo=UTC)
    assert firing.fire(tenant, NAME, late) is None
    assert firing.waiting(tenant, late) == []
    assert runs() == ["2026-03-20T01:00:00+00:00"]
    first = next_time("0 2 * * *", tenant.time_zone, START)
    days = (datetime(2026, 3, 20, 1, tzinfo=UTC) - first).days
    assert (firing.RUNS.value(NAME, "missed") - missed, firing.RUNS.value(NAME, "ran") - ran) == (days, 1)


def test_two_leaders_run_a_due_schedule_once(tenant, begun, runs, monkeypatch):
    late, others = START + timedelta(hours=2), []

    def after_reading(*times):
        if not others:
            others.append(pool.submit(firing.fire, tenant, NAME, late))
            while not others[0].done() and not waits_for_a_row():
                pass
        return settled(*times)

    monkeypatch.setattr(firing, "settled", after_reading)
    with ThreadPoolExecutor(1) as pool:
        assert firing.fire(tenant, NAME, late) is not None
        assert others[0].result() is None
    assert len(runs()) == 1


def waits_for_a_row():
    with owner_connection() as connection:
        query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple'))"
        return connection.execute(query).fetchone()[0]


def test_a_schedule_that_fails_is_due_until_it_succeeds(tenant, begun, runs):
    FAILS.append(True)
    with pytest.raises(ZeroDivisionError):
        firing.fire(tenant, NAME, START + timedelta(hours=2))
    assert runs() == []
    FAILS.clear()
    assert firing.fire(tenant, NAME, START + timedelta(hours=2)) is not None


def test_a_tenant_whose_schedules_cannot_be_read_keeps_no_other_from_its_turn(two_tenants, monkeypatch):
    seen = []

    def waiting(tenant):
        seen.append(tenant)
        raise ZeroDivisionError

    monkeypatch.setattr(firing, "list_tenants", lambda: two_tenants)
    monkeypatch.setattr(firing, "waiting", waiting)
    firing.look(Event())
    assert seen == list(two_tenants)


def test_a_paused_schedule_does_not_run_and_is_not_made_up_for(tenant, begun, runs):
    with tenant_session(tenant, actor="test:1") as session:
        assert begun.change_schedule(session, NAME, cron=None, active=False).next_run is None
    assert firing.waiting(tenant, START + timedelta(days=700)) == []
    assert firing.fire(tenant, NAME, START + timedelta(days=700)) is None
    with tenant_session(tenant, actor="test:1") as session:
        resumed = begun.change_schedule(session, NAME, cron="30 4 * * 1", active=True)
    assert firing.fire(tenant, NAME, resumed.next_run - timedelta(minutes=1)) is None
    assert firing.fire(tenant, NAME, resumed.next_run) == resumed.next_run
    assert resumed.next_run.astimezone(ZoneInfo("Africa/Lagos")).strftime("%a %H:%M") == "Mon 04:30"
    assert len(runs()) == 1


def test_a_schedule_that_is_saved_unchanged_keeps_the_run_that_is_due(tenant, begun):
    with tenant_session(tenant, actor="test:1") as session:
        saved = begun.change_schedule(session, NAME, cron="0 2 * * *", active=True)
    assert saved.next_run == datetime(2026, 3, 20, 1, tzinfo=UTC)
    with tenant_session(tenant, actor="test:1") as session:
        assert begun.change_schedule(session, NAME, cron="0 3 * * *", active=True).next_run > saved.next_run


def test_times_follow_a_release_that_declares_others(tenant, begun, monkeypatch):
    other = Schedule(NAME, "0 5 * * *", f"{__name__}:work", "Works.")
    monkeypatch.setattr("core.feature_registry.features", lambda: (kernel, Feature("testing", schedules=(other,))))
    late = START + timedelta(hours=2)
    assert firing.waiting(tenant, late) == [NAME]
    assert firing.fire(tenant, NAME, late) is None
    with tenant_session(tenant, actor="test:1") as session:
        assert service.get_schedule(session, NAME).next_run == datetime(2026, 3, 20, 4, tzinfo=UTC)


def test_the_command_lists_and_changes(tenant, capsys):
    assert iit(["schedules", "set", tenant.slug, NAME, "--off"]) == 0
    assert iit(["schedules", "list", tenant.slug]) == 0
    assert "paused" in capsys.readouterr().out
    assert iit(["schedules", "set", tenant.slug, NAME, "--cron", "x"]) == 1
    with tenant_session(tenant, actor="test:1") as session, pytest.raises(NotFound):
        service.get_schedule(session, "testing.other")


def test_nobody_overwrites_a_change_that_they_have_not_seen(tenant, begun):
    with tenant_session(tenant, actor="test:1") as session:
        seen = ExpectedVersions(frozenset({etag(begun.get_schedule(session, NAME).version)}))
        begun.change_schedule(session, NAME, cron="0 4 * * *", active=True, expected=seen)
    with pytest.raises(PreconditionFailed), tenant_session(tenant, actor="test:2") as session:
        begun.change_schedule(session, NAME, cron="0 5 * * *", active=True, expected=seen)
