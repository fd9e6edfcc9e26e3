"""What is made ahead comes in order, one at a time ahead, and its faults come in their place."""

import threading

import pytest

from core.database import require_none, tenant_session
from core.telemetry import bound, context
from tenants.cohort.timelines import to_date
from tenants.risk import repository, scoring
from tenants.risk.prefetch import people_after, prefetch
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store

DAY = to_date(END)
CHUNK = 20


@pytest.fixture
def clinic(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(60, facilities=6))
    return tenant


def test_items_come_in_order_and_one_is_made_while_the_one_before_is_used():
    produced, may = [], threading.Event()

    def items():
        for number in range(5):
            produced.append((number, threading.current_thread().name))
            may.set()
            yield number

    taken = []
    for number in prefetch(items()):
        may.wait(10)
        may.clear()
        taken.append(number)
        assert len(produced) <= number + 2, "no more than one ahead"
    assert taken == list(range(5))
    assert {name.split("_")[0] for _, name in produced} == {"iit-ahead"}


def test_what_making_raises_is_raised_in_its_place():
    def items():
        yield 1
        raise ZeroDivisionError

    fetched = prefetch(items())
    assert next(fetched) == 1
    with pytest.raises(ZeroDivisionError):
        next(fetched)


def test_who_stops_leaves_no_thread():
    before = threading.active_count()
    for _ in prefetch(iter(range(100))):
        break
    assert threading.active_count() == before


def test_what_is_bound_for_the_log_is_bound_where_items_are_made():
    def items():
        yield dict(context())

    with bound(request_id="r1"):
        assert list(prefetch(items())) == [{"request_id": "r1"}]


def test_a_transaction_in_which_items_are_made_does_not_keep_the_caller_from_calling_a_model(tenant):
    opened, called = threading.Event(), threading.Event()

    def items():
        yield "first"
        with tenant_session(tenant, actor="test:1", readonly=True):
            opened.set()
            called.wait(10)

    with bound(job_id="j1"):
        for _ in prefetch(items()):
            assert opened.wait(10)
            try:
                require_none("a model was called")
            finally:
                called.set()


def test_everybody_is_read_once_by_whole_facilities_and_at_last_nobody(clinic):
    read_ahead = list(people_after(clinic, None, CHUNK))
    assert [people.after for people in read_ahead] == [None, *(people.facilities[-1] for people in read_ahead[:-1])]
    assert (read_ahead[-1].facilities, read_ahead[-1].chunks) == ([], [])
    uuids = [uuid for people in read_ahead for chunk in people.chunks for uuid in chunk.patient_uuid]
    assert len(uuids) == len(set(uuids)) == 60
    facilities = [facility for people in read_ahead for facility in people.facilities]
    assert facilities == sorted(set(facilities))
    first = read_ahead[0].facilities[-1]
    assert [people.facilities for people in people_after(clinic, first, CHUNK)] == [
        people.facilities for people in read_ahead[1:]
    ]


def test_two_who_score_the_same_day_at_once_end_with_one_scoring(clinic, make_tenant):
    """The second begins after the first step of the first, and does the next one; the first then goes on from there."""
    done = []

    def progress(seen, _total, _note):
        if seen and not done:
            done.append(scoring.score(clinic, opener(clinic), DAY, chunk_patients=CHUNK))

    first = scoring.score(clinic, opener(clinic), DAY, progress=progress, chunk_patients=CHUNK)
    assert first == done[0]
    assert first.patients == 60
    rows = predictions(clinic, DAY)
    with opener(clinic)() as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM predictions")
        cursor.execute("DELETE FROM score_runs")
    alone = scoring.score(clinic, opener(clinic), DAY, chunk_patients=CHUNK)
    assert (alone, predictions(clinic, DAY)) == (first, rows)


def test_one_connection_is_enough(clinic, settings_of):
    settings_of(database_pool_size="1", database_pool_overflow="0", database_pool_timeout="5")
    assert scoring.score(clinic, opener(clinic), DAY, chunk_patients=CHUNK).patients == 60
    with opener(clinic)() as session:
        assert repository.run_of(session, DAY).state == "done"
