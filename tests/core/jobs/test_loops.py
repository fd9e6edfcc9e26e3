"""Loops run until they are stopped; one that fails ends no other, and another worker takes over from a dead leader."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import node_session
from core.feature_registry import Feature, Loop
from core.jobs import loops
from core.jobs.loops import Loops, run_loop
from core.retention import service as retention

PATIENCE = 180.0
MODULE = "tests.core.jobs.test_loops"
ROOT = Path(__file__).parents[3]
KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid::bigint = :lock"
)
rounds = {}


def good(stopping):
    rounds.setdefault("good", threading.Semaphore(0)).release()


def bad(stopping):
    rounds.setdefault("bad", threading.Semaphore(0)).release()
    raise ZeroDivisionError


def say(_stopping):
    sys.stdout.write("a round\n")
    sys.stdout.flush()


def led(stopping):
    rounds.setdefault("led", threading.Semaphore(0)).release()


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    rounds.clear()
    for name in ("good", "bad", "led"):
        rounds[name] = threading.Semaphore(0)
    monkeypatch.setattr(loops, "LEADER_SECONDS", 0.05)


def loop(name, **options):
    return Loop(name, f"{MODULE}:{name}", seconds=0.01, **options)


def times(name, count):
    """Wait for rounds of a loop."""
    return all(rounds[name].acquire(timeout=PATIENCE) for _ in range(count))


def test_a_loop_that_raises_goes_on_and_ends_no_other():
    stopping = threading.Event()
    both = Loops(stopping, [loop("bad", everywhere=True), loop("good", everywhere=True)])
    both.start()
    assert times("bad", 3)
    assert times("good", 3)
    stopping.set()
    both.join(PATIENCE)
    assert not [thread for thread in threading.enumerate() if thread.name in ("iit-loop-bad", "iit-loop-good")]


@pytest.mark.parametrize(
    ("name", "pauses"),
    [("bad", [5.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]), ("good", [5.0, 30.0, 30.0])],
)
def test_the_pause_doubles_after_errors_and_only_then(name, pauses):
    waited = []

    class Stopping(threading.Event):
        def wait(self, timeout=None):
            waited.append(timeout)
            return len(waited) == len(pauses)

    run_loop(Loop(name, f"{MODULE}:{name}", seconds=30.0, first_seconds=5.0), Stopping())
    assert waited == pauses


@pytest.fixture
def tries(monkeypatch):
    """Released whenever a worker tries to become the leader."""
    begun = threading.Semaphore(0)

    def opened(database):
        begun.release()
        return node_session(database)

    monkeypatch.setattr(loops, "node_session", opened)
    return begun


def test_one_worker_leads_and_another_takes_over_when_it_stops(database, tries):
    first, second = threading.Event(), threading.Event()
    leader, follower = Loops(first, [loop("led")]), Loops(second, [loop("good")])
    leader.start()
    assert times("led", 2)
    assert tries.acquire(timeout=PATIENCE)
    follower.start()
    assert all(tries.acquire(timeout=PATIENCE) for _ in range(3))
    assert not rounds["good"].acquire(blocking=False), "while another leads"
    first.set()
    leader.join(PATIENCE)
    assert times("good", 2)
    second.set()
    follower.join(PATIENCE)


def test_a_worker_takes_over_from_a_leader_that_is_killed(database):
    program = (
        "import threading; from core.feature_registry import Loop; from core.jobs.loops import Loops;"
        f"Loops(threading.Event(), [Loop('say', '{MODULE}:say', 0.1)]).start(); threading.Event().wait()"
    )
    stopping = threading.Event()
    follower = Loops(stopping, [loop("good")])
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT) as leader:
        try:
            assert b"a round\n" in iter(leader.stdout.readline, b"")
            follower.start()
        finally:
            leader.kill()
    assert times("good", 2)
    stopping.set()
    follower.join(PATIENCE)


def test_a_leader_that_loses_its_lock_ends_its_loops(database, tries):
    stopping = threading.Event()
    leader = Loops(stopping, [loop("led")])
    leader.start()
    assert times("led", 2)
    with node_session() as session:
        session.execute(text(KILL), {"lock": loops._LOCK})
    assert all(tries.acquire(timeout=PATIENCE) for _ in range(2)), "it tries again"
    assert times("led", 2)
    stopping.set()
    leader.join(PATIENCE)
    assert not [thread for thread in threading.enumerate() if thread.name == "iit-loop-led"]


def test_two_features_cannot_declare_one_loop(monkeypatch):
    twins = [Feature(name, loops=[loop("good")]) for name in ("one", "two")]
    monkeypatch.setattr("core.feature_registry.features", lambda: twins)
    with pytest.raises(RuntimeError, match="loop 'good' is declared twice"):
        loops.loops()


def test_retention_is_a_loop_that_one_worker_runs(monkeypatch):
    declared = loops.loops()["retention"]
    assert (declared.everywhere, declared.seconds) == (False, 3600.0)
    stopping, seen = threading.Event(), []
    monkeypatch.setattr(retention, "run_due", lambda event: seen.append(event) or {})
    retention.look(stopping)
    assert seen == [stopping]
