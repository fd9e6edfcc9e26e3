"""What a running worker shows of itself and does beside jobs, and how long jobs of each kind have been waiting."""

import os
import threading
from uuid import uuid4

import pytest
from sqlalchemy import text

from core import audit
from core.audit.verify import verify
from core.database import databases, node_session
from core.jobs import live_workers, queue_age
from core.jobs.heartbeat import Heartbeat
from core.jobs.worker import working
from tests.waiting import wait_until


@pytest.fixture
def no_jobs(own_services):
    with node_session() as session:
        session.execute(text("DELETE FROM node.jobs"))


@pytest.fixture(scope="module")
def tenant(own_services):
    from core.tenancy import create_tenant

    return create_tenant("heartbeat", "Heartbeat").ref


def set_back(worker_id, interval):
    with node_session() as session:
        session.execute(
            text("UPDATE node.workers SET seen_at = now() - CAST(:interval AS interval) WHERE id = :id"),
            {"interval": interval, "id": worker_id},
        )


def seen(worker_id):
    return [worker for worker in live_workers() if worker.id == worker_id]


def test_a_worker_is_seen_while_it_shows_signs_of_life(own_services):
    worker_id = uuid4()
    heartbeat = Heartbeat(worker_id, 4)
    heartbeat.beat()
    (worker,) = seen(worker_id)
    assert (worker.threads, worker.process) == (4, os.getpid())
    set_back(worker_id, "31 seconds")
    assert seen(worker_id) == [], "it has been silent for too long"
    heartbeat.beat()
    (again,) = seen(worker_id)
    assert again.started_at == worker.started_at
    heartbeat.end()
    assert seen(worker_id) == []


def test_a_worker_that_stops_signs_off(own_services):
    worker_id, stopping = uuid4(), threading.Event()
    stopping.set()
    Heartbeat(worker_id, 1).run(stopping)
    assert seen(worker_id) == []


def test_a_running_worker_is_seen_in_every_data_database(own_services):
    with working(threads=3):
        for database in databases():
            assert until(lambda database=database: [worker.threads for worker in live_workers(database)]) == [3]
    assert live_workers() == []


def until(condition):
    return wait_until(condition, "what was promised did not come")


def test_a_worker_seals_and_anchors_audits_within_seconds(tenant, open_session, settings_of):
    settings_of(audit_seal_seconds=0.1, audit_anchor_seconds=0)
    with working(threads=1):
        with open_session(tenant) as session:
            audit.record_many(session, "api:audit:read", "patient", [uuid4() for _ in range(3)])
        verdict = until(lambda: (latest := verify(tenant)).anchored_through and latest)
    assert (verdict.intact, verdict.pending, verdict.anchored_through) == (True, 0, verdict.seals)
    assert verdict.events >= 3


def test_rows_of_workers_that_vanished_are_removed_after_a_day(own_services):
    gone, present = uuid4(), uuid4()
    Heartbeat(gone, 1).beat()
    set_back(gone, "25 hours")
    Heartbeat(present, 1).beat()
    with node_session() as session:
        left = set(session.scalars(text("SELECT id FROM node.workers")))
    assert present in left
    assert gone not in left


def test_the_age_of_a_queue_counts_from_when_its_oldest_job_was_due(no_jobs, tenant, ask, change):
    assert queue_age() == []
    old, new, later, running, other = (ask(tenant) for _ in range(5))
    change(old, "run_after = now() - interval '10 minutes', created_at = now() - interval '1 hour'")
    change(new, "state = 'sent', sent_at = now()")
    change(later, "run_after = now() + interval '1 hour'")
    change(running, "state = 'running', lease_token = gen_random_uuid(), lease_until = now() + interval '1 minute'")
    change(other, "kind = 'testing.other', created_at = now() - interval '1 minute', run_after = created_at")
    act, rest = queue_age()
    assert (act.kind, act.waiting, act.running) == ("testing.act", 2, 1)
    assert 600 <= act.oldest_seconds < 900
    assert (rest.kind, rest.waiting, rest.running) == ("testing.other", 1, 0)
    assert rest.oldest_seconds < 300
    assert [row.kind for row in queue_age("default")] == ["testing.act", "testing.other"]


def test_a_job_that_waits_from_an_earlier_day_of_its_own_is_not_older_than_itself(no_jobs, tenant, ask, change):
    """``run_after`` may lie before the job was asked for."""
    change(ask(tenant), "run_after = now() - interval '1 year'")
    (age,) = queue_age()
    assert age.oldest_seconds < 300
