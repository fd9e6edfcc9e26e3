"""Reads on a real streaming replica: in the tenant's scope, near enough to the database, and without it as with it."""

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from psycopg.errors import DivisionByZero, QueryCanceled, SerializationFailure
from redis.exceptions import ConnectionError as Refused
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.app.components import components
from core.app.readiness import Report
from core.database import Reach, dispose, read_on_replica, replica, replica_marks, sessions, tenant_session
from core.database.replica import READS
from core.resilience import instances
from core.services import ensure, quick_redis
from core.tenancy import create_tenant
from tests.core.database.streaming import Replica

WHERE = "SELECT pg_is_in_recovery()"


@pytest.fixture(scope="module")
def streaming(own_services):
    """A replica, and two tenants that it has."""
    folder = Path(tempfile.mkdtemp(prefix="iit-replica-"))
    tenants = [create_tenant(f"replica-{name}", "Partner").ref for name in "ab"]
    server = Replica(folder)
    yield SimpleNamespace(server=server, tenant=tenants[0], other=tenants[1])
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def on(streaming, settings_of):
    """The replica in use, caught up, and nothing remembered of earlier writes."""
    settings_of(database_replica_url=streaming.server.url, database_replica_lag=600)
    assert ensure().replica_url == streaming.server.url
    streaming.server.caught_up()
    forget(streaming)
    return streaming


def forget(streaming):
    replica.positions.forget()
    replica_marks._own.clear()
    marks = [replica_marks._key(tenant.id) for tenant in (streaming.tenant, streaming.other)]
    quick_redis.quick_client().delete(*marks)


def read(tenant, query=WHERE, **options):
    return read_on_replica(tenant, lambda s: s.cursor().execute(query).fetchall(), actor="test:1", **options)


def put(tenant, value):
    with tenant_session(tenant, actor="test:1") as session:
        session.cursor().execute(
            "INSERT INTO tenant_settings (key, value, updated_at, updated_by)"
            " VALUES ('sample', %s::text::jsonb, now(), 'test:1')"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (str(value),),
        )


SAMPLE = "SELECT (value #>> '{}')::int FROM tenant_settings WHERE key = 'sample'"


def outcomes():
    names = ("replica", "behind", "own_writes", "writes_unknown", "failed", "stopped", "no_replica")
    return {name: READS.value(name) for name in names}


def change(before):
    return {name: count - before[name] for name, count in outcomes().items() if count != before[name]}


def test_a_read_goes_to_the_replica_in_the_tenants_role_and_cannot_write(on):
    before = outcomes()
    assert read(on.tenant) == [(True,)]
    assert read(on.tenant, "SELECT current_user") == [(on.tenant.role_name,)]
    assert change(before) == {"replica": 2}
    with pytest.raises(Exception, match="read-only"):
        read(on.tenant, "DELETE FROM tenant_settings RETURNING key")
    with pytest.raises(Exception, match="permission denied"):
        read(on.tenant, f"TABLE {on.other.schema_name}.tenant_settings")


def test_the_reach_of_the_reader_holds_on_the_replica(on):
    reach = Reach(states=frozenset({"Benue"}))
    assert read_on_replica(on.tenant, lambda session: session.reach, actor="test:1", reach=reach) == reach


def test_nobody_misses_an_own_write_and_other_tenants_stay_on_the_replica(on):
    put(on.tenant, 1)
    on.server.caught_up()
    assert read(on.other) == [(True,)]
    on.server.ask("SELECT pg_wal_replay_pause()::text")
    try:
        before = outcomes()
        put(on.tenant, 2)
        assert read(on.tenant, SAMPLE) == [(2,)]
        assert read(on.other) == [(True,)]
        assert change(before) == {"own_writes": 1, "replica": 1}
        replica_marks._own.clear()  # another process: Redis tells it
        assert read(on.tenant, SAMPLE) == [(2,)]
        assert change(before)["own_writes"] == 2
        quick_redis.quick_client().delete(replica_marks._key(on.tenant.id))
        put(on.tenant, 3)
        quick_redis.quick_client().delete(replica_marks._key(on.tenant.id))  # Redis was emptied: this process knows
        assert read(on.tenant, SAMPLE) == [(3,)]
    finally:
        on.server.ask("SELECT pg_wal_replay_resume()::text")
    on.server.caught_up()
    before = outcomes()
    assert read(on.tenant, SAMPLE) == [(3,)]
    assert change(before) == {"replica": 1}


def test_a_write_asks_nothing_of_the_database_and_its_first_read_asks_once(on, monkeypatch):
    asked = []

    def look_up(*arguments):
        asked.append(arguments)
        return sessions.look_up(*arguments)

    monkeypatch.setattr(replica_marks, "look_up", look_up)
    put(on.tenant, 1)
    put(on.tenant, 2)
    assert asked == []
    first = replica_marks.needed(on.tenant.id)
    assert first == replica_marks.needed(on.tenant.id) > 0
    assert replica_marks.needed(on.other.id) == 0
    assert len(asked) == 1
    put(on.tenant, 3)
    assert replica_marks.needed(on.tenant.id) > first
    assert len(asked) == 2


def test_a_write_while_its_position_is_asked_for_keeps_its_own_mark(on, monkeypatch):
    def look_up(*arguments):
        row = sessions.look_up(*arguments)
        monkeypatch.setattr(replica_marks, "look_up", sessions.look_up)
        put(on.tenant, 2)
        return row

    put(on.tenant, 1)
    monkeypatch.setattr(replica_marks, "look_up", look_up)
    assert replica_marks.needed(on.tenant.id) < replica_marks.needed(on.tenant.id)


def test_a_write_of_which_redis_did_not_learn_counts_though_a_later_one_reached_it(on, monkeypatch):
    put(on.other, 1)
    with monkeypatch.context() as patch:

        def refused():
            raise Refused

        patch.setattr(quick_redis, "quick_client", refused)
        put(on.tenant, 7)
    instances.forget()
    quick_redis.quick_client().set(replica_marks._key(on.tenant.id), 1)  # of an earlier write, by another process
    assert replica_marks.needed(on.tenant.id) > 1


def test_a_replica_that_is_too_far_behind_is_not_read(on, monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(replica.time, "monotonic", lambda: clock.now)
    assert read(on.tenant) == [(True,)]
    on.server.ask("SELECT pg_wal_replay_pause()::text")
    try:
        put(on.other, 1)
        clock.now += 599
        assert read(on.tenant) == [(True,)]  # 599 s old at most
        clock.now += 2
        before = outcomes()
        assert read(on.tenant) == [(False,)]
        assert change(before) == {"behind": 1}
    finally:
        on.server.ask("SELECT pg_wal_replay_resume()::text")
    on.server.caught_up()
    assert read(on.tenant) == [(True,)]
    assert replica.positions.lag == 0


def test_without_redis_nothing_is_read_on_the_replica(on, monkeypatch):
    def refused():
        raise Refused

    monkeypatch.setattr(quick_redis, "quick_client", refused)
    before = outcomes()
    put(on.tenant, 5)
    assert read(on.tenant, SAMPLE) == [(5,)]
    assert change(before) == {"writes_unknown": 1}
    monkeypatch.undo()
    instances.forget()
    quick_redis.quick_client().set(replica_marks._key(on.other.id), "no number")
    assert read(on.other) == [(False,)]
    assert change(before) == {"writes_unknown": 2}


def test_a_replica_that_is_killed_in_the_midst_is_replaced_by_the_database(on):
    calls = []

    def once_more(session):
        calls.append(session.scalar(text(WHERE)))
        if len(calls) == 1:
            on.server.kill()
        return session.scalar(text(WHERE))

    before = outcomes()
    try:
        assert read_on_replica(on.tenant, once_more, actor="test:1") is False
        assert calls == [True, False]
        for _ in range(3):
            assert read(on.tenant) == [(False,)]
        assert change(before) == {"failed": 3, "stopped": 1}
    finally:
        on.server.start()
    on.server.caught_up()


def test_a_read_that_exceeds_its_time_is_not_repeated_and_stops_no_other(on):
    calls = []

    def too_long(session):
        calls.append(1)
        session.set_local(statement_timeout="1")
        session.cursor().execute("SELECT pg_sleep(60)")

    before = outcomes()
    for _ in range(4):
        with pytest.raises(QueryCanceled):
            read_on_replica(on.tenant, too_long, actor="test:1")
        with pytest.raises(DivisionByZero):
            read(on.tenant, "SELECT 1 / 0")
    assert read(on.other) == [(True,)]
    assert (len(calls), change(before)) == (4, {"failed": 4, "replica": 1})


def test_a_conflict_with_the_replay_counts_against_the_replica():
    assert replica._is_of_the_replica(SerializationFailure())
    assert replica._is_of_the_replica(DBAPIError("", {}, SerializationFailure()))
    assert not replica._is_of_the_replica(QueryCanceled())


def test_the_health_shows_the_replica_and_that_it_is_away(on, monkeypatch):
    def component():
        (one,) = [each for each in components(Report()) if each.name == "replica"]
        return one

    with monkeypatch.context() as patch:
        patch.setattr(replica.time, "monotonic", lambda: 1000.0)
        assert (component().state, component().figures) == ("ok", {"lag_seconds": 0.0})
    on.server.stop()
    try:
        dispose()
        assert (component().state, component().detail) == ("warning", "the replica does not answer")
    finally:
        on.server.start()
    on.server.caught_up()


def test_errors_of_the_reader_are_the_readers(on):
    def fails(_session):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_on_replica(on.tenant, fails, actor="test:1")


def test_without_the_setting_all_reads_go_to_the_database(streaming, settings_of):
    settings_of(environment="test")
    before = outcomes()
    assert read(streaming.tenant) == [(False,)]
    assert change(before) == {}
