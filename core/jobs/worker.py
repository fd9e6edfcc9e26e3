"""The process ``iit worker``: the relay and a Dramatiq worker's threads. SIGTERM lets running steps finish."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import dramatiq
import redis

from core import scratch, telemetry
from core.connections.sharing import sharing
from core.database import DatabaseUnavailable
from core.database.rights import warn_of_open_rights
from core.error_groups.tracking import tracked
from core.errors import AppError
from core.feature_registry import load_jobs
from core.jobs.attendance import Attendance
from core.jobs.broker import DramatiqMessages, LocalMessages
from core.jobs.failures import describe
from core.jobs.loops import Loops
from core.jobs.relay import Relay
from core.jobs.runner import Runner
from core.metering.seconds import seconds_recorded
from core.metrics.exposition import exposed
from core.plugins import models
from core.plugins.catalogue import installed
from core.settings import get_settings
from core.startup import check_start
from core.tenancy import list_tenants
from core.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from uuid import UUID

    from core.database import TenantRef

IDLE_MILLISECONDS = 250
"""Milliseconds that Dramatiq's threads sleep when there is nothing to do."""

WAITS = 60
"""Seconds that a message waits for an unavailable database."""

log = telemetry.get_logger(__name__)


@contextmanager
def working(threads: int | None = None, *, grace_seconds: float | None = None) -> Iterator[Runner]:
    """Run jobs in this process while the block lasts.

    Args:
        threads: jobs at a time; the setting when None.
        grace_seconds: how long running jobs get to reach the end of their step; the setting when None.

    Raises:
        Unavailable: database or Redis cannot be reached, or this process has another master key or store of files than
            the installation.
    """
    settings = get_settings()
    load_jobs()
    list_tenants()  # fails at once if the database is unavailable or new
    check_start()
    left = scratch.sweep()
    if left:
        log.info("temporary folders of killed processes removed", processes=left)
    models()  # finds the plugins now, and warns where they cannot be confined
    installed()
    threads = threads or settings.jobs_threads
    messages, runner, stopping = DramatiqMessages(), Runner(isolating=True, threads=threads), Event()
    attendance = Attendance(
        messages, lambda *job_and_wake: _guarded(messages, runner, *job_and_wake), stopping, threads=threads
    )
    attendance.prepare()
    worker = dramatiq.Worker(messages.broker, worker_threads=threads, worker_timeout=IDLE_MILLISECONDS)
    worker.queue_prefetch = threads
    worker.start()
    attendance.start()
    loops = Loops(stopping)
    loops.start()
    try:
        with (
            exposed(settings.metrics_host, settings.metrics_port),
            sharing("worker"),
            tracked("worker"),
            traced("worker"),
            seconds_recorded(),
        ):
            yield runner
    finally:
        stopping.set()
        runner.stopping.set()
        attendance.join(timeout=10)
        loops.join(timeout=10)
        grace = settings.jobs_grace_seconds if grace_seconds is None else grace_seconds
        worker.stop(timeout=round(grace * 1000))
        try:
            left = runner.release()
            if left:
                log.warning("jobs given back in the middle of a step", jobs=left)
        except AppError as error:
            log.warning("jobs not given back: their leases will run out", error=describe(error))
        runner.close()
        messages.broker.close()


def serve(threads: int | None = None) -> None:
    """Run jobs until SIGTERM or SIGINT, then finish the running steps and give back the rest.

    Raises:
        Unavailable: database or Redis cannot be reached.
    """
    asked = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with working(threads):
            warn_of_open_rights()
            log.info("worker ready")
            while not asked.wait(0.5):
                pass
            log.info("worker stops")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def drain(tenant: TenantRef, *, most: int = 10_000) -> int:
    """Run all due jobs of a tenant in this thread, without a worker or Redis.

    For commands that wait for their own job, and for tests. Other workers may run some of the jobs meanwhile.

    Returns:
        The number of tries.

    Raises:
        Unavailable: the database cannot be reached.
    """
    load_jobs()
    messages, runner, tries = LocalMessages(), Runner(), 0
    relay = Relay(messages, database=tenant.database, tenant=tenant)
    try:
        while tries < most:
            relay.tick()
            if not messages.sent:
                break
            while messages.sent:
                runner.run(*messages.sent.pop(0))
                tries += 1
    finally:
        runner.close()
    return tries


def _guarded(
    messages: DramatiqMessages, runner: Runner, job_id: UUID, database: str, ended: Callable[[], None]
) -> None:
    """Run the job of one message and those after it; if the database is unavailable, try again for a while.

    Trying again is safe: no two tries can have one job's lease. Errors of the jobs are on their rows, not raised here.
    """

    def hand_over() -> bool:
        try:
            messages.send(job_id, database)
        except redis.RedisError:
            return False
        return True

    for _ in range(WAITS):
        try:
            runner.serve(job_id, database, ended=ended, hand_over=hand_over)
        except DatabaseUnavailable:
            if runner.stopping.wait(1.0):
                return
        else:
            return
    log.warning("message given up: the relay sends another", job_id=str(job_id))
