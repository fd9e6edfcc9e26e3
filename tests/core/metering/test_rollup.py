"""Rolled-up usage is the ledger, hour by hour: each use counted once, whatever ends or overtakes a roll-up."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core import metering
from core.database import DEFAULT_DATABASE, owner_session, platform_session, psycopg_connection, tenant_session
from core.metering import hours, rollup
from tests.core.metering.conftest import BEGIN, END, rolled_up, use
from tests.ledger import roll_up, wait_for_older_transactions


def test_hours_have_the_sums_counts_and_peaks_of_the_ledger(tenant):
    chance = random.Random(7)  # noqa: S311 - no secret
    sums, peaks, plugins = defaultdict(Decimal), defaultdict(Decimal), defaultdict(set)
    for number in range(60):
        at = BEGIN + timedelta(minutes=chance.randrange(60 * 24 * 3))
        value, plugin = Decimal(chance.randrange(1, 500)) / 100, f"p{chance.randrange(4)}"
        with tenant_session(tenant, actor="test:1") as session:
            metering.record(
                session, "plugin_requests", value, key=str(number), occurred_at=at, dimensions={"plugin": plugin}
            )
        hour = at.replace(minute=0)
        sums[hour] += value
        peaks[hour] = max(peaks[hour], value)
        plugins[at.date()].add(plugin)
    batches = roll_up(limit=7)
    assert [each.number for each in batches] == list(range(batches[0].number, batches[0].number + len(batches)))
    with platform_session() as session:
        newest = hours.newest_batch(session)

        def by_hour(aggregation):
            quantities = hours.by_hour(session, tenant.id, BEGIN, END, {"plugin_requests": aggregation}, as_of=newest)
            return quantities["plugin_requests"]

        assert by_hour("sum") == sums
        assert by_hour("max") == peaks
        days = hours.by_day(
            session, tenant.id, BEGIN, END, {"plugin_requests": "unique:plugin"}, zone="UTC", as_of=newest
        )
        assert days["plugin_requests"] == {day: len(names) for day, names in plugins.items()}
    assert rolled_up(tenant, "plugin_requests", "count") == 60


def test_days_are_those_of_the_time_zone(tenant):
    use(tenant, "a", 3, at=datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    roll_up()
    with platform_session() as session:
        newest = hours.newest_batch(session)
        quantities = {
            zone: hours.by_day(session, tenant.id, BEGIN, END, {"import_rows": "sum"}, zone=zone, as_of=newest)
            for zone in ("UTC", "Africa/Lagos")
        }
    assert [str(day) for day in quantities["UTC"]["import_rows"]] == ["2026-03-04"]
    assert [str(day) for day in quantities["Africa/Lagos"]["import_rows"]] == ["2026-03-05"]


def test_a_span_ends_before_its_end(tenant):
    use(tenant, "in", 1, at=END - timedelta(seconds=1))
    use(tenant, "out", 10, at=END)
    use(tenant, "before", 100, at=BEGIN - timedelta(seconds=1))
    roll_up()
    assert rolled_up(tenant) == 1


def test_a_gauge_has_its_latest_value(tenant):
    for key, value, at in (("b", 7, BEGIN + timedelta(days=2)), ("a", 900, BEGIN + timedelta(days=1))):
        use(tenant, key, value, meter="storage_bytes", at=at)
        roll_up()
    assert rolled_up(tenant, "storage_bytes", "latest") == 7


def test_usage_as_of_a_batch_stays_what_it_was(tenant):
    use(tenant, "a", 5)
    (*_, first) = roll_up()
    use(tenant, "late", 8)
    roll_up()
    assert (rolled_up(tenant, as_of=first.number), rolled_up(tenant)) == (5, 13)


def test_a_second_roll_up_counts_nothing_again(tenant):
    use(tenant, "a", 5)
    roll_up()
    assert roll_up() == []
    assert rolled_up(tenant) == 5


@pytest.mark.parametrize("step", ["_state", "_page", "_counted_elsewhere", "_hours", "_unchanged", "_write"])
def test_a_roll_up_that_fails_at_a_step_leaves_nothing_and_the_next_counts_all(tenant, monkeypatch, step):
    use(tenant, "a", 5)
    wait_for_older_transactions()
    with platform_session() as session:
        before = hours.newest_batch(session)
    real = getattr(rollup, step)

    def failing(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rollup, step, failing)
        with pytest.raises(KeyboardInterrupt):
            rollup.roll_up(DEFAULT_DATABASE)
    with platform_session() as session:
        assert hours.newest_batch(session) == before + (step == "_write")  # which has committed
    roll_up()
    assert rolled_up(tenant) == 5


def test_of_two_roll_ups_at_once_one_counts(tenant, monkeypatch):
    use(tenant, "a", 5)
    wait_for_older_transactions()
    real, batches = rollup._hours, []

    def overtaken(*arguments):
        rows = real(*arguments)
        monkeypatch.setattr(rollup, "_hours", real)
        batches.append(rollup.roll_up(DEFAULT_DATABASE))
        return rows

    monkeypatch.setattr(rollup, "_hours", overtaken)
    later = rollup.roll_up(DEFAULT_DATABASE)
    assert batches[0] is not None
    assert later is None or later.number > batches[0].number
    assert rolled_up(tenant) == 5


def test_nobody_changes_what_is_rolled_up(tenant):
    use(tenant, "a", 5)
    roll_up()
    for change in (
        "UPDATE platform.usage_hours SET total = 0",
        "DELETE FROM platform.usage_hours",
        "DELETE FROM platform.usage_batches",
        "TRUNCATE platform.usage_hours",
    ):
        with (
            pytest.raises((psycopg.errors.InsufficientPrivilege, ProgrammingError)),
            platform_session() as session,
        ):
            psycopg_connection(session).execute(change)
        with pytest.raises(DBAPIError, match="never change"), owner_session() as session:
            session.connection().exec_driver_sql(change)
    assert rolled_up(tenant) == 5


def test_an_unknown_aggregation_is_rejected(tenant):
    with pytest.raises(ValueError, match=r"known are sum, count, max, latest, unique:<dimension>"):
        rolled_up(tenant, aggregation="median")


def test_the_bounds_of_a_span_need_a_zone(tenant):
    with pytest.raises(ValueError, match="time zone"):
        rolled_up(tenant, start=datetime(2026, 1, 1))  # noqa: DTZ001
