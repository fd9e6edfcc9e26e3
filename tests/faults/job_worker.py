"""A worker in a process of its own, with kinds of jobs that stop where the test can hit them.

Started as ``python tests/faults/job_worker.py``; its settings come from the environment, as those of ``iit worker`` do.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if "TEST_CLOCK_AHEAD" in os.environ:
    from tests.faults import skew

    skew.install(float(os.environ["TEST_CLOCK_AHEAD"]))

from core.jobs import Retry, endings, isolated, isolation, job, registry
from tests.faults import noting
from tests.faults.effects import effect, wait_here_once

STEPS = 4
LEASE = timedelta(seconds=1)


def move_cursor(session, key):
    """Count one step more in the transaction of its effect; gives the number of the step."""
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenant_settings VALUES (%s, '1', now(), 'test:1') ON CONFLICT (key) DO UPDATE"
            " SET value = to_jsonb(tenant_settings.value::int + 1) RETURNING value",
            (key,),
        )
        return cursor.fetchone()[0]


@job("faults.steps", lease=LEASE, retry=Retry(1), time_limit=timedelta(minutes=5))
def steps(context, payload):
    """Four steps; waits within or after the second, as the payload says."""
    place = payload["wait"]
    while True:
        with context.session() as session:
            number = move_cursor(session, payload["cursor"])
            effect(session, f"step {number}")
            if (place, number) == ("within", 2):
                wait_here_once(payload["folder"], place)
            if number == STEPS:
                context.finish(session)
        if number == STEPS:
            return
        if (place, number) == ("after", 2):
            wait_here_once(payload["folder"], place)


@job("faults.quick", lease=LEASE, retry=Retry(1))
def quick(context, _payload):
    """One effect."""
    with context.session() as session:
        effect(session, "quick")
        context.finish(session)


@job("faults.slow", lease=LEASE, retry=Retry(1), time_limit=timedelta(minutes=5))
def slow(context, payload):
    """Thinks for longer than its lease, between steps, then has its effect."""
    time.sleep(payload["seconds"])
    with context.session() as session:
        effect(session, "slow")
        context.finish(session)


@job("faults.poison", lease=LEASE, retry=Retry(1))
def poison(_context, payload):
    """Takes its process with it, and its worker where that is another one and ``whole`` is set, as a full memory may.

    Before that it waits for jobs that are to run beside it: ``beside``, each once.
    """
    for place in payload.get("beside", ()):
        while not (Path(payload["folder"]) / place).exists():
            time.sleep(0.02)
    if payload.get("whole") and "--isolated" in sys.argv:
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@job("faults.watch", lease=LEASE, retry=Retry(1), time_limit=timedelta(minutes=5))
def watch(context, payload):
    """Writes down that it runs, and in which process, until the test lets it continue."""
    folder = Path(payload["folder"])
    with context.session() as session:
        effect(session, "begun")
    (folder / f"{payload['name']} {os.getpid()}").touch()
    (folder / payload["name"]).touch()
    while not (folder / "go on").exists():
        time.sleep(0.02)
    with context.session() as session:
        effect(session, "watched")
        context.finish(session)


def prepare():
    """Make this process a worker of the tests: its isolated processes know the kinds, and leases may be shorter."""
    isolation.COMMAND = (sys.executable, __file__, "--isolated")
    if "TEST_LEASE_SECONDS" in os.environ:
        lease = timedelta(seconds=float(os.environ["TEST_LEASE_SECONDS"]))
        registry._kinds.update({name: replace(kind, lease=lease) for name, kind in registry.kinds().items()})
    endings.MAX_INTERRUPTIONS = int(os.environ.get("TEST_INTERRUPTIONS", endings.MAX_INTERRUPTIONS))


if __name__ == "__main__":
    noting.install()
    if "--isolated" in sys.argv:
        sys.exit(isolated.main(sys.argv[2:]))

    from core.jobs.worker import serve

    prepare()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    serve()
