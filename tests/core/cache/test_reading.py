"""Reads through a cache: computed once, never older than the last commit, right whatever Redis does."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.cache import Cache, read, reading, store
from core.cache.generations import generation
from core.clock import now
from core.database import Reach, tenant_session
from core.events import publish
from core.services import ensure, quick_redis
from tests.core.cache.conftest import EVENT, ROWS, SAMPLES, numbers, write


def count(outcome):
    return reading.READS.value(SAMPLES.name, outcome)


def never():
    message = "the stored answer was expected"
    raise AssertionError(message)


def test_an_answer_is_computed_once_and_read_again(sample):
    sample.put(ROWS[0], 7)
    before = count("hit")
    assert sample.get() == [7, 0]
    assert sample.get(never) == [7, 0]
    assert count("hit") == before + 1
    with pytest.raises(AssertionError):
        sample.get(never, other=1)


def test_a_write_is_seen_by_everybody_from_its_commit_on(sample):
    assert sample.get() == [0, 0]
    with sample.session() as session:
        write(session, ROWS[0], 1)
        assert read(session, SAMPLES, {}, lambda: numbers(session)) == [1, 0]  # the writer, before its commit
        assert sample.get(never) == [0, 0]
    assert sample.get() == [1, 0]


def test_what_a_rolled_back_transaction_saw_is_never_stored(sample):
    assert sample.get() == [0, 0]
    with pytest.raises(ZeroDivisionError), sample.session() as session:
        write(session, ROWS[0], 9)
        assert read(session, SAMPLES, {}, lambda: numbers(session)) == [9, 0]
        raise ZeroDivisionError
    assert sample.get(never) == [0, 0]


def test_a_write_in_a_savepoint_that_was_rolled_back_before_is_seen(sample):
    """The first mark is lost with the savepoint; the second write needs one of its own."""
    assert sample.get() == [0, 0]
    with sample.session() as session:
        inner = session.begin_nested()
        write(session, ROWS[0], 5)
        inner.rollback()
        write(session, ROWS[0], 6)
    assert sample.get() == [6, 0]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_session_that_goes_on_after_its_transaction_marks_again(sample, end):
    with sample.session() as session:
        write(session, ROWS[0], 5)
        getattr(session, end)()
        sample.get()
        write(session, ROWS[0], 6)
    assert sample.get() == [6, 0]


def test_a_reader_that_computes_during_a_write_does_not_store_the_old_value_for_later_readers(sample):
    def slow(session):
        old = numbers(session)
        sample.put(ROWS[0], 3)
        return old

    with sample.session(readonly=True) as session:
        assert read(session, SAMPLES, {}, lambda: slow(session)) == [0, 0]  # it began before the write
    assert sample.get() == [3, 0]


def test_writers_do_not_wait_for_each_other_and_neither_change_is_lost(sample):
    with sample.session() as one, sample.session() as two:
        write(one, ROWS[0], 1)
        write(two, ROWS[1], 1)
        one.commit()
        assert sample.get() == [1, 0]
    assert sample.get() == [1, 1]
    sample.put(ROWS[0], 2)
    with sample.session() as session:
        rows = session.cursor().execute("SELECT count(*) FROM cache_changes WHERE cache = %s", (SAMPLES.name,))
        assert rows.fetchone() == (1,)  # the marks were summed up


def test_readers_at_the_same_time_compute_once(sample):
    computed, begun, go = [], threading.Event(), threading.Event()

    def slow():
        computed.append(1)
        begun.set()
        assert go.wait(10)
        return [4, 4]

    answers = []
    readers = [threading.Thread(target=lambda: answers.append(sample.get(slow))) for _ in range(6)]
    readers[0].start()
    assert begun.wait(10)
    for reader in readers[1:]:
        reader.start()
    go.set()
    for reader in readers:
        reader.join()
    assert (answers, computed) == ([[4, 4]] * 6, [1])


def test_another_process_that_computes_is_waited_for(sample, monkeypatch):
    """The lock is in Redis; the answer that appears there meanwhile is taken."""
    with sample.session(readonly=True) as session:
        key = reading._key(session, SAMPLES, {})
    token = store.lock(key)
    assert token is not None
    before = count("waited")
    pauses = []

    def other_process_stores(_seconds):
        if not pauses:
            with sample.session(readonly=True) as session:
                reading._Reader(session, SAMPLES, lambda: [8, 8], key)._computed()
        pauses.append(1)

    monkeypatch.setattr(reading.time, "sleep", other_process_stores)
    assert sample.get(never) == [8, 8]
    assert count("waited") == before + 1
    store.unlock(key, token)


def test_a_process_that_vanished_with_the_lock_is_not_waited_for_longer_than_the_bound(sample, monkeypatch):
    with sample.session(readonly=True) as session:
        key = reading._key(session, SAMPLES, {})
    assert store.lock(key) is not None
    clock = iter(range(0, 1000, 1))
    monkeypatch.setattr(reading.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(reading.time, "sleep", lambda _: None)
    before = count("waited_in_vain")
    assert sample.get() == [0, 0]
    assert count("waited_in_vain") == before + 1


@pytest.mark.parametrize("lie", ["garbage", "other key", "cut", "wrong type"])
def test_what_redis_makes_up_is_rejected(sample, lie):
    assert sample.get() == [0, 0]
    with sample.session(readonly=True) as session:
        key = reading._key(session, SAMPLES, {})
        other = reading._key(session, SAMPLES, {"other": 1})
        reading._Reader(session, SAMPLES, lambda: [6, 6], other)._computed()
    with Redis.from_url(ensure().redis_url) as client:
        sealed = {"garbage": b"x" * 80, "other key": client.get(other), "cut": client.get(key)[:-1]}
        client.delete(key)
        if lie == "wrong type":
            client.lpush(key, "x")
        else:
            client.set(key, sealed[lie])
    assert sample.get() == [0, 0]


def test_another_tenants_answer_does_not_open(sample, make_tenant):
    other = make_tenant().ref
    with sample.session(readonly=True) as session:
        key = reading._key(session, SAMPLES, {})
        sealed = reading.seal(session, key, reading.Answer(2e9, 0.1, b"[1,1]"))
        assert reading.unseal(session, key, sealed) is not None
    with tenant_session(other, actor="test:1") as session:
        assert reading.unseal(session, key, sealed) is None


def test_without_redis_each_answer_is_computed(sample, monkeypatch):
    monkeypatch.setattr(quick_redis, "quick_client", lambda: Redis(port=1, retry=Retry(NoBackoff(), 0)))
    before = count("unavailable")
    assert sample.get() == [0, 0]
    sample.put(ROWS[0], 2)
    assert sample.get() == [2, 0]
    assert count("unavailable") == before + 2


def test_an_answer_ends_with_its_life_and_is_renewed_early_by_one_reader(sample, monkeypatch):
    monkeypatch.setattr(reading.random, "random", lambda: 0.0)  # no jitter, and no early renewal
    assert sample.get(lambda: [1, 1]) == [1, 1]
    end = now() + timedelta(seconds=SAMPLES.seconds)
    monkeypatch.setattr(reading, "now", lambda: end - timedelta(seconds=1))
    assert sample.get(never) == [1, 1]
    monkeypatch.setattr(reading.random, "random", lambda: 1.0 - 1e-16)  # the dearest luck: it ends soon
    monkeypatch.setattr(reading, "_ends_soon", lambda _: True)
    with sample.session(readonly=True) as session:
        token = store.lock(reading._key(session, SAMPLES, {}))
    assert sample.get(never) == [1, 1]  # another reader renews it
    with sample.session(readonly=True) as session:
        store.unlock(reading._key(session, SAMPLES, {}), token)
    assert sample.get(lambda: [2, 2]) == [2, 2]
    monkeypatch.setattr(reading, "now", lambda: end + timedelta(seconds=SAMPLES.seconds))
    assert sample.get(lambda: [3, 3]) == [3, 3]


def test_readers_with_another_reach_have_other_answers(sample):
    assert sample.get() == [0, 0]
    with sample.session(readonly=True, reach=Reach(states=frozenset({"Benue"}))) as session:
        assert read(session, SAMPLES, {}, lambda: [5, 5]) == [5, 5]
    with sample.session(readonly=True, reach=Reach(facility_ids=frozenset({UUID(int=1)}))) as session:
        assert read(session, SAMPLES, {}, lambda: [6, 6]) == [6, 6]
    assert sample.get(never) == [0, 0]


def test_the_oldest_answers_of_a_tenant_make_room(sample):
    for part in range(5):
        sample.get(part=part)
    assert store.counts(SAMPLES.name).answers == SAMPLES.most_values
    assert sample.get(never, part=4) == [0, 0]


def test_a_large_answer_is_not_stored(sample, monkeypatch):
    small = Cache(SAMPLES.name, "x", list[int], (EVENT,), largest_bytes=10)
    with sample.session(readonly=True) as session:
        assert len(read(session, small, {}, lambda: [0] * 100)) == 100
    assert store.counts(SAMPLES.name).answers == 0


def test_errors_of_the_computation_reach_the_reader_and_leave_no_lock(sample):
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sample.get(fails)
    assert sample.get() == [0, 0]


def test_another_type_or_version_is_another_cache():
    one = Cache("tests.kind", "x", list[int], ())
    assert one.schema == Cache("tests.kind", "x", list[int], ()).schema
    assert one.schema != Cache("tests.kind", "x", list[str], ()).schema
    assert one.schema != Cache("tests.kind", "x", list[int], (), version=2).schema


def test_a_restored_tenant_and_an_erased_person_leave_no_answer(sample):
    with sample.session(readonly=True) as session:
        before = generation(session, SAMPLES.name)
    with sample.session() as session:
        publish(session, "tenant.restored", {})
    with sample.session(readonly=True) as session:
        assert generation(session, SAMPLES.name) != before


def test_two_tenants_with_one_question_have_two_answers(sample, make_tenant):
    assert len({store.key_of(tenant, SAMPLES.name, "digest") for tenant in (UUID(int=1), UUID(int=2))}) == 2
    assert sample.get() == [0, 0]
    with tenant_session(make_tenant().ref, actor="test:1", readonly=True) as session:
        assert read(session, SAMPLES, {}, lambda: [5, 5]) == [5, 5]
    assert sample.get(never) == [0, 0]


def test_an_answer_is_not_given_after_its_end(sample, monkeypatch):
    monkeypatch.setattr(reading, "_ends_soon", lambda _: False)
    assert sample.get(lambda: [1, 1]) == [1, 1]
    end = now() + timedelta(seconds=SAMPLES.seconds)
    monkeypatch.setattr(reading, "now", lambda: end)
    assert sample.get(lambda: [2, 2]) == [2, 2]


def test_an_answer_is_renewed_early_by_luck(monkeypatch):
    stored = reading.Answer(now().timestamp() + 1, 0.1, b"")
    for luck, early in ((0.0, False), (1.0 - 1e-16, True)):
        monkeypatch.setattr(reading.random, "random", lambda luck=luck: luck)
        assert reading._ends_soon(stored) is early
