"""Benchmark of jobs: ours against bare Dramatiq on the same Valkey, the outbox's latency, and encryption of a payload.

Ours does what Dramatiq alone does not: the job commits with the caller's transaction, tenants take turns, a lease, and
an effect that is there once. Half of Dramatiq's jobs per second is the goal.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.measure import Ratio, compare, settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.database import TenantRef
    from core.jobs import JobContext

JOBS = 400
THREADS = 4
LATENCIES = 60
PATIENCE = 120.0
KIND = "benchmarks.nothing"
PAYLOAD = {"import_uuid": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c33", "as_of": "2026-11-29"}


def run() -> Iterator[Ratio]:
    """Compare the time of a job with that of a message of Dramatiq, and show the latency of an idle queue."""
    from core.jobs import enqueue, job
    from core.tenancy import create_tenant

    seen = _Countdown()

    @job(KIND)
    def nothing(_context: JobContext, _payload: dict[str, object]) -> None:
        seen.count()

    tenants = [create_tenant(f"bench-{uuid4().hex[:8]}", name="Benchmark").ref for _ in range(3)]
    settled()

    def ask(tenant: TenantRef) -> None:
        from core.database import tenant_session

        with tenant_session(tenant, actor="bench:jobs") as session:
            enqueue(session, KIND, PAYLOAD)

    with _working():
        ours = [_spent(seen, lambda: _enqueue_many(tenants)) for _ in range(3)]
        waits = sorted(_spent_on_one(seen, lambda: ask(tenants[0])) for _ in range(LATENCIES))
    bare = [_bare_dramatiq() for _ in range(3)]
    yield Ratio("a job, over a message of Dramatiq", statistics.median(ours), statistics.median(bare), target=2.0)
    yield Ratio("p99 from enqueue to run, idle, over 100 ms", waits[int(0.99 * len(waits))], 0.1, target=1.0)
    yield _sealing(tenants[0])


def _enqueue_many(tenants: list[TenantRef]) -> int:
    """Enqueue jobs of all tenants, a hundred in a transaction; return how many."""
    from core.database import tenant_session
    from core.jobs import enqueue

    for number in range(JOBS // 100):
        with tenant_session(tenants[number % len(tenants)], actor="bench:jobs") as session:
            for _ in range(100):
                enqueue(session, KIND, PAYLOAD)
    return JOBS


def _sealing(tenant: TenantRef) -> Ratio:
    """Compare the encryption of a payload with its serialisation alone."""
    from core.jobs import payloads

    job_id = uuid4()
    payloads.seal_as(tenant, job_id, PAYLOAD)
    return compare(
        "encryption of a payload, over its JSON",
        lambda: payloads.seal_as(tenant, job_id, PAYLOAD),
        lambda: json.dumps(PAYLOAD),
        calls=200,
    )


class _Countdown:
    """Counts jobs until as many have run as were expected."""

    def __init__(self) -> None:
        self._left, self._lock, self.reached = 0, Lock(), Event()

    def expect(self, number: int) -> None:
        """Wait for this many more."""
        with self._lock:
            self._left = number
            self.reached.clear()

    def count(self) -> None:
        """Count one."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.reached.set()

    def wait(self) -> None:
        """Wait until all have run.

        Raises:
            RuntimeError: they have not.
        """
        if not self.reached.wait(PATIENCE):
            message = f"{self._left} jobs did not run"
            raise RuntimeError(message)


def _spent(seen: _Countdown, enqueue_all: Callable[[], int]) -> float:
    """Return the seconds for one of many jobs, from the first enqueue to the end of the last."""
    seen.expect(JOBS)
    began = time.perf_counter()
    enqueue_all()
    seen.wait()
    return (time.perf_counter() - began) / JOBS


def _spent_on_one(seen: _Countdown, enqueue_one: Callable[[], None]) -> float:
    """Return the seconds from the commit of a job to its run, while nothing else waits."""
    seen.expect(1)
    enqueue_one()
    began = time.perf_counter()
    seen.wait()
    return time.perf_counter() - began


@contextmanager
def _working() -> Iterator[None]:
    from core.jobs.worker import working

    with working(THREADS):
        yield


def _bare_dramatiq() -> float:
    """Return the seconds for one message of Dramatiq with its default middleware, on the same Valkey."""
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    from core.services import ensure

    seen = _Countdown()
    broker = RedisBroker(url=ensure().redis_url, namespace=f"bench-{uuid4().hex[:8]}")  # type: ignore[no-untyped-call]

    @dramatiq.actor(broker=broker)
    def nothing(_payload: dict[str, str]) -> None:
        seen.count()

    worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=250)
    worker.start()
    try:
        seen.expect(JOBS)
        began = time.perf_counter()
        for _ in range(JOBS):
            nothing.send(PAYLOAD)
        seen.wait()
        return (time.perf_counter() - began) / JOBS
    finally:
        worker.stop()
        broker.close()
