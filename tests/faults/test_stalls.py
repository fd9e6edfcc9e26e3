"""Jobs outlive a network that breaks, a worker that stands still, and clocks that differ."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from core.database import tenant_session
from core.jobs import enqueue
from core.services import ensure
from core.services.rights import IDLE_LIMIT
from core.tenancy import create_tenant
from tests.faults import job_worker
from tests.faults.proxy import Proxy
from tests.faults.test_jobs import ONCE_EACH, done, effects, job_row, until


@pytest.fixture(scope="module")
def tenant(own_services):
    return create_tenant("stalls", "Stalls").ref


@pytest.fixture
def ask(tenant):
    def enqueue_(kind, run_after=None, **payload):
        with tenant_session(tenant, actor="test:1") as session:
            return enqueue(session, f"faults.{kind}", payload, run_after=run_after)

    return enqueue_


@pytest.fixture
def proxy(own_services):
    target = urlsplit(ensure().redis_url)
    forwarder = Proxy(target.hostname, target.port)
    yield forwarder
    forwarder.close()


def soon(seconds):
    return datetime.now(UTC) + timedelta(seconds=seconds)


def through(proxy):
    target = urlsplit(ensure().redis_url)
    return target._replace(netloc=target.netloc.replace(f":{target.port}", f":{proxy.port}")).geturl()


def test_delayed_jobs_run_once_after_redis_was_cut_off_for_three_seconds(tenant, ask, start, proxy):
    start(REDIS_URL=through(proxy))
    first = ask("quick")
    until(done(first))
    delayed = [ask("quick", run_after=soon(seconds)) for seconds in (0.5, 1, 2)]
    proxy.cut()
    mended_at = soon(3)
    until(lambda: datetime.now(UTC) >= mended_at)
    assert not any(done(job_id)() for job_id in delayed)
    proxy.mend()
    for job_id in delayed:
        until(done(job_id))
    assert effects(tenant, first, *delayed) == Counter({"quick": 4})


@pytest.mark.parametrize("place", ["within", "after"])
def test_a_worker_that_stood_still_beyond_its_lease_does_nothing_more_for_the_job(tenant, ask, start, tmp_path, place):
    job_id = ask("steps", wait=place, folder=str(tmp_path), cursor=f"stopped still {place} a transaction")
    still = start(PGOPTIONS="-c idle_in_transaction_session_timeout=2s")
    until((tmp_path / place).exists)
    still.send_signal(signal.SIGSTOP)
    try:
        start()
        until(done(job_id))
        assert effects(tenant, job_id) == ONCE_EACH
        (tmp_path / "go on").touch()
    finally:
        still.send_signal(signal.SIGCONT)
    later = [ask("quick") for _ in range(4)]
    for one in later:
        until(done(one))
    assert still.poll() is None
    assert effects(tenant, job_id) == ONCE_EACH
    assert job_row(job_id)["deliveries"] == 2


def test_a_transaction_that_does_nothing_is_ended_by_the_server(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        assert session.scalar(text("SHOW idle_in_transaction_session_timeout")) == IDLE_LIMIT


def test_workers_whose_clocks_differ_by_hours_keep_times_and_leases(tenant, ask, start):
    for hours in (3, -3):
        start(TEST_CLOCK_AHEAD=str(hours * 3600))
    delayed = ask("quick", run_after=soon(2))
    slow = ask("slow", seconds=3 * job_worker.LEASE.total_seconds())
    until(done(delayed))
    until(done(slow))
    assert job_row(delayed)["finished_at"] >= job_row(delayed)["run_after"]
    assert job_row(slow)["deliveries"] == 1
    assert effects(tenant, slow, delayed) == Counter({"slow": 1, "quick": 1})
