"""A tenant that moves to and fro, whatever is killed and whenever usage is rolled up, pays each use once."""

from contextlib import suppress
from threading import Event

import pytest

from core import metering
from core.database import DEFAULT_DATABASE, DatabaseUnavailable, databases, platform_session, tenant_session
from core.metering import hours, rollup
from core.metering.models_hours import UsageLedger
from core.tenancy import get_tenant, placing
from core.tenancy.move import service
from tests.core.metering.conftest import rolled_up, use
from tests.core.tenancy.move.conftest import east, make  # noqa: F401 - fixtures
from tests.ledger import roll_up


def ledger(database):
    with platform_session() as session:
        return session.get(UsageLedger, database)


def killing(point):
    def passed(name):
        if name == point:
            raise KeyboardInterrupt

    return passed


@pytest.mark.parametrize("first", [True, False])
def test_a_use_is_counted_once_when_a_move_is_killed_with_its_uses_in_both_places(make, east, first):  # noqa: F811
    slug = make().ref.slug
    use(get_tenant(slug), "a", 5)
    if first:
        roll_up()
    use(get_tenant(slug), "b", 7)
    with suppress(KeyboardInterrupt):
        service.move(slug, east, passed=killing("carried"))
    for database in (east, DEFAULT_DATABASE):
        roll_up(database)
    placing.bring_rows(get_tenant(slug))
    for database in databases():
        roll_up(database)
    tenant = get_tenant(slug)
    assert (tenant.database, rolled_up(tenant)) == (east, 12)


def test_there_and_back_again_counts_each_use_once(make, east):  # noqa: F811
    slug = make().ref.slug
    use(get_tenant(slug), "a", 1)
    roll_up()
    use(get_tenant(slug), "b", 10)
    service.move(slug, east)
    use(get_tenant(slug), "c", 100)
    service.move(slug, DEFAULT_DATABASE)
    use(get_tenant(slug), "d", 1000)
    for database in databases() * 2:
        roll_up(database, limit=2)
    assert rolled_up(get_tenant(slug)) == 1111
    with tenant_session(get_tenant(slug), actor="test:1", readonly=True) as session:
        assert metering.totals(session)["import_rows"] == 1111


def test_usage_is_incomplete_until_the_uses_that_moved_are_counted(make, east):  # noqa: F811
    slug = make().ref.slug
    for database in databases():
        roll_up(database)
    use(get_tenant(slug), "a", 5)
    service.move(slug, east)
    with platform_session() as session:
        meanwhile = hours.complete_until(session)
    roll_up()  # has nothing of it any more
    with platform_session() as session:
        assert hours.complete_until(session) == meanwhile or hours.complete_until(session) < _recorded(slug)
    roll_up(east)
    roll_up(east)
    with platform_session() as session:
        row = session.connection().exec_driver_sql("SELECT count(*) FROM platform.moved_uses WHERE counts_in <> ''")
        assert row.scalar_one() == 0
    assert rolled_up(get_tenant(slug)) == 5


def _recorded(slug):
    with tenant_session(get_tenant(slug), actor="test:1", readonly=True) as session, session.cursor() as cursor:
        return cursor.execute("SELECT min(recorded_at) FROM node.usage_events").fetchall()[0][0]


def test_a_database_that_is_away_stops_no_other_and_loses_nothing(make, east, monkeypatch):  # noqa: F811
    near, far = make().ref, make(database=east).ref
    roll_up(east)
    before = ledger(east)
    for tenant in (near, far):
        use(tenant, "a", 5)
    real = rollup.node_session

    def away(database):
        if database == east:
            detail = "the database does not answer"
            raise DatabaseUnavailable(detail)
        return real(database)

    with monkeypatch.context() as patch:
        patch.setattr(rollup, "node_session", away)
        rollup.look(Event())
    assert (rolled_up(near), rolled_up(far)) == (5, 0)
    assert ledger(east).complete_until == before.complete_until
    assert "does not answer" in ledger(east).error
    with platform_session() as session:
        assert hours.complete_until(session) <= before.complete_until
    rollup.look(Event())
    assert (rolled_up(near), rolled_up(far)) == (5, 5)
    assert ledger(east).complete_until > before.complete_until
    assert ledger(east).error is None
