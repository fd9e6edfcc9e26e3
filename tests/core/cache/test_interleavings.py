"""Whatever the order of reads, writes and failures: no answer is older than the last commit before its read began.

Every number only grows with each commit, so an answer is new enough if none of its numbers is below what had been
committed when the read began. A read runs other steps while it computes: that is how it meets writes, wiped and failing
servers in its midst.
"""

from contextlib import ExitStack

from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import ConnectionError as Refused

from core.cache import read, reading
from core.cache.flights import Flights
from core.resilience import instances
from core.services import ensure, quick_redis
from core.services.quick_redis import forget_quick_client
from tests.core.cache.conftest import ROWS, SAMPLES, numbers, write

STEPS = st.recursive(
    st.one_of(
        st.tuples(st.sampled_from(["write", "commit", "roll back"]), st.sampled_from(ROWS)),
        st.tuples(st.sampled_from(["wipe", "cut", "join", "garble", "swap", "vanish"]), st.none()),
    ),
    lambda steps: st.tuples(st.just("read"), st.lists(steps, max_size=3)),
    max_leaves=8,
)


class World:
    """Two rows with a writer's open transaction each, a model of what was committed, and a Redis that may fail."""

    def __init__(self, sample, patch):
        self.sample, self.patch = sample, patch
        self.committed = dict(zip(ROWS, numbers_of(sample), strict=True))
        self.highest = dict(self.committed)
        self.open = {}
        self.real = quick_redis.quick_client
        self.reads = 0

    def run(self, steps):
        for kind, what in steps:
            getattr(self, kind.replace(" ", "_"))(what)

    def read(self, steps):
        before = [self.committed[row] for row in ROWS]
        self.reads += 1

        def compute(session):
            answer = numbers(session)
            self.run(steps)
            return answer

        with self.sample.session(readonly=True) as session:
            answer = read(session, SAMPLES, {}, lambda: compute(session))
        assert all(new >= old for new, old in zip(answer, before, strict=True)), (answer, before)

    def write(self, row):
        if row not in self.open:
            stack = ExitStack()
            self.open[row] = (stack, stack.enter_context(self.sample.session()))
        self.highest[row] += 1
        write(self.open[row][1], row, self.highest[row])

    def commit(self, row):
        if row in self.open:
            self.open.pop(row)[0].close()
            self.committed[row] = self.highest[row]

    def roll_back(self, row):
        if row in self.open:
            stack, session = self.open.pop(row)
            session.rollback()
            stack.close()
            self.highest[row] = self.committed[row]

    def wipe(self, _):
        with Redis.from_url(ensure().redis_url) as client:
            client.flushdb()

    def cut(self, _):
        def refused():
            raise Refused

        self.patch.setattr(quick_redis, "quick_client", refused)

    def join(self, _):
        self.patch.setattr(quick_redis, "quick_client", self.real)
        instances.forget()

    def garble(self, _):
        self._change(lambda values: [b"x" * 60 for _ in values])

    def swap(self, _):
        """Give every key the answer of another one, such as of an earlier generation."""
        self._change(lambda values: values[1:] + values[:1])

    def vanish(self, _):
        """Let a process that computes die with its lock."""
        with self.sample.session(readonly=True) as session:
            key = reading._key(session, SAMPLES, {})
        with Redis.from_url(ensure().redis_url) as client:
            client.set(f"{key}:lock", "somebody")

    def _change(self, change):
        with Redis.from_url(ensure().redis_url) as client:
            keys = [key for key in client.keys("iit:cache:*") if client.type(key) == b"string"]
            for key, value in zip(keys, change([client.get(key) for key in keys]), strict=True):
                client.set(key, value)


class Impatient(Flights):
    """One thread plays all readers, so a reader within another one's computation must not wait for it."""

    def run(self, key, function, seconds):
        del seconds
        return super().run(key, function, 0.0)


def numbers_of(sample):
    with sample.session(readonly=True) as session:
        return numbers(session)


def check(sample, monkeypatch, steps):
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_flights", Impatient())
        patch.setattr(reading.time, "sleep", lambda _: None)
        clock = iter(range(10**9))
        patch.setattr(reading.time, "monotonic", lambda: float(next(clock)))
        world = World(sample, patch)
        try:
            world.run(steps)
            world.join(None)
            world.read([])
        finally:
            for row in ROWS:
                world.roll_back(row)
            forget_quick_client()
            instances.forget()


def test_no_answer_is_older_than_the_last_commit_before_its_read(sample, monkeypatch):
    @settings(max_examples=60)
    @given(st.lists(STEPS, max_size=10))
    def interleaved(steps):
        check(sample, monkeypatch, steps)

    interleaved()


def test_the_interleaving_that_a_cache_without_generations_gets_wrong(sample, monkeypatch):
    """A reader computes while a writer commits, and would store the old answer after the write dropped it."""
    check(sample, monkeypatch, [("write", ROWS[0]), ("read", [("commit", ROWS[0])]), ("read", []), ("read", [])])
