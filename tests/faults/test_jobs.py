"""Nothing asked for is lost and nothing takes effect twice, whoever is killed in the middle.

On servers of its own, with workers in processes of their own.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import dispose, node_session, tenant_session
from core.errors import Unavailable
from core.jobs import enqueue
from core.jobs.broker import DramatiqMessages
from core.jobs.relay import Relay
from core.services import ensure
from core.tenancy import create_tenant
from tests.faults import job_worker  # registers the kinds
from tests.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module")
def tenant(own_services):
    return create_tenant("faults", "Faults").ref


@pytest.fixture(scope="module")
def other(own_services):
    return create_tenant("bystander", "Bystander").ref


@pytest.fixture
def ask(tenant):
    def enqueue_(kind, tenant=tenant, **payload):
        with tenant_session(tenant, actor="test:1") as session:
            return enqueue(session, f"faults.{kind}", payload)

    return enqueue_


def until(condition):
    """Wait for ``condition()`` to be true, and give it."""
    return wait_until(condition, "what was promised did not come")


def job_row(job_id):
    with node_session() as session:
        return session.execute(text("SELECT * FROM node.jobs WHERE id = :id"), {"id": job_id}).mappings().one()


def done(job_id):
    return lambda: job_row(job_id)["state"] == "done"


def beats(worker):
    """Whether the worker gives signs of life; it stops when it begins to end."""
    with node_session() as session:
        query = text("SELECT count(*) FROM node.workers WHERE process = :process")
        return session.scalar(query, {"process": worker.pid}) > 0


def effects(tenant, *job_ids):
    """How often each effect of these jobs is there."""
    with tenant_session(tenant, actor="test:1") as session:
        query = text("SELECT actor, detail ->> 'effect' AS effect FROM audit_events WHERE actor = ANY(:actors)")
        rows = session.execute(query, {"actors": [f"job:{job_id}" for job_id in job_ids]}).all()
    return Counter(row.effect for row in rows)


ONCE_EACH = Counter({f"step {number}": 1 for number in range(1, job_worker.STEPS + 1)})


@pytest.mark.parametrize("place", ["within", "after"])
def test_a_worker_killed_in_the_middle_costs_a_step_and_its_effect_is_there_once(tenant, ask, start, tmp_path, place):
    job_id = ask("steps", wait=place, folder=str(tmp_path), cursor=f"killed {place}")
    worker = start()
    until((tmp_path / place).exists)
    worker.kill()
    worker.wait()
    assert effects(tenant, job_id).total() == (1 if place == "within" else 2)
    start()
    until(done(job_id))
    assert effects(tenant, job_id) == ONCE_EACH
    job = job_row(job_id)
    assert (job["suspicion"], job["interruptions"], job["deliveries"]) == (1, 0, 2)


def test_a_worker_asked_to_stop_ends_its_step_gives_the_job_back_and_exits_well(tenant, ask, start, tmp_path):
    job_id = ask("steps", wait="within", folder=str(tmp_path), cursor="stopped")
    worker = start()
    until((tmp_path / "within").exists)
    until(lambda: beats(worker))
    worker.send_signal(signal.SIGTERM)
    until(lambda: not beats(worker))  # it has heeded the signal
    (tmp_path / "go on").touch()
    assert worker.wait(timeout=PATIENCE) == 0
    job = job_row(job_id)
    # The relay that is just ending may have admitted it once more: then its message waits for the next worker.
    assert job["state"] in ("queued", "sent")
    assert (job["attempts"], job["interruptions"]) == (0, 0)
    assert effects(tenant, job_id).total() == 2
    start()
    until(done(job_id))
    assert effects(tenant, job_id) == ONCE_EACH


def test_messages_that_redis_forgot_are_sent_again(tenant, ask, start):
    messages = DramatiqMessages()
    jobs = [ask("quick") for _ in range(10)]
    relay = Relay(messages)
    relay.tick()
    sent = [job_id for job_id in jobs if job_row(job_id)["state"] == "sent"]
    assert sent
    messages.client.flushall()
    start()
    for job_id in jobs:
        until(done(job_id))
    assert effects(tenant, *jobs) == Counter({"quick": 10})


def test_a_redis_that_dies_and_comes_back_empty_is_outlived(tenant, ask, start):
    start()
    before = ask("quick")
    until(done(before))
    client = DramatiqMessages().client
    os.kill(client.info()["process_id"], signal.SIGKILL)
    during = [ask("quick") for _ in range(3)]
    time.sleep(1)
    assert not any(done(job_id)() for job_id in during)
    ensure()
    after = ask("quick")
    for job_id in (*during, after):
        until(done(job_id))
    assert effects(tenant, before, *during, after) == Counter({"quick": 5})


def test_a_job_that_kills_its_worker_is_given_up_alone_and_a_job_beside_it_is_not_blamed(
    tenant, other, ask, start, tmp_path
):
    folder = str(tmp_path)
    poison = ask("poison", folder=folder, beside=["innocent"])
    innocent = ask("watch", other, folder=folder, name="innocent")
    start(TEST_INTERRUPTIONS="2").wait(timeout=PATIENCE)
    assert job_row(poison)["state"] == job_row(innocent)["state"] == "running"
    (tmp_path / "innocent").unlink()

    worker = start(TEST_INTERRUPTIONS="2")
    until(lambda: job_row(poison)["suspicion"] == 2)
    assert job_row(innocent)["state"] == "running", "its process is another one"
    assert job_row(poison)["interruptions"] == 0, "something ran beside it: it is not blamed yet"
    (tmp_path / "go on").touch()
    until(lambda: job_row(poison)["state"] == "dead")
    until(done(innocent))
    assert worker.poll() is None, "the worker has outlived them"

    job = job_row(innocent)
    assert (job["attempts"], job["interruptions"], job["deliveries"]) == (0, 0, 2)
    assert effects(other, innocent) == Counter({"begun": 2, "watched": 1})
    with node_session() as session:
        letter = session.execute(
            text("SELECT reason, deliveries FROM node.dead_letters WHERE job_id = :id"), {"id": poison}
        )
        assert tuple(letter.one()) == ("interruptions", 4)


def test_where_a_job_takes_worker_and_all_its_processes_with_it_only_that_job_is_given_up(
    tenant, other, ask, start, tmp_path
):
    """As a container does whose memory is full: all of it is killed at once."""
    folder = str(tmp_path)
    poison = ask("poison", folder=folder, beside=["innocent"], whole=True)
    innocent = ask("watch", other, folder=folder, name="innocent")
    for _ in range(2):
        start(TEST_INTERRUPTIONS="2").wait(timeout=PATIENCE)
    (tmp_path / "go on").touch()
    worker = start(TEST_INTERRUPTIONS="2")

    def ended():
        nonlocal worker
        if worker.poll() is not None:
            worker = start(TEST_INTERRUPTIONS="2")
        return job_row(poison)["state"] == "dead" and done(innocent)()

    until(ended)
    assert (job_row(poison)["interruptions"], job_row(innocent)["interruptions"]) == (2, 0)
    assert effects(other, innocent)["watched"] == 1


def test_a_worker_asked_to_stop_gives_back_the_jobs_that_run_in_processes_of_their_own(ask, start, tmp_path):
    job_id = ask("watch", folder=str(tmp_path), name="watched")
    worker = start(IIT_JOBS_GRACE_SECONDS="1")
    until((tmp_path / "watched").exists)
    worker.kill()
    worker.wait()
    (tmp_path / "watched").unlink()
    worker = start(IIT_JOBS_GRACE_SECONDS="1")
    until((tmp_path / "watched").exists)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=PATIENCE) == 0
    job = job_row(job_id)
    assert job["state"] in ("queued", "sent")
    assert (job["attempts"], job["suspicion"], job["interruptions"]) == (0, 1, 0)
    processes = [int(path.name.split()[1]) for path in tmp_path.glob("watched *")]
    assert not any(Path(f"/proc/{process}").exists() for process in processes), "none is left behind"
    (tmp_path / "go on").touch()
    start()
    until(done(job_id))


def test_one_tenant_never_holds_all_threads_of_the_workers(tenant, other, ask, start, tmp_path):
    busy = [ask("watch", folder=str(tmp_path), name=f"busy {number}") for number in range(6)]
    busy += [ask("slow", seconds=0) for _ in range(3)]
    start(IIT_JOBS_THREADS="3")
    until(lambda: [job_row(job_id)["state"] for job_id in busy].count("running") == 2)
    quick = ask("quick", other)
    until(done(quick))
    assert [job_row(job_id)["state"] for job_id in busy].count("running") == 2
    (tmp_path / "go on").touch()
    for job_id in busy:
        until(done(job_id))


def test_a_job_slower_than_its_lease_runs_once(tenant, ask, start):
    start()
    start()
    job_id = ask("slow", seconds=3 * job_worker.LEASE.total_seconds())
    until(done(job_id))
    assert job_row(job_id)["deliveries"] == 1
    assert effects(tenant, job_id) == Counter({"slow": 1})


def test_a_postgresql_killed_and_started_again_is_gone_on_with(tenant, ask, start, tmp_path):
    """Sessions of this process and a worker that was never restarted."""
    job_id = ask("steps", wait="within", folder=str(tmp_path), cursor="postgresql killed")
    start()
    until((tmp_path / "within").exists)
    (postmaster,) = Path(os.environ["IIT_STATE_DIR"]).rglob("postmaster.pid")
    os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)

    def rejected():
        try:
            with tenant_session(tenant, actor="test:1") as session:
                session.execute(text("SELECT 1"))
        except Unavailable:
            return True
        return False

    until(rejected)
    ensure()
    (tmp_path / "go on").touch()
    until(lambda: not rejected())
    until(done(job_id))
    assert effects(tenant, job_id) == ONCE_EACH
    job = job_row(job_id)
    assert (job["attempts"], job["suspicion"], job["interruptions"]) == (0, 0, 0), "it is not the job's fault"
    dispose()
